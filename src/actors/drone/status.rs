//! What a drone says of itself to whoever stands before its box: answered by its actors, shown by `chartly-drone status`.

use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};

use super::Drone;
use super::scheduler::{GetPlans, Scheduler};
use super::session::{GetStanding, Session};
use crate::domain::ids::DroneId;
use crate::runtime::{AskError, Handle};
use crate::store::Spool;

/// The whole of it. Times are Unix milliseconds.
#[derive(Debug, Serialize, Deserialize)]
pub struct DroneStatus {
    pub drone_id: String,
    pub version: String,
    pub now_ms: i64,
    pub control_plane: Standing,
    /// Batches that wait, and their bytes (compressed).
    pub spooled: u64,
    pub spooled_bytes: u64,
    pub spooled_since_ms: Option<i64>,
    /// Batches lost at the bounds since the spool was made.
    pub spool_dropped: u64,
    /// Hosts that are taken for down.
    pub hosts_shut: usize,
    /// By id.
    pub profiles: Vec<ProfileStatus>,
}

/// How the drone stands with its control plane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Standing {
    pub url: String,
    pub joined: bool,
    /// Attempts in a row that came to nothing, and what the last one met.
    pub failures: u32,
    pub last_fault: Option<String>,
    /// Another process works under this drone's id.
    pub superseded: bool,
    /// The coordinator's clock minus the drone's, as far as it was told.
    pub clock_skew_ms: Option<i64>,
}

/// One profile that the drone runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfileStatus {
    pub profile_id: String,
    /// Digest of the version.
    pub digest: String,
    pub host: String,
    pub running_since_ms: Option<i64>,
    /// Absent while it runs.
    pub next_ms: Option<i64>,
    /// Runs in a row that failed.
    pub failures: u32,
    /// The last run since the drone's start.
    pub last: Option<LastRun>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastRun {
    pub ended_ms: i64,
    pub state: String,
    pub error: Option<String>,
}

/// Tells a drone's status, and holds up nothing when the drone stops.
#[derive(Debug)]
pub struct Teller {
    drone_id: DroneId,
    session: Handle<Session>,
    scheduler: Handle<Scheduler>,
    spool: Weak<Spool>,
}

impl Drone {
    pub fn teller(&self) -> Teller {
        Teller {
            drone_id: self.drone_id.clone(),
            session: self.session.clone(),
            scheduler: self.scheduler.clone(),
            spool: Arc::downgrade(&self.spool),
        }
    }
}

impl Teller {
    /// Asks the drone's parts. Fails while one of them restarts or is too busy to answer.
    pub async fn status(&self) -> Result<DroneStatus, AskError> {
        let standing = self.session.ask(GetStanding).await?;
        let plans = self.scheduler.ask(GetPlans).await?;
        let spool = match self.spool.upgrade() {
            Some(spool) => spool.stats().await.unwrap_or_default(),
            None => return Err(AskError::Down),
        };
        Ok(DroneStatus {
            drone_id: self.drone_id.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: plans.now_ms,
            control_plane: standing,
            spooled: spool.batches,
            spooled_bytes: spool.bytes,
            spooled_since_ms: spool.oldest_ms,
            spool_dropped: spool.dropped,
            hosts_shut: plans.hosts_shut,
            profiles: plans.profiles,
        })
    }
}
