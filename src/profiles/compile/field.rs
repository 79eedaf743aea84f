//! One field of the record: its source and what is done to the value.

use super::notes::Notes;
use super::record::Half;
use super::scope::Scope;
use super::steps;
use crate::profiles::document::fields::{self, Decimal, FieldDoc, FieldKind, Grain, Time, TimeDoc};
use crate::profiles::nearest::nearest;
use crate::profiles::node::{At, Place, list};
use crate::profiles::path::Path;
use crate::profiles::plan::{
    Field, Kind, Lookup, Missing, Number, NumberForm, Piece, Scalar, Slot, Source, TimeForm, Zone,
};
use crate::profiles::template::{Part, Template};
use crate::profiles::{plan, time};

/// What all fields of a profile share.
pub struct Compiler<'p> {
    pub missing: &'p Missing,
    pub lookups: &'p [Lookup],
}

impl Compiler<'_> {
    /// Compiles one field. `None` where its source is not known, with the problem noted.
    pub fn field(
        &self,
        half: Half,
        path: &[String],
        in_key: bool,
        doc: &At<fields::Field>,
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
        let mut missing = self.missing.clone();
        for value in full.missing.as_deref().unwrap_or_default() {
            add_missing(&mut missing, &value.value);
        }
        let missing_if = missing_if(full, scope, notes);
        let missing_from = full.missing_from.as_ref().and_then(|text| slot(text, scope, notes));
        let steps = steps::texts(full, doc.place, self.lookups, notes);
        Some(Field { name, source: source?, in_key, missing, missing_if, missing_from, steps, kind: kind? })
    }
}

fn missing_if(doc: &FieldDoc, scope: &mut Scope<'_>, notes: &mut Notes) -> Vec<(Slot, Missing)> {
    let entries = doc.missing_if.as_ref().map_or(&[][..], |entries| &entries.0);
    let mut one = |(path, values): &(At<String>, Vec<At<Scalar>>)| {
        let mut missing = Missing::default();
        for value in values {
            add_missing(&mut missing, &value.value);
        }
        slot(path, scope, notes).map(|slot| (slot, missing))
    };
    entries.iter().filter_map(&mut one).collect()
}

/// The full form of `name: path`.
pub fn from_alone(from: At<String>) -> FieldDoc {
    FieldDoc { from: Some(from), ..FieldDoc::default() }
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

pub fn slot(text: &At<String>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<Slot> {
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
    let said = doc.kind.as_ref().map(|kind| kind.value);
    let number = said.map_or(half == Half::Measures, |kind| kind != FieldKind::Text);
    let place = doc.kind.as_ref().map_or(place, |kind| kind.place);
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
        if let Some(time) = &doc.time {
            notes.add(time.place, "time makes text; a measure is a number");
        }
        let form = match said {
            Some(FieldKind::Integer) => NumberForm::Integer,
            Some(FieldKind::Boolean) => NumberForm::Boolean,
            _ => NumberForm::Any,
        };
        let decimal_comma = doc.decimal == Some(Decimal::Comma);
        return Some(Kind::Number(Number { decimal_comma, form, steps: steps::numbers(doc, scope, notes) }));
    }
    steps::refuse_numbers(doc, place, notes);
    let in_time = path.first().is_some_and(|name| name == "time");
    if in_time || doc.time.is_some() {
        return time_kind(path, in_time, doc, place, scope, notes).map(Kind::Time);
    }
    Some(Kind::Text)
}

fn time_kind(
    path: &[String],
    in_time: bool,
    doc: &FieldDoc,
    place: Place,
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Option<plan::Time> {
    let empty = TimeDoc::default();
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

pub fn form(form: &At<String>, notes: &mut Notes) -> Option<TimeForm> {
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
    match (&doc.zone, &doc.offset, &doc.zone_from) {
        (None, None, None) => Some(Zone::Unsaid),
        (Some(zone), None, None) => {
            let named = jiff::tz::TimeZone::get(&zone.value);
            let hint = "expected UTC or an IANA name such as America/Chicago";
            notes.keep(zone.place, named.map(Zone::Named).map_err(|_| format!("unknown zone {:?}; {hint}", zone.value)))
        }
        (None, Some(offset), None) => slot(offset, scope, notes).map(Zone::Offset),
        (None, None, Some(field)) => slot(field, scope, notes).map(Zone::Field),
        _ => {
            let place = [&doc.zone, &doc.offset, &doc.zone_from].into_iter().flatten().last().map(|said| said.place);
            notes.add(place.unwrap_or(Place::START), "a time has one of zone, offset and zone_from");
            None
        }
    }
}

/// A fixed value must be one that the field can hold.
fn check_fixed(value: &Scalar, kind: &Kind, place: Place, notes: &mut Notes) {
    let text = value.text();
    let good = match kind {
        Kind::Text => !text.is_empty(),
        Kind::Number(_) => text.parse::<f64>().is_ok_and(f64::is_finite),
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
