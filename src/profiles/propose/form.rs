//! How an answer is written, and the answer as a tree: JSON, JSON lines, XML (which comes as a tree already), or lines of
//! cells, which become an array of arrays with a header.

use serde_json::Value;

use super::lines::{self, Lines};
use super::{ProposeError, Seen};

/// Lines of JSON that are looked at.
const MAX_LINES: usize = 2_000;

/// The format that the proposal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Json,
    Ndjson,
    Xml,
    Lines(Lines),
}

/// Tells the form, and reads the answer by it.
pub fn read(seen: &Seen<'_>) -> Result<(Form, Value), ProposeError> {
    let text = seen.body.trim_start_matches('\u{feff}');
    let start = text.trim_start();
    match start.chars().next() {
        None => return Err(ProposeError::Unknown("empty".into())),
        Some('<') if is_page(start) => return Err(ProposeError::Unknown("a web page".into())),
        _ => {}
    }
    let broken = match serde_json::from_str::<Value>(text) {
        Ok(tree) if seen.is_xml => return Ok((Form::Xml, tree)),
        Ok(tree) => return Ok((Form::Json, tree)),
        Err(error) => error,
    };
    if let Some(rows) = json_lines(text) {
        return Ok((Form::Ndjson, rows));
    }
    if start.starts_with(['{', '[']) {
        return Err(ProposeError::Unknown(format!("broken JSON ({broken})")));
    }
    if start.starts_with('<') {
        return Err(ProposeError::Unknown("broken XML".into()));
    }
    match lines::read(text) {
        Some((lines, rows)) => Ok((Form::Lines(lines), rows)),
        None => Err(ProposeError::Unknown(
            "neither JSON nor XML, nor lines with one number of values each (columns of fixed width are said by \
             columns.fixed)"
                .into(),
        )),
    }
}

fn is_page(start: &str) -> bool {
    let head: String = start.chars().take(300).collect();
    head.to_lowercase().contains("<html")
}

/// Two lines or more, each an object.
fn json_lines(text: &str) -> Option<Value> {
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(MAX_LINES);
    let rows: Vec<Value> = lines.map(|line| serde_json::from_str(line).ok()).collect::<Option<_>>()?;
    (rows.len() >= 2 && rows.iter().all(Value::is_object)).then_some(Value::Array(rows))
}
