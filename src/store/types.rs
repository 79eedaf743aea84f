//! What goes into the store and has no message of its own in the protocol. Plain data, engine-neutral.

use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId};
use crate::domain::needs::{Needs, Offer};
use crate::protocol::registry::Origin;

/// Runs that may wait to be carried out, for each tenant.
pub(super) const MAX_RUN_REQUESTS: usize = 1_000;

/// Replays that may wait to be carried out, for each tenant; one for each drone.
pub(super) const MAX_REPLAY_REQUESTS: usize = 100_000;
/// A drone that does not come back for this long is waited for no more.
pub(super) const MAX_REPLAY_AGE_MS: i64 = 7 * 86_400_000;

/// A version of a profile that was checked and is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    pub id: ProfileId,
    pub name: String,
    /// The author's own version text.
    pub version: String,
    /// Digest of `yaml`: names this version.
    pub digest: Digest,
    pub yaml: String,
    /// Dims that identify an observation, such as `dims.geo.fips`; empty: every record stands for itself.
    pub key: Vec<String>,
    /// What a drone must offer to run it.
    pub needs: Needs,
    /// `schedule.enabled` of the profile.
    pub enabled: bool,
    pub origin: Origin,
    /// File below the profiles folder, where it came from one.
    pub path: Option<String>,
}

/// A profile that should run, in its current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnabledProfile {
    pub id: ProfileId,
    pub digest: Digest,
    pub needs: Needs,
}

/// What is kept of a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDrone {
    pub drone_id: DroneId,
    pub version: String,
    pub offer: Offer,
    /// Unix milliseconds of its first registration; a later one does not move it.
    pub registered_ms: i64,
    /// Unix milliseconds.
    pub last_seen_ms: i64,
    pub draining: bool,
}
