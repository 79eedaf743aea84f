//! The list of records, in the order of their arrival.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use crate::protocol::aggregator::{RecordFilter, RecordRow};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::pager::Pager;
use crate::store::record_row::{WantedDims, compose};
use crate::store::tenants::Tenant;

macro_rules! select_records {
    ($from:literal) => {
        concat!(
            "SELECT r.id, r.body, b.received_ms, d.name, p.profile_id, p.tenant_id FROM ",
            $from,
            " CROSS JOIN batches b ON b.id = r.batch CROSS JOIN runs u ON u.id = b.run
              CROSS JOIN names d ON d.id = u.drone CROSS JOIN profiles p ON p.id = r.profile"
        )
    };
}

pub(super) const RECORDS: &str = concat!(select_records!("records r"), " WHERE r.id > ? ORDER BY r.id LIMIT ?");
pub(super) const RECORDS_OF_PROFILE: &str = concat!(
    select_records!("records r INDEXED BY records_of_profile"),
    " WHERE r.profile = ? AND r.id > ? ORDER BY r.id LIMIT ?"
);

impl Sqlite {
    /// Records by their first sighting: `since_ms`, `drone_id` and `run_id` speak of the batch that brought them.
    pub(in crate::store) async fn records(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        if filter.run_id.is_some() {
            return self.records_of_run(tenant, filter, page).await;
        }
        let none = || Ok(Page { items: Vec::new(), next: None });
        let profile = match &filter.profile_id {
            None => None,
            Some(id) => match self.profile_row(tenant, id).await? {
                None => return none(),
                found => found,
            },
        };
        let dims = WantedDims::new(&filter.dims);
        let filtered = !dims.is_empty() || filter.drone_id.is_some() || filter.since_ms.is_some();
        let mut pager = Pager::new(page, 0, filtered)?;
        while let Some(chunk) = pager.next_chunk() {
            let query = match profile {
                None => sqlx::query(RECORDS),
                Some(profile) => sqlx::query(RECORDS_OF_PROFILE).bind(profile),
            };
            let rows = query.bind(pager.position()).bind(chunk).fetch_all(&self.readers).await?;
            pager.got(rows.len());
            for row in &rows {
                let wanted = !pager.is_full() && matches(row, tenant, filter, &dims)?;
                let item =
                    if wanted { Some(compose(row.try_get(1)?, row.try_get(4)?, row.try_get(2)?, None)?) } else { None };
                pager.pass(row.try_get(0)?, item);
            }
        }
        Ok(pager.finish())
    }
}

fn matches(row: &SqliteRow, tenant: Tenant, filter: &RecordFilter, dims: &WantedDims) -> Result<bool, StoreError> {
    let owner: i64 = row.try_get(5)?;
    let first_seen_ms: i64 = row.try_get(2)?;
    let drone: &str = row.try_get(3)?;
    Ok(owner == tenant.0
        && filter.since_ms.is_none_or(|since_ms| first_seen_ms >= since_ms)
        && filter.drone_id.as_ref().is_none_or(|wanted| wanted.as_str() == drone)
        && dims.match_body(row.try_get(1)?))
}
