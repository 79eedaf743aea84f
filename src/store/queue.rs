//! The bounded way to the writer: a write is taken only while there is room, by number and by bytes, so that load
//! shows as a refusal at once and never as memory. Knows no engine, and of a write only what it weighs.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use super::settings::StoreSettings;
use super::vitals::Counters;

const RETRY_AFTER_S: u32 = 1;

/// The sending end.
pub(super) struct Queue<J> {
    jobs: mpsc::Sender<J>,
    counters: Arc<Counters>,
    max_writes: usize,
    max_bytes: usize,
}

impl<J> std::fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("max_writes", &self.max_writes).finish_non_exhaustive()
    }
}

impl<J> Queue<J> {
    pub(super) fn new(settings: &StoreSettings, counters: Arc<Counters>) -> (Self, mpsc::Receiver<J>) {
        let max_writes = settings.queue_batches.max(1);
        let (jobs, receiver) = mpsc::channel(max_writes);
        (Self { jobs, counters, max_writes, max_bytes: settings.queue_bytes }, receiver)
    }

    /// Sends a write of so many bytes to the writer and waits until it is committed, refused or lost.
    pub(super) async fn submit<T>(&self, bytes: usize, job: impl FnOnce(Caller<T>) -> J) -> Result<T, StoreError> {
        if self.counters.gave_up.load(Relaxed) || self.counters.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let permit = self.admit(bytes)?;
        let (reply, receiver) = oneshot::channel();
        self.jobs.try_send(job(Caller { reply, permit })).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => self.overloaded(),
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        // The writer drops a write unanswered only when its thread ended under it.
        receiver.await.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown("the writer ended".into())))
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

/// Whoever waits for the outcome of a write, and the write's place in the queue.
#[derive(Debug)]
pub(super) struct Caller<T> {
    reply: oneshot::Sender<Result<T, StoreError>>,
    permit: Permit,
}

impl<T> Caller<T> {
    /// Tells the outcome of the write, if that was committed. A refusal holds whatever became of the others.
    pub(super) fn answer(self, outcome: Option<Result<T, StoreError>>, committed: Result<(), StoreError>) {
        let never_ran = || Err(StoreError::Engine("the write was committed without having run".into()));
        let told = match (committed, outcome) {
            (Ok(()), outcome) => outcome.unwrap_or_else(never_ran),
            (Err(_), Some(Err(refusal))) => Err(refusal),
            (Err(error), _) => Err(error),
        };
        // First, so that whoever is answered finds room again.
        drop(self.permit);
        // Whoever asked may have gone; the write stands all the same.
        let _ = self.reply.send(told);
    }
}

/// A write's place in the queue, given back when it was answered or lost.
#[derive(Debug)]
struct Permit {
    counters: Arc<Counters>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.counters.queued.fetch_sub(1, SeqCst);
        self.counters.queued_bytes.fetch_sub(self.bytes, SeqCst);
    }
}
