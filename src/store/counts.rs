//! The summary from the counters that the ingest keeps: as cheap with ten million records as with none. Pure.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::rows::{shown, stored};
use super::run_facts::{state_number, state_of};
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::protocol::aggregator::{FindingCounts, ProfileCounts, Summary};

/// A profile's counters as they are stored.
#[derive(Debug)]
pub(super) struct CountsRow {
    pub(super) profile_id: String,
    pub(super) records: i64,
    pub(super) replaced: i64,
    pub(super) results: i64,
    /// Runs by the number of their state.
    pub(super) runs: [i64; 5],
    /// The state of its latest run.
    pub(super) state: Option<i64>,
    pub(super) last_received_ms: Option<i64>,
    pub(super) expired: i64,
    pub(super) horizon_ms: Option<i64>,
}

/// A row of `counters`, with `profile_id` and the `state` of the latest run.
macro_rules! read_counts {
    ($row:expr) => {
        Ok($crate::store::counts::CountsRow {
            profile_id: $row.try_get("profile_id")?,
            records: $row.try_get("records")?,
            replaced: $row.try_get("replaced")?,
            results: $row.try_get("results")?,
            runs: [
                $row.try_get("running")?,
                $row.try_get("succeeded")?,
                $row.try_get("unchanged")?,
                $row.try_get("partial")?,
                $row.try_get("failed")?,
            ],
            state: $row.try_get("state")?,
            last_received_ms: $row.try_get("last_received_ms")?,
            expired: $row.try_get("expired")?,
            horizon_ms: $row.try_get("horizon_ms")?,
        })
    };
}

pub(super) use read_counts;

/// Everything that is told of a tenant, from the counters of its profiles and what was found of its runs.
pub(super) fn summary_of(rows: Vec<CountsRow>, findings: FindingCounts) -> Result<Summary, StoreError> {
    let mut summary = Summary {
        records: 0,
        replaced: 0,
        expired: 0,
        results: 0,
        runs: 0,
        runs_by_state: RunState::ALL.into_iter().map(|state| (state.as_str().to_owned(), 0)).collect(),
        last_received_ms: None,
        findings,
        profiles: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        let counts = counts_of(&row, &mut summary.runs_by_state)?;
        summary.records += counts.records;
        summary.replaced += counts.replaced;
        summary.expired += counts.expired;
        summary.results += counts.results;
        summary.runs += counts.runs;
        summary.last_received_ms = summary.last_received_ms.max(counts.last_received_ms);
        summary.profiles.push(counts);
    }
    Ok(summary)
}

fn counts_of(row: &CountsRow, by_state: &mut BTreeMap<String, u64>) -> Result<ProfileCounts, StoreError> {
    let mut runs = 0;
    for state in RunState::ALL {
        let count = shown(row.runs[state_number(state) as usize]);
        runs += count;
        *by_state.entry(state.as_str().to_owned()).or_default() += count;
    }
    Ok(ProfileCounts {
        profile_id: stored(ProfileId::parse(&row.profile_id))?,
        records: shown(row.records),
        replaced: shown(row.replaced),
        results: shown(row.results),
        runs,
        last_run_state: row.state.and_then(state_of),
        last_received_ms: row.last_received_ms,
        expired: shown(row.expired),
        horizon_ms: row.horizon_ms,
    })
}
