//! Which values are times, of which grain and form.

use std::borrow::Cow;

use super::dims::words;
use crate::profiles::time::read_pattern;

/// How a column's values are read as times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeForm {
    /// `year`, `quarter`, `month`, `week`, `date` or `at`.
    pub grain: &'static str,
    /// `iso`, `epoch_s`, `epoch_ms` or a pattern.
    pub form: Cow<'static, str>,
    /// Instants without a zone.
    pub needs_zone: bool,
}

impl TimeForm {
    pub fn new(grain: &'static str, form: &str, needs_zone: bool) -> Self {
        Self { grain, form: form.to_owned().into(), needs_zone }
    }
}

/// Forms that are not ISO 8601, each with its grain. Of two that fit, the first is proposed.
const PATTERNS: [(&str, &str); 17] = [
    ("%m/%d/%Y", "date"),
    ("%d/%m/%Y", "date"),
    ("%m/%d/%y", "date"),
    ("%d/%m/%y", "date"),
    ("%d.%m.%Y", "date"),
    ("%Y/%m/%d", "date"),
    ("%d-%b-%Y", "date"),
    ("%d %b %Y", "date"),
    ("%b %d, %Y", "date"),
    ("%B %d, %Y", "date"),
    ("%b-%y", "month"),
    ("%b %Y", "month"),
    ("%B %Y", "month"),
    ("%m/%Y", "month"),
    ("%m/%d/%Y %H:%M", "at"),
    ("%d.%m.%Y %H:%M", "at"),
    ("%a, %d %b %Y %H:%M:%S %z", "at"),
];

/// The name speaks of time.
pub fn is_time_name(name: &str) -> bool {
    const WORDS: [&str; 23] = [
        "date",
        "time",
        "datetime",
        "timestamp",
        "year",
        "fy",
        "month",
        "day",
        "week",
        "quarter",
        "period",
        "updated",
        "created",
        "published",
        "modified",
        "start",
        "end",
        "at",
        "on",
        "since",
        "until",
        "filed",
        "generated",
    ];
    words(name).iter().any(|word| WORDS.contains(&word.as_str())) || name == "t"
}

/// The one form of all values, which are not empty.
pub fn form_of(name: &str, values: &[&str]) -> Option<TimeForm> {
    let all = |test: fn(&str) -> bool| values.iter().all(|value| test(value.trim()));
    let found = |grain, form, needs_zone| Some(TimeForm::new(grain, form, needs_zone));
    if all(|text| shaped(text, "dddd-dd-dd")) {
        return found("date", "iso", false);
    }
    if all(|text| shaped(text, "dddd-dd") && (1..=12).contains(&number(&text[5..])))
        || all(|text| shaped(text, "ddddMdd"))
    {
        return found("month", "iso", false);
    }
    if all(|text| shaped(text, "dddd-Qd") || shaped(text, "ddddQd")) {
        return found("quarter", "iso", false);
    }
    if all(|text| shaped(text, "dddd-Wdd")) {
        return found("week", "iso", false);
    }
    if all(is_instant) {
        let midnight = |text: &str| text.get(11..).is_some_and(|rest| rest.bytes().all(|byte| b"0:.".contains(&byte)));
        if all(midnight) {
            return found("date", "iso", false);
        }
        return found("at", "iso", !all(has_zone));
    }
    if let Some((pattern, grain)) = PATTERNS.iter().find(|(pattern, _)| all_read(values, pattern)) {
        return found(grain, pattern, *grain == "at" && !pattern.contains("%z"));
    }
    if !is_time_name(name) {
        return None;
    }
    if all(|text| shaped(text, "dddd") && (1500..2200).contains(&number(text))) {
        return found("year", "iso", false);
    }
    if all(|text| shaped(text, "dddd.d") && text.ends_with(".0") && (1500..2200).contains(&number(&text[..4]))) {
        return found("year", "iso", false);
    }
    if all(|text| shaped(text, "dddddd") && is_month(text)) {
        return found("month", "%Y%m", false);
    }
    if all(|text| {
        shaped(text, "dddddddddd")
            && text > "19"
            && is_month(text)
            && is_day(text)
            && (0..24).contains(&number(&text[8..]))
    }) {
        return found("at", "%Y%m%d%H", true);
    }
    if all(|text| shaped(text, "dddddddd") && is_month(text) && is_day(text)) {
        return found("date", "%Y%m%d", false);
    }
    if all(|text| text.len() >= 12 && (100_000_000_000..5_000_000_000_000).contains(&number(text))) {
        return found("at", "epoch_ms", false);
    }
    if all(|text| text.len() >= 9 && (100_000_000..5_000_000_000).contains(&number(text))) {
        return found("at", "epoch_s", false);
    }
    None
}

/// Codes of months, quarters or the whole year beside a year: M01, Q3.
pub fn is_period(values: &[&str]) -> bool {
    values.iter().all(|text| shaped(text, "Mdd") || shaped(text, "Qd") || shaped(text, "Qdd"))
}

/// The better of two times has the smaller number.
pub fn rank(name: &str) -> usize {
    const ORDER: [&str; 12] = [
        "date",
        "time",
        "timestamp",
        "datetime",
        "period",
        "year",
        "month",
        "end",
        "published",
        "created",
        "start",
        "updated",
    ];
    let words = words(name);
    ORDER.iter().position(|word| words.iter().any(|own| own == word)).unwrap_or(ORDER.len())
}

/// `d` is a digit, any other character itself.
pub fn shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, kind)| if kind == b'd' { byte.is_ascii_digit() } else { byte == kind })
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(-1)
}

/// Digits that begin with a year and a month.
fn is_month(text: &str) -> bool {
    (1500..2200).contains(&number(&text[..4])) && (1..=12).contains(&number(&text[4..6]))
}

fn is_day(text: &str) -> bool {
    (1..=31).contains(&number(&text[6..8]))
}

/// A pattern must read every value, and every value must look like a time: it has digits and something else.
fn all_read(values: &[&str], pattern: &str) -> bool {
    values.iter().all(|value| {
        let value = value.trim();
        let has_long_year = value.split(|next: char| !next.is_ascii_digit()).any(|part| part.len() == 4);
        value.len() >= 5
            && has_long_year == pattern.contains("%Y")
            && value.bytes().any(|byte| byte.is_ascii_digit())
            && value.parse::<f64>().is_err()
            && read_pattern(value, pattern).is_ok()
    })
}

fn is_instant(text: &str) -> bool {
    text.get(..10).is_some_and(|date| shaped(date, "dddd-dd-dd"))
        && text.get(10..11).is_some_and(|mark| mark == "T" || mark == " ")
        && text.get(11..16).is_some_and(|time| shaped(time, "dd:dd"))
}

fn has_zone(text: &str) -> bool {
    let rest = text.get(16..).unwrap_or("");
    rest.ends_with(['Z', 'z']) || rest.contains(['+', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        for (name, value, expected) in [
            ("d", "2024-01-31", Some(("date", "iso", false))),
            ("d", "2024-01", Some(("month", "iso", false))),
            ("d", "2024M01", Some(("month", "iso", false))),
            ("d", "2024-Q3", Some(("quarter", "iso", false))),
            ("d", "2024-01-05T14:30:00.000", Some(("at", "iso", true))),
            ("d", "2024-01-05T00:00:00.000", Some(("date", "iso", false))),
            ("d", "2024-01-05 14:30:00+01:00", Some(("at", "iso", false))),
            ("Year", "2021", Some(("year", "iso", false))),
            ("value", "2021", None),
            ("time", "1704093009476", Some(("at", "epoch_ms", false))),
            ("updated", "1704093009", Some(("at", "epoch_s", false))),
            ("record_date", "20240131", Some(("date", "%Y%m%d", false))),
            ("time", "2015100115", Some(("at", "%Y%m%d%H", true))),
            ("yyyymm month", "202401", Some(("month", "%Y%m", false))),
            ("timePeriodStart time", "2021.0", Some(("year", "iso", false))),
            ("d", "1/22/20", Some(("date", "%m/%d/%y", false))),
            ("d", "31.12.2024", Some(("date", "%d.%m.%Y", false))),
            ("d", "Jan-24", Some(("month", "%b-%y", false))),
            ("d", "Mon, 15 Jan 2024 10:00:00 +0100", Some(("at", "%a, %d %b %Y %H:%M:%S %z", false))),
            ("name", "Berlin", None),
            ("v", "12.5", None),
        ] {
            let found = form_of(name, &[value]);
            let found = found.as_ref().map(|form| (form.grain, &*form.form, form.needs_zone));
            assert_eq!(found, expected, "{name} {value}");
        }
        assert!(is_period(&["M01", "M13"]) && !is_period(&["01"]));
    }
}
