//! Versions of observations are not kept on this engine yet: each record stands for itself, as it does without a key. What
//! asks for versions is refused, so that nobody takes all of them for the one that stands.

use super::Postgres;
use crate::domain::ids::ProfileId;
use crate::protocol::aggregator::RecordRow;
use crate::protocol::fault::{Code, Fault};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::tenants::Tenant;

impl Postgres {
    pub(in crate::store) async fn history(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        _dims: &[(String, String)],
        _page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        self.profile_row(tenant, id).await?.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
        Err(not_kept("profile_id"))
    }
}

pub(super) fn not_kept(at: &str) -> StoreError {
    let text =
        "versions of observations are not kept on PostgreSQL yet; ask without as_of, or keep the store on SQLite";
    StoreError::Page(Fault::new(Code::InvalidRequest, text).at(at))
}
