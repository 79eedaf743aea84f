//! A write on its way through the writer: what it does, what it weighs, who waits for its outcome. The writer knows
//! no single write; it runs them, commits, and lets each answer.

use std::future::Future;
use std::pin::Pin;

use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::memory::Memory;
use super::queue::Permit;
use crate::store::error::StoreError;

/// What a write may use.
#[derive(Debug)]
pub(super) struct Bench<'a> {
    pub(super) db: &'a mut SqliteConnection,
    /// What the writer remembers between transactions; emptied whenever one fails.
    pub(super) memory: &'a mut Memory,
}

/// One write. May be run a second time, after a rollback, when it shared a transaction with one that failed.
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;

    /// Records in it: decides how many writes share a transaction.
    fn records(&self) -> usize {
        0
    }

    /// Bytes it holds while it waits.
    fn bytes(&self) -> usize {
        0
    }

    /// Runs inside a transaction. A refusal must come before the first change.
    fn run(&self, bench: &mut Bench<'_>) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// A write with its type erased.
pub(super) trait Job: Send {
    fn records(&self) -> usize;
    /// Runs the write and keeps its outcome, a refusal included. `Err`: the transaction must be rolled back.
    fn run<'a>(&'a mut self, bench: &'a mut Bench<'_>) -> Run<'a>;
    /// Tells whoever waits: the outcome, if it was committed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// Where the outcome of a write arrives.
pub(super) type Reply<T> = oneshot::Receiver<Result<T, StoreError>>;

/// A write and the one who waits for it.
pub(super) struct Pending<W: Write> {
    write: W,
    outcome: Option<Result<W::Output, StoreError>>,
    reply: oneshot::Sender<Result<W::Output, StoreError>>,
    permit: Permit,
}

impl<W: Write> Pending<W> {
    pub(super) fn boxed(write: W, permit: Permit) -> (Box<dyn Job>, Reply<W::Output>) {
        let (reply, receiver) = oneshot::channel();
        (Box::new(Self { write, outcome: None, reply, permit }), receiver)
    }
}

impl<W: Write> Job for Pending<W> {
    fn records(&self) -> usize {
        self.write.records()
    }

    fn run<'a>(&'a mut self, bench: &'a mut Bench<'_>) -> Run<'a> {
        Box::pin(async move {
            self.outcome = None;
            let outcome = self.write.run(bench).await;
            match outcome {
                Err(error) if !error.is_refusal() => Err(error),
                settled => {
                    self.outcome = Some(settled);
                    Ok(())
                }
            }
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let never_ran = || Err(StoreError::Engine("the write was committed without having run".into()));
        let outcome = match committed {
            Ok(()) => self.outcome.unwrap_or_else(never_ran),
            // A refusal holds whatever became of the others.
            Err(error) => match self.outcome {
                Some(Err(refusal)) => Err(refusal),
                _ => Err(error),
            },
        };
        // First, so that whoever is answered finds room again.
        drop(self.permit);
        // Whoever asked may have gone; the write stands all the same.
        let _ = self.reply.send(outcome);
    }
}
