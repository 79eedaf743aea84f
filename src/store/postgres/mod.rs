//! The store on PostgreSQL: a writer that stores the batches of all who wait in one transaction, and a desk with a pool of
//! connections for everything else. Several processes may use one database; what must not happen twice is kept apart by
//! rows that are locked in one order, and by unique keys.
//!
//! The files mirror those of `sqlite`, one for each concern. Everything here takes the tenant as the integer that
//! `TenantStore` resolved; no query finds its tenant by itself.

mod batches;
mod bind;
mod books;
mod connect;
mod desk;
mod drones;
mod enrolment;
mod error;
mod expire;
mod finding;
mod group;
mod held;
mod ledger;
mod names;
pub(super) mod patient;
mod pins;
mod placing;
mod profiles;
mod records;
mod replays;
mod reports;
mod results;
mod retention;
mod revising;
mod runs;
mod runs_of_group;
mod scan;
mod standing;
mod summary;
mod superseded;
mod tenants;
mod text;
mod transactor;
mod verdict;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Row, query};
use tokio::time::Instant;

pub(super) use self::bind::bound;
pub(super) use self::error::{of_connection, of_state};

use self::batches::Waiting;
use self::connect::Connector;
use self::desk::Desk;
use self::transactor::ServerWriter;
use super::error::StoreError;
use super::keys::Keys;
use super::memory::Memory;
use super::queue::Queue;
use super::settings::{Server, StoreSettings};
use super::superseded::Standings;
use super::tenants::Tenants;
use super::vitals::{Counters, StoreVitals};
use super::writer::{Reins, launch, writer};

/// The engine.
#[derive(Debug)]
pub(super) struct Postgres {
    queue: Queue<Waiting>,
    desk: Desk,
    tenants: Tenants,
    keys: Arc<Keys>,
    counters: Arc<Counters>,
    reins: Reins,
    max_reports: u32,
    standings: Standings,
    max_held_bytes: u64,
}

impl Postgres {
    pub(super) async fn open(server: &Server, settings: &StoreSettings) -> Result<Self, StoreError> {
        let connector = Connector::new(server, settings)?;
        connect::close(connector.open().await?).await;
        let counters = Arc::<Counters>::default();
        let (queue, jobs) = Queue::new(settings, Arc::clone(&counters));
        // The writer opens its connection on its own thread, and keeps it.
        let engine = ServerWriter {
            connector: connector.clone(),
            breakpoints: settings.breakpoints.clone(),
            db: None,
            memory: Memory::default(),
        };
        let (writer, reins) = writer(engine, jobs, settings, &counters);
        launch(&counters, move || writer.serve())?;
        let desk = Desk::new(&connector, server.connections.saturating_sub(1), &counters)?;
        Ok(Self {
            queue,
            desk,
            tenants: Tenants::default(),
            keys: Arc::default(),
            counters,
            reins,
            max_reports: settings.max_reports,
            standings: Standings::default(),
            max_held_bytes: settings.max_held_bytes,
        })
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn vitals(&self) -> StoreVitals {
        self.counters.snapshot()
    }

    /// Takes nothing new, answers what was accepted, closes.
    pub(super) async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + deadline;
        let ended = tokio::time::timeout_at(until, self.reins.close()).await;
        let desk = tokio::time::timeout_at(until, self.desk.close()).await;
        match (ended, desk) {
            (Ok(()), Ok(())) => Ok(()),
            _ => Err(StoreError::Busy("closing took longer than its deadline; what was answered is stored".into())),
        }
    }

    pub(super) async fn gave_up(&self) {
        self.reins.gave_up().await;
    }

    pub(super) async fn store_id(&self) -> Result<String, StoreError> {
        let row = self.desk.optional(query("SELECT store_id FROM identity")).await?;
        let row = row.ok_or_else(|| StoreError::Engine("the database has lost its name (table identity)".into()))?;
        Ok(row.try_get(0)?)
    }

    pub(super) async fn engine_version(&self) -> Result<String, StoreError> {
        let row = self.desk.optional(query("SELECT current_setting('server_version')")).await?;
        let row = row.ok_or_else(|| StoreError::Engine("the server does not tell its version".into()))?;
        Ok(format!("PostgreSQL {}", row.try_get::<String, _>(0)?))
    }
}
