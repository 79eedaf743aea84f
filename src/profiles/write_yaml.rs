//! A tree of nodes as YAML text that reads back as the same tree: short maps and lists on one line, the rest below
//! each other.

use super::node::{Member, Node, Value};

/// What does not fit into this many characters is written over several lines.
const MAX_LINE: usize = 100;

/// The whole document.
pub fn write(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Map(members) if !members.is_empty() => map(members, 0, &mut out),
        Value::List(items) if !items.is_empty() => list(items, 0, &mut out),
        _ => {
            out.push_str(&flow(node));
            out.push('\n');
        }
    }
    out
}

fn map(members: &[Member], indent: usize, out: &mut String) {
    for member in members {
        out.push_str(&" ".repeat(indent));
        member_at(member, indent, out);
    }
}

/// `key: value`, the indentation written already.
fn member_at(member: &Member, indent: usize, out: &mut String) {
    let key = scalar(&member.key);
    out.push_str(&key);
    out.push(':');
    below(&member.node, indent, key.chars().count() + 2, out);
}

fn list(items: &[Node], indent: usize, out: &mut String) {
    for item in items {
        out.push_str(&" ".repeat(indent));
        out.push('-');
        match &item.value {
            Value::Map(members) if !members.is_empty() && !fits(item, indent + 2) => {
                out.push(' ');
                member_at(&members[0], indent + 2, out);
                map(&members[1..], indent + 2, out);
            }
            _ => below(item, indent, 2, out),
        }
    }
}

/// A value behind its key or dash: on the same line where it is short.
fn below(node: &Node, indent: usize, used: usize, out: &mut String) {
    match &node.value {
        Value::Map(members) if !members.is_empty() && !fits(node, indent + used) => {
            out.push('\n');
            map(members, indent + 2, out);
        }
        Value::List(items) if !items.is_empty() && !fits(node, indent + used) => {
            out.push('\n');
            list(items, indent + 2, out);
        }
        _ => {
            out.push(' ');
            out.push_str(&flow(node));
            out.push('\n');
        }
    }
}

fn is_single(node: &Node) -> bool {
    !matches!(node.value, Value::Map(_) | Value::List(_))
}

fn fits(node: &Node, used: usize) -> bool {
    let flat = match &node.value {
        Value::Map(members) => members.iter().all(|member| is_single(&member.node) || is_flat(&member.node)),
        Value::List(items) => items.iter().all(is_single),
        _ => true,
    };
    flat && used + flow(node).chars().count() <= MAX_LINE
}

/// Holds single values only.
fn is_flat(node: &Node) -> bool {
    match &node.value {
        Value::Map(members) => members.iter().all(|member| is_single(&member.node)),
        Value::List(items) => items.iter().all(is_single),
        _ => true,
    }
}

/// On one line.
pub fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => decimal(*number),
        Value::Text(text) => scalar(text),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(members) => {
            let member = |member: &Member| format!("{}: {}", scalar(&member.key), flow(&member.node));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

fn decimal(number: f64) -> String {
    let text = number.to_string();
    if text.contains(['.', 'e', 'E']) { text } else { format!("{text}.0") }
}

/// A text: plain where YAML reads it as the same text, else in double quotes.
pub fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", ".nan"];
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let starts = first.is_ascii_alphabetic() || first == '_' || (first == '$' && text.len() > 1);
    if is_version(text) || is_duration(text) {
        return true;
    }
    let inner = |next: char| next.is_alphanumeric() || " _-.$/()%+=*".contains(next);
    starts
        && chars.all(inner)
        && !text.ends_with(' ')
        && text.len() <= 200
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// `1.0.0`: two points are no number.
fn is_version(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `6h`, `30s`.
fn is_duration(text: &str) -> bool {
    let digits = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::yaml::parse;
    use proptest::prelude::*;

    /// The tree without places.
    fn bare(node: &Node) -> String {
        flow(node)
    }

    fn tree() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            "[ -~]{0,12}".prop_map(Into::into),
            "\\PC{0,6}".prop_map(Into::into),
            prop::sample::select(vec!["2024-01-01", "0o17", "1e3", "~", "null", "- a", "a: b", "#x", "06", " x "])
                .prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map("[a-z$ .]{1,6}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in tree()) {
            let node = parse(&value.to_string()).unwrap();
            let text = write(&node);
            let again = parse(&text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
            prop_assert_eq!(bare(&again), bare(&node), "{}", text);
        }
    }
}
