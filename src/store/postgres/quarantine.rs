//! Runs are not judged by their shape on this engine yet, and no rows that failed are kept. Whoever asks for either is
//! refused: records that are to wait for a judgement are not stored without one, and "none" is not said of what nobody
//! looked for.

use super::Postgres;
use crate::domain::ids::RunId;
use crate::protocol::aggregator::{RejectsPage, RunView};
use crate::protocol::fault::{Code, Fault};
use crate::protocol::paging::PageRequest;
use crate::store::error::StoreError;
use crate::store::tenants::Tenant;

impl Postgres {
    pub(in crate::store) async fn rejects(
        &self,
        tenant: Tenant,
        run_id: &RunId,
        _page: &PageRequest,
    ) -> Result<RejectsPage, StoreError> {
        self.run(tenant, run_id).await?;
        let text = "rows that failed are not kept on PostgreSQL yet; the run itself says how many were dropped, or \
             keep the store on SQLite";
        Err(refused(text, "run_id"))
    }

    pub(in crate::store) async fn settle_run(
        &self,
        tenant: Tenant,
        run_id: &RunId,
        _release: bool,
        _now_ms: i64,
    ) -> Result<RunView, StoreError> {
        self.run(tenant, run_id).await?;
        let now = "no records are held on PostgreSQL yet".to_owned();
        Err(StoreError::NotQuarantined { run: run_id.clone(), now })
    }
}

/// Something asks for runs that are judged before their records count.
pub(super) fn not_judged(at: &str) -> StoreError {
    let text = "runs are not judged by their shape on PostgreSQL yet, so no records are held for it; let the profile \
         say drift: {then: keep}, or keep the store on SQLite";
    refused(text, at)
}

fn refused(text: &str, at: &str) -> StoreError {
    StoreError::Page(Fault::new(Code::InvalidRequest, text).at(at))
}
