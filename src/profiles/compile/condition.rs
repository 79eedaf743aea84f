//! Comparisons such as `point.period matches ^M` and `$.status == 'OK'`, read from one line of text.

use crate::profiles::nearest::nearest;
use crate::profiles::node::list;
use crate::profiles::path::Path;
use crate::profiles::plan::{Condition, Operand, Slot, Test};

const OPERATORS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "in", "not_in", "matches", "exists", "missing"];

/// A condition whose path has no slot yet.
pub struct Parsed {
    pub path: Path,
    test: Test,
    text: String,
}

impl Parsed {
    pub fn with_slot(self, slot: Slot) -> Condition {
        Condition { slot, test: self.test, text: self.text }
    }

    /// The test alone, for what has no slot.
    pub fn into_test(self) -> Test {
        self.test
    }
}

/// Reads `path operator value`.
pub fn parse(text: &str) -> Result<Parsed, String> {
    let (path, operator, value) = cut(text)?;
    let path = Path::parse(path).map_err(|error| format!("{path:?}: {error}"))?;
    let test = test(operator, value)?;
    Ok(Parsed { path, test, text: text.trim().to_owned() })
}

/// Reads a condition, or a path alone, which holds where there is something.
pub fn parse_or_tells(text: &str) -> Result<Parsed, String> {
    let trimmed = text.trim();
    if path_end(trimmed) < trimmed.len() || trimmed.is_empty() {
        return parse(text);
    }
    let path = Path::parse(trimmed).map_err(|error| format!("{trimmed:?}: {error}"))?;
    Ok(Parsed { path, test: Test::Tells, text: trimmed.to_owned() })
}

/// Cuts at the first word outside of brackets and quotes that is an operator.
fn cut(text: &str) -> Result<(&str, &str, &str), String> {
    let text = text.trim();
    let end = path_end(text);
    let (path, rest) = (text[..end].trim(), text[end..].trim_start());
    let symbols = rest.find(|next: char| !"=!<>".contains(next)).unwrap_or(rest.len());
    let length = if symbols > 0 { symbols } else { rest.find(char::is_whitespace).unwrap_or(rest.len()) };
    let (operator, value) = rest.split_at(length);
    if path.is_empty() || operator.is_empty() {
        return Err(format!("a condition is a path, an operator and a value; operators are {}", list(&OPERATORS)));
    }
    Ok((path, operator, value.trim()))
}

fn path_end(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (index, next) in text.char_indices() {
        match (quote, next) {
            (Some(open), _) if open == next => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if depth > 0 => quote = Some(next),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && (next.is_whitespace() || "=!<>".contains(next)) => return index,
            (None, _) => {}
        }
    }
    text.len()
}

fn test(operator: &str, value: &str) -> Result<Test, String> {
    let one = || if value.is_empty() { Err(format!("{operator} needs a value")) } else { Ok(operand(value)) };
    let number = || one()?.number.ok_or_else(|| format!("{operator} compares with a number, not {value:?}"));
    Ok(match operator {
        "==" => Test::In(vec![one()?]),
        "!=" => Test::NotIn(vec![one()?]),
        "in" => Test::In(operands(value)?),
        "not_in" => Test::NotIn(operands(value)?),
        "<" => Test::Less(number()?),
        "<=" => Test::LessOrEqual(number()?),
        ">" => Test::Greater(number()?),
        ">=" => Test::GreaterOrEqual(number()?),
        "matches" => Test::Matches(Box::new(pattern(value)?)),
        "exists" | "missing" if !value.is_empty() => return Err(format!("{operator} takes no value")),
        "exists" => Test::Exists,
        "missing" => Test::Missing,
        other => return Err(unknown(other)),
    })
}

fn unknown(operator: &str) -> String {
    match nearest(operator, &OPERATORS) {
        Some(near) => format!("unknown operator {operator:?}; did you mean {near:?}?"),
        None => format!("unknown operator {operator:?}; operators are {}", list(&OPERATORS)),
    }
}

/// A regular expression of at most 500 characters, compiled within 100 kB.
pub fn pattern(text: &str) -> Result<regex_lite::Regex, String> {
    const MAX_CHARS: usize = 500;
    const MAX_BYTES: usize = 100_000;
    let text = unquote(text);
    if text.is_empty() || text.chars().count() > MAX_CHARS {
        return Err(format!("a regular expression has 1 to {MAX_CHARS} characters"));
    }
    let built = regex_lite::RegexBuilder::new(text).size_limit(MAX_BYTES).build();
    built.map_err(|error| format!("{text:?} is not a regular expression: {error}"))
}

fn operands(text: &str) -> Result<Vec<Operand>, String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or("a list is written [a, b]")?;
    let mut items = Vec::new();
    let mut rest = inner;
    loop {
        let end = item_end(rest)?;
        items.push(operand(rest[..end].trim()));
        match rest[end..].strip_prefix(',') {
            Some(behind) => rest = behind,
            None => return Ok(items),
        }
    }
}

/// Where an item ends: at a comma, or at one behind its closing quote.
fn item_end(text: &str) -> Result<usize, String> {
    let start = text.len() - text.trim_start().len();
    let quoted = text[start..].strip_prefix(['"', '\'']);
    let Some(inside) = quoted else { return Ok(text.find(',').unwrap_or(text.len())) };
    let quote = &text[start..=start];
    let closed = inside.find(quote).map(|at| start + 2 + at);
    let end = closed.ok_or_else(|| format!("the quote before {:?} is not closed", inside.trim()))?;
    let behind = &text[end..];
    let comma = behind.find(',').unwrap_or(behind.len());
    if behind[..comma].trim().is_empty() {
        return Ok(end + comma);
    }
    Err(format!("{:?} stands behind a closing quote; put the whole item in quotes", behind[..comma].trim()))
}

fn operand(text: &str) -> Operand {
    let bare = unquote(text);
    Operand { text: bare.into(), number: bare.parse().ok().filter(|number: &f64| number.is_finite()) }
}

fn unquote(text: &str) -> &str {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(text: &str) -> String {
        match parse(text) {
            Ok(parsed) => format!("{} {:?}", parsed.path, parsed.test),
            Err(error) => error,
        }
    }

    #[test]
    fn reads_the_operators() {
        for (text, expected) in [
            ("$.status == 'REQUEST_SUCCEEDED'", "$.status In([Operand { text: \"REQUEST_SUCCEEDED\", number: None }])"),
            ("a!=3", "a NotIn([Operand { text: \"3\", number: Some(3.0) }])"),
            ("fact.frame exists", "fact.frame Exists"),
            ("[\"a > b\"].c >= 2", "[\"a > b\"].c GreaterOrEqual(2.0)"),
            ("a < x", "< compares with a number, not \"x\""),
            ("a machtes b", "unknown operator \"machtes\"; did you mean \"matches\"?"),
            ("a exists now", "exists takes no value"),
            ("a matches (", "\"(\" is not a regular expression: found open group without closing ')'"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
        assert!(show("f in [10-K, 10-Q]").contains("\"10-Q\""));
        assert!(show("f in [\"a, b\", 'c,d' , e's]").contains("\"a, b\", number: None }, Operand { text: \"c,d\""));
        assert!(show("f in ['a, b]").contains("is not closed"));
        assert!(show("f in ['a'b]").contains("stands behind a closing quote"));
        assert!(show("a").starts_with("a condition is a path"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), shaped in "[a-z$.\\[\\]\"' =!<>]{0,30}") {
            let _ = (parse(&text), parse(&shaped));
        }
    }
}
