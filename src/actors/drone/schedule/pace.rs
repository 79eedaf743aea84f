//! When a profile's next run is due. Pure arithmetic: time and chance are arguments.

use crate::profiles::plan::{CatchUp, Rhythm, Timing};

/// After a failure the next try comes no later than this, or the next regular run where that is sooner.
const FIRST_RETRY_MS: i64 = 15_000;
const MAX_RETRY_MS: i64 = 3_600_000;
/// A new profile starts within this, spread by chance.
const FIRST_SPREAD_MS: i64 = 1_000;

/// How often a profile runs on this drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::actors::drone) struct Pace {
    rhythm: Rhythm,
    jitter_ms: i64,
    min_interval_ms: i64,
    pub(super) catch_up: CatchUp,
}

impl Pace {
    /// The pace that a profile wants, but no faster than the drone allows.
    pub(in crate::actors::drone) fn new(timing: &Timing, min_interval_ms: i64) -> Self {
        let jitter_ms = ms(timing.jitter);
        Self { rhythm: timing.rhythm.clone(), jitter_ms, min_interval_ms, catch_up: timing.catch_up }
    }

    /// When a profile runs first that last started at `last_ms`, as far as is known.
    pub(super) fn first_ms(&self, last_ms: Option<i64>, now_ms: i64, chance: f64) -> i64 {
        let soon_ms = now_ms + part_of(FIRST_SPREAD_MS.min(self.jitter_ms), chance);
        // A last run in the future means that the clock jumped back; it says nothing then.
        let last_ms = last_ms.filter(|last_ms| *last_ms <= now_ms);
        match (&self.rhythm, last_ms) {
            (Rhythm::Every(_), None) => soon_ms,
            (Rhythm::At(_), None) => self.regular_ms(now_ms, chance),
            (_, Some(last_ms)) => self.after_pause(self.planned_ms(last_ms), soon_ms, now_ms, chance),
        }
    }

    /// A run whose time passed while nobody could start it: soon, or left out.
    pub(super) fn after_pause(&self, planned_ms: i64, soon_ms: i64, now_ms: i64, chance: f64) -> i64 {
        if planned_ms > now_ms {
            return planned_ms;
        }
        match self.catch_up {
            CatchUp::Once => soon_ms,
            CatchUp::Skip => self.next_in_step_ms(planned_ms, now_ms, chance),
        }
    }

    /// Where a due time goes when the clock is set back: as far away as it was, or to the next time of the wall clock.
    pub(super) fn after_set_back(&self, due_ms: i64, by_ms: i64, now_ms: i64, chance: f64) -> i64 {
        match &self.rhythm {
            Rhythm::Every(_) => due_ms.saturating_sub(by_ms),
            Rhythm::At(_) => self.regular_ms(now_ms, chance).min(due_ms),
        }
    }

    pub(super) fn is_by_the_wall_clock(&self) -> bool {
        matches!(self.rhythm, Rhythm::At(_))
    }

    /// When the run after one that began at `started_ms` is due if all goes well.
    pub(super) fn regular_ms(&self, started_ms: i64, chance: f64) -> i64 {
        self.planned_ms(started_ms).saturating_add(part_of(self.jitter_ms, chance))
    }

    /// When to try again after so many failures in a row.
    pub(super) fn retry_ms(failures: u32, now_ms: i64, chance: f64) -> i64 {
        let doublings = failures.saturating_sub(1).min(20);
        let most_ms = FIRST_RETRY_MS.saturating_mul(1 << doublings).min(MAX_RETRY_MS);
        // At least half of it, so that chance never makes a failing source busy.
        now_ms.saturating_add(most_ms / 2 + part_of(most_ms / 2, chance))
    }

    fn planned_ms(&self, after_ms: i64) -> i64 {
        match &self.rhythm {
            Rhythm::Every(interval) => after_ms.saturating_add(ms(*interval).max(self.min_interval_ms)),
            Rhythm::At(timetable) => {
                let from_ms = after_ms.saturating_add((self.min_interval_ms - 1).max(0));
                timetable.next_after(from_ms).unwrap_or(i64::MAX)
            }
        }
    }

    /// The first time after `now_ms` in the same step as `planned_ms`.
    fn next_in_step_ms(&self, planned_ms: i64, now_ms: i64, chance: f64) -> i64 {
        match &self.rhythm {
            Rhythm::Every(interval) => {
                let step_ms = ms(*interval).max(self.min_interval_ms).max(1);
                let missed = now_ms.saturating_sub(planned_ms) / step_ms + 1;
                planned_ms.saturating_add(missed.saturating_mul(step_ms))
            }
            Rhythm::At(_) => self.regular_ms(now_ms, chance),
        }
    }
}

fn ms(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a span in ms times 0 to 1")]
pub(super) fn part_of(span_ms: i64, chance: f64) -> i64 {
    (span_ms.max(0) as f64 * chance.clamp(0.0, 1.0)) as i64
}
