//! All records of a profile, one after another, for reports: in the order of arrival, in memory that does not grow.
//! Each chunk is a read of its own, so that a long scan never holds back what the server may tidy up.

use std::ops::ControlFlow;

use sqlx::{Row, query};

use super::Postgres;
use super::history::not_kept;
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::tenants::Tenant;

const CHUNK: i64 = 1_000;

const RECORDS_OF_PROFILE: &str = "SELECT id, body FROM records WHERE profile = $1 AND id > $2 ORDER BY id LIMIT $3";

impl Postgres {
    pub(in crate::store) async fn scan_records(
        &self,
        tenant: Tenant,
        id: &ProfileId,
        as_of_ms: Option<i64>,
        mut on_record: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let profile = self.profile_row(tenant, id).await?;
        let profile = profile.ok_or_else(|| StoreError::UnknownProfile(id.clone()))?;
        if as_of_ms.is_some() {
            return Err(not_kept("as_of"));
        }
        let mut position = 0_i64;
        loop {
            let ask = query(RECORDS_OF_PROFILE).bind(profile).bind(position).bind(CHUNK);
            let rows = self.desk.all(ask).await?;
            for row in &rows {
                position = row.try_get(0)?;
                if on_record(row.try_get(1)?).is_break() {
                    return Ok(());
                }
            }
            if rows.len() < CHUNK as usize {
                return Ok(());
            }
        }
    }
}
