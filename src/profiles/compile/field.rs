//! One field of the record: its source and what is done to the value.

use super::notes::Notes;
use super::record::Half;
use super::scope::Scope;
use crate::profiles::document::fields::{self, FieldDoc, FieldKind, Grain, Otherwise, Time, TimeDoc};
use crate::profiles::nearest::nearest;
use crate::profiles::node::{At, Entries, Place, list};
use crate::profiles::path::Path;
use crate::profiles::plan::{Field, Kind, Map, Missing, Piece, Scalar, Slot, Source, TimeForm, Zone};
use crate::profiles::template::{Part, Template};
use crate::profiles::{plan, time};

/// Compiles one field. `None` where its source is not known, with the problem noted.
pub fn compile(
    half: Half,
    path: &[String],
    in_key: bool,
    doc: &At<fields::Field>,
    missing: &Missing,
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Option<Field> {
    let plain;
    let full = match &doc.value {
        fields::Field::Full(full) => full,
        fields::Field::From(from) => {
            plain = Box::new(from_alone(from.clone()));
            &plain
        }
    };
    let source = source(full, doc.place, scope, notes);
    let kind = kind(half, path, full, doc.place, scope, notes);
    let name = format!("{}.{}", half.word(), path.join("."));
    if let (Some(Source::Fixed(value)), Some(kind)) = (&source, &kind) {
        check_fixed(value, kind, doc.place, notes);
    }
    let mut missing = missing.clone();
    for value in full.missing.as_deref().unwrap_or_default() {
        add_missing(&mut missing, &value.value);
    }
    let map = full.map.as_ref().map(|map| self::map(map, full.otherwise));
    if full.map.is_none() && full.otherwise.is_some() {
        notes.add(doc.place, "else needs map");
    }
    let trim = full.trim.unwrap_or(false);
    Some(Field { name, source: source?, in_key, trim, missing, map, kind: kind? })
}

/// The full form of `name: path`.
pub fn from_alone(from: At<String>) -> FieldDoc {
    FieldDoc {
        from: Some(from),
        first_of: None,
        constant: None,
        kind: None,
        missing: None,
        trim: None,
        map: None,
        otherwise: None,
        multiply: None,
        pad: None,
        time: None,
        unit: None,
        description: None,
    }
}

fn source(doc: &FieldDoc, place: Place, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Source> {
    match (&doc.from, &doc.first_of, &doc.constant) {
        (Some(from), None, None) => from_source(from, scope, notes),
        (None, Some(list), None) if !list.is_empty() => {
            let slots: Vec<Slot> = list.iter().filter_map(|text| slot(text, scope, notes)).collect();
            (slots.len() == list.len()).then_some(Source::FirstOf(slots))
        }
        (None, None, Some(value)) => Some(Source::Fixed(value.value.clone())),
        _ => {
            notes.add(place, "a field has exactly one of from, first_of and const");
            None
        }
    }
}

fn slot(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
    let path = notes.path(text)?;
    let slot = scope.row_slot(&path).map_err(|error| format!("{:?}: {error}", text.value));
    notes.keep(text.place, slot)
}

/// A text with braces is a template, any other a path.
fn from_source(from: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Source> {
    if !from.value.contains(['{', '}']) {
        return slot(from, scope, notes).map(Source::Slot);
    }
    let template = notes.template(from)?;
    if template.holes().next().is_none() {
        let hint = "write const: for a fixed value";
        notes.add_with_hint(from.place, "a template without a name in braces", hint);
        return None;
    }
    pieces(&template, from.place, scope, notes).map(Source::Template)
}

fn pieces(template: &Template, place: Place, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Vec<Piece>> {
    let mut pieces = Vec::with_capacity(template.parts.len());
    for part in &template.parts {
        pieces.push(match part {
            Part::Text(text) => Piece::Text(text.as_str().into()),
            Part::Hole(hole) if hole.raw || hole.format.is_some() => {
                notes.add(place, format!("{{{}}}: in a field a name takes neither + nor a format", hole.name));
                return None;
            }
            Part::Hole(hole) => {
                let text = At { value: hole.name.clone(), place };
                Piece::Slot(slot(&text, scope, notes)?)
            }
        });
    }
    Some(pieces)
}

fn kind(
    half: Half,
    path: &[String],
    doc: &FieldDoc,
    place: Place,
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Option<Kind> {
    let number = doc.kind == Some(FieldKind::Number) || (doc.kind.is_none() && half == Half::Measures);
    match half {
        Half::Dims if number => {
            notes.add(place, "dims are text; a number belongs to the measures");
            return None;
        }
        Half::Measures if !number => {
            notes.add(place, "measures are numbers; text belongs to the dims");
            return None;
        }
        _ => {}
    }
    if half == Half::Measures {
        for (set, key) in [(doc.pad.is_some(), "pad"), (doc.time.is_some(), "time")] {
            if set {
                notes.add(place, format!("{key} makes text; a measure is a number"));
            }
        }
        return Some(Kind::Number { multiply: doc.multiply.as_ref().map(|factor| factor.value.0) });
    }
    if doc.multiply.is_some() {
        notes.add(place, "multiply makes a number; dims are text");
    }
    let in_time = path.first().is_some_and(|name| name == "time");
    if in_time || doc.time.is_some() {
        return time_kind(path, in_time, doc, place, scope, notes).map(Kind::Time);
    }
    let pad = doc.pad.as_ref().map(|pad| (usize::try_from(pad.value.width).unwrap_or(200), pad.value.fill));
    Some(Kind::Text { pad })
}

fn time_kind(
    path: &[String],
    in_time: bool,
    doc: &FieldDoc,
    place: Place,
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Option<plan::Time> {
    let empty = TimeDoc { form: None, grain: None, zone: None, offset: None };
    let (form, full) = match doc.time.as_ref().map(|time| &time.value) {
        Some(Time::Form(form)) => (Some(form), &empty),
        Some(Time::Full(full)) => (full.form.as_ref(), full),
        None => (None, &empty),
    };
    let by_name = if in_time { grain_of_name(path, place, notes) } else { None };
    let grain = full.grain.as_ref().map(|grain| grain.value).or(by_name);
    if let (Some(said), Some(named)) = (&full.grain, by_name)
        && path[1..] != ["start"]
        && said.value != named
    {
        notes.add(said.place, format!("the dim is named after the grain {}, not {}", named.word(), said.value.word()));
    }
    if grain.is_none() && !in_time {
        notes.add(place, format!("time needs grain: {}", list(Grain::WORDS)));
    }
    let form = form.map_or(Some(TimeForm::Iso), |form| self::form(form, notes));
    let zone = zone(full, scope, notes);
    Some(plan::Time { form: form?, grain: grain?, zone: zone? })
}

/// `time.month` has the grain month; `time.start` is a date unless it says otherwise.
fn grain_of_name(path: &[String], place: Place, notes: &mut Notes) -> Option<Grain> {
    let name = match &path[1..] {
        [name] => name.as_str(),
        _ => "",
    };
    if name == "start" {
        return Some(Grain::Date);
    }
    let grain = Grain::from_word(name);
    if grain.is_none() {
        let message = format!("dims.time has one member named after its grain: {}, and start", list(Grain::WORDS));
        match nearest(name, Grain::WORDS) {
            Some(near) => notes.add_with_hint(place, message, format!("did you mean time.{near}?")),
            None => notes.add(place, message),
        }
    }
    grain
}

fn form(form: &At<String>, notes: &mut Notes) -> Option<TimeForm> {
    match form.value.as_str() {
        "iso" => Some(TimeForm::Iso),
        "epoch_s" => Some(TimeForm::EpochSeconds),
        "epoch_ms" => Some(TimeForm::EpochMilliseconds),
        pattern if pattern.contains('%') => {
            let zoned = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
            let known = jiff::fmt::strtime::BrokenDownTime::from(&zoned).to_string(pattern);
            notes.keep(
                form.place,
                known.map_err(|error| format!("{pattern:?} is not a pattern of strftime: {error}")),
            )?;
            Some(TimeForm::Pattern(pattern.to_owned()))
        }
        other => {
            notes.add(
                form.place,
                format!("{other:?} is not a form of time; expected iso, epoch_s, epoch_ms or a pattern such as %Y%m%d"),
            );
            None
        }
    }
}

fn zone(doc: &TimeDoc, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Zone> {
    match (&doc.zone, &doc.offset) {
        (None, None) => Some(Zone::Unsaid),
        (Some(zone), None) => {
            let named = jiff::tz::TimeZone::get(&zone.value);
            let hint = "expected UTC or an IANA name such as America/Chicago";
            notes.keep(zone.place, named.map(Zone::Named).map_err(|_| format!("unknown zone {:?}; {hint}", zone.value)))
        }
        (None, Some(offset)) => slot(offset, scope, notes).map(Zone::Offset),
        (Some(zone), Some(_)) => {
            notes.add(zone.place, "a time has either zone or offset");
            None
        }
    }
}

/// A fixed value must be one that the field can hold.
fn check_fixed(value: &Scalar, kind: &Kind, place: Place, notes: &mut Notes) {
    let text = value.text();
    let good = match kind {
        Kind::Text { .. } => !text.is_empty(),
        Kind::Number { .. } => text.parse::<f64>().is_ok_and(f64::is_finite),
        Kind::Time(plan::Time { grain, form: TimeForm::Iso, .. }) => {
            let written = time::read_iso(&text).and_then(|reading| time::write(&mut String::new(), reading, *grain));
            written.is_ok()
        }
        Kind::Time(_) => true,
    };
    if !good {
        notes.add(place, format!("the fixed value {text:?} does not fit the field"));
    }
}

fn map(map: &At<Entries<At<Scalar>>>, otherwise: Option<Otherwise>) -> Map {
    let entry = |(from, to): &(At<String>, At<Scalar>)| {
        let to = (to.value != Scalar::Null).then(|| to.value.text().into());
        (from.value.as_str().into(), to)
    };
    let mut entries: Vec<(Box<str>, Option<Box<str>>)> = map.value.0.iter().map(entry).collect();
    entries.sort();
    Map { entries, otherwise: otherwise.unwrap_or(Otherwise::Keep) }
}

/// Adds a spelling of "no value". null and "" are so already.
pub fn add_missing(missing: &mut Missing, value: &Scalar) {
    let text = value.text();
    if text.is_empty() {
        return;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => missing.numbers.push(number),
        _ => missing.texts.push(text.into()),
    }
}

/// Reads a path for the list of names that a profile uses; wrong ones are noted elsewhere.
pub fn paths_of(doc: &fields::Field) -> Vec<Path> {
    let alone;
    let full = match doc {
        fields::Field::Full(full) => full,
        fields::Field::From(from) => {
            alone = Box::new(from_alone(from.clone()));
            &alone
        }
    };
    let mut texts: Vec<String> = full.first_of.iter().flatten().map(|text| text.value.clone()).collect();
    if let Some(from) = &full.from {
        match Template::parse(&from.value) {
            Ok(template) if from.value.contains('{') => texts.extend(template.holes().map(|hole| hole.name.clone())),
            _ => texts.push(from.value.clone()),
        }
    }
    texts.iter().filter_map(|text| Path::parse(text).ok()).collect()
}
