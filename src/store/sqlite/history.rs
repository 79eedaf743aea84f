//! The versions of one observation, each with the time during which it stood.

use sqlx::Row;

use super::Sqlite;
use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;
use crate::protocol::aggregator::RecordRow;
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::observed::{key_of, values_of};
use crate::store::pager::Pager;
use crate::store::record_row::{Stood, compose_version};
use crate::store::tenants::Tenant;

/// Turns that were written down, or the only version there is. Binds: profile and observation, three times; the
/// position; the limit.
pub(super) const HISTORY: &str = "
    WITH turns (seen_ms, record) AS (
        SELECT v.seen_ms, v.record FROM revisions v WHERE v.profile = ? AND v.observation = ?
        UNION ALL
        SELECT min(u.started_ms, b.received_ms), r.id FROM records r INDEXED BY records_standing
        JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
        WHERE r.profile = ? AND r.observation = ? AND r.replaced IS NULL
            AND NOT EXISTS (SELECT 1 FROM revisions v WHERE v.profile = ? AND v.observation = ?))
    SELECT t.seen_ms, r.body, b.received_ms,
        (SELECT min(n.seen_ms) FROM turns n WHERE n.seen_ms > t.seen_ms) AS until_ms
    FROM turns t JOIN records r ON r.id = t.record JOIN batches b ON b.id = r.batch
    WHERE t.seen_ms > ? ORDER BY t.seen_ms LIMIT ?";

impl Sqlite {
    pub(in crate::store) async fn history(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        dims: &[(String, String)],
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        let find = sqlx::query("SELECT id, keyed_by FROM profiles WHERE tenant_id = ? AND profile_id = ?");
        let found = find.bind(tenant.0).bind(id.as_str()).fetch_optional(&self.readers).await?;
        let found = found.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
        let profile: i64 = found.try_get(0)?;
        let key = key_of(id, found.try_get(1)?).ok_or_else(|| StoreError::NoKey(id.clone()))?;
        let observation = wanted(&key, dims)?;
        let mut pager = Pager::new(page, i64::MIN, false)?;
        while let Some(chunk) = pager.next_chunk() {
            let mut query = sqlx::query(HISTORY);
            for _ in 0..3 {
                query = query.bind(profile).bind(&observation[..]);
            }
            let rows = query.bind(pager.position()).bind(chunk).fetch_all(&self.readers).await?;
            pager.got(rows.len());
            for row in &rows {
                let stood = Stood { from_ms: row.try_get(0)?, until_ms: row.try_get(3)? };
                let item = compose_version(row.try_get(1)?, id.as_str(), row.try_get(2)?, stood)?;
                pager.pass(stood.from_ms, Some(item));
            }
        }
        Ok(pager.finish())
    }
}

fn wanted(key: &ObservationKey, dims: &[(String, String)]) -> Result<[u8; 16], StoreError> {
    let values = values_of(key, dims)?;
    key.of_values(&values).ok_or_else(|| StoreError::Engine("a key has another number of dims than values".into()))
}
