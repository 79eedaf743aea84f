//! When a profile runs by itself.

use std::time::Duration;

use crate::profiles::timetable::Timetable;

/// When a profile runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// False: no drone runs it.
    pub enabled: bool,
    pub rhythm: Rhythm,
    /// Each run is put off by a random time up to this.
    pub jitter: Duration,
    pub catch_up: CatchUp,
}

/// What sets the pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rhythm {
    /// Time between the starts of two runs.
    Every(Duration),
    /// Times of the wall clock.
    At(Box<Timetable>),
}

/// What becomes of runs whose time passed while the drone was off or asleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// One run makes up for all of them.
    #[default]
    Once,
    /// They are left out; the next run comes at its time.
    Skip,
}
