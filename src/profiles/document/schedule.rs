//! When a profile runs, as it is written.

use crate::profiles::duration::Duration;
use crate::profiles::node::{At, document, words};

words! {
    pub enum CatchUp {
        /// One run makes up for all of them.
        Once "once",
        /// They are left out; the next run comes at its time.
        Skip "skip",
    }
}

document! {
    /// When the profile runs.
    pub struct Schedule {
        /// `false`: it does not run, on no drone; `preview` and `test` work. Default `true`.
        enabled: bool,
        /// Time between the starts of two runs, such as `6h`, `1h30m` or `P7D`. Default `1h`.
        interval: At<Duration>,
        /// The same as `interval`.
        every: At<Duration>,
        /// Times of the wall clock instead of an interval: minute, hour, day of month, month, weekday, such as
        /// `"30 8 * * mon-fri"`; `@daily` and its like, `L` for the last day. Where both day fields are given, either
        /// will do. A time that the clock leaps over in spring runs right after; one that it repeats in autumn runs once.
        cron: At<String>,
        /// The zone of `cron`, such as `America/New_York`. Default `UTC`.
        zone: At<String>,
        /// Each run is put off by a random time up to this, so that many profiles do not run at once. Default: a
        /// tenth of the time between two runs, at most 1 minute.
        jitter: At<Duration>,
        /// What becomes of runs whose time passed while the drone was off or asleep. Default `once`.
        catch_up: At<CatchUp>,
    }
}
