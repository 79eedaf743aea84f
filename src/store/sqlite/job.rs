//! A write on its way through the writer: what it does, what it weighs, who waits for its outcome. The writer knows
//! no single write; it runs them, commits, and lets each answer.

use std::future::Future;
use std::pin::Pin;

use sqlx::sqlite::SqliteConnection;

use crate::store::error::StoreError;
use crate::store::memory::Memory;
use crate::store::queue::Caller;
use crate::store::writer;

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
pub(super) trait AnyWrite: Send {
    fn records(&self) -> usize;
    /// Runs the write and keeps its outcome, a refusal included. `Err`: the transaction must be rolled back.
    fn run<'a>(&'a mut self, bench: &'a mut Bench<'_>) -> Run<'a>;
    /// Tells whoever waits: the outcome, if it was committed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

pub(super) type Job = Box<dyn AnyWrite>;

impl writer::Job for Job {
    fn records(&self) -> usize {
        self.as_ref().records()
    }

    fn answer(self, committed: Result<(), StoreError>) {
        AnyWrite::answer(self, committed);
    }
}

/// A write and the one who waits for it.
pub(super) struct Pending<W: Write> {
    write: W,
    outcome: Option<Result<W::Output, StoreError>>,
    caller: Caller<W::Output>,
}

impl<W: Write> Pending<W> {
    pub(super) fn boxed(write: W, caller: Caller<W::Output>) -> Job {
        Box::new(Self { write, outcome: None, caller })
    }
}

impl<W: Write> AnyWrite for Pending<W> {
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
        self.caller.answer(self.outcome, committed);
    }
}
