//! What SQLite does for batches that are held: each write goes by the one writer.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::batches::Found;
use super::job::{Bench, Write};
use crate::domain::run::RunState;
use crate::protocol::aggregator::Receipt;
use crate::store::error::StoreError;
use crate::store::held::{Hold, Holder, HoldsRuns, Look, Next, SomeHeld};
use crate::store::keys::Keys;
use crate::store::posted::Posted;
use crate::store::quarantine::Decide;
use crate::store::run_facts::StoredRun;

impl Holder for Sqlite {
    fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    async fn hold(&self, hold: Hold) -> Result<Next, StoreError> {
        self.write(hold).await
    }

    async fn decide(&self, decide: Decide) -> Result<i64, StoreError> {
        self.write(decide).await
    }

    async fn store_some(&self, some: SomeHeld) -> Result<usize, StoreError> {
        self.write(some).await
    }

    async fn store(&self, posted: Posted) -> Result<Receipt, StoreError> {
        self.write(posted).await
    }
}

impl Write for Hold {
    type Output = Next;

    fn records(&self) -> usize {
        self.posted.weight()
    }

    fn bytes(&self) -> usize {
        self.posted.bytes_held()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Next, StoreError> {
        Self::run(self, bench.db).await
    }
}

impl Write for Decide {
    type Output = i64;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<i64, StoreError> {
        self.note(bench.db).await
    }
}

impl Write for SomeHeld {
    type Output = usize;

    fn records(&self) -> usize {
        // A group of its own.
        usize::MAX / 2
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<usize, StoreError> {
        let taken = self.take(bench.db).await?;
        for posted in &taken {
            posted.store_kept(bench).await?;
        }
        Ok(taken.len())
    }
}

impl HoldsRuns for SqliteConnection {
    type Found = Found;

    async fn look(&mut self, posted: &Posted) -> Result<Look<Found>, StoreError> {
        let row = posted.find(self).await?;
        let run: Option<i64> = sqlx::Row::try_get(&row, "id")?;
        match (posted.replay(&row)?, run) {
            (Some(receipt), Some(run)) => Ok(Look::Stored { run, receipt }),
            _ => Ok(Look::New { run, found: posted.judge(self, &row).await? }),
        }
    }

    async fn known_run(&mut self, posted: &Posted, found: Found) -> Result<StoredRun, StoreError> {
        posted.known_run(self, found).await
    }

    async fn save_run(&mut self, posted: &Posted, run: &StoredRun, before: RunState) -> Result<(), StoreError> {
        posted.save_run(self, run, run.row.unwrap_or_default(), Some(before)).await
    }
}
