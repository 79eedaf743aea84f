//! Runs: the row behind a run's facts, one run, and the list of them, newest first.

use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::Sqlite;
use crate::domain::ids::RunId;
use crate::protocol::aggregator::{RunFilter, RunView};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::findings::run_view_with_findings;
use crate::store::pager::Pager;
use crate::store::rows::read_facts;
use crate::store::run_facts::{StoredRun, state_number};
use crate::store::tenants::Tenant;

type Bound<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Reads the columns of `runs`.
pub(super) fn read_run(row: &SqliteRow) -> Result<StoredRun, StoreError> {
    Ok(StoredRun {
        row: Some(row.try_get("id")?),
        profile: row.try_get("profile")?,
        drone: row.try_get("drone")?,
        profile_digest: row.try_get("profile_digest")?,
        facts: read_facts!(row),
    })
}

/// Binds the columns of `runs` in their order.
pub(super) fn bind_run<'q>(
    run: &'q StoredRun,
    query: Bound<'q>,
    row: i64,
    tenant: Tenant,
    run_id: &'q RunId,
) -> Bound<'q> {
    let facts = &run.facts;
    let query = query.bind(row).bind(tenant.0).bind(run_id.as_str()).bind(run.profile);
    let query = query.bind(run.drone).bind(run.profile_digest).bind(state_number(facts.state));
    let query = query.bind(facts.started_ms).bind(facts.finished_ms).bind(facts.received_ms).bind(facts.batches);
    let query = query.bind(facts.inserted).bind(facts.known).bind(facts.rejected).bind(facts.requests);
    query.bind(facts.bytes).bind(facts.rows).bind(facts.dropped).bind(facts.error.as_deref()).bind(facts.revised)
}

macro_rules! select_runs {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT r.*, p.profile_id AS of_profile, d.name AS of_drone, v.name AS of_version, y.replay_of,
             f.rejected AS f_rejected, f.drifted AS f_drifted, f.changes AS f_changes, f.fate AS f_fate FROM runs r ",
            $index,
            "
             CROSS JOIN profiles p ON p.id = r.profile CROSS JOIN names d ON d.id = r.drone
             LEFT JOIN names v ON v.id = r.profile_digest LEFT JOIN replays y ON y.run = r.id
             LEFT JOIN findings f ON f.run = r.id WHERE ",
            $condition
        )
    };
}

const ONE_RUN: &str = select_runs!("", "r.tenant_id = ? AND r.run_id = ?");
pub(super) const RUNS: &str =
    select_runs!("INDEXED BY runs_of_tenant", "r.tenant_id = ? AND r.id < ? ORDER BY r.id DESC LIMIT ?");
pub(super) const RUNS_OF_PROFILE: &str = select_runs!(
    "INDEXED BY runs_of_profile",
    "r.tenant_id = ? AND r.profile = ? AND r.id < ? ORDER BY r.id DESC LIMIT ?"
);

impl Sqlite {
    pub(in crate::store) async fn run(&self, tenant: Tenant, run_id: &RunId) -> Result<RunView, StoreError> {
        let query = sqlx::query(ONE_RUN).bind(tenant.0).bind(run_id.as_str());
        let row = query.fetch_optional(&self.readers).await?;
        let row = row.ok_or_else(|| StoreError::UnknownRun(run_id.clone()))?;
        Ok(run_view_with_findings!(row))
    }

    pub(in crate::store) async fn runs(
        &self,
        tenant: Tenant,
        filter: &RunFilter,
        page: &PageRequest,
    ) -> Result<Page<RunView>, StoreError> {
        let filtered = filter.drone_id.is_some() || filter.state.is_some() || filter.quarantine.is_some();
        let mut pager = Pager::new(page, i64::MAX, filtered)?;
        let profile = match &filter.profile_id {
            None => None,
            Some(id) => match self.profile_row(tenant, id).await? {
                None => return Ok(Page { items: Vec::new(), next: None }),
                found => found,
            },
        };
        while let Some(chunk) = pager.next_chunk() {
            let query = match profile {
                None => sqlx::query(RUNS).bind(tenant.0),
                Some(profile) => sqlx::query(RUNS_OF_PROFILE).bind(tenant.0).bind(profile),
            };
            let rows = query.bind(pager.position()).bind(chunk).fetch_all(&self.readers).await?;
            pager.got(rows.len());
            for row in rows {
                let id = row.try_get("id")?;
                let run = run_view_with_findings!(row);
                let wanted = filter.drone_id.as_ref().is_none_or(|drone| *drone == run.drone_id)
                    && filter.state.is_none_or(|state| state == run.state)
                    && filter.quarantine.is_none_or(|fate| run.quarantine == Some(fate));
                pager.pass(id, wanted.then_some(run));
            }
        }
        Ok(pager.finish())
    }
}
