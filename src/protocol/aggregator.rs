//! The aggregator's contract: batches in, exactly once; records, results, runs and a summary out.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::call::calls;
use super::paging::{Page, PageRequest};
use crate::domain::drift::{Change, Fate};
use crate::domain::ids::{DroneId, ProfileId, RunId, TenantId};
use crate::domain::rejects::RejectCount;
use crate::domain::retention::Retention;
use crate::domain::run::RunState;

pub use super::batch::{Batch, BatchError};

/// A record that was not stored, with its place in the batch and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejected {
    /// Index in `data`, from 0.
    pub index: u32,
    pub reason: String,
    /// The record as it was sent, cut at 400 characters.
    #[serde(default)]
    pub excerpt: String,
}

/// What was committed. `inserted + known + rejected` is the number of records in the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    #[schema(value_type = String)]
    pub run_id: RunId,
    /// Records that were new.
    pub inserted: u32,
    /// Records that the store held already (or that the batch holds twice).
    pub known: u32,
    /// Observations of which another version stands now, or stood in the past, than was known before.
    #[serde(default)]
    pub revised: u32,
    pub rejected: u32,
    /// The first of the rejected; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejects: Vec<Rejected>,
    /// True when this batch had been stored before: nothing was written now, the counts are of then.
    pub replayed: bool,
    /// Records that are held until the run was judged, or somebody decides.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u32,
    /// Of a run's last batch: how its shape was judged, where there is something to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftTold>,
    /// Runs whose held records had to go to make room, or for their age.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub discarded: Vec<RunId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How a run's shape was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DriftTold {
    /// False: there are changes that are only to be noted.
    pub drifted: bool,
    pub changes: Vec<Change>,
    /// What became of the run's records, where they were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
}

impl DriftTold {
    /// Whether the run's records were not stored, so that nothing may build on them.
    pub fn keeps_back(&self) -> bool {
        matches!(self.fate, Some(Fate::Waiting | Fate::Failed | Fate::Discarded))
    }
}

/// One stored record as JSON text: `record_id`, `profile_id`, `first_seen_ms`, `dims`, `measures`; for a result
/// `run_id`, `drone_id` and `seen_ms` beside them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordRow(pub Box<RawValue>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    #[schema(value_type = String)]
    pub run_id: RunId,
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    #[schema(value_type = String)]
    pub drone_id: DroneId,
    pub state: RunState,
    /// Unix milliseconds by the drone's clock, where it told them; else of the first batch's arrival. Of a replay: when
    /// its answers came, less than a second behind the run that fetched them; `received_ms` says when it was made.
    pub started_ms: i64,
    pub finished_ms: Option<i64>,
    /// Unix milliseconds by the store's clock of the last batch.
    pub received_ms: i64,
    pub profile_digest: Option<String>,
    pub batches: u64,
    pub inserted: u64,
    pub known: u64,
    pub rejected: u64,
    pub requests: u64,
    pub bytes: u64,
    pub rows: u64,
    pub dropped: u64,
    /// Observations that changed with this run.
    #[serde(default)]
    pub revised: u64,
    pub error: Option<String>,
    /// The run whose kept answers were read again; absent where the source was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub replay_of: Option<RunId>,
    /// Rows that failed, and records that were refused; `rejects` has the first of them.
    #[serde(default)]
    pub failed_rows: u64,
    /// Where they are told: `/api/runs/{id}/rejects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
    /// The run looked other than those before it.
    #[serde(default)]
    pub drifted: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What became of its records, where they were held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Fate>,
    /// Records that it saw and that retention has removed since; told of one run, not in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<u64>,
}

/// A row that failed, or a record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectView {
    pub reason: String,
    /// What it says, cut at 400 characters.
    pub excerpt: String,
    /// Index in the post, of a record that was refused there; absent for a row of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
}

/// What is known of the rows of a run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectsPage {
    /// All that failed.
    pub total: u64,
    /// By reason.
    pub counts: Vec<RejectCount>,
    /// How many were kept of the run: the first of each reason.
    pub kept: u64,
    pub items: Vec<RejectView>,
    /// Cursor of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Every record, earlier versions included.
    pub records: u64,
    /// Records of which another version stands now.
    #[serde(default)]
    pub replaced: u64,
    /// Records that retention has removed, ever.
    #[serde(default)]
    pub expired: u64,
    /// Facts that a run saw a record.
    pub results: u64,
    pub runs: u64,
    pub runs_by_state: std::collections::BTreeMap<String, u64>,
    pub last_received_ms: Option<i64>,
    /// Runs that drifted, and what waits in quarantine.
    #[serde(default)]
    pub findings: FindingCounts,
    /// Profiles that have records or runs, by id.
    pub profiles: Vec<ProfileCounts>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingCounts {
    /// Runs that drifted, ever.
    pub drifted_runs: u64,
    /// Rows that failed and records that were refused, ever.
    pub failed_rows: u64,
    /// Runs that wait in quarantine now.
    pub waiting_runs: u64,
    /// Bytes of records that are held now, compressed.
    pub held_bytes: u64,
    /// Runs whose held records were discarded, ever.
    pub discarded_runs: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileCounts {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    pub records: u64,
    #[serde(default)]
    pub replaced: u64,
    pub results: u64,
    pub runs: u64,
    pub last_run_state: Option<RunState>,
    pub last_received_ms: Option<i64>,
    /// Records that retention has removed, ever.
    #[serde(default)]
    pub expired: u64,
    /// A read as of an earlier time, in Unix milliseconds, is refused: records that stood then were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_ms: Option<i64>,
}

/// What the store may let go of a profile, what the next pass would, and what passes have so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionView {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    /// In force, or asked about. Empty: everything is kept.
    pub rule: Retention,
    pub would_remove: RetentionPlan,
    /// Records that were removed, ever.
    pub expired: u64,
    /// A read as of an earlier time, in Unix milliseconds, is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_ms: Option<i64>,
}

/// What would go, at most: a version stays while one before it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionPlan {
    /// All of the three below.
    pub records: u64,
    pub by_age: u64,
    pub by_versions: u64,
    pub by_count: u64,
    pub runs: u64,
}

/// Narrow a list of records or results. All given conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordFilter {
    pub profile_id: Option<ProfileId>,
    pub drone_id: Option<DroneId>,
    pub run_id: Option<RunId>,
    /// Unix milliseconds, inclusive.
    pub since_ms: Option<i64>,
    /// `dims.geo.state` equals text, each a pair of path and value.
    pub dims: Vec<(String, String)>,
    /// Of several versions of an observation, which; for records only.
    #[serde(default)]
    pub versions: Versions,
}

/// Which versions of an observation a list of records shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Versions {
    /// What stands now.
    #[default]
    Latest,
    All,
    /// What stood at this time, in Unix milliseconds.
    AsOf(i64),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFilter {
    pub profile_id: Option<ProfileId>,
    pub drone_id: Option<DroneId>,
    pub state: Option<RunState>,
    #[serde(default)]
    pub quarantine: Option<Fate>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoreBatch {
    pub tenant: TenantId,
    pub batch: Batch,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRecords {
    pub tenant: TenantId,
    pub filter: RecordFilter,
    pub page: PageRequest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListResults {
    pub tenant: TenantId,
    pub filter: RecordFilter,
    pub page: PageRequest,
}

/// The versions of one observation, the earliest first: each with the time from which on it stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetHistory {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
    /// Every dim of the profile's key, each a pair of path and value.
    pub dims: Vec<(String, String)>,
    pub page: PageRequest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRuns {
    pub tenant: TenantId,
    pub filter: RunFilter,
    pub page: PageRequest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetRun {
    pub tenant: TenantId,
    pub run_id: RunId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListRejects {
    pub tenant: TenantId,
    pub run_id: RunId,
    pub page: PageRequest,
}

/// Says what becomes of the records of a run that waits in quarantine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettleRun {
    pub tenant: TenantId,
    pub run_id: RunId,
    /// False: they are discarded.
    pub release: bool,
}

/// What retention would remove of a profile now, under its own rule or another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetRetention {
    pub tenant: TenantId,
    pub profile_id: ProfileId,
    /// Absent: the rule in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Retention>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetSummary {
    pub tenant: TenantId,
}

calls! {
    StoreBatch  => Receipt,         "/internal/aggregator/store-batch", repeatable;
    ListRecords => Page<RecordRow>, "/internal/aggregator/list-records", read;
    ListResults => Page<RecordRow>, "/internal/aggregator/list-results", read;
    GetHistory  => Page<RecordRow>, "/internal/aggregator/get-history", read;
    ListRuns    => Page<RunView>,   "/internal/aggregator/list-runs", read;
    GetRun      => RunView,         "/internal/aggregator/get-run", read;
    ListRejects => RejectsPage,     "/internal/aggregator/list-rejects", read;
    SettleRun   => RunView,         "/internal/aggregator/settle-run", repeatable;
    GetRetention => RetentionView,  "/internal/aggregator/get-retention", read;
    GetSummary  => Summary,         "/internal/aggregator/get-summary", read;
}
