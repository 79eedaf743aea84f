//! One field of a row: its source, what means "no value", the steps, and the reading as text, number or time.

use std::borrow::Cow;

use super::tally::{Loss, Tally, Unread};
use super::{Row, number, steps};
use crate::domain::canonical::{write_number, write_text};
use crate::pipeline::json::Cell;
use crate::profiles::plan::{
    self, Field, Kind, Missing, Number, NumberForm, NumberStep, Piece, Slot, Source, TimeForm, Zone,
};
use crate::profiles::time::{self, Reading, TimeError};
use crate::profiles::units;

/// The longest text of a dim, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;

/// What became of a field.
pub enum Written {
    Yes,
    /// There is no value.
    Missing,
    /// There is one, but it cannot be read.
    Unread(Unread),
    /// The answer names another unit than the profile: all its numbers mean something else.
    OtherUnit(Unread),
}

/// Appends the field's value to `out` as canonical JSON, or nothing.
pub fn write(field: &Field, row: Row<'_>, out: &mut Vec<u8>, tally: &mut Tally) -> Written {
    if let Some(written) = write_untouched(field, row.cells, out) {
        return written;
    }
    if is_void(field, row) {
        return Written::Missing;
    }
    let Some(text) = source_text(&field.source, &field.missing, row.cells) else { return Written::Missing };
    if text.is_empty() || is_missing(&field.missing, &text) || equals_cell(field.missing_from, &text, row) {
        return Written::Missing;
    }
    let text = match steps::apply(field, text, row) {
        Ok(Some(text)) => text,
        Ok(None) => return Written::Missing,
        Err(unread) => return Written::Unread(unread),
    };
    match &field.kind {
        Kind::Text => write_dim(field, &text, out),
        Kind::Number(plan) => write_measure(field, plan, &text, row, out),
        Kind::Time(plan) => write_time(field, plan, &text, row, out, tally),
    }
}

/// The quick way of the most common fields: a value that goes into the record as it stands in the answer.
fn write_untouched(field: &Field, cells: &[Cell<'_>], out: &mut Vec<u8>) -> Option<Written> {
    let Source::Slot(slot) = &field.source else { return None };
    if !field.steps.is_empty() || !field.missing_if.is_empty() || field.missing_from.is_some() {
        return None;
    }
    match (&field.kind, cells[usize::from(*slot)]) {
        (_, Cell::Absent | Cell::Null) => Some(Written::Missing),
        (Kind::Number(plan), Cell::Number(raw)) if plan.is_plain() => {
            if is_missing_number(&field.missing, raw) {
                return Some(Written::Missing);
            }
            number::write_raw(out, raw).map(|()| Written::Yes)
        }
        (Kind::Text, Cell::Clean(text)) => {
            let plain = !text.is_empty() && text.len() <= MAX_TEXT_BYTES && text.is_ascii();
            if !plain || is_missing(&field.missing, text) {
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

/// Another field says that this one has no value.
fn is_void(field: &Field, row: Row<'_>) -> bool {
    let says =
        |(slot, missing): &(Slot, Missing)| cell_text(row.cell(*slot)).is_some_and(|text| is_missing(missing, &text));
    field.missing_if.iter().any(says)
}

/// Whether a text is the value of a slot; numbers however they are written.
fn equals_cell(slot: Option<Slot>, text: &str, row: Row<'_>) -> bool {
    let Some(other) = slot.and_then(|slot| cell_text(row.cell(slot))) else { return false };
    let number = |spelling: &str| spelling.parse::<f64>().ok();
    *other == *text || number(&other).is_some_and(|other| number(text) == Some(other))
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
pub fn cell_text(cell: Cell<'_>) -> Option<Cow<'_, str>> {
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

/// Text and number are compared alike.
pub fn is_missing(missing: &Missing, text: &str) -> bool {
    missing.texts.iter().any(|other| **other == *text) || is_missing_number(missing, text)
}

/// Most signs of "no value" are negative numbers and most values are not, so that few texts have to be parsed.
fn is_missing_number(missing: &Missing, text: &str) -> bool {
    let may_be = match text.bytes().next() {
        Some(b'-') => true,
        Some(b'0'..=b'9' | b'.' | b'+') => missing.numbers.iter().any(|number| *number >= 0.0),
        _ => false,
    };
    may_be && text.parse::<f64>().is_ok_and(|number| missing.numbers.contains(&number))
}

fn write_dim(field: &Field, text: &str, out: &mut Vec<u8>) -> Written {
    if text.len() > MAX_TEXT_BYTES {
        return Written::Unread(Unread::new(field, Loss::TooLong, text));
    }
    write_text(out, &composed(text));
    Written::Yes
}

/// In NFC, so that one name is one dim however a source composes its letters. Costs nothing for ASCII.
fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

fn write_measure(field: &Field, plan: &Number, text: &str, row: Row<'_>, out: &mut Vec<u8>) -> Written {
    let unread = |loss| Written::Unread(Unread::new(field, loss, text));
    let read = match plan.form {
        NumberForm::Boolean => boolean(text).ok_or(Loss::NotABoolean),
        _ if plan.decimal_comma => number::read_comma(text).ok_or(Loss::NotANumber),
        _ => number::read(text).ok_or(Loss::NotANumber),
    };
    let number = match read {
        Ok(number) => number,
        Err(loss) => return unread(loss),
    };
    if field.missing.numbers.contains(&number) {
        return Written::Missing;
    }
    if plan.form == NumberForm::Integer && number.fract() != 0.0 {
        return unread(Loss::NotWhole);
    }
    let number = plan.steps.iter().try_fold(number, |number, step| calculated(number, step, row));
    match number {
        Ok(number) if number.is_finite() => {
            write_number(out, number);
            Written::Yes
        }
        Ok(_) => unread(Loss::NotANumber),
        Err(Loss::OtherUnit) => Written::OtherUnit(other_unit(field, plan, row)),
        Err(loss) => unread(loss),
    }
}

#[cold]
fn other_unit(field: &Field, plan: &Number, row: Row<'_>) -> Unread {
    let check = plan.steps.iter().find_map(|step| match step {
        NumberStep::Check(slot, unit) => Some((cell_text(row.cell(*slot)), unit)),
        _ => None,
    });
    let told = match &check {
        Some((told, unit)) => format!("{} instead of {unit}", told.as_deref().unwrap_or("nothing")),
        None => String::new(),
    };
    Unread::new(field, Loss::OtherUnit, &told)
}

fn boolean(text: &str) -> Option<f64> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "t" | "1" => Some(1.0),
        "false" | "no" | "n" | "f" | "0" => Some(0.0),
        _ => None,
    }
}

fn calculated(number: f64, step: &NumberStep, row: Row<'_>) -> Result<f64, Loss> {
    let other = |slot: Slot| cell_text(row.cell(slot)).and_then(|text| number::read(&text)).ok_or(Loss::NoFactor);
    Ok(match step {
        NumberStep::Multiply(factor) => number * factor,
        NumberStep::MultiplyBy(slot) => number * other(*slot)?,
        NumberStep::Power10(slot) => power10(number, other(*slot)?)?,
        NumberStep::Convert(conversion) => conversion.apply(number),
        NumberStep::ConvertBy(slot, to) => {
            let name = cell_text(row.cell(*slot)).ok_or(Loss::NoUnit)?;
            let from = units::find(&name).ok_or(Loss::NoUnit)?;
            units::conversion(from, to).ok_or(Loss::NoUnit)?.apply(number)
        }
        NumberStep::Check(slot, unit) => match cell_text(row.cell(*slot)) {
            Some(told) if is_unit(&told, unit) => number,
            _ => return Err(Loss::OtherUnit),
        },
    })
}

/// Whether a spelling means this unit.
fn is_unit(told: &str, unit: &str) -> bool {
    told == unit || units::find(told).is_some_and(|known| units::find(unit) == Some(known))
}

/// Divides for a negative power, so that 5 and -1 are 0.5 exactly.
fn power10(number: f64, exponent: f64) -> Result<f64, Loss> {
    if exponent.fract() != 0.0 || exponent.abs() > 300.0 {
        return Err(Loss::NoFactor);
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is a whole number of at most 300")]
    let power = 10_f64.powi(exponent.abs() as i32);
    Ok(if exponent < 0.0 { number / power } else { number * power })
}

fn write_time(
    field: &Field,
    plan: &plan::Time,
    text: &str,
    row: Row<'_>,
    out: &mut Vec<u8>,
    tally: &mut Tally,
) -> Written {
    if plan.form == TimeForm::Iso && time::is_written(text, plan.grain) {
        write_text(out, text);
        return Written::Yes;
    }
    let mut shown = String::with_capacity(24);
    let placed = read_time(plan, text).and_then(|reading| place(plan, reading, row));
    let written = placed.and_then(|(reading, sure)| {
        if !sure {
            let what = format!(
                "{} falls into an hour that the clocks skip or repeat; the earlier offset is taken",
                field.name
            );
            tally.note(&what, Some(text));
        }
        time::write(&mut shown, reading, plan.grain)
    });
    if let Err(error) = written {
        return Written::Unread(Unread::new(field, Loss::Time(error), text));
    }
    write_text(out, &shown);
    Written::Yes
}

fn read_time(plan: &plan::Time, text: &str) -> Result<Reading, TimeError> {
    match &plan.form {
        TimeForm::Iso => time::read_iso(text),
        TimeForm::EpochSeconds => time::read_epoch(text, 1),
        TimeForm::EpochMilliseconds => time::read_epoch(text, 1000),
        TimeForm::Pattern(pattern) => time::read_pattern(text, pattern),
    }
}

/// Gives a time its zone; `false` where the local time is no single instant.
fn place(plan: &plan::Time, reading: Reading, row: Row<'_>) -> Result<(Reading, bool), TimeError> {
    match &plan.zone {
        Zone::Unsaid => Ok((reading, true)),
        Zone::Named(zone) => time::place_local(reading, zone),
        Zone::Offset(slot) => {
            let ahead = cell_text(row.cell(*slot)).and_then(|ahead| time::read_offset(&ahead));
            Ok((time::place_offset(reading, ahead.ok_or(TimeError::NoZone)?)?, true))
        }
        Zone::Field(slot) => {
            let name = cell_text(row.cell(*slot)).ok_or(TimeError::NoZone)?;
            let zone = jiff::tz::TimeZone::get(&name).map_err(|_| TimeError::UnknownZone)?;
            time::place_local(reading, &zone)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_number_is_missing_however_it_is_written(
            text in "[-+]?(0|[1-9][0-9]{0,2})?(\\.[0-9]{0,2})?(e[0-9])?",
            other in any::<String>(),
            numbers in prop::collection::vec(prop_oneof![-99..99_i32, Just(0)].prop_map(f64::from), 0..4),
            is_minus in any::<bool>(),
        ) {
            let numbers: Vec<f64> = numbers.into_iter().chain(is_minus.then_some(-0.0)).collect();
            let missing = Missing { texts: Vec::new(), numbers };
            for text in [&text, &other] {
                let plainly = text.parse::<f64>().is_ok_and(|number| missing.numbers.contains(&number));
                prop_assert_eq!(is_missing(&missing, text), plainly, "{} {:?}", text, missing);
            }
        }
    }
}
