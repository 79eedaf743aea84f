//! One field of a row: its source, then trim, missing, map, and the reading as text, number or time.

use std::borrow::Cow;

use super::number;
use super::tally::{Loss, Unread};
use crate::domain::canonical::{write_number, write_text};
use crate::pipeline::json::Cell;
use crate::profiles::plan::{self, Field, Kind, Missing, Otherwise, Piece, Source, TimeForm, Zone};
use crate::profiles::time::{self, Reading, TimeError};

/// The longest text of a dim, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// What became of a field.
pub enum Written {
    Yes,
    /// There is no value.
    Missing,
    /// There is one, but it cannot be read.
    Unread(Unread),
}

/// Appends the field's value to `out` as canonical JSON, or nothing.
pub fn write(field: &Field, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Written {
    if let Some(written) = write_untouched(field, cells, out) {
        return written;
    }
    let Some(text) = source_text(&field.source, &field.missing, cells) else { return Written::Missing };
    let text = if field.trim { trimmed(text) } else { text };
    if text.is_empty() || is_missing(&field.missing, &text) {
        return Written::Missing;
    }
    let text = match mapped(field, text) {
        Ok(Some(text)) => text,
        Ok(None) => return Written::Missing,
        Err(unread) => return Written::Unread(unread),
    };
    match &field.kind {
        Kind::Text { pad } => write_dim(field, &text, *pad, out),
        Kind::Number { multiply } => write_measure(field, &text, *multiply, out),
        Kind::Time(plan) => write_time(field, plan, &text, cells, out),
    }
}

/// The quick way of the most common fields: a value that goes into the record as it stands in the answer.
fn write_untouched(field: &Field, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Option<Written> {
    let Source::Slot(slot) = &field.source else { return None };
    if field.trim || field.map.is_some() || !field.missing.numbers.is_empty() {
        return None;
    }
    match (&field.kind, cells[usize::from(*slot)]) {
        (_, Cell::Absent | Cell::Null) => Some(Written::Missing),
        (Kind::Number { multiply: None }, Cell::Number(raw)) => number::write_raw(out, raw).map(|()| Written::Yes),
        (Kind::Text { pad: None }, Cell::Clean(text)) => {
            let plain = !text.is_empty() && text.len() <= MAX_TEXT_BYTES;
            if !plain || field.missing.texts.iter().any(|missing| **missing == *text) {
                return None;
            }
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
            Some(Written::Yes)
        }
        _ => None,
    }
}

/// The text of a source. Of several, the first with a value that does not mean "no value".
fn source_text<'c>(source: &'c Source, missing: &Missing, cells: &[Cell<'c>]) -> Option<Cow<'c, str>> {
    match source {
        Source::Slot(slot) => cell_text(cells[usize::from(*slot)]),
        Source::Fixed(value) => Some(Cow::Owned(value.text())),
        Source::Template(pieces) => template_text(pieces, cells).map(Cow::Owned),
        Source::FirstOf(slots) => slots
            .iter()
            .filter_map(|slot| cell_text(cells[usize::from(*slot)]))
            .find(|text| !text.is_empty() && !is_missing(missing, text)),
    }
}

/// A template has a value only where all its parts have one.
fn template_text(pieces: &[Piece], cells: &[Cell<'_>]) -> Option<String> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Slot(slot) => {
                let text = cell_text(cells[usize::from(*slot)]).filter(|text| !text.is_empty())?;
                out.push_str(&text);
            }
        }
    }
    Some(out)
}

/// The text of a cell; a number in the form that meets others: 2021.0 is "2021".
fn cell_text(cell: Cell<'_>) -> Option<Cow<'_, str>> {
    match cell {
        Cell::Number(raw) if raw.bytes().all(|byte| byte.is_ascii_digit()) => Some(Cow::Borrowed(raw)),
        Cell::Number(raw) => {
            let mut out = Vec::new();
            if number::write_raw(&mut out, raw).is_none() || is_long_integer(raw) {
                return Some(Cow::Borrowed(raw));
            }
            String::from_utf8(out).ok().map(Cow::Owned)
        }
        other => other.text(),
    }
}

/// Integers beyond a double's precision keep all their digits.
fn is_long_integer(raw: &str) -> bool {
    raw.len() > 15 && raw.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit())
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Text and number are compared alike.
pub fn is_missing(missing: &Missing, text: &str) -> bool {
    if missing.texts.iter().any(|other| **other == *text) {
        return true;
    }
    !missing.numbers.is_empty() && text.parse::<f64>().is_ok_and(|number| missing.numbers.contains(&number))
}

/// The text after the field's map; `None` where it maps to no value.
fn mapped<'t>(field: &'t Field, text: Cow<'t, str>) -> Result<Option<Cow<'t, str>>, Unread> {
    let Some(map) = &field.map else { return Ok(Some(text)) };
    match map.entries.binary_search_by(|(from, _)| (**from).cmp(&text)) {
        Ok(at) => Ok(map.entries[at].1.as_deref().map(Cow::Borrowed)),
        Err(_) => match map.otherwise {
            Otherwise::Keep => Ok(Some(text)),
            Otherwise::Missing => Ok(None),
            Otherwise::Fail => Err(Unread::new(field, Loss::NotInMap, &text)),
        },
    }
}

fn write_dim(field: &Field, text: &str, pad: Option<(usize, char)>, out: &mut Vec<u8>) -> Written {
    if text.len() > MAX_TEXT_BYTES {
        return Written::Unread(Unread::new(field, Loss::TooLong, text));
    }
    let Some((width, fill)) = pad else {
        write_text(out, text);
        return Written::Yes;
    };
    let lack = width.saturating_sub(text.chars().count());
    let padded: String = std::iter::repeat_n(fill, lack).chain(text.chars()).collect();
    write_text(out, &padded);
    Written::Yes
}

fn write_measure(field: &Field, text: &str, multiply: Option<f64>, out: &mut Vec<u8>) -> Written {
    let Some(number) = number::read(text) else { return Written::Unread(Unread::new(field, Loss::NotANumber, text)) };
    if field.missing.numbers.contains(&number) {
        return Written::Missing;
    }
    let number = number * multiply.unwrap_or(1.0);
    if !number.is_finite() {
        return Written::Unread(Unread::new(field, Loss::NotANumber, text));
    }
    write_number(out, number);
    Written::Yes
}

fn write_time(field: &Field, plan: &plan::Time, text: &str, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Written {
    if plan.form == TimeForm::Iso && time::is_written(text, plan.grain) {
        write_text(out, text);
        return Written::Yes;
    }
    let mut shown = String::with_capacity(24);
    let written = read_time(plan, text, cells).and_then(|reading| time::write(&mut shown, reading, plan.grain));
    if let Err(error) = written {
        return Written::Unread(Unread::new(field, Loss::Time(error), text));
    }
    write_text(out, &shown);
    Written::Yes
}

fn read_time(plan: &plan::Time, text: &str, cells: &[Cell<'_>]) -> Result<Reading, TimeError> {
    let reading = match &plan.form {
        TimeForm::Iso => time::read_iso(text),
        TimeForm::EpochSeconds => time::read_epoch(text, 1),
        TimeForm::EpochMilliseconds => time::read_epoch(text, 1000),
        TimeForm::Pattern(pattern) => time::read_pattern(text, pattern),
    }?;
    match &plan.zone {
        Zone::Unsaid => Ok(reading),
        Zone::Named(zone) => time::place_local(reading, zone),
        Zone::Offset(slot) => {
            let seconds = cell_text(cells[usize::from(*slot)]).and_then(|ahead| ahead.parse::<i32>().ok());
            time::place_offset(reading, seconds.ok_or(TimeError::NoZone)?)
        }
    }
}
