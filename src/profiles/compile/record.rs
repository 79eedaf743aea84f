//! Dims and measures: where each value comes from, and the record's members in canonical order.

use std::collections::BTreeMap;

use super::field;
use super::notes::Notes;
use super::scope::Scope;
use crate::domain::canonical::{member_order, write_text};
use crate::domain::record::{MAX_DEPTH, MAX_MEMBERS, MAX_NAME_BYTES};
use crate::profiles::document::Document;
use crate::profiles::document::fields::Field as FieldDoc;
use crate::profiles::node::{At, Entries, Place};
use crate::profiles::plan::{Content, Duplicates, Field, Lookup, Member, Missing, Rank, Record};

/// Which half of the record a field is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    Dims,
    Measures,
}

impl Half {
    pub fn word(self) -> &'static str {
        match self {
            Self::Dims => "dims",
            Self::Measures => "measures",
        }
    }
}

/// Compiles both halves.
pub fn record(
    document: &Document,
    missing: &Missing,
    lookups: &[Lookup],
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Record {
    let key = key(document, notes);
    let mut fields = Vec::new();
    let compiler = field::Compiler { missing, lookups };
    let mut half = |which: Half, entries: Option<&Entries<At<FieldDoc>>>| {
        let mut tree = Tree::default();
        for (name, doc) in entries.map_or(&[][..], |entries| &entries.0) {
            let Some(path) = names(which, name, notes) else { continue };
            let in_key = which == Half::Dims && key.contains(&path);
            let Some(field) = compiler.field(which, &path, in_key, doc, scope, notes) else { continue };
            let index = u16::try_from(fields.len()).unwrap_or(u16::MAX);
            fields.push(field);
            if let Err(clash) = tree.insert(&path, index) {
                notes.add(name.place, clash);
            }
        }
        tree.members()
    };
    let dims = half(Half::Dims, document.dims.as_ref());
    let measures = half(Half::Measures, document.measures.as_ref());
    check_size(&fields, document, notes);
    check_key(&key, &fields, document, notes);
    Record { fields, dims, measures }
}

fn check_size(fields: &[Field], document: &Document, notes: &mut Notes) {
    let place = document.measures.as_ref().and_then(|entries| entries.0.first()).map(|(name, _)| name.place);
    if fields.len() > MAX_MEMBERS / 2 {
        notes.add(place.unwrap_or(Place::START), format!("a record has at most {} fields", MAX_MEMBERS / 2));
    }
    if document.measures.as_ref().is_none_or(|entries| entries.0.is_empty()) {
        let hint = "name at least one, such as measures: {value: value}";
        notes.add_with_hint(
            Place::START,
            "the profile has no measures; a row without any measure gives no record",
            hint,
        );
    }
}

/// What becomes of records with one key.
pub fn duplicates(document: &Document, notes: &mut Notes) -> Duplicates {
    let Some(said) = &document.on_duplicate else { return Duplicates::Last };
    if document.key.as_ref().is_none_or(Vec::is_empty) {
        notes.add(said.place, "on_duplicate needs key: without one every record stands for itself");
    }
    match said.value.as_str() {
        "last" => Duplicates::Last,
        "first" => Duplicates::First,
        "error" => Duplicates::Error,
        other if ranked_by(other).is_some() => Duplicates::Max,
        other => {
            let message = format!("{other:?} is not a rule for duplicates; expected last, first, error or max(field)");
            match crate::profiles::nearest::nearest(other, &["last", "first", "error"]) {
                Some(near) => notes.add_with_hint(said.place, message, format!("did you mean {near:?}?")),
                None => notes.add(said.place, message),
            }
            Duplicates::Last
        }
    }
}

/// The field of `max(field)`.
fn ranked_by(rule: &str) -> Option<&str> {
    rule.strip_prefix("max(")?.strip_suffix(')').map(str::trim)
}

/// By what the largest record of a key is found: a field of the record, or a value of the row.
pub fn rank(document: &Document, record: &Record, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Rank> {
    let said = document.on_duplicate.as_ref()?;
    let name = ranked_by(&said.value)?;
    if name.starts_with('@') {
        let path = At { value: name.to_owned(), place: said.place };
        return field::slot(&path, scope, notes).map(Rank::Slot);
    }
    let named = |field: &Field| {
        let halves = [Half::Measures, Half::Dims].map(|half| format!("{}.{name}", half.word()));
        field.name == name || halves.contains(&field.name)
    };
    if let Some(index) = record.fields.iter().position(named).and_then(|index| u16::try_from(index).ok()) {
        return Some(Rank::Field(index));
    }
    let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
    let hint = format!("fields are {}; a value of the row is written @.{name}", crate::profiles::node::list(&names));
    notes.add_with_hint(said.place, format!("there is no field {name:?}"), hint);
    None
}

/// The dims of the key, as lists of names.
fn key(document: &Document, notes: &mut Notes) -> Vec<Vec<String>> {
    let texts = document.key.as_deref().unwrap_or_default();
    texts.iter().filter_map(|text| names(Half::Dims, text, notes)).collect()
}

fn check_key(key: &[Vec<String>], fields: &[Field], document: &Document, notes: &mut Notes) {
    let texts = document.key.as_deref().unwrap_or_default();
    for (index, (path, text)) in key.iter().zip(texts).enumerate() {
        let name = format!("dims.{}", path.join("."));
        if !fields.iter().any(|field| field.name == name) && key.len() == texts.len() {
            let dims: Vec<&str> = fields.iter().filter_map(|field| field.name.strip_prefix("dims.")).collect();
            let hint = match crate::profiles::nearest::nearest(&path.join("."), &dims) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("dims are {}", crate::profiles::node::list(&dims)),
            };
            notes.add_with_hint(text.place, format!("no dim yields the key {:?}", path.join(".")), hint);
        }
        if key[..index].contains(path) {
            notes.add(text.place, format!("{:?} stands twice in the key", path.join(".")));
        }
    }
}

/// The names of a record path: `geo.name`, also written `dims.geo.name`.
fn names(half: Half, text: &At<String>, notes: &mut Notes) -> Option<Vec<String>> {
    let bare = text.value.strip_prefix(half.word()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&text.value);
    let names: Vec<String> = bare.split('.').map(str::to_owned).collect();
    let wrong = if names.iter().any(String::is_empty) {
        format!("{:?} has an empty name", text.value)
    } else if names.len() > MAX_DEPTH {
        format!("{:?} nests {} levels deep; at most {MAX_DEPTH}", text.value, names.len())
    } else if names.iter().any(|name| name.len() > MAX_NAME_BYTES) {
        format!("{:?} has a name longer than {MAX_NAME_BYTES} bytes", text.value)
    } else {
        return Some(names);
    };
    notes.add(text.place, wrong);
    None
}

/// Members by name while they are collected.
#[derive(Default)]
struct Tree(BTreeMap<String, Leaf>);

enum Leaf {
    Field(u16),
    Inner(Tree),
}

impl Tree {
    fn insert(&mut self, path: &[String], field: u16) -> Result<(), String> {
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        if rest.is_empty() {
            return match self.0.insert(name.clone(), Leaf::Field(field)) {
                None => Ok(()),
                Some(Leaf::Field(_)) => Err(format!("{name:?} is given twice")),
                Some(Leaf::Inner(_)) => Err(format!("{name:?} holds other members and cannot be a value too")),
            };
        }
        match self.0.entry(name.clone()).or_insert_with(|| Leaf::Inner(Self::default())) {
            Leaf::Inner(inner) => inner.insert(rest, field),
            Leaf::Field(_) => Err(format!("{name:?} is a value and cannot hold other members")),
        }
    }

    fn members(self) -> Vec<Member> {
        let mut entries: Vec<(String, Leaf)> = self.0.into_iter().collect();
        entries.sort_by(|(left, _), (right, _)| member_order(left, right));
        entries.into_iter().map(|(name, leaf)| member(&name, leaf)).collect()
    }
}

fn member(name: &str, leaf: Leaf) -> Member {
    let mut prefix = Vec::new();
    write_text(&mut prefix, name);
    prefix.push(b':');
    let content = match leaf {
        Leaf::Field(field) => Content::Field(field),
        Leaf::Inner(tree) => Content::Object(tree.members()),
    };
    Member { prefix: prefix.into(), content }
}
