//! The short form: `mapping: {NAME: dims.geo.name}` means the same as the long form it is rewritten to here.

use super::field::from_alone;
use super::notes::Notes;
use crate::profiles::document::Document;
use crate::profiles::document::fields::{Field, Time, TimeDoc};
use crate::profiles::node::{At, Entries};

/// Rewrites `mapping` to `dims` and `measures`. A time without a zone is UTC in the short form.
pub fn expand(document: &mut Document, notes: &mut Notes) {
    let Some(mapping) = document.mapping.take() else { return };
    let (mut dims, mut measures) = (Vec::new(), Vec::new());
    for (from, to) in mapping.0 {
        let At { value: to, place } = to;
        let source = At { value: from.value, place: from.place };
        if let Some(name) = to.strip_prefix("dims.") {
            dims.push((At { value: name.to_owned(), place }, dim(name, source)));
        } else if let Some(name) = to.strip_prefix("measures.") {
            let field = At { place: source.place, value: Field::From(source) };
            measures.push((At { value: name.to_owned(), place }, field));
        } else {
            let hint = "such as dims.geo.name or measures.population";
            notes.add_with_hint(
                place,
                format!("{to:?} is not a place in a record; it begins with dims. or measures."),
                hint,
            );
        }
    }
    extend(&mut document.dims, dims, "dims", notes);
    extend(&mut document.measures, measures, "measures", notes);
}

fn dim(name: &str, from: At<String>) -> At<Field> {
    let place = from.place;
    let is_time = name.starts_with("time.");
    let mut full = from_alone(from);
    if is_time {
        let zone = Some(At { value: "UTC".to_owned(), place });
        let time = Time::Full(TimeDoc { zone, ..TimeDoc::default() });
        full.time = Some(At { value: time, place });
    }
    At { value: Field::Full(Box::new(full)), place }
}

fn extend(into: &mut Option<Entries<At<Field>>>, fields: Vec<(At<String>, At<Field>)>, half: &str, notes: &mut Notes) {
    if let (Some(Entries(long)), Some((name, _))) = (&into, fields.first())
        && !long.is_empty()
    {
        notes.add(name.place, format!("the profile has both {half} and mapping; keep one of them"));
    }
    into.get_or_insert_default().0.extend(fields);
}
