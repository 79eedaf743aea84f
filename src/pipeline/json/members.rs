//! The names of an object's members, without reading what they hold.

use super::scan::{Scanner, Token};
use super::strings::unescape;

/// Hands the names to `on_name`. Stops in silence where the text is no object: it was read before.
pub fn member_names(text: &str, mut on_name: impl FnMut(&str)) {
    let mut scanner = Scanner::new(text);
    let Ok(Token::Object) = scanner.value() else { return };
    let mut first = true;
    let mut plain = String::new();
    while let Ok(Some(key)) = scanner.next_key(first) {
        first = false;
        if !key.escaped {
            on_name(key.raw);
        } else {
            plain.clear();
            if unescape(key.raw, &mut plain).is_some() {
                on_name(&plain);
            }
        }
        if scanner.skip_value().is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_as_they_are_meant_and_nested_ones_do_not() {
        let mut names = Vec::new();
        member_names(r#" {"a": 1, "b": {"c": [2]}, "\u00e4\n": null}"#, |name| names.push(name.to_owned()));
        assert_eq!(names, ["a", "b", "ä\n"]);
        member_names("[1]", |_| panic!("a list has no names"));
    }
}
