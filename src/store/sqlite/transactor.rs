//! How SQLite runs a group of writes: one connection, one transaction, each write in its turn.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use futures_util::FutureExt;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::checkpoint::Checkpoints;
use super::job::{Bench, Job};
use super::open;
use super::turn::Turnstile;
use crate::store::error::StoreError;
use crate::store::memory::Memory;
use crate::store::settings::StoreSettings;
use crate::store::writer::{Failure, Transactor, panic_text};

/// All that writing to the file takes.
pub(super) struct FileWriter {
    pub(super) file: PathBuf,
    pub(super) settings: StoreSettings,
    /// `None` after a crash: opened anew for the next group.
    pub(super) db: Option<SqliteConnection>,
    pub(super) checkpoints: Checkpoints,
    pub(super) memory: Memory,
    pub(super) turnstile: Turnstile,
}

impl FileWriter {
    async fn take_db(&mut self) -> Result<SqliteConnection, StoreError> {
        match self.db.take() {
            Some(db) => Ok(db),
            None => open::reopen_writer(&self.file, &self.settings).await,
        }
    }

    async fn attempt(&mut self, db: &mut SqliteConnection, group: &mut [Job]) -> Result<(), Failure> {
        let turn = self.turnstile.wait().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await.map_err(Failure::of_all)?;
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
            transaction.rollback().await.map_err(Failure::of_all)?;
            return Err(Failure { culprit: Some(index), error });
        }
        self.settings.breakpoints.pass("store.commit");
        transaction.commit().await.map_err(|error| Failure::of_all(unknown_outcome(error)))
    }
}

impl Transactor for FileWriter {
    type Job = Job;

    async fn transact(&mut self, group: &mut [Job]) -> Result<(), Failure> {
        let mut db = self.take_db().await.map_err(Failure::of_all)?;
        let outcome = self.attempt(&mut db, group).await;
        self.db = Some(db);
        outcome
    }

    fn failed(&mut self, distrust: bool) {
        self.memory = Memory::default();
        if distrust {
            self.db = None;
        }
    }

    async fn probe(&mut self) -> Result<(), StoreError> {
        let mut db = self.take_db().await?;
        let touch = "UPDATE tenants SET profiles_revision = profiles_revision";
        let outcome = sqlx::query(touch).execute(&mut db).await;
        self.db = Some(db);
        outcome?;
        Ok(())
    }

    async fn after_commit(&mut self) {
        self.checkpoints.after_commit(self.db.as_mut()).await;
    }

    fn wants_rest(&self) -> bool {
        self.checkpoints.wants_rest()
    }

    async fn rest(&mut self) -> Result<(), StoreError> {
        if let Some(db) = self.db.as_mut() {
            self.checkpoints.rest(db).await;
        }
        Ok(())
    }

    async fn end(mut self) {
        if let Some(mut db) = self.db.take() {
            self.checkpoints.empty_log(&mut db).await;
            open::close(db).await;
        }
        self.checkpoints.end().await;
    }
}

/// SQLite rolls a failed commit back, but what was already written to the log may still come back after a crash.
fn unknown_outcome(error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        busy @ StoreError::Busy(_) => busy,
        other => StoreError::OutcomeUnknown(other.to_string()),
    }
}
