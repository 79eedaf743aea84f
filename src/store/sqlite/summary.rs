//! The summary, from counters that the ingest keeps: as cheap with ten million records as with none.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::runs::{shown, stored};
use super::tenants::Tenant;
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::protocol::aggregator::{ProfileCounts, Summary};
use crate::store::error::StoreError;
use crate::store::run_facts::state_of;

impl Sqlite {
    pub(in crate::store) async fn summary(&self, tenant: Tenant) -> Result<Summary, StoreError> {
        let text = "SELECT p.profile_id, c.*, r.state FROM profiles p JOIN counters c ON c.profile = p.id
            LEFT JOIN runs r ON r.id = c.last_run
            WHERE p.tenant_id = ? AND c.last_received_ms IS NOT NULL ORDER BY p.profile_id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
        let mut summary = Summary {
            records: 0,
            replaced: 0,
            results: 0,
            runs: 0,
            runs_by_state: RunState::ALL.into_iter().map(|state| (state.as_str().to_owned(), 0)).collect(),
            last_received_ms: None,
            findings: self.finding_counts(tenant).await?,
            profiles: Vec::with_capacity(rows.len()),
        };
        for row in &rows {
            let counts = read_counts(row, &mut summary.runs_by_state)?;
            summary.records += counts.records;
            summary.replaced += counts.replaced;
            summary.results += counts.results;
            summary.runs += counts.runs;
            summary.last_received_ms = summary.last_received_ms.max(counts.last_received_ms);
            summary.profiles.push(counts);
        }
        Ok(summary)
    }
}

fn read_counts(row: &SqliteRow, by_state: &mut BTreeMap<String, u64>) -> Result<ProfileCounts, StoreError> {
    let mut runs = 0;
    for state in RunState::ALL {
        let count = shown(row.try_get(state.as_str())?);
        runs += count;
        *by_state.entry(state.as_str().to_owned()).or_default() += count;
    }
    Ok(ProfileCounts {
        profile_id: stored(ProfileId::parse(row.try_get("profile_id")?))?,
        records: shown(row.try_get("records")?),
        replaced: shown(row.try_get("replaced")?),
        results: shown(row.try_get("results")?),
        runs,
        last_run_state: row.try_get::<Option<i64>, _>("state")?.and_then(state_of),
        last_received_ms: row.try_get("last_received_ms")?,
    })
}
