//! How PostgreSQL runs a group of batches: one connection, one transaction. Where it meets another process on a row it
//! starts over; where the server is gone it says so, and whether the group may have been stored.

use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::batches::Waiting;
use super::connect::{Connector, close};
use super::desk::{ATTEMPTS, pause};
use super::error::{of_commit, over_network};
use super::group;
use crate::runtime::Breakpoints;
use crate::store::error::StoreError;
use crate::store::memory::Memory;
use crate::store::posted::Posted;
use crate::store::writer::{Failure, Transactor};

/// The server ends a statement sooner; beyond this the way to it is dead.
const PATIENCE: Duration = Duration::from_secs(60);

/// All that writing to the server takes.
pub(super) struct ServerWriter {
    pub(super) connector: Connector,
    pub(super) breakpoints: Breakpoints,
    /// `None` after a failure: opened anew for the next group.
    pub(super) db: Option<PgConnection>,
    pub(super) memory: Memory,
}

impl ServerWriter {
    async fn take_db(&mut self) -> Result<PgConnection, StoreError> {
        match self.db.take() {
            Some(db) => Ok(db),
            None => self.connector.connect().await,
        }
    }

    async fn attempt(&mut self, group: &mut [Waiting]) -> Result<(), Failure> {
        let mut db = self.take_db().await.map_err(Failure::of_all)?;
        let outcome = self.attempt_on(&mut db, group).await;
        let is_sound = match &outcome {
            Ok(()) => true,
            // What was begun is rolled back before the next statement.
            Err(failure) => matches!(failure.error, StoreError::Raced(_) | StoreError::Busy(_)),
        };
        self.db = is_sound.then_some(db);
        outcome
    }

    async fn attempt_on(&mut self, db: &mut PgConnection, group: &mut [Waiting]) -> Result<(), Failure> {
        let mut transaction = db.begin().await.map_err(|error| Failure::of_all(over_network(error.into())))?;
        let posted: Vec<&Posted> = group.iter().map(|waiting| &waiting.posted).collect();
        let stored = group::store(&mut transaction, &posted, &mut self.memory, &self.breakpoints).await;
        let stored = stored.map_err(|failure| Failure { error: over_network(failure.error), ..failure })?;
        for (waiting, outcome) in group.iter_mut().zip(stored) {
            waiting.outcome = Some(outcome);
        }
        self.breakpoints.pass("store.commit");
        transaction.commit().await.map_err(|error| Failure::of_all(of_commit(error)))
    }
}

impl Transactor for ServerWriter {
    type Job = Waiting;

    async fn transact(&mut self, group: &mut [Waiting]) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            // A server that was restarted meanwhile is noticed only now; nothing was sent to it yet.
            let was_open = self.db.is_some();
            let outcome = tokio::time::timeout(PATIENCE, self.attempt(group)).await;
            let Ok(outcome) = outcome else {
                let text = format!("no answer within {PATIENCE:?}");
                return Err(Failure::of_all(StoreError::OutcomeUnknown(text)));
            };
            let Err(failure) = outcome else { return Ok(()) };
            self.memory = Memory::default();
            match failure.error {
                StoreError::Raced(_) if attempt < ATTEMPTS => pause(attempt).await,
                StoreError::Unreachable(_) if was_open && attempt < ATTEMPTS => {}
                _ => return Err(failure),
            }
            attempt += 1;
        }
    }

    fn failed(&mut self, distrust: bool) {
        self.memory = Memory::default();
        if distrust {
            self.db = None;
        }
    }

    async fn probe(&mut self) -> Result<(), StoreError> {
        let mut db = self.take_db().await?;
        // A row that nobody holds for long, as a tenant's may be while a profile is linked by another key.
        let touch = "UPDATE identity SET store_id = store_id";
        let touched = tokio::time::timeout(PATIENCE, sqlx::query(touch).execute(&mut db)).await;
        let silent = |_| StoreError::Unreachable(format!("no answer within {PATIENCE:?}"));
        touched.map_err(silent)?.map_err(|error| over_network(error.into()))?;
        self.db = Some(db);
        Ok(())
    }

    async fn after_commit(&mut self) {}

    fn wants_rest(&self) -> bool {
        true
    }

    /// A look whether the server is still there, so that readiness is told before somebody writes.
    async fn rest(&mut self) -> Result<(), StoreError> {
        if let Some(db) = &mut self.db
            && matches!(tokio::time::timeout(PATIENCE, db.ping()).await, Ok(Ok(())))
        {
            return Ok(());
        }
        // A connection that an idle network has dropped says nothing about the server.
        self.db = None;
        self.db = Some(self.connector.connect().await?);
        Ok(())
    }

    async fn end(mut self) {
        if let Some(db) = self.db.take() {
            close(db).await;
        }
    }
}
