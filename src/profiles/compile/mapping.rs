//! The part of the plan that turns an answer into records: rows, conditions, fields, judgement, end of paging.

use super::condition::Parsed;
use super::notes::Notes;
use super::scope::Scope;
use super::{answer, condition, field, first, record, rows};
use crate::profiles::document::Document;
use crate::profiles::document::rows::LookupDoc;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::form::Format;
use crate::profiles::node::{At, Place};
use crate::profiles::path::Segment;
use crate::profiles::plan::{
    Condition, Found, Keys, LevelKind, Lookup, Mapping, Missing, Pick, Pivot, Policy, Prepare, Rule, SelectStep,
    Selector, Slot, Stop, Take, Until,
};

/// At most this many conditions on a row.
const MAX_CONDITIONS: usize = 100;

/// Compiles the mapping. `found` says where the rows are, for a profile that does not.
pub fn mapping(document: &Document, params: &[String], found: Option<&Found>, notes: &mut Notes) -> Option<Mapping> {
    let source = &document.source.as_ref()?.value;
    let place = document.rows.as_ref().map_or(document.source.as_ref()?.place, |rows| rows.place);
    let format = source.format.as_ref().map_or(Format::Json, |format| format.value);
    let grid = matches!(format, Format::Csv | Format::Columns);
    let mut scope = Scope::new(params, source.window.is_some(), found);
    scope.without_value(first::batched(source, params));
    let mut prepare = Prepare::Nothing;
    match (&document.rows, found) {
        (Some(declared), _) => prepare = rows::declared(declared, grid, &mut scope, notes),
        (None, _) if grid => rows::grid_rows(place, &mut scope, notes),
        (None, _) if format == Format::Ndjson => rows::line_rows(place, &mut scope, notes),
        (None, Some(found)) => {
            let result = rows::found(found, &mut scope);
            notes.keep(place, result);
        }
        (None, None) => return None,
    }
    let mut missing = Missing::default();
    for value in document.missing.as_deref().unwrap_or_default() {
        field::add_missing(&mut missing, &value.value);
    }
    let conditions = conditions(document, &mut scope, notes);
    let cursor = cursor(source, &mut scope, notes);
    let pivot = document.rows.as_ref().and_then(|rows| rows.value.pivot.as_ref());
    let pivot = pivot.and_then(|pivot| rows::pivot(pivot, &mut scope, notes));
    let lookups = lookups(document, grid, notes);
    let record = record::record(document, &missing, &lookups, &mut scope, notes);
    let rank = record::rank(document, &record, &mut scope, notes);
    let policy = if grid { Policy::default() } else { answer::policy(source, &mut scope, notes) };
    let next_selected = next_selected(source, grid, notes);
    let (stop, next) = stop(source, next_selected.is_some(), &mut scope, notes);
    let finished = notes.keep(place, scope.finish())?;
    if grid && !finished.document_slots.is_empty() {
        notes.add(
            place,
            "an answer in csv or columns has no places outside its rows; a path with $ or doc. finds nothing",
        );
    }
    if let Prepare::Cube(cube) = &mut prepare {
        cube.columns = finished.cube;
    }
    let pivot = pivot.map(|pivot| Pivot { columns: finished.pivot, ..pivot });
    Some(Mapping {
        places: finished.places,
        rows_may_be_absent: format == Format::Xml,
        prepare,
        pivot,
        lookups,
        headers: finished.headers,
        cursor,
        document_slots: finished.document_slots,
        conditions,
        record,
        rank,
        policy,
        stop,
        next,
        next_selected,
    })
}

fn cursor(source: &Source, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
    let field = source.cursor.as_ref()?.value.field.as_ref()?;
    let path = notes.path(field)?;
    let slot = scope.row_slot(&path).map_err(|error| format!("{:?}: {error}", field.value));
    notes.keep(field.place, slot)
}

fn lookups(document: &Document, grid: bool, notes: &mut Notes) -> Vec<Lookup> {
    let entries = document.lookups.as_ref().map_or(&[][..], |lookups| &lookups.0);
    if let (true, Some((name, _))) = (grid, entries.first()) {
        notes.add(name.place, "an answer in csv or columns has no tables beside its rows");
        return Vec::new();
    }
    entries.iter().filter_map(|(name, doc)| lookup(&name.value, doc, notes)).collect()
}

fn lookup(name: &str, doc: &At<LookupDoc>, notes: &mut Notes) -> Option<Lookup> {
    let mut scope = Scope::new(&[], false, None);
    let (rows, entries) = match (&doc.value.each, &doc.value.entries) {
        (Some(each), None) => (each, false),
        (None, Some(entries)) => (entries, true),
        _ => {
            notes.add(doc.place, "a lookup has either each or entries");
            return None;
        }
    };
    let kind = if entries { LevelKind::Entries { key: None, keys: Keys::All } } else { LevelKind::Each };
    let take = if entries { Take::Members } else { Take::Elements };
    let select = self::rows::selector(rows, notes).map(|selector| SelectStep { pick: Pick::Path(selector), take });
    let segments = if select.is_some() { Vec::new() } else { notes.path(rows)?.segments };
    let prepared = if select.is_some() { scope.prepare() } else { Ok(()) };
    let added = prepared.and_then(|()| scope.add_levels(None, &segments, kind));
    notes.keep(rows.place, added)?;
    let (Some(keys), Some(value)) = (&doc.value.key, &doc.value.value) else {
        notes.add(doc.place, "a lookup needs key and value");
        return None;
    };
    let mut slot = |text: &At<String>| {
        let path = notes.path(text)?;
        let slot = scope.row_slot(&path).map_err(|error| format!("{:?}: {error}", text.value));
        notes.keep(text.place, slot)
    };
    let slots: Vec<Slot> = keys.value.0.iter().filter_map(&mut slot).collect();
    let value = slot(value)?;
    let places = notes.keep(doc.place, scope.finish())?.places;
    Some(Lookup { name: name.to_owned(), select, places, keys: slots, value })
}

fn conditions(document: &Document, scope: &mut Scope<'_>, notes: &mut Notes) -> Vec<Rule> {
    let rules = document.where_.as_deref().unwrap_or_default();
    if let Some(rule) = rules.get(MAX_CONDITIONS) {
        notes.add(rule.place, format!("at most {MAX_CONDITIONS} conditions are allowed"));
    }
    let mut compiled = Vec::with_capacity(rules.len());
    for rule in rules {
        let texts = rule.value.texts(rule.place);
        if texts.is_empty() || texts.len() > MAX_CONDITIONS {
            notes.add(rule.place, format!("any holds 1 to {MAX_CONDITIONS} conditions"));
        }
        let any: Vec<Condition> = texts.iter().filter_map(|text| row_condition(text, scope, notes)).collect();
        let text = any.iter().map(|condition| condition.text.as_str()).collect::<Vec<_>>().join(" or ");
        compiled.push(Rule { any, text });
    }
    compiled
}

fn row_condition(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Condition> {
    let parsed = notes.keep(text.place, condition::parse(&text.value))?;
    let slot = scope.row_slot(&parsed.path).map_err(|error| format!("{}: {error}", parsed.path));
    notes.keep(text.place, slot).map(|slot| parsed.with_slot(slot))
}

/// A next page that only a filter finds, such as `$.links[?@.rel=='next'].href`.
fn next_selected(source: &Source, grid: bool, notes: &mut Notes) -> Option<Selector> {
    let said = source.paging.as_ref()?.value.next.as_ref()?;
    let found = rows::selector(said, notes)?;
    if grid {
        notes.add(said.place, "an answer in csv or columns has no places outside its rows");
    }
    Some(found)
}

fn stop(source: &Source, selects: bool, scope: &mut Scope<'_>, notes: &mut Notes) -> (Stop, Option<Slot>) {
    let Some(paging) = &source.paging else { return (Stop::default(), None) };
    let doc = &paging.value;
    let texts = doc.until.iter().flat_map(|until| &until.value.0);
    let until: Vec<Until> = texts.filter_map(|until| self::until(until, doc.size.is_some(), scope, notes)).collect();
    let total = doc.total.as_ref().and_then(|path| document_slot(path, scope, notes));
    let last_page = doc.last_page.as_ref().and_then(|path| document_slot(path, scope, notes));
    let next = doc.next.as_ref().filter(|_| !selects).and_then(|path| document_slot(path, scope, notes));
    (Stop { until, total, last_page }, next)
}

fn until(said: &At<String>, has_size: bool, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Until> {
    match said.value.as_str() {
        "empty" => Some(Until::Empty),
        "short" => {
            if !has_size {
                notes.add(said.place, "until: short needs size, to know what is short");
            }
            Some(Until::Short)
        }
        _ => document_condition(said, scope, notes).map(Until::Condition),
    }
}

fn document_condition(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Condition> {
    let parsed = notes.keep(text.place, condition::parse(&text.value))?;
    on_document(parsed, text.place, scope, notes)
}

/// Finds the place of a condition in the document.
pub fn on_document(parsed: Parsed, place: Place, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Condition> {
    let slot = scope.answer_slot(parsed.path.origin, without_all(&parsed.path.segments));
    let slot = notes.keep(place, slot.map_err(|error| format!("{}: {error}", parsed.path)))?;
    Some(parsed.with_slot(slot))
}

pub fn document_slot(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
    let path = notes.path(text)?;
    let slot = scope.answer_slot(path.origin, without_all(&path.segments));
    notes.keep(text.place, slot.map_err(|error| format!("{:?}: {error}", text.value)))
}

/// `$.message[*]` means the list as a whole here.
fn without_all(segments: &[Segment]) -> &[Segment] {
    match segments {
        [rest @ .., Segment::All] => rest,
        all => all,
    }
}
