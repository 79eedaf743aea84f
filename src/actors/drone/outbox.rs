//! What leaves the drone goes through here: batches are written to the spool as the public API takes them, and the
//! uplink is woken. What is in the spool survives a power cut; only the control plane's acknowledgement removes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::domain::batch::Records;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::run::RunReport;
use crate::protocol::batch::write_batch;
use crate::runtime::Clock;
use crate::store::{Spool, StoreError};

/// The way out. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    spool: Arc<Spool>,
    drone_id: DroneId,
    clock: Clock,
    news: Arc<Notify>,
    /// What both clocks showed when something was put last.
    seen: Arc<Mutex<(Instant, i64)>>,
}

/// A clock that is off by less is being kept right.
const CLOCK_WAS_SET_MS: i64 = 60_000;

/// The run that a batch belongs to.
#[derive(Debug, Clone)]
pub(super) struct RunOf {
    pub(super) profile_id: ProfileId,
    pub(super) run_id: RunId,
    /// Its records wait at the control plane until the whole run was judged.
    pub(super) held: bool,
}

impl Outbox {
    pub(super) fn new(spool: Arc<Spool>, drone_id: DroneId, clock: Clock) -> Self {
        let seen = Arc::new(Mutex::new((Instant::now(), clock.now_ms())));
        Self { spool, drone_id, clock, news: Arc::new(Notify::new()), seen }
    }

    pub(super) fn drone_id(&self) -> &DroneId {
        &self.drone_id
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Keeps one batch of a run, which tells when the run began whichever batch arrives first. The last one carries the
    /// profile's note where it has a new one, which holds once the control plane has said that the batch is stored.
    pub(super) async fn put(
        &self,
        of: &RunOf,
        seq: u32,
        records: &Records,
        report: &RunReport,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        let body = write_batch(&self.drone_id, &of.profile_id, &of.run_id, Some(seq), records, Some(report), of.held);
        let now_ms = self.clock.now_ms();
        if let Some(by_ms) = self.clock_was_set(now_ms) {
            tracing::warn!(by_ms, "the clock was set");
            self.spool.clock_was_set(by_ms).await?;
        }
        let pushed = self.spool.push(&of.profile_id, &of.run_id, &body, note, now_ms).await?;
        if pushed.dropped > 0 {
            tracing::error!(batches = pushed.dropped, "the spool is at its bound; the oldest batches were dropped");
        }
        self.news.notify_one();
        Ok(())
    }

    /// By how much the clock was set since the last time. A box without a clock of its own starts in 1970; what it has
    /// fetched until it is told the time must not count as old.
    fn clock_was_set(&self, now_ms: i64) -> Option<i64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, then_ms) = std::mem::replace(&mut *seen, (Instant::now(), now_ms));
        let passed_ms = i64::try_from(then.elapsed().as_millis()).unwrap_or(i64::MAX);
        let by_ms = now_ms.saturating_sub(then_ms).saturating_sub(passed_ms);
        (by_ms.abs() >= CLOCK_WAS_SET_MS).then_some(by_ms)
    }

    /// Waits until something was put since the last wait.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }
}
