//! What changes in the meaning of records between two versions of a profile, and the version number it asks for.

use std::fmt;

use super::long_form::long_form;
use super::node::{Member, Node, Value};
use super::problem::Problems;
use super::{load, write_yaml};

/// How far a change reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The records stay as they are.
    Patch,
    /// More may come; what was there keeps its meaning.
    Minor,
    /// What reads the records must know.
    Breaking,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Breaking => "breaking",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub reach: Reach,
    pub text: String,
}

/// All changes, and what they ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The farthest first.
    pub changes: Vec<Change>,
    /// Versions of the two.
    pub versions: (String, String),
    /// The least version that the second may have.
    pub asks_for: String,
}

impl Diff {
    /// The farthest change.
    pub fn reach(&self) -> Option<Reach> {
        self.changes.iter().map(|change| change.reach).max()
    }

    /// Whether the second version's number says enough.
    pub fn is_numbered(&self) -> bool {
        numbers(&self.versions.1) >= numbers(&self.asks_for)
    }
}

/// Which of the two texts has problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffError {
    First(Problems),
    Second(Problems),
}

/// Compares two profiles, the older one first.
pub fn diff(old: &str, new: &str) -> Result<Diff, DiffError> {
    let (before, after) = (load(old).map_err(DiffError::First)?, load(new).map_err(DiffError::Second)?);
    let (old, new) = (long_form(old, &before), long_form(new, &after));
    let mut changes = Vec::new();
    let has_key = !before.key().is_empty() && before.key() == after.key();
    for half in ["dims", "measures"] {
        fields(half, has_key, members(&old, half), members(&new, half), &mut changes);
    }
    for (key, reach, why) in PARTS {
        part(key, *reach, why, (get(&old, key), get(&new, key)), &mut changes);
    }
    source(members(&old, "source"), members(&new, "source"), &mut changes);
    let kept = if after.retention().is_tighter_than(before.retention()) { LESS_KEPT } else { MORE_KEPT };
    part("retention", kept.0, kept.1, (get(&old, "retention"), get(&new, "retention")), &mut changes);
    others(&old, &new, &mut changes);
    changes.sort_by_key(|change| std::cmp::Reverse(change.reach));
    let versions = (before.version().to_owned(), after.version().to_owned());
    let asks_for = next(&versions.0, changes.first().map(|change| change.reach));
    Ok(Diff { changes, versions, asks_for })
}

/// Members of a profile, and what a change of them means.
const PARTS: &[(&str, Reach, &str)] = &[
    ("id", Reach::Breaking, "another source; reports and records refer to the id"),
    ("key", Reach::Breaking, "observations are told apart by something else"),
    ("where", Reach::Breaking, "other rows give records"),
    ("missing", Reach::Breaking, "other values count as no value"),
    ("rows", Reach::Breaking, "rows are found elsewhere"),
    ("name", Reach::Patch, ""),
    ("description", Reach::Patch, ""),
    ("schedule", Reach::Patch, ""),
    ("limits", Reach::Patch, ""),
    ("keep", Reach::Patch, ""),
    ("placement", Reach::Patch, ""),
    ("test", Reach::Patch, ""),
    ("drift", Reach::Patch, ""),
];

/// What a reader could rely on goes.
const LESS_KEPT: (Reach, &str) = (Reach::Breaking, "less is kept; what goes does not come back");
const MORE_KEPT: (Reach, &str) = (Reach::Patch, "more is kept");

/// Members of the source that say what is asked; the others say how.
const WHAT: [&str; 9] = ["url", "query", "raw_query", "body", "method", "for_each", "first", "window", "cursor"];

fn source(old: &[Member], new: &[Member], changes: &mut Vec<Change>) {
    for key in keys(old, new) {
        let (reach, why) = match key {
            _ if WHAT.contains(&key) => (Reach::Minor, "something else is asked; records keep their form"),
            "format" => (Reach::Breaking, "answers are read as something else"),
            _ => (Reach::Patch, ""),
        };
        part(&format!("source.{key}"), reach, why, (find(old, key), find(new, key)), changes);
    }
}

/// What this list does not know is taken for breaking, so that nothing slips by.
fn others(old: &Node, new: &Node, changes: &mut Vec<Change>) {
    let known = |key: &str| {
        matches!(key, "dims" | "measures" | "source" | "version" | "retention")
            || PARTS.iter().any(|(part, _, _)| *part == key)
    };
    for key in keys(root(old), root(new)).into_iter().filter(|key| !known(key)) {
        part(key, Reach::Breaking, "", (get(old, key), get(new, key)), changes);
    }
}

fn part(key: &str, reach: Reach, why: &str, sides: (Option<&Node>, Option<&Node>), changes: &mut Vec<Change>) {
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let text = match sides {
        (Some(old), Some(new)) if !is_same(old, new) => format!("{key}: {} → {}{why}", short(old), short(new)),
        (Some(old), None) => format!("{key}: {} is gone{why}", short(old)),
        (None, Some(new)) => format!("{key}: {} is new{why}", short(new)),
        _ => return,
    };
    changes.push(Change { reach, text });
}

fn fields(half: &str, has_key: bool, old: &[Member], new: &[Member], changes: &mut Vec<Change>) {
    let gone = || old.iter().filter(|field| find(new, &field.key).is_none());
    let mut fresh: Vec<&Member> = new.iter().filter(|field| find(old, &field.key).is_none()).collect();
    for field in gone() {
        let twin = fresh.iter().position(|other| has_same_meaning(&other.node, &field.node));
        let text = match twin {
            Some(at) => format!("{half}.{} is now called {half}.{}", field.key, fresh.remove(at).key),
            None => format!("{half}.{} is gone", field.key),
        };
        changes.push(Change { reach: Reach::Breaking, text });
    }
    for field in fresh {
        let name = format!("{half}.{}", field.key);
        let (reach, text) = match half {
            "dims" if !has_key => {
                (Reach::Breaking, format!("{name} is new; without a key every record is another one"))
            }
            _ => (Reach::Minor, format!("{name} is new")),
        };
        changes.push(Change { reach, text });
    }
    for (before, after) in old.iter().filter_map(|field| Some((field, find(new, &field.key)?))) {
        field(&format!("{half}.{}", before.key), inner(&before.node), inner(after), changes);
    }
}

fn field(name: &str, old: &[Member], new: &[Member], changes: &mut Vec<Change>) {
    for key in keys(old, new) {
        let reach = if key == "description" { Reach::Patch } else { Reach::Breaking };
        part(&format!("{name}: {key}"), reach, "", (find(old, key), find(new, key)), changes);
    }
}

/// Two fields that differ in their name, or what a time's name implies, only.
fn has_same_meaning(left: &Node, right: &Node) -> bool {
    let bare = |node: &Node| {
        let parts = inner(node).iter().filter(|part| part.key != "description").cloned().collect();
        Node { place: node.place, value: Value::Map(parts) }
    };
    is_same(&bare(left), &bare(right))
}

/// Equal but for places and the order of members.
fn is_same(left: &Node, right: &Node) -> bool {
    match (&left.value, &right.value) {
        (Value::Map(own), Value::Map(other)) => {
            own.len() == other.len()
                && own.iter().all(|member| find(other, &member.key).is_some_and(|node| is_same(&member.node, node)))
        }
        (Value::List(own), Value::List(other)) => {
            own.len() == other.len() && own.iter().zip(other).all(|(one, two)| is_same(one, two))
        }
        (own, other) => own == other,
    }
}

fn root(node: &Node) -> &[Member] {
    inner(node)
}

fn inner(node: &Node) -> &[Member] {
    match &node.value {
        Value::Map(members) => members,
        _ => &[],
    }
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    find(root(node), key)
}

fn members<'n>(node: &'n Node, key: &str) -> &'n [Member] {
    get(node, key).map_or(&[], inner)
}

fn find<'m>(members: &'m [Member], key: &str) -> Option<&'m Node> {
    members.iter().find(|member| member.key == key).map(|member| &member.node)
}

fn keys<'m>(old: &'m [Member], new: &'m [Member]) -> Vec<&'m str> {
    let fresh = new.iter().filter(|member| find(old, &member.key).is_none());
    old.iter().chain(fresh).map(|member| member.key.as_str()).collect()
}

/// On one line, cut.
fn short(node: &Node) -> String {
    const MAX_CHARS: usize = 80;
    let line = write_yaml::flow(node);
    if line.chars().count() <= MAX_CHARS {
        return line;
    }
    let cut: String = line.chars().take(MAX_CHARS).collect();
    format!("{cut}…")
}

fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.split(['-', '+']).next().unwrap_or("").split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// The least version behind `version` for a change of this reach. Before 1.0.0 a breaking change is a minor step.
fn next(version: &str, reach: Option<Reach>) -> String {
    let [major, minor, patch] = numbers(version);
    let [major, minor, patch] = match reach {
        None => [major, minor, patch],
        Some(Reach::Patch) => [major, minor, patch + 1],
        Some(Reach::Breaking) if major > 0 => [major + 1, 0, 0],
        Some(Reach::Minor | Reach::Breaking) => [major, minor + 1, 0],
    };
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "
id: p
version: 1.2.3
source: {url: 'https://h/x'}
rows: {each: $.data}
dims: {geo.name: NAME, time.year: {from: y}}
measures: {population: {from: p, unit: '1'}}
key: [geo.name, time.year]
";

    fn reach(from: &str, to: &str) -> (Option<Reach>, String) {
        let new = BASE.replace(from, to);
        assert_ne!(new, BASE, "{from}");
        let diff = diff(BASE, &new).unwrap();
        assert_eq!(diff.changes.len(), 1, "{diff:?}");
        (diff.reach(), format!("{} {}", diff.asks_for, diff.changes[0].text))
    }

    #[test]
    fn each_kind_of_change_has_its_reach() {
        for (from, to, expected, told) in [
            ("geo.name: NAME", "geo.name: {from: TITLE}", Reach::Breaking, "2.0.0 dims.geo.name: from: NAME → TITLE"),
            ("unit: '1'", "unit: '1000'", Reach::Breaking, "2.0.0 measures.population: unit: \"1\" → \"1000\""),
            ("{population:", "{people:", Reach::Breaking, "2.0.0 measures.population is now called measures.people"),
            ("{population:", "{area: a, population:", Reach::Minor, "1.3.0 measures.area is new"),
            ("{geo.name:", "{geo.code: c, geo.name:", Reach::Minor, "1.3.0 dims.geo.code is new"),
            ("time.year]", "time.year]\nwhere: [y > 2000]", Reach::Breaking, "2.0.0 where: [\"y > 2000\"] is new"),
            ("[geo.name, time.year]", "[time.year]", Reach::Breaking, "2.0.0 key: "),
            ("https://h/x", "https://h/y", Reach::Minor, "1.3.0 source.url: "),
            ("/x'}", "/x', user_agent: me}", Reach::Patch, "1.2.4 source.user_agent: me is new"),
            ("rows:", "schedule: {interval: 2h}\nrows:", Reach::Patch, "1.2.4 schedule: "),
            (
                "rows:",
                "retention: {versions: 3}\nrows:",
                Reach::Breaking,
                "2.0.0 retention: {versions: 3} is new (less",
            ),
        ] {
            let (found, text) = reach(from, to);
            assert_eq!(found, Some(expected), "{text}");
            assert!(text.starts_with(told), "{text}");
        }
    }

    #[test]
    fn another_way_to_say_the_same_is_no_change() {
        let said = BASE.replace("NAME", "{from: NAME}").replace("from: y", "from: y, time: iso");
        assert_eq!(diff(BASE, &said).unwrap().changes, []);
        let kept = BASE.replace("rows:", "retention: {versions: 3}\nrows:");
        let more = diff(&kept, &kept.replace('3', "9")).unwrap();
        assert_eq!(more.reach(), Some(Reach::Patch), "to keep more takes nothing away");
        let numbered = diff(BASE, &BASE.replace("{population:", "{people:").replace("1.2.3", "1.3.0")).unwrap();
        assert!(!numbered.is_numbered());
    }
}
