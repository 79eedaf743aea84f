//! The part of the plan that turns an answer into records: rows, conditions, fields, judgement, end of paging.

use super::notes::Notes;
use super::scope::Scope;
use super::{condition, field, record, rows};
use crate::profiles::document::Document;
use crate::profiles::document::source::{Failure, Source};
use crate::profiles::node::At;
use crate::profiles::path::Segment;
use crate::profiles::plan::{Condition, Found, Mapping, Missing, Policy, Slot, Stop, Until};

/// At most this many conditions on a row.
const MAX_CONDITIONS: usize = 100;

/// Compiles the mapping. `found` says where the rows are, for a profile that does not.
pub fn mapping(document: &Document, params: &[String], found: Option<&Found>, notes: &mut Notes) -> Option<Mapping> {
    let source = &document.source.as_ref()?.value;
    let mut scope = Scope::new(params, source.window.is_some(), found);
    match (&document.rows, found) {
        (Some(declared), _) => rows::declared(declared, &mut scope, notes),
        (None, Some(found)) => {
            let result = rows::found(found, &mut scope);
            notes.keep(document.source.as_ref()?.place, result);
        }
        (None, None) => return None,
    }
    let mut missing = Missing::default();
    for value in document.missing.as_deref().unwrap_or_default() {
        field::add_missing(&mut missing, &value.value);
    }
    let conditions = conditions(document, &mut scope, notes);
    let record = record::record(document, &missing, &mut scope, notes);
    let policy = policy(source, &mut scope, notes);
    let (stop, next) = stop(source, &mut scope, notes);
    let place = document.rows.as_ref().map_or(document.source.as_ref()?.place, |rows| rows.place);
    let (slots, shape, levels, document_slots) = notes.keep(place, scope.finish())?;
    Some(Mapping { slots, shape, levels, document_slots, conditions, record, policy, stop, next })
}

fn conditions(document: &Document, scope: &mut Scope<'_>, notes: &mut Notes) -> Vec<Condition> {
    let texts = document.where_.as_deref().unwrap_or_default();
    if let Some(text) = texts.get(MAX_CONDITIONS) {
        notes.add(text.place, format!("at most {MAX_CONDITIONS} conditions are allowed"));
    }
    let mut conditions = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(parsed) = notes.keep(text.place, condition::parse(&text.value)) else { continue };
        let slot = scope.row_slot(&parsed.path).map_err(|error| format!("{}: {error}", parsed.path));
        conditions.extend(notes.keep(text.place, slot).map(|slot| parsed.with_slot(slot)));
    }
    conditions
}

fn policy(source: &Source, scope: &mut Scope<'_>, notes: &mut Notes) -> Policy {
    let (failure, message) = match source.failure.as_ref().map(|failure| &failure.value) {
        Some(Failure::Path(path)) => (Some(path), None),
        Some(Failure::Full(full)) => (full.path.as_ref(), full.message.as_ref()),
        None => (None, None),
    };
    Policy {
        success: source.success.as_ref().and_then(|text| document_condition(text, scope, notes)),
        failure: failure.and_then(|path| document_slot(path, scope, notes)),
        message: message.or(source.message.as_ref()).and_then(|path| document_slot(path, scope, notes)),
    }
}

fn stop(source: &Source, scope: &mut Scope<'_>, notes: &mut Notes) -> (Stop, Option<Slot>) {
    let Some(paging) = &source.paging else { return (Stop::default(), None) };
    let doc = &paging.value;
    let until = match doc.until.as_ref().map(|until| (until, until.value.as_str())) {
        None => None,
        Some((_, "empty")) => Some(Until::Empty),
        Some((until, "short")) => {
            if doc.size.is_none() {
                notes.add(until.place, "until: short needs size, to know what is short");
            }
            Some(Until::Short)
        }
        Some((until, _)) => document_condition(until, scope, notes).map(Until::Condition),
    };
    let total = doc.total.as_ref().and_then(|path| document_slot(path, scope, notes));
    let last_page = doc.last_page.as_ref().and_then(|path| document_slot(path, scope, notes));
    let next = doc.next.as_ref().and_then(|path| document_slot(path, scope, notes));
    (Stop { until: until.unwrap_or_default(), total, last_page }, next)
}

fn document_condition(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Condition> {
    let parsed = notes.keep(text.place, condition::parse(&text.value))?;
    let slot = scope.document_slot(without_all(&parsed.path.segments));
    let slot = notes.keep(text.place, slot.map_err(|error| format!("{}: {error}", parsed.path)))?;
    Some(parsed.with_slot(slot))
}

fn document_slot(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
    let path = notes.path(text)?;
    let slot = scope.document_slot(without_all(&path.segments));
    notes.keep(text.place, slot.map_err(|error| format!("{:?}: {error}", text.value)))
}

/// `$.message[*]` means the list as a whole here.
fn without_all(segments: &[Segment]) -> &[Segment] {
    match segments {
        [rest @ .., Segment::All] => rest,
        all => all,
    }
}
