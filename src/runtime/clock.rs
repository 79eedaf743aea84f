//! The time of day as a value, so that tests decide what time it is.
//!
//! For what is written down (stamps, leases). Pauses and deadlines use tokio's clock, which tests pause on its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Where the time of day comes from. Clones of a manual clock show the same time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Stands still until it is set or advanced; unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A manual clock that shows `now_ms`, unix milliseconds.
    #[must_use]
    pub fn manual(now_ms: i64) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Unix milliseconds, negative before 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => system_now_ms(),
            Self::Manual(time_ms) => time_ms.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock forward. The machine's clock is not ours to move: there it does nothing.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(time_ms) = self {
            let step_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            time_ms.fetch_add(step_ms, Ordering::SeqCst);
        }
    }
}

fn system_now_ms() -> i64 {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_move_together() {
        let clock = Clock::manual(1_000);
        let copy = clock.clone();
        clock.advance(Duration::from_secs(2));
        assert_eq!(copy.now_ms(), 3_000);
    }

    #[test]
    fn the_system_clock_shows_this_century() {
        assert!(Clock::System.now_ms() > 1_577_836_800_000, "before 2020");
    }
}
