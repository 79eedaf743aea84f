//! The store on SQLite: one writer that group-commits, readers beside it. Everything here takes the tenant as the
//! integer that `TenantStore` resolved; no query finds its tenant by itself.

mod batches;
mod checkpoint;
mod drones;
mod error;
mod findings;
mod held;
mod history;
mod job;
mod keys;
mod late;
mod ledger;
mod lists;
mod memory;
mod names;
mod open;
mod placing;
#[cfg(test)]
mod plans;
mod profiles;
mod quarantine;
mod queue;
mod records;
mod rejects;
mod rekey;
mod reports;
mod results;
mod revising;
mod runs;
mod scan;
mod standing;
mod summary;
mod tenants;
mod texts;
mod turn;
mod versions;
mod writer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use self::open::{close, inspect};

use self::job::Write;
use self::keys::Keys;
use self::memory::Memory;
use self::queue::Queue;
use self::tenants::Tenants;
use self::turn::Turnstile;
use self::writer::{Life, Writer};
use super::error::StoreError;
use super::lock::FileLock;
use super::settings::StoreSettings;
use super::vitals::{Counters, StoreVitals};
use crate::runtime::CrashLog;

/// How long another process may take to create or migrate the same file.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);

/// The engine.
#[derive(Debug)]
pub(super) struct Sqlite {
    queue: Queue,
    readers: SqlitePool,
    tenants: Tenants,
    keys: Arc<Keys>,
    counters: Arc<Counters>,
    closing: watch::Sender<bool>,
    life: watch::Receiver<Life>,
    max_reports: u32,
    max_held_bytes: u64,
}

impl Sqlite {
    pub(super) async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        let db = {
            // Two processes that open a new file at once would both create its tables.
            let _lock = FileLock::wait(FileLock::beside(&settings.path), OPENING_PATIENCE).await?;
            open::open_writer(settings).await?
        };
        let counters = Arc::<Counters>::default();
        let (queue, jobs) = Queue::new(settings, Arc::clone(&counters));
        let (closing, closing_receiver) = watch::channel(false);
        let (life_sender, life) = watch::channel(Life::Running);
        let (checkpoints, mover) = checkpoint::pair(settings, Arc::clone(&counters));
        let writer = Writer {
            settings: settings.clone(),
            jobs,
            closing: closing_receiver,
            life: life_sender,
            counters: Arc::clone(&counters),
            db: Some(db),
            checkpoints,
            memory: Memory::default(),
            turnstile: Turnstile::of(&settings.path),
            crashes: CrashLog::new(settings.policy),
            started: Instant::now(),
            expected: 1,
        };
        launch(writer, mover)?;
        let readers = open::reader_pool(settings);
        let tenants = Tenants::default();
        Ok(Self {
            queue,
            readers,
            tenants,
            keys: Arc::default(),
            counters,
            closing,
            life,
            max_reports: settings.max_reports,
            max_held_bytes: settings.max_held_bytes,
        })
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        self.queue.submit(write).await
    }

    pub(super) fn vitals(&self) -> StoreVitals {
        self.counters.snapshot()
    }

    /// Takes nothing new, answers what was accepted, empties the log, closes.
    pub(super) async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + deadline;
        self.counters.closed.store(true, Relaxed);
        self.closing.send_replace(true);
        let mut life = self.life.clone();
        let ended = tokio::time::timeout_at(until, life.wait_for(|life| *life != Life::Running)).await;
        let readers = tokio::time::timeout_at(until, self.readers.close()).await;
        match (ended, readers) {
            (Ok(_), Ok(())) => Ok(()),
            _ => Err(StoreError::Busy("closing took longer than its deadline; what was answered is stored".into())),
        }
    }

    /// Resolves when the writer has given up, or its thread is gone; never otherwise.
    pub(super) async fn gave_up(&self) {
        let mut life = self.life.clone();
        let ended_in_order = matches!(life.wait_for(|life| *life != Life::Running).await.as_deref(), Ok(Life::Ended));
        if ended_in_order {
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn store_id(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("SELECT store_id FROM identity").fetch_one(&self.readers).await?)
    }

    pub(super) async fn engine_version(&self) -> Result<String, StoreError> {
        Ok(format!("SQLite {}", open::sqlite_version(&self.readers).await?))
    }
}

/// Starts the writer's thread. It ends when the store is closed, or when the last clone of it is gone.
fn launch(writer: Writer, mover: checkpoint::Mover) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Engine(format!("starting the store's writer: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
    let counters = Arc::clone(&writer.counters);
    let work = async move {
        futures_util::future::join(writer.serve(), mover.serve()).await;
    };
    let thread = move || {
        // Writes have their own guard; a panic that comes this far leaves nothing that could go on.
        if catch_unwind(AssertUnwindSafe(|| runtime.block_on(work))).is_err() {
            counters.gave_up.store(true, Relaxed);
        }
    };
    std::thread::Builder::new().name("store-writer".into()).spawn(thread).map_err(failed)?;
    Ok(())
}
