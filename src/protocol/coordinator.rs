//! The coordinator's contract: drones join, beat and ask for their work; operators look, drain and run now.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::calls;
use super::enrolment::DroneKeyView;
use super::paging::{Page, PageRequest};
use crate::domain::digest::Digest;
use crate::domain::fleet::{DroneState, Labels};
use crate::domain::ids::{DroneId, ProfileId, RunId, TenantId};

/// What a drone says when it joins. Joining again is harmless and refreshes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DroneHello {
    #[schema(value_type = String)]
    pub drone_id: DroneId,
    /// Program version of the drone.
    #[serde(default)]
    pub version: String,
    #[serde(default)]
    pub labels: Labels,
    /// Unix milliseconds by the drone's own clock, to see its skew.
    #[serde(default)]
    pub clock_ms: Option<i64>,
    /// Names this process: another one with the same id is told from a restart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Names of the secrets that it holds, never a value. Absent: it is taken to have all that are needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeSet<String>>,
    /// The most profiles that it takes; absent: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Its share compared with other drones, 1 (the usual) to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

impl DroneHello {
    /// What a control plane of the release before understands.
    pub fn plain(self) -> Self {
        Self { instance: None, secrets: None, capacity: None, weight: None, ..self }
    }
}

/// What a drone should know after joining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Registered {
    /// Milliseconds between beats.
    pub heartbeat_ms: u64,
    /// Without a beat for this long the drone's work goes to others.
    pub lease_ms: u64,
    /// Unix milliseconds by the coordinator's clock.
    pub server_ms: i64,
    /// Names the store. What a drone knows of a source's last answer holds only for the store that has it.
    #[serde(default)]
    pub store_id: String,
    /// The process that was registered, where the coordinator tells processes apart; then beats may carry it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Beat {
    #[schema(value_type = String)]
    pub drone_id: DroneId,
    #[serde(default)]
    pub clock_ms: Option<i64>,
    /// Profiles it holds an actor for.
    #[serde(default)]
    pub profiles: u32,
    /// Runs in progress.
    #[serde(default)]
    pub running: u32,
    /// Batches in its spool that are not acknowledged yet.
    #[serde(default)]
    pub spooled: u64,
    /// Batches lost at the spool's bound since it started.
    #[serde(default)]
    pub spool_dropped: u64,
    /// Run-now requests whose run was carried out and spooled.
    #[serde(default)]
    #[schema(value_type = Vec<i64>)]
    pub done_requests: Vec<i64>,
    /// Replay requests that were carried out, their runs spooled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<i64>)]
    pub done_replays: Vec<i64>,
    /// Runs whose raw answers it keeps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept_runs: u64,
    /// Their bytes on disk, compressed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept_bytes: u64,
    /// The process that beats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Counts its beats from 1: one that comes late or twice is passed over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u64,
}

/// A control plane of the release before knows nothing of kept answers; it is told of them only where there are any.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BeatReply {
    /// False: the coordinator does not know this drone; it must register again.
    pub known: bool,
    /// Grows whenever the drone's work may have changed.
    pub revision: u64,
    pub server_ms: i64,
    /// The drone should make a new key of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotate_key: bool,
    /// True: another process has joined under this id since, and is alive. This one must stop.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
}

/// One profile version that a drone should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Names the lease. A later lease of any profile has a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// A run asked for by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunRequest {
    pub request_id: i64,
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
}

/// All that a drone should do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Work {
    pub revision: u64,
    pub assignments: Vec<Assignment>,
    pub run_now: Vec<RunRequest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<ReplayRequest>,
}

/// Kept answers to be read again, by the version that was current when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayRequest {
    pub request_id: i64,
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    #[schema(value_type = String)]
    pub digest: Digest,
    #[serde(flatten)]
    pub of: ReplayOf,
}

/// Which kept runs are replayed: all, or those that meet every given condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayOf {
    /// Unix milliseconds of the run's start, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Unix milliseconds of the run's start, exclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub run_id: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DroneView {
    #[schema(value_type = String)]
    pub drone_id: DroneId,
    pub state: DroneState,
    pub version: String,
    pub labels: Labels,
    pub registered_ms: i64,
    pub last_seen_ms: i64,
    /// The drone's clock minus the coordinator's, as of the last beat, in milliseconds.
    pub clock_skew_ms: Option<i64>,
    pub assigned: u32,
    pub running: u32,
    pub spooled: u64,
    pub spool_dropped: u64,
    /// Runs whose raw answers it keeps, as of the last beat.
    #[serde(default)]
    pub kept_runs: u64,
    /// Their bytes on disk, compressed.
    #[serde(default)]
    pub kept_bytes: u64,
    /// Its own key; absent where it works with the shared one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<DroneKeyView>,
    /// The most profiles that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Its share compared with others; absent: that of a coordinator of the release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Names of the secrets that it holds; absent: it does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<BTreeSet<String>>,
    /// When another process gave a sign of life under this id, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin_ms: Option<i64>,
    /// Beats that came late or twice and were passed over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stale_beats: u64,
}

/// Who runs a profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlacementView {
    /// The drones that run it, each with the epoch of its lease.
    pub leases: Vec<LeaseView>,
    /// On how many drones it should run; 0: it is not enabled.
    pub wanted: u32,
    /// Why it runs on fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The drone that it is kept on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub pinned_to: Option<DroneId>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LeaseView {
    #[schema(value_type = String)]
    pub drone_id: DroneId,
    pub epoch: u64,
}

/// A profile that runs on too few drones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Unplaced {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DroneStats {
    pub online: u32,
    pub draining: u32,
    pub offline: u32,
    /// Enabled profiles that some live drone runs.
    pub assigned_profiles: u32,
    /// Enabled profiles that no live drone can run.
    pub unassigned_profiles: u32,
    pub pending_run_requests: u32,
    /// Live drones whose clock is more than five minutes off.
    #[serde(default)]
    pub skewed_clocks: u32,
    /// Replays that drones have not carried out yet.
    #[serde(default)]
    pub pending_replays: u32,
    /// The first profiles that run on too few drones, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unplaced: Vec<Unplaced>,
    /// Drones whose id another process has used in the last minutes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub twins: Vec<DroneId>,
}

/// Which drone a run-now request went to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunRequested {
    pub request_id: i64,
    #[schema(value_type = Option<String>)]
    pub drone_id: Option<DroneId>,
}

/// One request for each drone that may keep answers of the profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplaysRequested {
    pub requests: Vec<RunRequested>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Register {
    pub tenant: TenantId,
    pub hello: DroneHello,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    pub tenant: TenantId,
    pub beat: Beat,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetWork {
    pub tenant: TenantId,
    pub drone_id: DroneId,
    /// Where this is still the revision, the answer is that with empty lists: asking often costs nothing.
    #[serde(default)]
    pub seen: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListDrones {
    pub tenant: TenantId,
    pub page: PageRequest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDrone {
    pub tenant: TenantId,
    pub drone_id: DroneId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDroneStats {
    pub tenant: TenantId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DrainDrone {
    pub tenant: TenantId,
    pub drone_id: DroneId,
    pub draining: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunNow {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
}

/// Asks every live drone to read its kept answers of a profile again, by the profile's current version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replay {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
    #[serde(default)]
    pub of: ReplayOf,
}

/// Keeps a profile on one drone; without a drone, on none in particular.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PinProfile {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
    #[serde(default)]
    pub drone_id: Option<DroneId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetPlacement {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
}

/// Tells the coordinator that profiles changed, so that it need not wait for its next look.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfilesChanged {
    pub tenant: TenantId,
}

calls! {
    Register        => Registered,       "/internal/coordinator/register", repeatable;
    Heartbeat       => BeatReply,        "/internal/coordinator/heartbeat", repeatable;
    GetWork         => Work,             "/internal/coordinator/get-work", read;
    ListDrones      => Page<DroneView>,  "/internal/coordinator/list-drones", read;
    GetDrone        => DroneView,        "/internal/coordinator/get-drone", read;
    GetDroneStats   => DroneStats,       "/internal/coordinator/get-drone-stats", read;
    DrainDrone      => DroneView,        "/internal/coordinator/drain-drone", repeatable;
    RunNow          => RunRequested,     "/internal/coordinator/run-now", once;
    Replay          => ReplaysRequested, "/internal/coordinator/replay", once;
    PinProfile      => PlacementView,    "/internal/coordinator/pin-profile", repeatable;
    GetPlacement    => PlacementView,    "/internal/coordinator/get-placement", repeatable;
    ProfilesChanged => super::call::Done, "/internal/coordinator/profiles-changed", repeatable;
}
