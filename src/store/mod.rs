//! The store: the only SQL of the project. Keeps profiles, drones, runs, records and reports, each row a tenant's;
//! knows no actor, no HTTP and no clock (the time is always passed in).
//!
//! An answer means committed. One writer takes all writes and commits them in groups; readers go beside it. What the
//! engine is stands behind `Engine`; above it only types of the protocol are spoken.

mod error;
mod id_set;
mod lock;
mod observed;
mod record_row;
mod record_set;
mod revisions;
mod run_facts;
mod settings;
mod spool;
mod sqlite;
mod tenant;
mod types;
mod vitals;

use std::sync::Arc;
use std::time::Duration;

pub use error::StoreError;
pub use lock::FileLock;
pub use settings::StoreSettings;
pub use spool::{Pushed, Spool, SpoolSettings, SpoolStats, Spooled};
pub use tenant::TenantStore;
pub use types::{NewVersion, SavedDrone};
pub use vitals::StoreVitals;

use crate::domain::ids::TenantId;
use sqlite::Sqlite;

/// An open store. Clones are the same store.
#[derive(Debug, Clone)]
pub struct Store(Engine);

/// The engines, one variant each; every method of a tenant's store matches on it.
#[derive(Debug, Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
}

impl Store {
    /// Opens the database and brings it to the newest layout. Creates folder and file where there are none; refuses,
    /// and leaves as it is, a file that is damaged, not ours, or of a newer release.
    pub async fn open(settings: &StoreSettings) -> Result<Self, StoreError> {
        Ok(Self(Engine::Sqlite(Arc::new(Sqlite::open(settings).await?))))
    }

    /// The store as one tenant sees it: there is no other way to a row.
    pub fn tenant(&self, tenant: &TenantId) -> TenantStore {
        TenantStore::new(self.0.clone(), tenant.clone())
    }

    /// Takes nothing new, answers what was accepted, writes everything back, closes. The error says that `deadline`
    /// was not enough; what was answered is stored all the same.
    pub async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.close(deadline).await,
        }
    }

    /// For metrics and readiness.
    pub fn vitals(&self) -> StoreVitals {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.vitals(),
        }
    }

    /// Resolves when the writer crashed too often and will not come back, and never otherwise: the node should then
    /// escalate.
    pub async fn gave_up(&self) {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.gave_up().await,
        }
    }

    /// Names this database for ever; a new one has another name.
    pub async fn store_id(&self) -> Result<String, StoreError> {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.store_id().await,
        }
    }

    /// Name and version of the engine, such as `SQLite 3.51.3`.
    pub async fn engine_version(&self) -> Result<String, StoreError> {
        match &self.0 {
            Engine::Sqlite(sqlite) => sqlite.engine_version().await,
        }
    }
}
