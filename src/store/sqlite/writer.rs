//! The one writer: takes writes off the queue in groups, runs a group in one transaction, commits once, then answers
//! all. It has a thread of its own, so that nothing it does holds up a mailbox or a web worker.
//!
//! A panic of a write rolls the group back; the write that panicked is answered `Crashed`, the others run again, each
//! alone. The connection is opened anew after it. More crashes than the policy survives: the writer gives up, every
//! write is refused from then on, and the node hears of it (`Store::gave_up`).

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::checkpoint::Checkpoints;
use super::job::{Bench, Job};
use super::memory::Memory;
use super::open;
use super::turn::Turnstile;
use crate::runtime::{CrashLog, Verdict};
use crate::store::error::StoreError;
use crate::store::settings::StoreSettings;
use crate::store::vitals::Counters;

/// A group takes further writes until it holds this many records.
const GROUP_RECORDS: usize = 4_000;
/// How long a group waits for as many writes as the one before it had: clients that were just answered send their next
/// within a moment, and one commit for all of them costs hardly more than one for half of them.
const GATHER_STEP: Duration = Duration::from_micros(50);
const GATHER_STEPS: u32 = 8;
/// And at most this many writes.
const GROUP_WRITES: usize = 256;
/// Without a write for this long the log is emptied, if it has grown.
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

/// All the writer's own.
pub(super) struct Writer {
    pub(super) settings: StoreSettings,
    pub(super) jobs: mpsc::Receiver<Box<dyn Job>>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) life: watch::Sender<Life>,
    pub(super) counters: Arc<Counters>,
    /// `None` after a crash: opened anew for the next group.
    pub(super) db: Option<SqliteConnection>,
    pub(super) checkpoints: Checkpoints,
    pub(super) memory: Memory,
    pub(super) turnstile: Turnstile,
    pub(super) crashes: CrashLog,
    pub(super) started: Instant,
    /// Writes that are likely to be sent for the next group.
    pub(super) expected: usize,
}

type Group = Vec<Box<dyn Job>>;

/// What went wrong with a transaction, and which of the group's writes it was.
struct Failure {
    culprit: Option<usize>,
    error: StoreError,
}

impl Writer {
    /// Runs until the store is closed or dropped and everything accepted is answered.
    pub(super) async fn serve(mut self) {
        while let Some(group) = self.next_group().await {
            self.commit(group).await;
            if self.counters.gave_up.load(Relaxed) {
                self.give_up().await;
                return;
            }
            self.checkpoints.after_commit(self.db.as_mut()).await;
        }
        if let Some(mut db) = self.db.take() {
            self.checkpoints.empty_log(&mut db).await;
            open::close(db).await;
        }
        self.checkpoints.end().await;
        self.life.send_replace(Life::Ended);
    }

    async fn next_group(&mut self) -> Option<Group> {
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

    async fn next_job(&mut self) -> Option<Box<dyn Job>> {
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
                () = idle, if !failing && self.checkpoints.wants_rest() => {
                    if let Some(db) = self.db.as_mut() {
                        self.checkpoints.rest(db).await;
                    }
                }
            }
        }
    }

    /// A small write that changes nothing but goes all the way to the disk.
    async fn try_again(&mut self) {
        let attempt = async {
            let mut db = match self.db.take() {
                Some(db) => db,
                None => open::reopen_writer(&self.settings).await?,
            };
            let touch = "UPDATE tenants SET profiles_revision = profiles_revision";
            let outcome = sqlx::query(touch).execute(&mut db).await;
            self.db = Some(db);
            outcome.map_err(StoreError::from)
        };
        match attempt.await {
            Ok(_) => self.counters.committed(),
            Err(error) => self.counters.failed(&error.to_string()),
        }
    }

    /// Commits a group. Where it fails, each write is tried alone, so that only the one at fault is told so.
    async fn commit(&mut self, mut group: Group) {
        match self.transact(&mut group).await {
            Ok(()) => self.answer(group, &Ok(())),
            Err(failure) if group.len() == 1 => self.answer(group, &Err(failure.error)),
            Err(failure) => {
                if let Some(culprit) = failure.culprit {
                    let job = group.swap_remove(culprit);
                    job.answer(Err(failure.error));
                } else if matches!(failure.error, StoreError::OutcomeUnknown(_)) {
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

    fn answer(&self, group: Group, outcome: &Result<(), StoreError>) {
        if outcome.is_ok() {
            self.counters.writes.fetch_add(group.len() as u64, Relaxed);
        }
        for job in group {
            job.answer(outcome.clone());
        }
    }

    async fn transact(&mut self, group: &mut Group) -> Result<(), Failure> {
        if self.counters.gave_up.load(Relaxed) {
            return Err(Failure { culprit: None, error: StoreError::Closed });
        }
        let result = match AssertUnwindSafe(self.attempt(group)).catch_unwind().await {
            Ok(result) => result,
            // Outside any single write: nothing is known of what the commit did.
            Err(payload) => {
                self.crashed(&panic_text(payload.as_ref())).await;
                Err(Failure { culprit: None, error: StoreError::OutcomeUnknown("the writer failed".into()) })
            }
        };
        match &result {
            Ok(()) => self.counters.committed(),
            Err(failure) => {
                self.memory = Memory::default();
                self.counters.failed(&failure.error.to_string());
                tracing::warn!(error = %failure.error, "a transaction of the store failed");
            }
        }
        result
    }

    async fn attempt(&mut self, group: &mut Group) -> Result<(), Failure> {
        let whole = |error: StoreError| Failure { culprit: None, error };
        let mut db = match self.db.take() {
            Some(db) => db,
            None => open::reopen_writer(&self.settings).await.map_err(whole)?,
        };
        let outcome = self.attempt_on(&mut db, group).await;
        match &outcome {
            // A connection is not trusted after a panic, nor after a commit that failed.
            Err(Failure { error: StoreError::Crashed(text), .. }) => {
                drop(db);
                self.crashed(text).await;
            }
            Err(Failure { error: StoreError::OutcomeUnknown(_), .. }) => drop(db),
            _ => self.db = Some(db),
        }
        outcome
    }

    async fn attempt_on(&mut self, db: &mut SqliteConnection, group: &mut Group) -> Result<(), Failure> {
        let whole = |error: sqlx::Error| Failure { culprit: None, error: error.into() };
        let turn = self.turnstile.wait().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await.map_err(whole)?;
        drop(turn);
        for (index, job) in group.iter_mut().enumerate() {
            let mut bench = Bench { db: &mut transaction, memory: &mut self.memory };
            let breakpoints = self.settings.breakpoints.clone();
            let run = async {
                breakpoints.pass("store.job");
                job.run(&mut bench).await
            };
            let outcome = AssertUnwindSafe(run).catch_unwind().await;
            let error = match outcome {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error,
                Err(payload) => StoreError::Crashed(panic_text(payload.as_ref())),
            };
            transaction.rollback().await.map_err(whole)?;
            return Err(Failure { culprit: Some(index), error });
        }
        self.settings.breakpoints.pass("store.commit");
        let unknown = |error: sqlx::Error| Failure { culprit: None, error: unknown_outcome(error) };
        transaction.commit().await.map_err(unknown)
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

/// SQLite rolls a failed commit back, but what was already written to the log may still come back after a crash.
fn unknown_outcome(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        busy @ StoreError::Busy(_) => busy,
        other => StoreError::OutcomeUnknown(other.to_string()),
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without text").chars().take(300).collect()
}
