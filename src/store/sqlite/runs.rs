//! Runs: the row behind a run's facts, one run, and the list of them, newest first.

use sqlx::Row;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use super::Sqlite;
use super::findings::Findings;
use super::lists::Pager;
use super::tenants::Tenant;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::run::RunState;
use crate::protocol::aggregator::{RunFilter, RunView};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::run_facts::{RunFacts, state_number, state_of};

type Bound<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// A run's row. `row` is absent until it is saved for the first time.
#[derive(Debug, Clone)]
pub(super) struct StoredRun {
    pub(super) row: Option<i64>,
    pub(super) profile: i64,
    pub(super) drone: i64,
    pub(super) profile_digest: Option<i64>,
    pub(super) facts: RunFacts,
}

impl StoredRun {
    /// Reads the columns of `runs`.
    pub(super) fn read(row: &SqliteRow) -> Result<Self, StoreError> {
        Ok(Self {
            row: Some(row.try_get("id")?),
            profile: row.try_get("profile")?,
            drone: row.try_get("drone")?,
            profile_digest: row.try_get("profile_digest")?,
            facts: read_facts(row)?,
        })
    }

    /// Binds the columns of `runs` in their order.
    pub(super) fn bind<'q>(&'q self, query: Bound<'q>, row: i64, tenant: Tenant, run_id: &'q RunId) -> Bound<'q> {
        let facts = &self.facts;
        let query = query.bind(row).bind(tenant.0).bind(run_id.as_str()).bind(self.profile);
        let query = query.bind(self.drone).bind(self.profile_digest).bind(state_number(facts.state));
        let query = query.bind(facts.started_ms).bind(facts.finished_ms).bind(facts.received_ms).bind(facts.batches);
        let query = query.bind(facts.inserted).bind(facts.known).bind(facts.rejected).bind(facts.requests);
        let query = query.bind(facts.bytes).bind(facts.rows).bind(facts.dropped).bind(facts.error.as_deref());
        query.bind(facts.revised)
    }
}

fn read_facts(row: &SqliteRow) -> Result<RunFacts, StoreError> {
    Ok(RunFacts {
        state: read_state(row)?,
        started_ms: row.try_get("started_ms")?,
        finished_ms: row.try_get("finished_ms")?,
        received_ms: row.try_get("received_ms")?,
        batches: row.try_get("batches")?,
        inserted: row.try_get("inserted")?,
        known: row.try_get("known")?,
        rejected: row.try_get("rejected")?,
        requests: row.try_get("requests")?,
        bytes: row.try_get("bytes")?,
        rows: row.try_get("rows")?,
        dropped: row.try_get("dropped")?,
        error: row.try_get("error")?,
        revised: row.try_get("revised")?,
    })
}

fn read_state(row: &SqliteRow) -> Result<RunState, StoreError> {
    let number: i64 = row.try_get("state")?;
    state_of(number).ok_or_else(|| StoreError::Engine(format!("a stored run has the unknown state {number}")))
}

macro_rules! select_runs {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT r.*, p.profile_id AS of_profile, d.name AS of_drone, v.name AS of_version,
             f.rejected AS f_rejected, f.drifted AS f_drifted, f.changes AS f_changes, f.fate AS f_fate FROM runs r ",
            $index,
            "
             CROSS JOIN profiles p ON p.id = r.profile CROSS JOIN names d ON d.id = r.drone
             LEFT JOIN names v ON v.id = r.profile_digest LEFT JOIN findings f ON f.run = r.id WHERE ",
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
        view(&row.ok_or_else(|| StoreError::UnknownRun(run_id.clone()))?)
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
                let run = view(&row)?;
                let wanted = filter.drone_id.as_ref().is_none_or(|drone| *drone == run.drone_id)
                    && filter.state.is_none_or(|state| state == run.state)
                    && filter.quarantine.is_none_or(|fate| run.quarantine == Some(fate));
                pager.pass(id, wanted.then_some(run));
            }
        }
        Ok(pager.finish())
    }
}

fn view(row: &SqliteRow) -> Result<RunView, StoreError> {
    let facts = read_facts(row)?;
    let run_id = stored(RunId::parse(row.try_get("run_id")?))?;
    let found = Findings::read(row, &run_id)?;
    Ok(RunView {
        run_id,
        profile_id: stored(ProfileId::parse(row.try_get("of_profile")?))?,
        drone_id: stored(DroneId::parse(row.try_get("of_drone")?))?,
        state: facts.state,
        started_ms: facts.started_ms,
        finished_ms: facts.finished_ms,
        received_ms: facts.received_ms,
        profile_digest: row.try_get("of_version")?,
        batches: shown(facts.batches),
        inserted: shown(facts.inserted),
        known: shown(facts.known),
        rejected: shown(facts.rejected),
        requests: shown(facts.requests),
        bytes: shown(facts.bytes),
        rows: shown(facts.rows),
        dropped: shown(facts.dropped),
        revised: shown(facts.revised),
        error: facts.error,
        failed_rows: found.failed_rows,
        rejects: found.rejects,
        drifted: found.drifted,
        changes: found.changes,
        quarantine: found.fate,
    })
}

/// A count; none is ever stored below 0.
pub(super) fn shown(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// An id that was checked before it was stored.
pub(super) fn stored<T>(id: Result<T, crate::domain::ids::IdError>) -> Result<T, StoreError> {
    id.map_err(|error| StoreError::Engine(format!("a stored id is not one: {error}")))
}
