//! The one writer: takes writes off the queue in groups, has a group run in one transaction, then answers all. It has
//! a thread of its own, so that nothing it does holds up a mailbox or a web worker. How a group is written is the
//! engine's business.
//!
//! A panic of a write rolls the group back; the write that panicked is answered `Crashed`, the others run again, each
//! alone. The connection is opened anew after it. More crashes than the policy survives: the writer gives up, every
//! write is refused from then on, and the node hears of it (`Store::gave_up`).

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::error::StoreError;
use super::settings::StoreSettings;
use super::vitals::Counters;
use crate::runtime::{CrashLog, Verdict};

/// A group takes further writes until it holds this many records.
const GROUP_RECORDS: usize = 4_000;
/// How long a group waits for as many writes as the one before it had: clients that were just answered send their next
/// within a moment, and one commit for all of them costs hardly more than one for half of them.
const GATHER_STEP: Duration = Duration::from_micros(50);
const GATHER_STEPS: u32 = 8;
/// And at most this many writes.
const GROUP_WRITES: usize = 256;
/// Without a write for this long the engine may tidy up.
const IDLE: Duration = Duration::from_secs(5);
/// After a failure, and without a write, this is how long until the store is tried again: it must become ready by
/// itself, since an unready node is sent nothing.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// How the writer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// Drained and closed in order.
    Ended,
    GaveUp,
}

/// A write and the one who waits for it.
pub(super) trait Job: Send + 'static {
    /// Decides how many writes share a transaction.
    fn records(&self) -> usize;
    /// Tells whoever waits: the outcome, if it was committed.
    fn answer(self, committed: Result<(), StoreError>);
}

/// What went wrong with a transaction, and which of the group's writes it was, where that is known.
pub(super) struct Failure {
    pub(super) culprit: Option<usize>,
    pub(super) error: StoreError,
}

impl Failure {
    pub(super) fn of_all(error: impl Into<StoreError>) -> Self {
        Self { culprit: None, error: error.into() }
    }
}

/// What an engine does for the writer. One call at a time, all on the writer's thread.
pub(super) trait Transactor {
    type Job: Job;

    /// Runs a group in one transaction and commits it.
    fn transact(&mut self, group: &mut [Self::Job]) -> impl Future<Output = Result<(), Failure>>;
    /// A transaction failed: what was remembered may not be true. With `distrust` the connection goes too.
    fn failed(&mut self, distrust: bool);
    /// A small write that changes nothing but goes all the way to the disk.
    fn probe(&mut self) -> impl Future<Output = Result<(), StoreError>>;
    /// Called between groups.
    fn after_commit(&mut self) -> impl Future<Output = ()>;
    /// Whether `rest` has something to do.
    fn wants_rest(&self) -> bool;
    /// Called when nothing has been written for a while.
    fn rest(&mut self) -> impl Future<Output = Result<(), StoreError>>;
    /// Closes in order.
    fn end(self) -> impl Future<Output = ()>;
}

/// The writer: its queue, its state, and the engine it works for.
pub(super) struct Writer<T: Transactor> {
    engine: T,
    jobs: mpsc::Receiver<T::Job>,
    closing: watch::Receiver<bool>,
    life: watch::Sender<Life>,
    counters: Arc<Counters>,
    crashes: CrashLog,
    started: Instant,
    /// Writes that are likely to be sent for the next group.
    expected: usize,
}

/// The other end of a writer.
#[derive(Debug)]
pub(super) struct Reins {
    closing: watch::Sender<bool>,
    life: watch::Receiver<Life>,
    counters: Arc<Counters>,
}

impl Reins {
    /// Lets the writer take nothing new; resolves when it has answered what it had accepted, and ended.
    pub(super) async fn close(&self) {
        self.counters.closed.store(true, Relaxed);
        self.closing.send_replace(true);
        // An error says that the writer is gone, which is an end too.
        let _ = self.life.clone().wait_for(|life| *life != Life::Running).await;
    }

    /// Resolves when the writer has given up, or its thread is gone; never otherwise.
    pub(super) async fn gave_up(&self) {
        let mut life = self.life.clone();
        let ended_in_order = matches!(life.wait_for(|life| *life != Life::Running).await.as_deref(), Ok(Life::Ended));
        if ended_in_order {
            std::future::pending::<()>().await;
        }
    }
}

/// A writer for an engine, not yet running.
pub(super) fn writer<T: Transactor>(
    engine: T,
    jobs: mpsc::Receiver<T::Job>,
    settings: &StoreSettings,
    counters: &Arc<Counters>,
) -> (Writer<T>, Reins) {
    let (closing, closing_receiver) = watch::channel(false);
    let (life_sender, life) = watch::channel(Life::Running);
    let writer = Writer {
        engine,
        jobs,
        closing: closing_receiver,
        life: life_sender,
        counters: Arc::clone(counters),
        crashes: CrashLog::new(settings.policy),
        started: Instant::now(),
        expected: 1,
    };
    (writer, Reins { closing, life, counters: Arc::clone(counters) })
}

/// Starts the writer's thread. It ends when the store is closed, or when the last clone of it is gone.
pub(super) fn launch<F: Future<Output = ()>>(
    counters: &Arc<Counters>,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Engine(format!("starting the store's writer: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let counters = Arc::clone(counters);
    let thread = move || {
        // Writes have their own guard; a panic that comes this far leaves nothing that could go on.
        if catch_unwind(AssertUnwindSafe(|| runtime.block_on(work()))).is_err() {
            counters.gave_up.store(true, Relaxed);
        }
    };
    std::thread::Builder::new().name("store-writer".into()).spawn(thread).map_err(failed)?;
    Ok(())
}

impl<T: Transactor> Writer<T> {
    /// Runs until the store is closed or dropped and everything accepted is answered.
    pub(super) async fn serve(mut self) {
        while let Some(group) = self.next_group().await {
            self.commit(group).await;
            if self.counters.gave_up.load(Relaxed) {
                self.give_up().await;
                return;
            }
            self.engine.after_commit().await;
        }
        self.engine.end().await;
        self.life.send_replace(Life::Ended);
    }

    async fn next_group(&mut self) -> Option<Vec<T::Job>> {
        let first = self.next_job().await?;
        let mut records = first.records();
        let mut group = vec![first];
        let mut steps = 0;
        while records < GROUP_RECORDS && group.len() < GROUP_WRITES {
            if let Ok(job) = self.jobs.try_recv() {
                records += job.records();
                group.push(job);
                continue;
            }
            if group.len() >= self.expected || steps == GATHER_STEPS {
                break;
            }
            // Shorter than a timer can be; this thread is the writer's own.
            std::thread::sleep(GATHER_STEP);
            steps += 1;
        }
        // What waits already belongs to the next group, hence is expected beside those that will be answered.
        self.expected = group.len() + self.jobs.len();
        Some(group)
    }

    async fn next_job(&mut self) -> Option<T::Job> {
        loop {
            let idle = tokio::time::sleep(IDLE);
            let failing = self.counters.failing.load(Relaxed);
            tokio::select! {
                biased;
                job = self.jobs.recv() => return job,
                changed = self.closing.changed(), if !self.jobs.is_closed() => {
                    // Closed or all stores dropped: nothing new comes in, what was accepted is still handed out.
                    if changed.is_err() || *self.closing.borrow() {
                        self.jobs.close();
                    }
                }
                () = tokio::time::sleep(TRY_AGAIN), if failing => self.try_again().await,
                () = idle, if !failing && self.engine.wants_rest() => self.rest().await,
            }
        }
    }

    async fn try_again(&mut self) {
        match self.engine.probe().await {
            Ok(()) => self.counters.committed(),
            Err(error) => self.counters.failed(&error.to_string()),
        }
    }

    async fn rest(&mut self) {
        if let Err(error) = self.engine.rest().await {
            tracing::warn!(%error, "the store does not answer");
            self.counters.failed(&error.to_string());
        }
    }

    /// Commits a group. Where it fails, each write is tried alone, so that only the one at fault is told so.
    async fn commit(&mut self, mut group: Vec<T::Job>) {
        match self.transact(&mut group).await {
            Ok(()) => self.answer(group, &Ok(())),
            Err(failure) if group.len() == 1 => self.answer(group, &Err(failure.error)),
            Err(failure) => {
                if let Some(culprit) = failure.culprit {
                    let job = group.swap_remove(culprit);
                    job.answer(Err(failure.error));
                } else if failure.error.is_of_all() {
                    return self.answer(group, &Err(failure.error));
                }
                for job in group {
                    let mut alone = vec![job];
                    let outcome = self.transact(&mut alone).await.map_err(|own| own.error);
                    self.answer(alone, &outcome);
                }
            }
        }
    }

    fn answer(&self, group: Vec<T::Job>, outcome: &Result<(), StoreError>) {
        if outcome.is_ok() {
            self.counters.writes.fetch_add(group.len() as u64, Relaxed);
        }
        for job in group {
            job.answer(outcome.clone());
        }
    }

    async fn transact(&mut self, group: &mut [T::Job]) -> Result<(), Failure> {
        if self.counters.gave_up.load(Relaxed) {
            return Err(Failure::of_all(StoreError::Closed));
        }
        let result = match AssertUnwindSafe(self.engine.transact(group)).catch_unwind().await {
            Ok(result) => result,
            // Outside any single write: nothing is known of what the commit did.
            Err(payload) => {
                self.engine.failed(true);
                self.crashed(&panic_text(payload.as_ref())).await;
                Err(Failure::of_all(StoreError::OutcomeUnknown("the writer failed".into())))
            }
        };
        match &result {
            Ok(()) => self.counters.committed(),
            Err(failure) => self.note(&failure.error).await,
        }
        result
    }

    async fn note(&mut self, error: &StoreError) {
        // A connection is not trusted after a panic, nor after a commit that failed.
        let distrust = matches!(error, StoreError::Crashed(_) | StoreError::OutcomeUnknown(_));
        self.engine.failed(distrust);
        if let StoreError::Crashed(text) = error {
            self.crashed(text).await;
        }
        self.counters.failed(&error.to_string());
        tracing::warn!(%error, "a transaction of the store failed");
    }

    async fn crashed(&mut self, text: &str) {
        self.counters.crashes.fetch_add(1, Relaxed);
        match self.crashes.record(self.started.elapsed()) {
            Verdict::RestartAfter(pause) => {
                tracing::error!(panic = text, ?pause, "the store's writer crashed and is rebuilt");
                tokio::time::sleep(pause).await;
            }
            Verdict::GiveUp { crashes } => {
                tracing::error!(panic = text, crashes, "the store's writer gave up");
                self.counters.gave_up.store(true, Relaxed);
            }
        }
    }

    /// Answers all that waits, and what still comes until the store is dropped is refused at the queue.
    async fn give_up(&mut self) {
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            job.answer(Err(StoreError::Closed));
        }
        self.life.send_replace(Life::GaveUp);
    }
}

/// What a panic said.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without text").chars().take(300).collect()
}
