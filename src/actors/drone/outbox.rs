//! What leaves the drone goes through here: batches are written to the spool as the public API takes them, and the
//! uplink is woken. What is in the spool survives a power cut; only the control plane's acknowledgement removes it.

use std::sync::Arc;

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
}

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
        Self { spool, drone_id, clock, news: Arc::new(Notify::new()) }
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
        let pushed = self.spool.push(&of.profile_id, &body, note, self.clock.now_ms()).await?;
        if pushed.dropped > 0 {
            tracing::error!(batches = pushed.dropped, "the spool is at its bound; the oldest batches were dropped");
        }
        self.news.notify_one();
        Ok(())
    }

    /// Waits until something was put since the last wait.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }
}
