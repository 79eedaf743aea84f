//! The vital signs of a store, for metrics and readiness. Atomics only: read as often as one likes.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::protocol::aggregator::Receipt;

/// A copy of the vital signs at one moment. Counts are since the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StoreVitals {
    /// False: writes cannot succeed now (the writer gave up, is closed, or its last transaction failed).
    pub writable: bool,
    /// True once the writer crashed too often and will not come back.
    pub gave_up: bool,
    /// Writes that wait or are in work.
    pub queued: usize,
    /// Bytes of records that wait or are in work.
    pub queued_bytes: usize,
    pub commits: u64,
    /// Writes answered as committed.
    pub writes: u64,
    pub batches: u64,
    pub records_inserted: u64,
    pub records_known: u64,
    /// Writes refused for want of room in the queue.
    pub overloaded: u64,
    /// Transactions that failed.
    pub failures: u64,
    /// Panics of the writer.
    pub crashes: u64,
    pub checkpoints: u64,
    /// Bytes in the write-ahead log as of the last look.
    pub wal_bytes: i64,
    /// The last failure, until a transaction succeeds.
    pub last_error: Option<String>,
    pub retention: RetentionVitals,
}

/// What retention has done since the store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RetentionVitals {
    /// The profile that is at work; absent between passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_on: Option<String>,
    pub records_removed: u64,
    pub runs_removed: u64,
    /// Passes over all profiles that ended.
    pub passes: u64,
    /// When the last one ended, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_pass_ms: Option<i64>,
    /// Why the last one left a profile out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) failing: AtomicBool,
    pub(super) gave_up: AtomicBool,
    pub(super) closed: AtomicBool,
    pub(super) queued: AtomicUsize,
    pub(super) queued_bytes: AtomicUsize,
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) inserted: AtomicU64,
    pub(super) known: AtomicU64,
    pub(super) overloaded: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) crashes: AtomicU64,
    pub(super) checkpoints: AtomicU64,
    pub(super) wal_bytes: AtomicI64,
    last_error: Mutex<Option<String>>,
    retention: Mutex<RetentionVitals>,
}

impl Counters {
    pub(super) fn count_batch(&self, receipt: &Receipt) {
        if receipt.replayed {
            return;
        }
        self.batches.fetch_add(1, Relaxed);
        self.inserted.fetch_add(u64::from(receipt.inserted), Relaxed);
        self.known.fetch_add(u64::from(receipt.known), Relaxed);
    }

    pub(super) fn failed(&self, error: &str) {
        self.failures.fetch_add(1, Relaxed);
        self.failing.store(true, Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    pub(super) fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
        if self.failing.swap(false, Relaxed) {
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    pub(super) fn snapshot(&self) -> StoreVitals {
        let gave_up = self.gave_up.load(Relaxed);
        StoreVitals {
            writable: !(gave_up || self.closed.load(Relaxed) || self.failing.load(Relaxed)),
            gave_up,
            queued: self.queued.load(Relaxed),
            queued_bytes: self.queued_bytes.load(Relaxed),
            commits: self.commits.load(Relaxed),
            writes: self.writes.load(Relaxed),
            batches: self.batches.load(Relaxed),
            records_inserted: self.inserted.load(Relaxed),
            records_known: self.known.load(Relaxed),
            overloaded: self.overloaded.load(Relaxed),
            failures: self.failures.load(Relaxed),
            crashes: self.crashes.load(Relaxed),
            checkpoints: self.checkpoints.load(Relaxed),
            wal_bytes: self.wal_bytes.load(Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            retention: self.retention.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(super) fn note_retention(&self, note: impl FnOnce(&mut RetentionVitals)) {
        note(&mut self.retention.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
