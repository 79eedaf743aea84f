//! Which values are times, of which grain and form.

use super::dims::words;

/// How a column's values are read as times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeForm {
    /// `year`, `quarter`, `month`, `week`, `date` or `at`.
    pub grain: &'static str,
    /// `iso`, `epoch_s`, `epoch_ms` or a pattern.
    pub form: &'static str,
    /// Instants without a zone.
    pub needs_zone: bool,
}

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
    let found = |grain, form, needs_zone| Some(TimeForm { grain, form, needs_zone });
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
    if !is_time_name(name) {
        return None;
    }
    if all(|text| shaped(text, "dddd") && (1500..2200).contains(&number(text))) {
        return found("year", "iso", false);
    }
    if all(|text| {
        shaped(text, "dddddddd") && (1..=12).contains(&number(&text[4..6])) && (1..=31).contains(&number(&text[6..]))
    }) {
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
fn shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, kind)| if kind == b'd' { byte.is_ascii_digit() } else { byte == kind })
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or(-1)
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
            ("name", "Berlin", None),
        ] {
            let found = form_of(name, &[value]).map(|form| (form.grain, form.form, form.needs_zone));
            assert_eq!(found, expected, "{name} {value}");
        }
        assert!(is_period(&["M01", "M13"]) && !is_period(&["01"]));
    }
}
