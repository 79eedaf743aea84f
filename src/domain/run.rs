//! One execution of one profile version by one drone, as everyone speaks of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::drift::DriftRule;
use super::ids::RunId;
use super::rejects::Rejects;
use super::shape::RunShape;

/// Where a run stands. `Partial` hit a limit of its profile: what it stored is right, but it is not all.
/// `Unchanged` was told by the source that nothing changed since the last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Succeeded,
    Unchanged,
    Partial,
    Failed,
}

impl RunState {
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Unchanged, Self::Partial, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Unchanged => "unchanged",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        self != Self::Running
    }
}

/// What a drone tells of a run. Sent with its batches; the last one carries a final state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    pub state: RunState,
    /// Unix milliseconds by the drone's clock: when the source was asked. Of a replay that is the time of then, some
    /// milliseconds behind the run whose answers it reads, so that it comes after it and before all later ones.
    pub started_ms: i64,
    /// Unix milliseconds by the drone's clock; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_ms: Option<i64>,
    /// Digest of the profile version that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_digest: Option<String>,
    /// HTTP requests made to the source, retries included.
    #[serde(default)]
    pub requests: u64,
    /// Answer bytes after decompression.
    #[serde(default)]
    pub bytes: u64,
    /// Rows seen in the answers.
    #[serde(default)]
    pub rows: u64,
    /// Rows that gave no record: filtered, without a measure, or without a needed dim.
    #[serde(default)]
    pub dropped: u64,
    /// Why it failed or is partial, in words for the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run whose kept answers were read again; absent where the source was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub replay_of: Option<RunId>,
    /// Rows that failed: all counted, the first kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<Rejects>,
    /// What the rows looked like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<RunShape>,
    /// How the shape is to be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftRule>,
}
