//! A moment as people write it.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// What is taken for a moment, for messages.
pub const MOMENT: &str = "Unix milliseconds, a day such as 2026-01-31, or RFC 3339, such as 2026-01-31T00:00:00Z";

/// Unix milliseconds of a moment; a day is its beginning in UTC.
pub fn moment_ms(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse::<i64>() {
        return Timestamp::from_millisecond(number).is_ok().then_some(number);
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_millisecond());
    }
    let day = text.parse::<Date>().ok().filter(|_| text.len() == 10)?;
    Offset::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok().map(Timestamp::as_millisecond)
}

/// A moment as RFC 3339.
pub fn shown(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_three_forms() {
        let day = Some(1_769_817_600_000);
        assert_eq!(moment_ms("2026-01-31"), day);
        assert_eq!(moment_ms("2026-01-31T01:00:00+01:00"), day);
        assert_eq!(moment_ms("1769817600000"), day);
        for bad in ["", "yesterday", "2026-01-31T00:00:00", "2026-02-30", "9223372036854775807", "2026-01-31[UTC]"] {
            assert_eq!(moment_ms(bad), None, "{bad}");
        }
    }
}
