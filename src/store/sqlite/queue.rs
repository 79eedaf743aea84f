//! The bounded way to the writer: a write is taken only while there is room, by number and by bytes, so that load
//! shows as a refusal at once and never as memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use tokio::sync::mpsc;

use super::job::{Job, Pending, Write};
use crate::store::error::StoreError;
use crate::store::settings::StoreSettings;
use crate::store::vitals::Counters;

const RETRY_AFTER_S: u32 = 1;

/// The sending end.
#[derive(Debug)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Box<dyn Job>>,
    counters: Arc<Counters>,
    max_writes: usize,
    max_bytes: usize,
}

impl Queue {
    pub(super) fn new(settings: &StoreSettings, counters: Arc<Counters>) -> (Self, mpsc::Receiver<Box<dyn Job>>) {
        let max_writes = settings.queue_batches.max(1);
        let (jobs, receiver) = mpsc::channel(max_writes);
        (Self { jobs, counters, max_writes, max_bytes: settings.queue_bytes }, receiver)
    }

    /// Sends a write to the writer and waits until it is committed, refused or lost.
    pub(super) async fn submit<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        if self.counters.gave_up.load(Relaxed) || self.counters.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let permit = self.admit(write.bytes())?;
        let (job, reply) = Pending::boxed(write, permit);
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.overloaded(),
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        // The writer drops a write unanswered only when its thread ended under it.
        reply.await.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown("the writer ended".into())))
    }

    /// One write larger than the bound is let through alone: its size was bounded where it arrived.
    fn admit(&self, bytes: usize) -> Result<Permit, StoreError> {
        let counters = &self.counters;
        let queued = counters.queued.fetch_add(1, SeqCst);
        let queued_bytes = counters.queued_bytes.fetch_add(bytes, SeqCst);
        let permit = Permit { counters: Arc::clone(counters), bytes };
        let fits = queued_bytes == 0 || queued_bytes.saturating_add(bytes) <= self.max_bytes;
        if queued < self.max_writes && fits { Ok(permit) } else { Err(self.overloaded()) }
    }

    fn overloaded(&self) -> StoreError {
        self.counters.overloaded.fetch_add(1, Relaxed);
        StoreError::Overloaded { waiting: self.counters.queued.load(Relaxed), retry_after_s: RETRY_AFTER_S }
    }
}

/// A write's place in the queue, given back when it was answered or lost.
#[derive(Debug)]
pub(super) struct Permit {
    counters: Arc<Counters>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.queued.fetch_sub(1, SeqCst);
        self.counters.queued_bytes.fetch_sub(self.bytes, SeqCst);
    }
}
