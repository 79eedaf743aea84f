//! Runs: one, and the list of them, newest first.

use sqlx::{Row, query};

use super::Postgres;
use crate::domain::ids::RunId;
use crate::protocol::aggregator::{RunFilter, RunView};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::findings::run_view_with_findings;
use crate::store::pager::Pager;
use crate::store::tenants::Tenant;

macro_rules! select_runs {
    ($from:literal, $order:literal) => {
        concat!(
            "SELECT r.*, p.profile_id AS of_profile, d.name AS of_drone, v.name AS of_version, y.replay_of,
             f.rejected AS f_rejected, f.drifted AS f_drifted, f.changes AS f_changes, f.fate AS f_fate FROM (",
            $from,
            ") r JOIN profiles p ON p.id = r.profile JOIN names d ON d.id = r.drone
             LEFT JOIN names v ON v.id = r.profile_digest LEFT JOIN replays y ON y.run = r.id
             LEFT JOIN findings f ON f.run = r.id ",
            $order
        )
    };
}

const ONE_RUN: &str = select_runs!("SELECT * FROM runs WHERE tenant_id = $1 AND run_id = $2", "");
const RUNS: &str =
    select_runs!("SELECT * FROM runs WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3", "ORDER BY r.id DESC");
const RUNS_OF_PROFILE: &str =
    select_runs!("SELECT * FROM runs WHERE profile = $1 AND id < $2 ORDER BY id DESC LIMIT $3", "ORDER BY r.id DESC");

impl Postgres {
    pub(in crate::store) async fn run(&self, tenant: Tenant, run_id: &RunId) -> Result<RunView, StoreError> {
        let row = self.desk.optional(query(ONE_RUN).bind(tenant.0).bind(run_id.as_str())).await?;
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
            let ask = match profile {
                None => query(RUNS).bind(tenant.0),
                Some(profile) => query(RUNS_OF_PROFILE).bind(profile),
            };
            let rows = self.desk.all(ask.bind(pager.position()).bind(chunk)).await?;
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
