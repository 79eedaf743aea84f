//! What PostgreSQL does for batches that are held: each write is a transaction at the desk, beside the writer. The row
//! of the profile's counters keeps them apart, whichever process they are of.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sqlx::postgres::PgConnection;

use super::Postgres;
use super::batches::Waiting;
use super::desk::Write;
use super::finding::find;
use super::group;
use super::runs_of_group::{known_run, save_run};
use super::verdict::{Found, Judge, Verdict};
use crate::domain::run::RunState;
use crate::protocol::aggregator::Receipt;
use crate::runtime::Breakpoints;
use crate::store::error::StoreError;
use crate::store::held::{Hold, Holder, HoldsRuns, Look, Next, SomeHeld};
use crate::store::keys::Keys;
use crate::store::memory::Memory;
use crate::store::posted::Posted;
use crate::store::quarantine::Decide;
use crate::store::run_facts::StoredRun;

impl Holder for Postgres {
    fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    async fn hold(&self, hold: Hold) -> Result<Next, StoreError> {
        self.desk.write(hold).await
    }

    async fn decide(&self, decide: Decide) -> Result<i64, StoreError> {
        self.desk.write(decide).await
    }

    async fn store_some(&self, some: SomeHeld) -> Result<usize, StoreError> {
        self.desk.write(some).await
    }

    async fn store(&self, posted: Posted) -> Result<Receipt, StoreError> {
        if self.counters.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let bytes = posted.bytes_held();
        self.queue.submit(bytes, |caller| Waiting { posted, outcome: None, caller }).await
    }
}

impl Write for Hold {
    type Output = Next;

    async fn run(&self, db: &mut PgConnection) -> Result<Next, StoreError> {
        Self::run(self, db).await
    }
}

impl Write for Decide {
    type Output = i64;

    async fn run(&self, db: &mut PgConnection) -> Result<i64, StoreError> {
        self.note(db).await
    }
}

impl Write for SomeHeld {
    type Output = usize;

    async fn run(&self, db: &mut PgConnection) -> Result<usize, StoreError> {
        let taken = self.take(db).await?;
        let group: Vec<&Posted> = taken.iter().collect();
        // The writer's own memory is not at hand; what it says of a run is checked by the number of batches.
        let stored = group::store(db, &group, &mut Memory::default(), &Breakpoints::none()).await;
        for outcome in stored.map_err(|failure| failure.error)? {
            outcome?;
        }
        Ok(taken.len())
    }
}

impl HoldsRuns for PgConnection {
    type Found = Found;

    async fn look(&mut self, posted: &Posted) -> Result<Look<Found>, StoreError> {
        let found = find(self, &[posted]).await?.pop().unwrap_or_default();
        let run = found.run.as_ref().and_then(|run| run.row);
        match (Judge::default().judge(0, posted, &found), run) {
            (Verdict::Refuse(refusal), _) => Err(refusal),
            (Verdict::Replay(outcome), Some(run)) => Ok(Look::Stored { run, receipt: posted.receipt(outcome, true) }),
            _ => Ok(Look::New { run, found }),
        }
    }

    async fn known_run(&mut self, posted: &Posted, found: Found) -> Result<StoredRun, StoreError> {
        known_run(self, posted, &found).await
    }

    async fn save_run(&mut self, posted: &Posted, run: &StoredRun, before: RunState) -> Result<(), StoreError> {
        save_run(self, posted, run, Some(before)).await
    }
}
