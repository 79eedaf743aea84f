//! Times as sources write them, and as records hold them: one text for each grain, so that joins meet.
//! Pure: no clock.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::TimeZone;

use super::plan::Grain;

/// What a text says, as fine as it says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Year(i16),
    Quarter(i16, i8),
    Month(i16, i8),
    Week(ISOWeekDate),
    Date(Date),
    /// A time without a zone.
    Local(DateTime),
    Instant(Timestamp),
}

/// Why a text is not a time, or not one of the grain asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("it is not a time in the form that the profile names")]
    Unreadable,
    #[error("it is coarser than the grain of the dim")]
    TooCoarse,
    #[error("it names no zone and the profile none either; add zone or offset to time")]
    NoZone,
    #[error("its zone is not a name such as America/Chicago")]
    UnknownZone,
}

/// Reads ISO 8601 and RFC 3339 and the period codes around them: `2024`, `2024.0`, `2024-01`, `2024M01`,
/// `2024-Q1`, `2024Q1`, `2024-W05`, `2024W05`, `2024-01-15`, `20240115`,
/// `2024-01-15T12:53[:00[.476]][Z|+01:00]`; hours from 24 on are of the next day.
pub fn read_iso(text: &str) -> Result<Reading, TimeError> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let year = digits(bytes, 0, 4).ok_or(TimeError::Unreadable)?;
    match bytes.get(4) {
        None => Ok(Reading::Year(year)),
        Some(b'.') if bytes[5..].iter().all(|byte| *byte == b'0') => Ok(Reading::Year(year)),
        Some(b'M') if bytes.len() == 7 => month(year, digits(bytes, 5, 2)),
        Some(b'Q') if bytes.len() == 6 => quarter(year, digits(bytes, 5, 1)),
        Some(b'W') if bytes.len() == 7 => week(year, digits(bytes, 5, 2)),
        Some(b'-') => read_dashed(text, year),
        Some(b'0'..=b'9') if bytes.len() == 8 => {
            date(year, digits(bytes, 4, 2), digits(bytes, 6, 2)).map(Reading::Date)
        }
        _ => Err(TimeError::Unreadable),
    }
}

fn read_dashed(text: &str, year: i16) -> Result<Reading, TimeError> {
    let bytes = text.as_bytes();
    match (bytes.get(5), bytes.len()) {
        (Some(b'Q'), 7) => quarter(year, digits(bytes, 6, 1)),
        (Some(b'W'), 8) => week(year, digits(bytes, 6, 2)),
        (_, 7) => month(year, digits(bytes, 5, 2)),
        (_, 10..) if bytes[7] == b'-' => {
            let date = date(year, digits(bytes, 5, 2), digits(bytes, 8, 2))?;
            read_clock(date, &bytes[10..])
        }
        _ => Err(TimeError::Unreadable),
    }
}

/// What follows a date: nothing, or `T` and a clock time, and perhaps a zone.
fn read_clock(date: Date, rest: &[u8]) -> Result<Reading, TimeError> {
    let Some((b'T' | b't' | b' ', rest)) = rest.split_first() else {
        return if rest.is_empty() { Ok(Reading::Date(date)) } else { Err(TimeError::Unreadable) };
    };
    let (hour, minute) = (digits(rest, 0, 2), digits(rest, 3, 2));
    if rest.get(2) != Some(&b':') {
        return Err(TimeError::Unreadable);
    }
    let mut at = 5;
    let mut second = Some(0);
    if rest.get(at) == Some(&b':') {
        second = digits(rest, at + 1, 2);
        at += 3;
    }
    let (nanosecond, at) = fraction(rest, at)?;
    let small = |part: Option<i16>| part.and_then(|part| i8::try_from(part).ok()).ok_or(TimeError::Unreadable);
    let (hour, minute, second) = (small(hour)?, small(minute)?, small(second)?.min(59));
    // Timetables count on behind midnight.
    let (date, hour) = match hour {
        24..48 => (date.tomorrow().map_err(|_| TimeError::Unreadable)?, hour - 24),
        hour => (date, hour),
    };
    let time = Time::new(hour, minute, second, nanosecond).map_err(|_| TimeError::Unreadable)?;
    with_zone(date.to_datetime(time), rest.get(at..).ok_or(TimeError::Unreadable)?)
}

/// `.476`, in nanoseconds, and where it ends.
fn fraction(rest: &[u8], at: usize) -> Result<(i32, usize), TimeError> {
    if !matches!(rest.get(at), Some(b'.' | b',')) {
        return Ok((0, at));
    }
    let places = rest[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if places == 0 {
        return Err(TimeError::Unreadable);
    }
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = if place < places { i32::from(rest[at + 1 + place] - b'0') } else { 0 };
        nanoseconds = nanoseconds * 10 + digit;
    }
    Ok((nanoseconds, at + 1 + places))
}

fn with_zone(local: DateTime, zone: &[u8]) -> Result<Reading, TimeError> {
    let zone = zone.strip_prefix(b" ").unwrap_or(zone);
    let seconds: i32 = match zone {
        [] => return Ok(Reading::Local(local)),
        [b'Z' | b'z'] | [b'U', b'T', b'C'] => 0,
        [sign @ (b'+' | b'-'), digits @ ..] => offset(*sign, digits).ok_or(TimeError::Unreadable)?,
        _ => return Err(TimeError::Unreadable),
    };
    instant(local, seconds)
}

/// How far a zone is ahead of UTC: seconds, or `+01:00`.
pub fn read_offset(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i32>()
        && !matches!((text.len(), text.as_bytes().first()), (5, Some(b'+' | b'-')))
    {
        return Some(seconds);
    }
    match text.as_bytes() {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), digits @ ..] => offset(*sign, digits),
        _ => None,
    }
}

fn offset(sign: u8, rest: &[u8]) -> Option<i32> {
    let minutes = match rest.len() {
        2 => Some(0),
        4 => digits(rest, 2, 2),
        5 if rest[2] == b':' => digits(rest, 3, 2),
        _ => None,
    }?;
    let hours = digits(rest, 0, 2).filter(|hours| *hours < 24)?;
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    Some(if sign == b'-' { -seconds } else { seconds })
}

/// A local time that is `seconds` ahead of UTC.
fn instant(local: DateTime, seconds: i32) -> Result<Reading, TimeError> {
    let offset = jiff::tz::Offset::from_seconds(seconds).map_err(|_| TimeError::Unreadable)?;
    offset.to_timestamp(local).map(Reading::Instant).map_err(|_| TimeError::Unreadable)
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i16> {
    let part = bytes.get(at..at + count)?;
    let mut number = 0;
    for byte in part {
        number = number * 10 + i16::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    Some(number)
}

fn small(part: Option<i16>, most: i16) -> Result<i8, TimeError> {
    let part = part.filter(|part| (1..=most).contains(part)).ok_or(TimeError::Unreadable)?;
    i8::try_from(part).map_err(|_| TimeError::Unreadable)
}

fn month(year: i16, part: Option<i16>) -> Result<Reading, TimeError> {
    small(part, 12).map(|month| Reading::Month(year, month))
}

fn quarter(year: i16, part: Option<i16>) -> Result<Reading, TimeError> {
    small(part, 4).map(|quarter| Reading::Quarter(year, quarter))
}

fn week(year: i16, part: Option<i16>) -> Result<Reading, TimeError> {
    let week = ISOWeekDate::new(year, small(part, 53)?, Weekday::Monday);
    week.map(Reading::Week).map_err(|_| TimeError::Unreadable)
}

fn date(year: i16, month: Option<i16>, day: Option<i16>) -> Result<Date, TimeError> {
    Date::new(year, small(month, 12)?, small(day, 31)?).map_err(|_| TimeError::Unreadable)
}

/// Reads an epoch number, `per_second` units to the second. Fractions are kept to the millisecond.
pub fn read_epoch(text: &str, per_second: i64) -> Result<Reading, TimeError> {
    let text = text.trim();
    let milliseconds = match text.parse::<i64>() {
        Ok(number) => number.checked_mul(1000 / per_second),
        Err(_) => epoch_fraction(text, per_second),
    };
    let instant = milliseconds.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    instant.map(Reading::Instant).ok_or(TimeError::Unreadable)
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a time beyond 2^53 ms is refused")]
fn epoch_fraction(text: &str, per_second: i64) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    let milliseconds = (number * (1000 / per_second) as f64).round();
    (milliseconds.abs() < (1_i64 << 53) as f64).then_some(milliseconds as i64)
}

/// Reads by a pattern of strftime.
pub fn read_pattern(text: &str, pattern: &str) -> Result<Reading, TimeError> {
    match jiff::fmt::strtime::parse(pattern, text.trim()) {
        Ok(time) => of_pattern(&time),
        Err(_) if pattern.contains("%H") => late_hour(text.trim(), pattern),
        Err(_) => Err(TimeError::Unreadable),
    }
}

/// Reads an hour from 24 on as one of the next day.
fn late_hour(text: &str, pattern: &str) -> Result<Reading, TimeError> {
    for at in 0..text.len().saturating_sub(1) {
        let Some(hour @ 24..48) = digits(text.as_bytes(), at, 2) else { continue };
        let early = format!("{}{:02}{}", &text[..at], hour - 24, &text[at + 2..]);
        let Ok(time) = jiff::fmt::strtime::parse(pattern, &early) else { continue };
        let next = |day: Date| day.tomorrow().map_err(|_| TimeError::Unreadable);
        return Ok(match of_pattern(&time)? {
            Reading::Date(date) => Reading::Date(next(date)?),
            Reading::Local(local) => Reading::Local(next(local.date())?.to_datetime(local.time())),
            Reading::Instant(instant) => {
                let later = instant.checked_add(jiff::SignedDuration::from_hours(24));
                Reading::Instant(later.map_err(|_| TimeError::Unreadable)?)
            }
            other => other,
        });
    }
    Err(TimeError::Unreadable)
}

fn of_pattern(time: &jiff::fmt::strtime::BrokenDownTime) -> Result<Reading, TimeError> {
    if let Ok(instant) = time.to_timestamp() {
        return Ok(Reading::Instant(instant));
    }
    let Some(year) = time.year() else { return Err(TimeError::Unreadable) };
    let reading = match (time.month(), time.day(), time.hour()) {
        (_, _, Some(_)) => time.to_datetime().ok().map(Reading::Local),
        (Some(month), None, None) => Some(Reading::Month(year, month)),
        (None, None, None) => match time.to_date() {
            Ok(date) => Some(Reading::Date(date)),
            Err(_) => Some(Reading::Year(year)),
        },
        _ => time.to_date().ok().map(Reading::Date),
    };
    reading.ok_or(TimeError::Unreadable)
}

/// Gives a local time its zone; `false` where the clocks skip or repeat it, and the offset before the change is taken.
pub fn place_local(reading: Reading, zone: &TimeZone) -> Result<(Reading, bool), TimeError> {
    let Reading::Local(local) = reading else { return Ok((reading, true)) };
    let placed = zone.to_ambiguous_timestamp(local);
    let sure = !placed.is_ambiguous();
    placed.compatible().map(|at| (Reading::Instant(at), sure)).map_err(|_| TimeError::Unreadable)
}

/// Gives a local time its offset from UTC in seconds.
pub fn place_offset(reading: Reading, seconds: i32) -> Result<Reading, TimeError> {
    match reading {
        Reading::Local(local) => instant(local, seconds),
        other => Ok(other),
    }
}

/// Whether `text` is already what [`write()`] would write at `grain`: the usual case, told without reading it whole.
/// `false` says nothing.
pub fn is_written(text: &str, grain: Grain) -> bool {
    let bytes = text.as_bytes();
    let is = |at: usize, count: usize| digits(bytes, at, count);
    let month = || bytes[4] == b'-' && is(5, 2).is_some_and(|month| (1..=12).contains(&month));
    // Days up to 28 are in every month.
    let day = || bytes[7] == b'-' && is(8, 2).is_some_and(|day| (1..=28).contains(&day));
    match (grain, bytes.len()) {
        (Grain::Year, 4) => is(0, 4).is_some(),
        (Grain::Month, 7) => is(0, 4).is_some() && month(),
        (Grain::Date, 10) => is(0, 4).is_some() && month() && day(),
        _ => false,
    }
}

/// The text of `reading` at `grain`, appended to `out`.
pub fn write(out: &mut String, reading: Reading, grain: Grain) -> Result<(), TimeError> {
    use std::fmt::Write as _;
    // Years have four digits; one before year 0 would be read as something else.
    if year(reading) < 0 {
        return Err(TimeError::Unreadable);
    }
    let result = match grain {
        Grain::Year => write!(out, "{:04}", year(reading)),
        Grain::Quarter => {
            let (year, quarter) = quarter_of(reading)?;
            write!(out, "{year:04}-Q{quarter}")
        }
        Grain::Month => {
            let (year, month) = month_of(reading)?;
            write!(out, "{year:04}-{month:02}")
        }
        Grain::Week => {
            let week = week_of(reading)?;
            if week.year() < 0 {
                return Err(TimeError::Unreadable);
            }
            write!(out, "{:04}-W{:02}", week.year(), week.week())
        }
        Grain::Date => {
            let date = date_of(reading).ok_or(TimeError::TooCoarse)?;
            write!(out, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
        }
        Grain::At => return write_instant(out, reading),
    };
    result.map_err(|_| TimeError::Unreadable)
}

fn write_instant(out: &mut String, reading: Reading) -> Result<(), TimeError> {
    use std::fmt::Write as _;
    let at = match reading {
        Reading::Instant(instant) => jiff::tz::Offset::UTC.to_datetime(instant),
        Reading::Local(_) => return Err(TimeError::NoZone),
        _ => return Err(TimeError::TooCoarse),
    };
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let result = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let result = match at.millisecond() {
        0 => result.and_then(|()| out.write_char('Z')),
        millisecond => result.and_then(|()| write!(out, ".{millisecond:03}Z")),
    };
    result.map_err(|_| TimeError::Unreadable)
}

fn date_of(reading: Reading) -> Option<Date> {
    match reading {
        Reading::Date(date) => Some(date),
        Reading::Local(local) => Some(local.date()),
        Reading::Instant(instant) => Some(jiff::tz::Offset::UTC.to_datetime(instant).date()),
        _ => None,
    }
}

fn year(reading: Reading) -> i16 {
    match reading {
        Reading::Year(year) | Reading::Quarter(year, _) | Reading::Month(year, _) => year,
        Reading::Week(week) => week.year(),
        other => date_of(other).map_or(0, Date::year),
    }
}

fn month_of(reading: Reading) -> Result<(i16, i8), TimeError> {
    match reading {
        Reading::Month(year, month) => Ok((year, month)),
        other => date_of(other).map(|date| (date.year(), date.month())).ok_or(TimeError::TooCoarse),
    }
}

fn quarter_of(reading: Reading) -> Result<(i16, i8), TimeError> {
    if let Reading::Quarter(year, quarter) = reading {
        return Ok((year, quarter));
    }
    month_of(reading).map(|(year, month)| (year, (month - 1) / 3 + 1))
}

fn week_of(reading: Reading) -> Result<ISOWeekDate, TimeError> {
    match reading {
        Reading::Week(week) => Ok(week),
        other => date_of(other).map(Date::iso_week_date).ok_or(TimeError::TooCoarse),
    }
}

#[cfg(test)]
mod tests;
