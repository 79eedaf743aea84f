//! A span of time in the address: two parameters with dates become a window.

use jiff::civil::{Date, DateTime};

use super::dims::words;

/// Begin and end as the window says them, and the templates of both parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub yaml: String,
    pub params: Vec<(String, String)>,
}

const BEGINS: [&str; 14] = [
    "start",
    "from",
    "begin",
    "since",
    "after",
    "startdate",
    "starttime",
    "startperiod",
    "begindate",
    "fromdate",
    "datefrom",
    "starts",
    "startdt",
    "sincetimeperiod",
];
const ENDS: [&str; 12] = [
    "end",
    "to",
    "until",
    "before",
    "enddate",
    "endtime",
    "endperiod",
    "todate",
    "dateto",
    "ends",
    "enddt",
    "untiltimeperiod",
];

/// How a date of the address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Date(&'static str),
    Instant(Option<&'static str>),
}

pub fn find(pairs: &[(String, String)]) -> Option<Span> {
    let named =
        |list: &[&str], (name, _): &&(String, String)| words(name).iter().any(|word| list.contains(&word.as_str()));
    let read = |list: &[&str]| {
        let found = pairs.iter().find(|pair| named(list, pair) && parse(&pair.1).is_some())?;
        parse(&found.1).map(|(form, at)| (found.0.clone(), form, at))
    };
    let ((from, form, start), (to, other, end)) = (read(&BEGINS)?, read(&ENDS)?);
    if form != other || from == to || end < start {
        return None;
    }
    let template = |name: &str, half: &str, pattern: Option<&str>| {
        let pattern = pattern.map(|pattern| format!(":{pattern}")).unwrap_or_default();
        (name.to_owned(), format!("{{window.{half}{pattern}}}"))
    };
    let (yaml, pattern) = match form {
        Form::Date(pattern) => {
            let behind = end.date().tomorrow().ok()?;
            let days = start.date().until(behind).ok()?.get_days();
            (format!("{{from: {}, to: {behind}, step: P{days}D, inclusive: both}}", start.date()), Some(pattern))
        }
        Form::Instant(pattern) => {
            let hours = i64::from(start.until(end).ok()?.get_days()) * 24 + clock_hours(start, end)?;
            (hours > 0).then_some(())?;
            let step = if hours % 24 == 0 { format!("P{}D", hours / 24) } else { format!("PT{hours}H") };
            (format!("{{from: \"{start}Z\", to: \"{end}Z\", step: {step}}}"), pattern)
        }
    };
    Some(Span { yaml, params: vec![template(&from, "start", pattern), template(&to, "end", pattern)] })
}

/// Whole hours beyond whole days; `None` where the span has minutes.
fn clock_hours(start: DateTime, end: DateTime) -> Option<i64> {
    let span = start.until(end).ok()?;
    (span.get_minutes() == 0 && span.get_seconds() == 0 && span.get_nanoseconds() == 0)
        .then(|| i64::from(span.get_hours()))
}

fn parse(value: &str) -> Option<(Form, DateTime)> {
    let is = |shape: &str| super::times::shaped(value, shape);
    if is("dddd-dd-dd") {
        return Some((Form::Date("%Y-%m-%d"), value.parse::<Date>().ok()?.into()));
    }
    if is("dddddddd") {
        return Some((Form::Date("%Y%m%d"), Date::strptime("%Y%m%d", value).ok()?.into()));
    }
    if is("dddd-dd-ddTdd:dd:ddZ") {
        return Some((Form::Instant(None), value.trim_end_matches('Z').parse().ok()?));
    }
    if is("dddd-dd-ddTdd:dd:dd") {
        return Some((Form::Instant(Some("%Y-%m-%dT%H:%M:%S")), value.parse().ok()?));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(pairs: &[(&str, &str)]) -> Option<(String, String)> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        find(&pairs).map(|span| (span.yaml, span.params[1].1.clone()))
    }

    #[test]
    fn two_dates_are_a_window() {
        for (from, to, yaml, end) in [
            (
                "2024-01-15",
                "2024-01-15",
                "{from: 2024-01-15, to: 2024-01-16, step: P1D, inclusive: both}",
                "{window.end:%Y-%m-%d}",
            ),
            (
                "20240101",
                "20240131",
                "{from: 2024-01-01, to: 2024-02-01, step: P31D, inclusive: both}",
                "{window.end:%Y%m%d}",
            ),
            (
                "2024-01-01T00:00:00Z",
                "2024-01-08T00:00:00Z",
                "{from: \"2024-01-01T00:00:00Z\", to: \"2024-01-08T00:00:00Z\", step: P7D}",
                "{window.end}",
            ),
        ] {
            let found = window(&[("start_date", from), ("end_date", to)]);
            assert_eq!(found, Some((yaml.to_owned(), end.to_owned())), "{from}");
        }
        assert_eq!(window(&[("from", "2024-02-01"), ("to", "2024-01-01")]), None);
        assert_eq!(window(&[("from", "2024-02-01"), ("to", "20250101")]), None);
        assert_eq!(window(&[("start_date", "2024-02-01")]), None);
    }
}
