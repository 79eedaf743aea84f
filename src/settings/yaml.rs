//! A settings file as flat keys, each with the line it stands on. The only file here that knows the YAML crate.

use std::fmt;

use config::{Value, ValueKind};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

use super::problem::Problem;

/// Longer files are no settings.
const MAX_BYTES: usize = 1 << 20;

/// One value: `http.port`, with `config/prod.yaml:3` as its origin.
pub(super) type Leaf = (String, Value);

/// Reads `text`. `name` is how the file is called in problems.
pub(super) fn leaves(name: &str, text: &str) -> Result<Vec<Leaf>, Problem> {
    if text.len() > MAX_BYTES {
        return Err(Problem::new(format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len())).from(name));
    }
    // A file that holds comments only sets nothing.
    let tree: Option<Tree> = serde_yaml::from_str(text).map_err(|error| refuse(name, &error))?;
    let mut leaves = Vec::new();
    match tree {
        None | Some(Tree::Plain(ValueKind::Nil)) => {}
        Some(Tree::Map(members)) => flatten(name, "", members, &mut leaves),
        Some(Tree::Plain(_)) => {
            let what = "the file holds no settings; expected sections such as http: with settings below them";
            return Err(Problem::new(what).from(format!("{name}:1")));
        }
    }
    Ok(leaves)
}

fn refuse(name: &str, error: &serde_yaml::Error) -> Problem {
    let error = error.without_snippet();
    let text = error.to_string();
    let line = text.lines().next().unwrap_or("it is no YAML");
    let what = line.split(" at line ").next().unwrap_or(line);
    let place = error.location().map_or(name.to_owned(), |at| format!("{name}:{}:{}", at.line(), at.column()));
    Problem::new(format!("the file cannot be read: {what}; is it whole?")).from(place)
}

fn flatten(name: &str, above: &str, members: Vec<(Spanned<String>, Tree)>, leaves: &mut Vec<Leaf>) {
    for (key, value) in members {
        let origin = format!("{name}:{}", key.referenced.line());
        let key = format!("{above}{}", key.value);
        match value {
            Tree::Plain(kind) => leaves.push((key, Value::new(Some(&origin), kind))),
            Tree::Map(below) => flatten(name, &format!("{key}."), below, leaves),
        }
    }
}

enum Tree {
    Plain(ValueKind),
    Map(Vec<(Spanned<String>, Tree)>),
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
        Ok(Tree::Plain(ValueKind::Nil))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Plain(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Plain(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Plain(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::<Value>::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::Plain(ValueKind::Array(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Map(members))
    }
}
