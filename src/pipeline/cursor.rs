//! Where a run stopped, so that the next one asks only for what is new. Pure.

use serde::{Deserialize, Serialize};

use super::fields::cell_text;
use super::json::Cell;
use super::request::instant;
use crate::domain::digest::Digest;
use crate::profiles::plan::{Cursor, CursorForm, Mapping, TimeForm};
use crate::profiles::time::{self, Reading};

/// The largest value that was seen, and which cursor it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorMark {
    /// Names the cursor's definition: a mark of another one is not gone on from.
    pub of: Digest,
    /// Unix milliseconds, or the number.
    pub value: i64,
}

/// The value that this run asks from.
pub fn start(plan: &Cursor, mark: Option<&CursorMark>) -> Option<i64> {
    let seen = mark.filter(|mark| mark.of == plan.digest).map(|mark| mark.value.saturating_sub(plan.lookback));
    seen.or(plan.start)
}

/// As the request takes it.
pub fn shown(plan: &Cursor, value: i64, format: Option<&str>) -> String {
    match plan.form {
        CursorForm::Number => value.to_string(),
        CursorForm::Time(_) => instant(value, format.or(plan.send.as_deref())),
    }
}

/// The value of a row. What cannot be read does not move the cursor.
pub fn value(plan: &Cursor, mapping: &Mapping, cells: &[Cell<'_>]) -> Option<i64> {
    let text = cell_text(cells[usize::from(mapping.cursor?)])?;
    let reading = match &plan.form {
        CursorForm::Number => return text.trim().parse().ok(),
        CursorForm::Time(TimeForm::Iso) => time::read_iso(&text),
        CursorForm::Time(TimeForm::EpochSeconds) => time::read_epoch(&text, 1),
        CursorForm::Time(TimeForm::EpochMilliseconds) => time::read_epoch(&text, 1000),
        CursorForm::Time(TimeForm::Pattern(pattern)) => time::read_pattern(&text, pattern),
    };
    let date = match reading.ok()? {
        Reading::Instant(at) => return Some(at.as_millisecond()),
        Reading::Local(local) => local,
        Reading::Date(date) => date.to_datetime(jiff::civil::Time::MIN),
        Reading::Month(year, month) => jiff::civil::DateTime::new(year, month, 1, 0, 0, 0, 0).ok()?,
        Reading::Year(year) => jiff::civil::DateTime::new(year, 1, 1, 0, 0, 0, 0).ok()?,
        Reading::Quarter(..) | Reading::Week(_) => return None,
    };
    jiff::tz::Offset::UTC.to_timestamp(date).ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::load;

    #[test]
    fn a_run_asks_from_the_largest_value_less_the_lookback() {
        let text = "id: t\nsource:\n  url: https://h/\n  cursor: {field: u, param: since, lookback: P1D, start: 2024-01-01}\nrows: {each: $}\nmeasures: {v: v}\n";
        let profile = load(text).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = profile.plan().cursor.as_ref().expect("the profile has a cursor");
        let first = start(plan, None).expect("the first run has a start");
        assert_eq!(shown(plan, first, None), "2024-01-01T00:00:00Z");
        let mark = CursorMark { of: plan.digest, value: first + 3 * 86_400_000 };
        let next = start(plan, Some(&mark)).expect("the cursor moved");
        assert_eq!(shown(plan, next, Some("%Y-%m-%d")), "2024-01-03");
        let other = CursorMark { of: Digest::of(b"another cursor"), ..mark };
        assert_eq!(start(plan, Some(&other)), Some(first));
    }
}
