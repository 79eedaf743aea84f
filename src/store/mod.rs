//! The store: the only SQL of the project. Keeps profiles, drones, runs, records and reports, each row a tenant's;
//! knows no actor, no HTTP and no clock (the time is always passed in).
//!
//! An answer means committed. One writer takes the batches and commits them in groups; readers go beside it. What the
//! engine is stands behind `Engine`; above it only types of the protocol are spoken.

mod backup;
mod counts;
mod doctor;
mod enrolment;
mod error;
mod findings;
mod held;
mod history;
mod id_set;
mod keys;
mod late;
mod lock;
mod memory;
mod migrations;
mod observed;
mod pager;
mod posted;
mod postgres;
mod quarantine;
mod queue;
mod record_row;
mod record_set;
mod rejects;
mod rekey;
mod retention;
mod revising;
mod revisions;
mod rows;
mod run_facts;
mod settings;
mod sightings;
mod spool;
mod sql;
mod sqlite;
mod superseded;
mod tenant;
mod tenants;
mod transfer;
mod types;
mod vitals;
mod writer;

use std::sync::Arc;
use std::time::Duration;

pub use backup::{Backup, BackupLog, BackupVitals, Counts, Restored, Shelf};
pub use doctor::{Check, Diagnosis};
pub use enrolment::{Enrolment, KeyChange, KnownKey, NewInvite};
pub use error::StoreError;
pub use lock::FileLock;
pub use retention::{Removed, RetentionPass};
pub use settings::{Place, Server, StoreSettings};
pub use spool::{Job, Pushed, Spool, SpoolSettings, SpoolStats, Spooled};
pub use tenant::TenantStore;
pub use transfer::{Moved, Totals, export_file, import_file};
pub use types::{EnabledProfile, NewVersion, SavedDrone};
pub use vitals::{RetentionVitals, StoreVitals};

use crate::domain::ids::TenantId;
use postgres::Postgres;
use sqlite::Sqlite;

/// An open store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Engine);

/// The engines, one variant each; every method of a store matches on it, so that one which an engine lacks does not
/// compile.
#[derive(Debug, Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

/// The same call on whichever engine it is.
macro_rules! on_engine {
    ($engine:expr, $it:ident => $call:expr) => {
        match $engine {
            Engine::Sqlite($it) => $call,
            Engine::Postgres($it) => $call,
        }
    };
}

use on_engine;

impl Store {
    /// Opens the database and brings it to the newest layout. Creates folder, file and tables where there are none;
    /// refuses, and leaves as it is, what is damaged, not ours, or of a newer release.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self(match &settings.place {
            Place::File(file) => Engine::Sqlite(Arc::new(Sqlite::open(file, settings).await?)),
            Place::Server(server) => Engine::Postgres(Arc::new(Postgres::open(server, settings).await?)),
        }))
    }

    /// The store as one tenant sees it: there is no other way to a row.
    pub fn tenant(&self, tenant: &TenantId) -> TenantStore {
        TenantStore::new(self.0.clone(), tenant.clone())
    }

    /// Takes nothing new, answers what was accepted, writes everything back, closes. The error says that `deadline`
    /// was not enough; what was answered is stored all the same.
    pub async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        on_engine!(&self.0, engine => engine.close(deadline).await)
    }

    /// For metrics and readiness.
    pub fn vitals(&self) -> StoreVitals {
        on_engine!(&self.0, engine => engine.vitals())
    }

    /// Resolves when the writer crashed too often and will not come back, and never otherwise: the node should then
    /// escalate.
    pub async fn gave_up(&self) {
        on_engine!(&self.0, engine => engine.gave_up().await);
    }

    /// Names this database for ever; a new one has another name.
    pub async fn store_id(&self) -> Result<String, StoreError> {
        on_engine!(&self.0, engine => engine.store_id().await)
    }

    /// Tenants that have ever written.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let names = on_engine!(&self.0, engine => engine.tenant_names().await)?;
        names.iter().map(|name| rows::stored(TenantId::parse(name))).collect()
    }

    /// Notes how far retention is, for the vital signs.
    pub fn note_retention(&self, note: impl FnOnce(&mut RetentionVitals)) {
        on_engine!(&self.0, engine => engine.counters().note_retention(note));
    }

    /// Name and version of the engine, such as `SQLite 3.51.3`.
    pub async fn engine_version(&self) -> Result<String, StoreError> {
        on_engine!(&self.0, engine => engine.engine_version().await)
    }
}
