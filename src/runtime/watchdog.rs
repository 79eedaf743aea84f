//! Notices an arbiter whose thread is blocked: it cannot be killed, but it can be escalated.
//!
//! The watchdog is a thread of its own, because a task on a blocked arbiter would notice nothing.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::Serialize;

use super::{place::Place, report::Reason, root::Inner};

const WATCHDOG_STACK_BYTES: usize = 128 * 1024;

/// How arbiters are watched. The default escalates after 15 s of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchPolicy {
    /// Time between pings, and how long a ping may take.
    pub interval: Duration,
    /// As many pings in a row may be missed; one more escalates.
    pub max_misses: u32,
}

impl Default for WatchPolicy {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), max_misses: 14 }
    }
}

/// What can be seen of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceSnapshot {
    /// The name given at the start.
    pub name: String,
    /// Pings in a row without an answer; 0 or 1 is healthy.
    pub missed_pings: u32,
}

/// The ping of one place. At most one is under way.
#[derive(Debug)]
pub(super) struct Pulse {
    place: Place,
    sent: u64,
    answered: Arc<AtomicU64>,
    missed: u32,
}

impl Pulse {
    pub(super) fn new(place: Place) -> Self {
        Self { place, sent: 0, answered: Arc::default(), missed: 0 }
    }

    pub(super) fn snapshot(&self) -> PlaceSnapshot {
        PlaceSnapshot { name: self.place.name().to_owned(), missed_pings: self.missed }
    }

    /// Looks whether the last ping was answered and sends the next; a reason when the place has to be escalated.
    pub(super) fn beat(&mut self, max_misses: u32) -> Option<(String, Reason)> {
        let name = || self.place.name().to_owned();
        if self.answered.load(Ordering::SeqCst) < self.sent {
            self.missed += 1;
            let missed = self.missed;
            return (missed > max_misses).then(|| (name(), Reason::ArbiterStuck { missed }));
        }
        self.missed = 0;
        self.sent += 1;
        let (answered, ping) = (Arc::clone(&self.answered), self.sent);
        let alive = self.place.run(move || answered.store(ping, Ordering::SeqCst));
        (!alive).then(|| (name(), Reason::ArbiterLost))
    }
}

/// Starts the thread; it ends with the root, at the latest one interval after it.
pub(super) fn start(root: Weak<Inner>, interval: Duration) -> std::io::Result<()> {
    let watch = move || {
        loop {
            thread::sleep(interval);
            let Some(inner) = root.upgrade() else { return };
            if !inner.beat() {
                return;
            }
        }
    };
    thread::Builder::new().name("watchdog".to_owned()).stack_size(WATCHDOG_STACK_BYTES).spawn(watch).map(drop)
}
