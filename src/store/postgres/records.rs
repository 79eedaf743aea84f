//! The list of records, in the order of their arrival. Of one profile it goes by the index of its records; of all, and of
//! a run, by the batches that brought them.

use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::Postgres;
use super::standing::{stands_now, stood_then};
use crate::protocol::aggregator::{RecordFilter, RecordRow, Versions};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::pager::Pager;
use crate::store::record_row::{WantedDims, compose};
use crate::store::sightings::Shown;
use crate::store::superseded::Superseded;
use crate::store::tenants::Tenant;

/// Binds: profile, id to go on after, rows. The number 16 is `PLACE_BITS`.
macro_rules! records_of_profile {
    ($from:literal, $versions:expr) => {
        concat!(
            "SELECT r.id, r.body, b.received_ms, d.name, p.profile_id FROM
                 (SELECT r.id, r.profile, r.body FROM records r ",
            $from,
            " WHERE r.profile = $1 AND r.id > $2",
            $versions,
            " ORDER BY r.id LIMIT $3) r
             JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run JOIN names d ON d.id = u.drone
             JOIN profiles p ON p.id = r.profile ORDER BY r.id"
        )
    };
}

const LATEST: &str = records_of_profile!("", stands_now!());
const ALL: &str = records_of_profile!("", "");
/// Binds also a time.
const AS_OF: &str =
    records_of_profile!("JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run", stood_then!("$4"));

impl Postgres {
    /// Records by their first sighting: `since_ms`, `drone_id` and `run_id` speak of the batch that brought them. Those
    /// that a replay has replaced are left out, unless a run is asked for.
    pub(in crate::store) async fn records(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        let profile = match &filter.profile_id {
            Some(id) if filter.run_id.is_none() => self.profile_row(tenant, id).await?,
            _ => return self.sightings(tenant, filter, page, Shown::Records).await,
        };
        let dims = WantedDims::new(&filter.dims);
        let filtered = !dims.is_empty() || filter.drone_id.is_some() || filter.since_ms.is_some();
        let mut pager = Pager::new(page, 0, filtered)?;
        let mut superseded = Superseded::new(self);
        let Some(profile) = profile else { return Ok(Page { items: Vec::new(), next: None }) };
        while let Some(chunk) = pager.next_chunk() {
            let ask = match filter.versions {
                Versions::Latest => query(LATEST).bind(profile).bind(pager.position()).bind(chunk),
                Versions::All => query(ALL).bind(profile).bind(pager.position()).bind(chunk),
                Versions::AsOf(time_ms) => query(AS_OF).bind(profile).bind(pager.position()).bind(chunk).bind(time_ms),
            };
            let rows = self.desk.all(ask).await?;
            pager.got(rows.len());
            for row in &rows {
                let wanted = !pager.is_full()
                    && matches(row, filter, &dims)?
                    && !superseded.hides(profile, row.try_get(0)?).await?;
                let item =
                    if wanted { Some(compose(row.try_get(1)?, row.try_get(4)?, row.try_get(2)?, None)?) } else { None };
                pager.pass(row.try_get(0)?, item);
            }
        }
        Ok(pager.finish())
    }
}

fn matches(row: &PgRow, filter: &RecordFilter, dims: &WantedDims) -> Result<bool, StoreError> {
    let first_seen_ms: i64 = row.try_get(2)?;
    let drone: &str = row.try_get(3)?;
    Ok(filter.since_ms.is_none_or(|since_ms| first_seen_ms >= since_ms)
        && filter.drone_id.as_ref().is_none_or(|wanted| wanted.as_str() == drone)
        && dims.match_body(row.try_get(1)?))
}
