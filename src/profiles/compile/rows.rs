//! Where the rows are, as levels from the outside in.

use super::notes::Notes;
use super::scope::{RESERVED, Scope};
use crate::profiles::document::rows::{Each, Rows, StepDoc, Table};
use crate::profiles::node::{At, Place};
use crate::profiles::path::{Origin, Path, Segment};
use crate::profiles::plan::{Found, FoundKind, LevelKind};

/// Adds the levels that the profile names.
pub fn declared(rows: &At<Rows>, scope: &mut Scope<'_>, notes: &mut Notes) {
    let doc = &rows.value;
    let ways = [doc.each.is_some(), doc.table.is_some(), doc.zip.is_some(), doc.single.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        notes.add(rows.place, "rows is exactly one of each, table, zip and single");
        return;
    }
    match doc {
        Rows { each: Some(each), .. } => each_rows(&each.value, scope, notes),
        Rows { table: Some(table), .. } => table_rows(table, scope, notes),
        Rows { zip: Some(zip), .. } => {
            let kind = LevelKind::Zip { columns: Vec::new() };
            under(zip.value.under.as_ref(), zip.place, kind, scope, notes);
        }
        Rows { single, .. } => under(single.as_ref(), rows.place, LevelKind::Single, scope, notes),
    }
}

/// Adds the level that the answer's shape showed.
pub fn found(found: &Found, scope: &mut Scope<'_>) -> Result<(), String> {
    let kind = match found.kind {
        FoundKind::Each => LevelKind::Each,
        FoundKind::Table => LevelKind::Table { columns: Vec::new() },
        FoundKind::Zip => LevelKind::Zip { columns: Vec::new() },
        FoundKind::Single => LevelKind::Single,
    };
    scope.add_levels(None, &found.under, kind)
}

fn each_rows(each: &Each, scope: &mut Scope<'_>, notes: &mut Notes) {
    let steps = match each {
        Each::Path(path) => return add(None, path, LevelKind::Each, true, scope, notes),
        Each::Steps(steps) => steps,
    };
    for (index, step) in steps.iter().enumerate() {
        self::step(step, index == 0, scope, notes);
    }
}

fn step(step: &At<StepDoc>, first: bool, scope: &mut Scope<'_>, notes: &mut Notes) {
    let name = step.value.name.as_ref();
    if let Some(name) = name {
        check_name(name, scope, notes);
    }
    let name = name.map(|name| name.value.as_str());
    match (&step.value.path, &step.value.entries) {
        (Some(path), None) => add(name, path, LevelKind::Each, first, scope, notes),
        (None, Some(path)) => add(name, path, LevelKind::Entries { key: None }, first, scope, notes),
        _ => notes.add(step.place, "a step has either path or entries"),
    }
}

fn check_name(name: &At<String>, scope: &Scope<'_>, notes: &mut Notes) {
    let text = name.value.as_str();
    if RESERVED.contains(&text) {
        notes.add(name.place, format!("{text:?} already has a meaning; choose another name"));
    } else if scope.level_names().any(|other| other == text) {
        notes.add(name.place, format!("two steps are named {text:?}"));
    } else if text.is_empty() || text.contains(['.', '[', '{', '}', '$', '@', ' ']) {
        notes.add(name.place, format!("{text:?} is not a good name; use letters, digits and _"));
    }
}

fn add(name: Option<&str>, text: &At<String>, kind: LevelKind, first: bool, scope: &mut Scope<'_>, notes: &mut Notes) {
    let Some(mut path) = notes.path(text) else { return };
    strip_step_name(&mut path, first, scope);
    let result = scope.add_levels(name, &path.segments, kind);
    notes.keep(text.place, result);
}

/// `tx.value` in the second step means `value` of the first: a step starts from the one before it in any case.
fn strip_step_name(path: &mut Path, first: bool, scope: &Scope<'_>) {
    let outer = scope.level_names().last();
    if first || path.origin != Origin::Open || outer.is_none() || path.first_name() != outer {
        return;
    }
    path.segments.remove(0);
    if scope.innermost_is_entries() && path.first_name() == Some("value") {
        path.segments.remove(0);
    }
}

fn table_rows(table: &At<Table>, scope: &mut Scope<'_>, notes: &mut Notes) {
    match (&table.value.header, &table.value.names) {
        (Some(_), None) => {
            let kind = LevelKind::Table { columns: Vec::new() };
            under(table.value.under.as_ref(), table.place, kind, scope, notes);
        }
        (None, Some(names)) => {
            under(table.value.under.as_ref(), table.place, LevelKind::Each, scope, notes);
            let result = scope.name_columns(names.iter().map(|name| name.value.as_str()));
            notes.keep(table.place, result);
        }
        _ => notes.add(table.place, "a table has either header: first or names"),
    }
}

fn under(path: Option<&At<String>>, place: Place, kind: LevelKind, scope: &mut Scope<'_>, notes: &mut Notes) {
    let root = || Path { origin: Origin::Document, segments: Vec::new() };
    let path = match path {
        Some(text) => notes.path(text),
        None => Some(root()),
    };
    let Some(path) = path else { return };
    let mut segments = path.segments;
    if matches!(kind, LevelKind::Each | LevelKind::Table { .. }) && segments.last() == Some(&Segment::All) {
        segments.pop();
    }
    let result = scope.add_levels(None, &segments, kind);
    notes.keep(place, result);
}
