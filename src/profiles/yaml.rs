//! The only file that knows the YAML crate: a profile's text becomes a small tree in which every node has its
//! line and column. Bounded in size, depth, nodes and aliases before anything is built.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

use super::node::{Member, Node, Place, Value};
use super::problem::Problem;

/// The longest profile, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
const MAX_NODES: usize = 50_000;
/// A profile needs about 12; each level costs stack while it is read.
const MAX_DEPTH: usize = 32;
const MAX_ALIASES: usize = 100;

/// Reads `text` by the rules of YAML 1.2: `no` is text, `0o17` an octal number, `1e3` a number.
/// The error names line and column.
pub fn parse(text: &str) -> Result<Node, Box<Problem>> {
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the profile has {} bytes; at most {MAX_TEXT_BYTES} are read", text.len());
        return Err(Box::new(Problem::new(Place::START, message)));
    }
    let spanned: Spanned<Tree> =
        serde_yaml::from_str_with_options(text, options()).map_err(|error| refuse(&error, text))?;
    Ok(spanned.into())
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_documents: 1,
            max_total_scalar_bytes: MAX_TEXT_BYTES,
            max_recorded_anchor_events: MAX_NODES,
            max_recorded_anchor_bytes: MAX_TEXT_BYTES,
        },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        duplicate_keys: serde_yaml::options::DuplicateKeyPolicy::Error,
        reject_unsupported_tags: true,
    }
}

fn refuse(error: &serde_yaml::Error, text: &str) -> Box<Problem> {
    let error = error.without_snippet();
    let place = error.location().map_or(Place::START, place_of);
    let tab = usize::try_from(place.line).ok().and_then(|line| text.lines().nth(line - 1)).and_then(tab_before);
    if let Some(column) = tab {
        let message = "a tab stands where the indentation of the line is";
        return Box::new(Problem::new(Place { column, ..place }, message).hint("indent with spaces"));
    }
    Box::new(Problem::new(place, in_words(error)))
}

/// The column of a tab before the first character of a line.
fn tab_before(line: &str) -> Option<u32> {
    let blank = &line[..line.len() - line.trim_start().len()];
    blank.chars().position(|next| next == '\t').and_then(|at| u32::try_from(at + 1).ok())
}

fn in_words(error: &serde_yaml::Error) -> String {
    use serde_yaml::Error;
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key {key:?} occurs twice"),
        Error::Budget { breach, .. } => over_budget(breach),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => too_many_aliased(),
        Error::UnknownAnchor { .. } => "no anchor (&name) of this alias (*name) stands before it".into(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an anchor holds an alias to itself".into(),
        Error::NonFiniteFloat { value, .. } => {
            format!("{value} is not a finite number; put it in quotes if it is text")
        }
        Error::UnsupportedTag { tag, .. } => format!("the tag {tag} is not understood; write the value without it"),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "<< takes a map, or a list of maps".into(),
        Error::Eof { .. } => "the text ends before the value does".into(),
        other => scanned(&first_line(&other.to_string())),
    }
}

fn too_many_aliased() -> String {
    format!("its aliases stand for more than {MAX_NODES} values; write them out or use fewer")
}

/// [`MAX_DEPTH`] levels.
const TOO_DEEP: &str = "nested more than 32 levels deep";

/// What the scanner says, where its words are those of its own rules.
fn scanned(message: &str) -> String {
    const WORDS: [(&str, &str); 9] = [
        ("recursion limit exceeded", TOO_DEEP),
        (
            "mapping values are not allowed",
            "a colon begins a map inside of a value; put text that holds ': ' in quotes",
        ),
        ("simple key expected", "expected a key and a colon, such as `name: value`"),
        ("did not find expected ',' or ']'", "a list that begins with [ needs commas and a closing ]"),
        ("did not find expected ',' or '}'", "a map that begins with { needs commas and a closing }"),
        ("did not find expected '-' indicator", "the list goes on with another item (`- `) here, or ends"),
        (
            "unknown escape character",
            "a text in double quotes holds an escape that YAML does not know; use single quotes",
        ),
        ("expected string scalar", "a key is a text"),
        ("unexpected character", "a value cannot begin with this character; put it in quotes"),
    ];
    // A limit that was reached inside of an alias comes as text.
    if message.contains("budget breached") {
        return too_many_aliased();
    }
    let known = WORDS.iter().find(|(theirs, _)| message.contains(theirs));
    known.map_or_else(|| message.to_owned(), |(_, ours)| (*ours).to_owned())
}

fn over_budget(breach: &serde_yaml::budget::BudgetBreach) -> String {
    use serde_yaml::budget::BudgetBreach;
    match breach {
        BudgetBreach::Documents { .. } => "a second document begins here; a file holds one profile".into(),
        BudgetBreach::Depth { .. } => TOO_DEEP.into(),
        BudgetBreach::Aliases { .. } | BudgetBreach::AliasAnchorRatio { .. } => {
            format!("too many aliases; at most {MAX_ALIASES} are followed")
        }
        _ => format!("the profile is too large; at most {MAX_NODES} values and {MAX_TEXT_BYTES} bytes of text"),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or("not valid YAML");
    line.split(" at line ").next().unwrap_or(line).to_owned()
}

fn place_of(location: serde_yaml::Location) -> Place {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).max(1);
    Place { line: number(location.line()), column: number(location.column()) }
}

/// A value as the YAML crate hands it over.
enum Tree {
    Plain(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl From<Spanned<Tree>> for Node {
    fn from(spanned: Spanned<Tree>) -> Self {
        let place = place_of(spanned.referenced);
        let value = match spanned.value {
            Tree::Plain(value) => value,
            Tree::List(items) => Value::List(items.into_iter().map(Node::from).collect()),
            Tree::Map(members) => Value::Map(members.into_iter().map(member).collect()),
        };
        Self { place, value }
    }
}

fn member((key, node): (Spanned<String>, Spanned<Tree>)) -> Member {
    Member { place: place_of(key.referenced), key: key.value, node: node.into() }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false, null, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Plain(i64::try_from(value).map_or(Value::Text(value.to_string()), Value::Integer)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Decimal(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Plain(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match parse(text) {
            Ok(node) => format!("{:?}", node.value),
            Err(problem) => format!("{}:{} {}", problem.line, problem.column, problem.message),
        }
    }

    #[test]
    fn reads_by_yaml_1_2() {
        let text =
            "a: no\nb: 010\nc: 1e3\nd: 2024-01-01\ne: \"06\"\ng: 1_000\nh: 0o17\nj: .87\nl: True\nm: ~\no: 1.0.0";
        let Value::Map(members) = parse(text).unwrap().value else { panic!("not a map") };
        let read: Vec<String> = members.iter().map(|member| format!("{:?}", member.node.value)).collect();
        let expected = [
            "Text(\"no\")",
            "Text(\"010\")",
            "Decimal(1000.0)",
            "Text(\"2024-01-01\")",
            "Text(\"06\")",
            "Text(\"1_000\")",
            "Integer(15)",
            "Decimal(0.87)",
            "Bool(true)",
            "Null",
            "Text(\"1.0.0\")",
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn refuses_with_a_place() {
        for (text, expected) in [
            ("a: 1\na: 2", "2:1 the key \"a\" occurs twice"),
            ("a: 1\n---\nb: 2", "2:1 a second document begins here; a file holds one profile"),
            ("a: !foo 1", "1:9 the tag !foo is not understood; write the value without it"),
            ("a: *nope", "1:4 no anchor (&name) of this alias (*name) stands before it"),
            ("a: .inf", "1:4 .inf is not a finite number; put it in quotes if it is text"),
            ("a: &a [*a]", "1:8 an anchor holds an alias to itself"),
            ("<<: 3", "1:5 << takes a map, or a list of maps"),
            ("a: [1, 2", "1:4 unclosed bracket '['"),
            ("a: {b: 1", "1:4 unclosed bracket '{'"),
            ("a: 'x", "1:4 unclosed quote"),
            ("a: b: c", "1:5 a colon begins a map inside of a value; put text that holds ': ' in quotes"),
            ("a: |\nb", "2:1 expected a key and a colon, such as `name: value`"),
            ("a: \"\\q\"", "1:4 a text in double quotes holds an escape that YAML does not know; use single quotes"),
            ("? [a]\n: b", "1:3 a key is a text"),
            ("a: @b", "1:4 a value cannot begin with this character; put it in quotes"),
            ("- a\nb: c", "2:1 the list goes on with another item (`- `) here, or ends"),
            ("a:\n\tb: 1", "2:1 a tab stands where the indentation of the line is"),
        ] {
            assert_eq!(show(text), expected, "{text}");
        }
        assert!(show("a: [1, 2\nb: 3").starts_with("2:2 "));
    }

    #[test]
    fn hostile_texts_end_in_a_problem() {
        let nested = "[".repeat(20_000);
        let flow = "{a: ".repeat(20_000);
        let block: String = (0..5_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        let dashes = "- ".repeat(20_000);
        for text in [&nested, &flow, &block[..900_000], &dashes] {
            let told = show(text);
            assert!(told.contains("nested more than 32 levels deep"), "{told}");
        }
        assert!(parse(&"x".repeat(MAX_TEXT_BYTES + 1)).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..9 {
            let aliases = vec![format!("*a{}", level - 1); 9].join(",");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let told = show(&bomb);
        assert!(
            ["too many aliases", "its aliases stand for", "too large"].iter().any(|words| told.contains(words)),
            "{told}"
        );
    }

    #[test]
    fn a_nest_of_the_allowed_depth_is_read() {
        let text = format!("a: {}{}", "[".repeat(MAX_DEPTH - 2), "]".repeat(MAX_DEPTH - 2));
        assert!(parse(&text).is_ok(), "{}", show(&text));
    }
}
