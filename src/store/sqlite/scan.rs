//! All records of a profile, one after another, for reports: in the order of arrival, in memory that does not grow.
//! Each chunk is a read of its own, so that a long scan never holds the log back.

use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use sqlx::Row;

use super::Sqlite;
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::tenants::Tenant;

const CHUNK: i64 = 10_000;

pub(super) const RECORDS_OF_PROFILE: &str =
    "SELECT id, body FROM records INDEXED BY records_of_profile WHERE profile = ? AND id > ? ORDER BY id LIMIT ?";

impl Sqlite {
    pub(in crate::store) async fn scan_records(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        mut on_record: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let profile = self.profile_row(tenant, id).await?;
        let profile = profile.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
        let mut position = 0_i64;
        loop {
            let mut rows =
                sqlx::query(RECORDS_OF_PROFILE).bind(profile).bind(position).bind(CHUNK).fetch(&self.readers);
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
