//! JSON lines: one value on each line.

use crate::pipeline::json::Scanner;
use crate::pipeline::page::PageError;

/// The lines as one array; line numbers stay what they were.
pub fn to_json(text: &str) -> Result<String, PageError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut out = String::with_capacity(text.len() + text.len() / 16 + 2);
    out.push('[');
    let mut first = true;
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let line = line.trim_matches(|next: char| next.is_ascii_whitespace());
        if line.is_empty() {
            continue;
        }
        check(line, index + 1)?;
        if !first {
            out.push(',');
        }
        first = false;
        out.push_str(line);
    }
    out.push(']');
    Ok(out)
}

fn check(line: &str, number: usize) -> Result<(), PageError> {
    let mut scanner = Scanner::new(line);
    let read = scanner.skip_value().and_then(|()| scanner.end());
    read.map_err(|error| {
        let near = crate::pipeline::fetch::excerpt(line.as_bytes());
        PageError::Broken(format!("line {number} is not a JSON value: {}, near {near:?}", error.message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_an_array_and_keep_their_numbers() {
        let json = to_json("\u{feff}{\"a\":1}\r\n\r\n  {\"a\":2}\n").unwrap();
        assert_eq!(json, "[{\"a\":1}\n\n,{\"a\":2}\n]");
        assert_eq!(to_json("").unwrap(), "[]");
        for broken in ["{}\n{\n", "{}\n{},{}", "{}\n1]"] {
            let PageError::Broken(message) = to_json(broken).unwrap_err() else { panic!("{broken}") };
            assert!(message.starts_with("line 2 is not a JSON value"), "{message}");
        }
    }
}
