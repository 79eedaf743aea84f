//! JSONPath (RFC 9535) where it is more than a plain path: filters, slices, descendants. The only file that knows the
//! crate for it. The crate's own `match` and `search` compile their expression for every node; these here keep it.

use std::cell::RefCell;

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;
use serde_json_path::functions::{LogicalType, ValueType};

use super::path::Path;

/// Each descendant segment goes through everything below: with many of them the time would not be bounded.
const MAX_DESCENDANTS: usize = 2;
const MAX_CHARS: usize = 1_000;
/// Memory of one compiled expression.
const MAX_REGEX_BYTES: usize = 1 << 20;
const MAX_KEPT: usize = 16;

/// A JSONPath that only a tree can answer.
#[derive(Debug)]
pub struct Selector {
    pub text: String,
    path: serde_json_path::JsonPath,
}

impl Selector {
    /// Reads a path that begins at the answer, or at the element of the step before. `None`: it is a plain path, or
    /// looks like one.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        let trimmed = text.trim();
        let searches = trimmed.contains(['?', ':', ',', '*']) || ["..", "[-"].iter().any(|mark| trimmed.contains(mark));
        if Path::parse(trimmed).is_ok() || !searches {
            return Ok(None);
        }
        if trimmed.chars().count() > MAX_CHARS {
            return Err(format!("the path is longer than {MAX_CHARS} characters"));
        }
        if trimmed.matches("..").count() > MAX_DESCENDANTS {
            return Err(format!("a JSONPath goes down by .. at most {MAX_DESCENDANTS} times"));
        }
        let query = match trimmed.as_bytes() {
            [b'$', b'.' | b'[', ..] => trimmed.to_owned(),
            [b'@', b'.' | b'[', ..] => format!("${}", &trimmed[1..]),
            [b'[', ..] => format!("${trimmed}"),
            _ => format!("$.{trimmed}"),
        };
        let path = serde_json_path::JsonPath::parse(&query)
            .map_err(|error| format!("{trimmed:?} is not a JSONPath (RFC 9535): {error}"))?;
        check_expressions(&query)?;
        Ok(Some(Self { text: trimmed.to_owned(), path }))
    }

    /// What it selects, in the order of the document.
    pub fn select<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        self.path.query(value).all()
    }
}

/// A wrong expression would match nothing, without a word.
fn check_expressions(query: &str) -> Result<(), String> {
    const CALLS: &str = r#"(?:match|search)\s*\([^"'()]*,\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\)"#;
    let calls = Regex::new(CALLS).map_err(|error| error.to_string())?;
    for call in calls.captures_iter(query) {
        let literal = call.get(1).or_else(|| call.get(2)).map_or("", |literal| literal.as_str());
        compiled(&literal.replace("\\\\", "\\"))
            .map_err(|error| format!("{literal:?} is not an expression: {error}"))?;
    }
    Ok(())
}

fn compiled(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression).size_limit(MAX_REGEX_BYTES).build().map_err(|error| error.to_string())
}

thread_local! {
    /// The expressions that were used last. They come from the profile, or (oddly) from the answer.
    static KEPT: RefCell<Vec<(String, Option<Regex>)>> = const { RefCell::new(Vec::new()) };
}

fn is_match(expression: &str, text: &str) -> bool {
    KEPT.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(known, _)| known == expression).unwrap_or_else(|| {
            if kept.len() == MAX_KEPT {
                kept.remove(0);
            }
            kept.push((expression.to_owned(), compiled(expression).ok()));
            kept.len() - 1
        });
        kept[at].1.as_ref().is_some_and(|regex| regex.is_match(text))
    })
}

/// Whether an expression matches the whole text.
#[serde_json_path::function(name = "match")]
fn match_whole(value: ValueType, expression: ValueType) -> LogicalType {
    match (value.as_value(), expression.as_value()) {
        (Some(Value::String(text)), Some(Value::String(expression))) => {
            is_match(&format!("^(?:{expression})$"), text).into()
        }
        _ => LogicalType::False,
    }
}

/// Whether an expression matches a part of the text.
#[serde_json_path::function(name = "search")]
fn search_part(value: ValueType, expression: ValueType) -> LogicalType {
    match (value.as_value(), expression.as_value()) {
        (Some(Value::String(text)), Some(Value::String(expression))) => is_match(expression, text).into(),
        _ => LogicalType::False,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selected(path: &str, document: &Value) -> String {
        match Selector::parse(path) {
            Ok(Some(selector)) => Value::from_iter(selector.select(document).into_iter().cloned()).to_string(),
            Ok(None) => "plain".into(),
            Err(error) => error,
        }
    }

    #[test]
    fn filters_slices_descendants_and_functions_select() {
        let document =
            serde_json::json!({"a": [{"k": "x1", "n": [1, 2]}, {"k": "y2", "n": []}, {"k": "x10"}], "b": {"k": 7}});
        for (path, expected) in [
            ("$.a", "plain"),
            ("a[*].k", "plain"),
            ("City / Ville", "plain"),
            ("$.a[1:].k", r#"["y2","x10"]"#),
            ("$.a[-1].k", r#"["x10"]"#),
            ("$..k", r#"["x1","y2","x10",7]"#),
            ("a[?@.k == 'y2'].k", r#"["y2"]"#),
            ("$.a[?length(@.n) == 2].k", r#"["x1"]"#),
            ("$.a[?count(@.n[*]) == 0 && @.n].k", r#"["y2"]"#),
            ("$.a[?match(@.k, 'x.')].k", r#"["x1"]"#),
            ("$.a[?search(@.k, '1')].k", r#"["x1","x10"]"#),
            ("$.a[?match(@.k, '[xy]\\\\d')].k", r#"["x1","y2"]"#),
            ("$.a[0, 2].k", r#"["x1","x10"]"#),
        ] {
            assert_eq!(selected(path, &document), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (path, expected) in [
            ("$.a[?@.b ==]", "is not a JSONPath (RFC 9535)"),
            ("$.a[?match(@.k, '(')]", "is not an expression"),
            ("$.a[?mtach(@.k, 'x')]", "is not a JSONPath (RFC 9535)"),
            ("$..a..b..c", "at most 2 times"),
        ] {
            let error = Selector::parse(path).unwrap_err();
            assert!(error.contains(expected), "{path}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read_or_refused(path in "[$@a.\\[\\]?*:,'()=0-9 -]{0,24}") {
            let document = serde_json::json!({"a": [{"a": 1}, {"a": [2, 3]}]});
            if let Ok(Some(selector)) = Selector::parse(&path) {
                let _ = selector.select(&document);
            }
        }
    }
}
