//! Reading rows alike, whichever engine they come from. Macros where the rows' types differ; the columns have one set
//! of names and types on every engine.

use super::error::StoreError;
use super::run_facts::state_of;
use crate::domain::digest::Digest;
use crate::domain::needs::Needs;
use crate::domain::run::RunState;
use crate::protocol::registry::Origin;

/// The changing columns of `runs`, as `RunFacts`.
macro_rules! read_facts {
    ($row:expr) => {
        $crate::store::run_facts::RunFacts {
            state: $crate::store::rows::state($row.try_get("state")?)?,
            started_ms: $row.try_get("started_ms")?,
            finished_ms: $row.try_get("finished_ms")?,
            received_ms: $row.try_get("received_ms")?,
            batches: $row.try_get("batches")?,
            inserted: $row.try_get("inserted")?,
            known: $row.try_get("known")?,
            rejected: $row.try_get("rejected")?,
            requests: $row.try_get("requests")?,
            bytes: $row.try_get("bytes")?,
            rows: $row.try_get("rows")?,
            dropped: $row.try_get("dropped")?,
            error: $row.try_get("error")?,
            revised: $row.try_get("revised")?,
        }
    };
}

/// A run as it is shown, with nothing found of it, from the columns of `runs` and `of_profile`, `of_drone`, `of_version`,
/// `replay_of`.
macro_rules! run_view {
    ($row:expr) => {{
        let facts = $crate::store::rows::read_facts!($row);
        $crate::protocol::aggregator::RunView {
            run_id: $crate::store::rows::stored($crate::domain::ids::RunId::parse($row.try_get("run_id")?))?,
            profile_id: $crate::store::rows::stored($crate::domain::ids::ProfileId::parse(
                $row.try_get("of_profile")?,
            ))?,
            drone_id: $crate::store::rows::stored($crate::domain::ids::DroneId::parse($row.try_get("of_drone")?))?,
            state: facts.state,
            started_ms: facts.started_ms,
            finished_ms: facts.finished_ms,
            received_ms: facts.received_ms,
            profile_digest: $row.try_get("of_version")?,
            batches: $crate::store::rows::shown(facts.batches),
            inserted: $crate::store::rows::shown(facts.inserted),
            known: $crate::store::rows::shown(facts.known),
            rejected: $crate::store::rows::shown(facts.rejected),
            requests: $crate::store::rows::shown(facts.requests),
            bytes: $crate::store::rows::shown(facts.bytes),
            rows: $crate::store::rows::shown(facts.rows),
            dropped: $crate::store::rows::shown(facts.dropped),
            revised: $crate::store::rows::shown(facts.revised),
            error: facts.error,
            replay_of: $row
                .try_get::<Option<&str>, _>("replay_of")?
                .map(|id| $crate::store::rows::stored($crate::domain::ids::RunId::parse(id)))
                .transpose()?,
            failed_rows: 0,
            rejects: None,
            drifted: false,
            changes: Vec::new(),
            quarantine: None,
            expired: None,
        }
    }};
}

/// A profile as it is shown, from its row and that of a version.
macro_rules! profile_summary {
    ($row:expr) => {{
        let (enabled, paused): (bool, bool) = ($row.try_get("enabled")?, $row.try_get("paused")?);
        $crate::protocol::registry::ProfileSummary {
            id: $crate::store::rows::stored($crate::domain::ids::ProfileId::parse($row.try_get("profile_id")?))?,
            name: $row.try_get("name")?,
            version: $row.try_get("version")?,
            digest: $crate::store::rows::digest_of($row.try_get("digest")?)?,
            enabled: enabled && !paused,
            paused,
            origin: $crate::store::rows::origin_of($row.try_get("origin")?),
            path: $row.try_get("path")?,
            updated_ms: $row.try_get("updated_ms")?,
        }
    }};
}

pub(super) use {profile_summary, read_facts, run_view};

/// The longest text that is kept once for all rows that repeat it; a profile digest, the longest honest one, has 71.
const MAX_NAME_CHARS: usize = 128;

/// A text as the table of names keeps it.
pub(super) fn kept_name(text: &str) -> String {
    text.chars().take(MAX_NAME_CHARS).collect()
}

/// A count; none is ever stored below 0.
pub(super) fn shown(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// An id that was checked before it was stored.
pub(super) fn stored<T>(id: Result<T, crate::domain::ids::IdError>) -> Result<T, StoreError> {
    id.map_err(|error| StoreError::Engine(format!("a stored id is not one: {error}")))
}

pub(super) fn state(number: i64) -> Result<RunState, StoreError> {
    state_of(number).ok_or_else(|| StoreError::Engine(format!("a stored run has the unknown state {number}")))
}

pub(super) fn digest_of(bytes: &[u8]) -> Result<Digest, StoreError> {
    let bytes = bytes.try_into().map_err(|_| StoreError::Engine("a stored digest has not 32 bytes".into()))?;
    Ok(Digest::from_bytes(bytes))
}

/// What a version needs, as it is kept: nothing at all is null.
pub(super) fn needs_text(needs: &Needs) -> Option<String> {
    (*needs != Needs::default()).then(|| serde_json::to_string(needs).unwrap_or_default())
}

pub(super) fn needs_of(text: Option<&str>) -> Result<Needs, StoreError> {
    let broken = |error| StoreError::Engine(format!("stored needs do not read back: {error}"));
    text.map_or_else(|| Ok(Needs::default()), |text| serde_json::from_str(text).map_err(broken))
}

/// What a drone offers, from the columns of `drones`.
macro_rules! offer {
    ($row:expr) => {
        $crate::domain::needs::Offer {
            labels: $crate::store::rows::list_of($row.try_get("labels")?)?,
            secrets: $row
                .try_get::<Option<&str>, _>("secrets")?
                .map(|names| $crate::store::rows::list_of(names))
                .transpose()?,
            capacity: $row.try_get::<Option<i64>, _>("capacity")?.and_then(|most| u32::try_from(most).ok()),
            weight: u32::try_from($row.try_get::<i64, _>("weight")?).unwrap_or(1),
        }
    };
}

pub(super) use offer;

/// Labels or names that were written as JSON.
pub(super) fn list_of<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Engine(format!("what a drone offers does not read back: {error}")))
}

pub(super) fn list_text<T: serde::Serialize>(list: &T) -> Result<String, StoreError> {
    serde_json::to_string(list).map_err(|error| StoreError::Engine(error.to_string()))
}

pub(super) fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::Folder => "folder",
        Origin::Api => "api",
    }
}

pub(super) fn origin_of(text: &str) -> Origin {
    if text == "folder" { Origin::Folder } else { Origin::Api }
}
