//! Times of the wall clock at which a profile runs: a cron expression in a zone. Knows no clock; whoever asks says
//! from when on.
//!
//! Where a zone sets its clock forward, a fixed time inside the gap runs right after it; where it sets it back, a fixed
//! time runs once, the first time. Times that repeat within the hour (`*`, `/`) follow the hours as they pass.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A Saturday: every expression that matches at all does so within 40 years of it.
const SOME_DAY_MS: i64 = 946_684_800_000;

/// A cron expression of five fields in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Reads minute, hour, day of month, month and day of week. `Err` says what is wrong with the expression.
    pub fn parse(cron: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let timetable = Self { cron: parser.parse(cron).map_err(|error| error.to_string())?, zone };
        match timetable.next_after(SOME_DAY_MS) {
            Some(_) => Ok(timetable),
            None => Err("no day is ever like that".into()),
        }
    }

    /// The first time after `after_ms` (Unix milliseconds); `None` past the end of the calendar.
    pub fn next_after(&self, after_ms: i64) -> Option<i64> {
        let after = Timestamp::from_millisecond(after_ms).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&after, false).ok()?.timestamp().as_millisecond();
        // Fractions of a second are dropped before the search.
        (next > after_ms).then_some(next)
    }

    /// The time between two of its times, in milliseconds: what a random delay is measured by.
    pub fn usual_gap_ms(&self) -> i64 {
        let first = self.next_after(SOME_DAY_MS);
        let second = first.and_then(|first_ms| self.next_after(first_ms));
        first.zip(second).map_or(i64::MAX, |(first_ms, second_ms)| second_ms - first_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(cron: &str, zone: &str, after: &str, most: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let timetable = Timetable::parse(cron, zone.clone()).unwrap();
        let mut at_ms = after.parse::<Timestamp>().unwrap().as_millisecond();
        let mut next = || {
            at_ms = timetable.next_after(at_ms)?;
            let local = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(zone.clone());
            Some(local.strftime("%d %H:%M %Z").to_string())
        };
        std::iter::from_fn(&mut next).take(most).collect()
    }

    #[test]
    fn times_are_those_of_the_wall_clock_in_the_zone() {
        let weekdays = times("30 8 * * mon-fri", "America/New_York", "2026-11-26T13:00:00Z", 3);
        assert_eq!(weekdays, ["26 08:30 EST", "27 08:30 EST", "30 08:30 EST"]);
        assert_eq!(times("@monthly", "UTC", "2026-11-01T00:00:00Z", 1), ["01 00:00 UTC"]);
        assert_eq!(times("0 6 L * *", "UTC", "2027-02-01T00:00:00Z", 1), ["28 06:00 UTC"]);
        assert_eq!(times("0 6 1 * mon", "UTC", "2026-11-01T07:00:00Z", 2), ["02 06:00 UTC", "09 06:00 UTC"]);
    }

    #[test]
    fn a_fixed_time_in_the_gap_of_spring_runs_right_after_it() {
        let days = times("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 3);
        assert_eq!(days, ["08 03:00 EDT", "09 02:30 EDT", "10 02:30 EDT"]);
        let quarters = times("*/30 * * * *", "America/New_York", "2026-03-08T06:15:00Z", 3);
        assert_eq!(quarters, ["08 01:30 EST", "08 03:00 EDT", "08 03:30 EDT"]);
    }

    #[test]
    fn a_fixed_time_that_autumn_repeats_runs_once_and_half_hours_go_on() {
        let days = times("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2);
        assert_eq!(days, ["01 01:30 EDT", "02 01:30 EST"]);
        let halves = times("*/30 * * * *", "America/New_York", "2026-11-01T05:15:00Z", 4);
        assert_eq!(halves, ["01 01:30 EDT", "01 01:00 EST", "01 01:30 EST", "01 02:00 EST"]);
    }

    #[test]
    fn an_expression_that_says_nothing_sensible_is_refused() {
        for wrong in ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "every day", "0 0 * * foo"] {
            let refused = Timetable::parse(wrong, TimeZone::UTC);
            assert!(refused.is_err(), "{wrong}: {refused:?}");
        }
    }

    #[test]
    fn no_start_makes_it_stand_still() {
        let timetable = Timetable::parse("*/5 * * * *", TimeZone::UTC).unwrap();
        assert_eq!(timetable.next_after(999), Some(300_000));
        assert_eq!(timetable.next_after(300_000), Some(600_000));
        assert_eq!(timetable.next_after(i64::MAX), None);
        assert_eq!(timetable.usual_gap_ms(), 300_000);
    }
}
