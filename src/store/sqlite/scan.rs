//! All records of a profile, one after another, for reports: in the order of arrival, in memory that does not grow.
//! Each chunk is a read of its own, so that a long scan never holds the log back.

use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use sqlx::Row;

use super::Sqlite;
use super::standing::{stands_now, stood_then};
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::tenants::Tenant;

const CHUNK: i64 = 10_000;

pub(super) const LATEST: &str = concat!(
    "SELECT r.id, r.body FROM records r INDEXED BY records_of_profile WHERE r.profile = ? AND r.id > ?",
    stands_now!(),
    " ORDER BY r.id LIMIT ?"
);
pub(super) const AS_OF: &str = concat!(
    "SELECT r.id, r.body FROM records r INDEXED BY records_of_profile
     CROSS JOIN batches b ON b.id = r.batch CROSS JOIN runs u ON u.id = b.run WHERE r.profile = ? AND r.id > ?",
    stood_then!(),
    " ORDER BY r.id LIMIT ?"
);

impl Sqlite {
    pub(in crate::store) async fn scan_records(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        as_of_ms: Option<i64>,
        mut on_record: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let profile = self.profile_row(tenant, id).await?;
        let profile = profile.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
        let mut position = 0_i64;
        loop {
            let query = match as_of_ms {
                None => sqlx::query(LATEST).bind(profile).bind(position),
                Some(time_ms) => sqlx::query(AS_OF).bind(profile).bind(position).bind(time_ms).bind(time_ms),
            };
            let mut rows = query.bind(CHUNK).fetch(&self.readers);
            let mut taken = 0;
            while let Some(row) = rows.try_next().await? {
                position = row.try_get(0)?;
                taken += 1;
                if on_record(row.try_get(1)?).is_break() {
                    return Ok(());
                }
            }
            if taken < CHUNK {
                return Ok(());
            }
        }
    }
}
