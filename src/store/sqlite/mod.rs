//! The store on SQLite: one writer that group-commits, readers beside it. Everything here takes the tenant as the
//! integer that `TenantStore` resolved; no query finds its tenant by itself.

mod batches;
mod bind;
mod checkpoint;
pub(super) mod copy;
mod drones;
mod enrolment;
mod error;
mod expire;
mod held;
mod job;
mod ledger;
mod names;
mod open;
pub(super) mod patient;
mod pins;
mod placing;
#[cfg(test)]
mod plans;
mod profiles;
mod records;
mod replays;
mod reports;
mod results;
mod retention;
mod revising;
mod runs;
mod scan;
mod standing;
mod summary;
mod superseded;
mod tenants;
mod texts;
mod transactor;
mod turn;
mod versions;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::time::Instant;

pub(super) use self::bind::bound;
pub(super) use self::error::of_code;
pub(super) use self::open::{close, inspect};

use self::job::{Job, Pending, Write};
use self::transactor::FileWriter;
use self::turn::Turnstile;
use super::error::StoreError;
use super::keys::Keys;
use super::lock::FileLock;
use super::memory::Memory;
use super::queue::Queue;
use super::settings::StoreSettings;
use super::superseded::Standings;
use super::tenants::Tenants;
use super::vitals::{Counters, StoreVitals};
use super::writer::{Reins, launch, writer};

/// How long another process may take to create or migrate the same file.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

/// The engine.
#[derive(Debug)]
pub(super) struct Sqlite {
    queue: Queue<Job>,
    readers: SqlitePool,
    tenants: Tenants,
    keys: Arc<Keys>,
    counters: Arc<Counters>,
    reins: Reins,
    max_reports: u32,
    standings: Standings,
    max_held_bytes: u64,
}

impl Sqlite {
    pub(super) async fn open(file: &Path, settings: &StoreSettings) -> Result<Self, StoreError> {
        let db = {
            // Two processes that open a new file at once would both create its tables.
            let _lock = FileLock::wait(FileLock::beside(file), OPENING_PATIENCE).await?;
            open::open_writer(file, settings).await?
        };
        let counters = Arc::<Counters>::default();
        let (queue, jobs) = Queue::new(settings, Arc::clone(&counters));
        let (checkpoints, mover) = checkpoint::pair(file, Arc::clone(&counters));
        let engine = FileWriter {
            file: file.to_owned(),
            settings: settings.clone(),
            db: Some(db),
            checkpoints,
            memory: Memory::default(),
            turnstile: Turnstile::of(file),
        };
        let (writer, reins) = writer(engine, jobs, settings, &counters);
        launch(&counters, move || async move {
            futures_util::future::join(writer.serve(), mover.serve()).await;
        })?;
        let readers = open::reader_pool(file, settings);
        let tenants = Tenants::default();
        Ok(Self {
            queue,
            readers,
            tenants,
            keys: Arc::default(),
            counters,
            reins,
            max_reports: settings.max_reports,
            standings: Standings::default(),
            max_held_bytes: settings.max_held_bytes,
        })
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        self.queue.submit(write.bytes(), |caller| Pending::boxed(write, caller)).await
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn vitals(&self) -> StoreVitals {
        self.counters.snapshot()
    }

    /// Takes nothing new, answers what was accepted, empties the log, closes.
    pub(super) async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + deadline;
        let ended = tokio::time::timeout_at(until, self.reins.close()).await;
        let readers = tokio::time::timeout_at(until, self.readers.close()).await;
        match (ended, readers) {
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(StoreError::Busy("closing took longer than its deadline; what was answered is stored".into())),
        }
    }

    pub(super) async fn gave_up(&self) {
        self.reins.gave_up().await;
    }

    pub(super) async fn store_id(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("SELECT store_id FROM identity").fetch_one(&self.readers).await?)
    }

    pub(super) async fn engine_version(&self) -> Result<String, StoreError> {
        Ok(format!("SQLite {}", open::sqlite_version(&self.readers).await?))
    }
}
