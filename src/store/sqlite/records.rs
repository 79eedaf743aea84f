//! The list of records, in the order of their arrival.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::standing::{stands_now, stood_then};
use crate::protocol::aggregator::{RecordFilter, RecordRow, Versions};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::pager::Pager;
use crate::store::record_row::{WantedDims, compose};
use crate::store::tenants::Tenant;

/// Every record, or those of a profile, behind a position; `$versions` narrows them to one version.
macro_rules! select_records {
    (all, $versions:expr) => {
        select_records!("records r", "r.id > ?", $versions)
    };
    (of_profile, $versions:expr) => {
        select_records!("records r INDEXED BY records_of_profile", "r.profile = ? AND r.id > ?", $versions)
    };
    ($from:literal, $condition:literal, $versions:expr) => {
        concat!(
            "SELECT r.id, r.body, b.received_ms, d.name, p.profile_id, p.tenant_id FROM ",
            $from,
            " CROSS JOIN batches b ON b.id = r.batch CROSS JOIN runs u ON u.id = b.run
              CROSS JOIN names d ON d.id = u.drone CROSS JOIN profiles p ON p.id = r.profile WHERE ",
            $condition,
            $versions,
            " ORDER BY r.id LIMIT ?"
        )
    };
}

pub(super) const LATEST: &str = select_records!(all, stands_now!());
pub(super) const LATEST_OF_PROFILE: &str = select_records!(of_profile, stands_now!());
pub(super) const ALL: &str = select_records!(all, "");
pub(super) const ALL_OF_PROFILE: &str = select_records!(of_profile, "");
pub(super) const AS_OF: &str = select_records!(all, stood_then!());
pub(super) const AS_OF_OF_PROFILE: &str = select_records!(of_profile, stood_then!());

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
            let rows = self.chunk(profile, filter.versions, pager.position(), chunk).await?;
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

    async fn chunk(
        &self,
        profile: Option<i64>,
        versions: Versions,
        position: i64,
        size: i64,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let query = match (versions, profile) {
            (Versions::Latest, None) => sqlx::query(LATEST),
            (Versions::Latest, Some(profile)) => sqlx::query(LATEST_OF_PROFILE).bind(profile),
            (Versions::All, None) => sqlx::query(ALL),
            (Versions::All, Some(profile)) => sqlx::query(ALL_OF_PROFILE).bind(profile),
            (Versions::AsOf(_), None) => sqlx::query(AS_OF),
            (Versions::AsOf(_), Some(profile)) => sqlx::query(AS_OF_OF_PROFILE).bind(profile),
        };
        let query = query.bind(position);
        let query = match versions {
            Versions::AsOf(time_ms) => query.bind(time_ms).bind(time_ms),
            _ => query,
        };
        Ok(query.bind(size).fetch_all(&self.readers).await?)
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
