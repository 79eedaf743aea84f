//! The windows of a run.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::profiles::plan::{Inclusive, Instant, Window};

/// At most this many windows in one run.
pub const MAX_WINDOWS: i64 = 100_000;

/// Start and end of each window in Unix milliseconds, from the first on.
#[derive(Debug)]
pub struct Windows<'p> {
    plan: &'p Window,
    from_ms: i64,
    to_ms: i64,
    next: i64,
}

impl<'p> Windows<'p> {
    pub fn new(plan: &'p Window, now_ms: i64) -> Self {
        Self { plan, from_ms: place(&plan.from, now_ms), to_ms: place(&plan.to, now_ms), next: 0 }
    }

    /// The beginning of window `number`; counted from the first, so that months do not drift.
    fn begin_ms(&self, number: i64) -> Option<i64> {
        let from = Offset::UTC.to_datetime(Timestamp::from_millisecond(self.from_ms).ok()?);
        let step = self.plan.step.checked_mul(number).ok()?;
        let begin = from.checked_add(step).ok()?;
        Offset::UTC.to_timestamp(begin).ok().map(Timestamp::as_millisecond)
    }
}

impl Iterator for Windows<'_> {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        let start = self.begin_ms(self.next)?;
        if start >= self.to_ms || self.next >= MAX_WINDOWS {
            return None;
        }
        let start = if self.next == 0 { start } else { start.saturating_sub(self.plan.overlap_ms) };
        self.next += 1;
        let end = self.begin_ms(self.next).map_or(self.to_ms, |end| end.min(self.to_ms));
        match self.plan.inclusive {
            Inclusive::Start => Some((start, end)),
            Inclusive::Both => Some((start, end - 1)),
        }
    }
}

fn place(instant: &Instant, now_ms: i64) -> i64 {
    let (minus, day) = match instant {
        Instant::Fixed(at_ms) => return *at_ms,
        Instant::Now { minus, day } => (minus, *day),
    };
    let place = || {
        let now = Offset::UTC.to_datetime(Timestamp::from_millisecond(now_ms).ok()?);
        let then = now.checked_sub(*minus).ok()?;
        let then = if day { then.date().to_datetime(jiff::civil::Time::MIN) } else { then };
        Offset::UTC.to_timestamp(then).ok().map(Timestamp::as_millisecond)
    };
    place().unwrap_or(now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::request::instant;
    use jiff::ToSpan;

    fn show(window: &Window) -> Vec<String> {
        let now_ms = "2024-03-15T10:30:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        let day = |at_ms: i64| instant(at_ms, Some("%m-%dT%H:%M:%S"));
        Windows::new(window, now_ms).map(|(start, end)| format!("{} {}", day(start), day(end))).collect()
    }

    fn fixed(text: &str) -> Instant {
        Instant::Fixed(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn months_do_not_drift_and_the_last_is_cut() {
        let from = fixed("2023-12-31T00:00:00Z");
        let to = Instant::Now { minus: jiff::Span::new(), day: true };
        let window = Window { from, to, step: 1.month(), inclusive: Inclusive::Start, overlap_ms: 0 };
        let expected =
            ["12-31T00:00:00 01-31T00:00:00", "01-31T00:00:00 02-29T00:00:00", "02-29T00:00:00 03-15T00:00:00"];
        assert_eq!(show(&window), expected);
    }

    #[test]
    fn windows_but_the_first_reach_back() {
        let (from, to) = (fixed("2024-01-01T00:00:00Z"), fixed("2024-01-03T00:00:00Z"));
        let window = Window { from, to, step: 1.day(), inclusive: Inclusive::Start, overlap_ms: 3_600_000 };
        assert_eq!(show(&window), ["01-01T00:00:00 01-02T00:00:00", "01-01T23:00:00 01-03T00:00:00"]);
    }

    #[test]
    fn both_ends_inside_leave_a_millisecond_between() {
        let window = Window {
            from: Instant::Now { minus: 2.days(), day: true },
            to: Instant::Now { minus: jiff::Span::new(), day: true },
            step: 1.day(),
            inclusive: Inclusive::Both,
            overlap_ms: 0,
        };
        assert_eq!(show(&window), ["03-13T00:00:00 03-13T23:59:59", "03-14T00:00:00 03-14T23:59:59"]);
    }

    #[test]
    fn a_window_that_ends_before_it_begins_is_none() {
        let window = Window {
            from: fixed("2025-01-01T00:00:00Z"),
            to: fixed("2024-01-01T00:00:00Z"),
            step: 1.day(),
            inclusive: Inclusive::Start,
            overlap_ms: 0,
        };
        assert!(show(&window).is_empty());
    }
}
