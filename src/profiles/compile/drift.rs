//! How a profile's runs are compared with those before them.

use super::notes::Notes;
use crate::domain::drift::{DriftRule, NewFields, Then};
use crate::profiles::document::Document;
use crate::profiles::document::drift::{self, DriftDoc};

/// Fewer rows than this share of the usual are a drift, unless the profile says otherwise.
const FEWER_ROWS: f64 = 0.5;

/// The rule that the profile names, or the usual one.
pub fn rule(document: &Document, notes: &mut Notes) -> DriftRule {
    let usual = DriftDoc::default();
    let doc = document.drift.as_ref().map_or(&usual, |drift| &drift.value);
    let then = match doc.then {
        None | Some(drift::Then::Keep) => Then::Keep,
        Some(drift::Then::Quarantine) => Then::Quarantine,
        Some(drift::Then::Fail) => Then::Fail,
    };
    let new_fields = match doc.new_fields {
        None | Some(drift::NewFields::Note) => NewFields::Note,
        Some(drift::NewFields::Ignore) => NewFields::Ignore,
        Some(drift::NewFields::Drift) => NewFields::Drift,
    };
    DriftRule { then, fewer_rows: fewer_rows(document, doc, notes), new_fields }
}

fn fewer_rows(document: &Document, doc: &DriftDoc, notes: &mut Notes) -> Option<f64> {
    let Some(said) = &doc.fewer_rows else {
        let has_cursor = document.source.as_ref().is_some_and(|source| source.value.cursor.is_some());
        return (!has_cursor).then_some(FEWER_ROWS);
    };
    let share = said.value.0;
    if !(0.0..=1.0).contains(&share) {
        notes.add(said.place, format!("fewer_rows is {share}; expected a share from 0 to 1, such as 0.5 for the half"));
    }
    (share > 0.0).then_some(share)
}
