//! All records of a profile, one after another, for reports: in the order of arrival, in memory that does not grow.
//! Each chunk is a read of its own, so that a long scan never holds back what the server may tidy up. Where kept answers
//! were replayed, they come in the order in which the source was asked, without those that a replay has replaced.

use std::ops::ControlFlow;

use sqlx::{Row, query};

use super::Postgres;
use super::history::not_kept;
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::superseded::Superseded;
use crate::store::tenants::Tenant;

const CHUNK: i64 = 1_000;

const RECORDS_OF_PROFILE: &str = "SELECT id, body FROM records WHERE profile = $1 AND id > $2 ORDER BY id LIMIT $3";

/// Of replayed profiles: batches that brought records, in the order in which the source was asked.
const AS_OBSERVED: &str = "
    SELECT b.id, b.inserted FROM batches b JOIN runs u ON u.id = b.run
    WHERE b.profile = $1 AND b.inserted > 0 ORDER BY u.started_ms, b.id";

/// What these batches brought, in their order. The number 16 is `PLACE_BITS`.
const RECORDS_OF_BATCHES: &str = "
    SELECT r.id, r.body FROM unnest($2::bigint[]) WITH ORDINALITY AS w (batch, place)
    JOIN records r ON r.profile = $1 AND r.id >= w.batch << 16 AND r.id < (w.batch + 1) << 16
    ORDER BY w.place, r.id";

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
        if self.replayed_up_to(profile).await?.is_some() {
            return self.scan_as_observed(profile, on_record).await;
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

    /// Some batches at a time, so that no more records are held than in any other scan, or one batch's.
    async fn scan_as_observed(
        &self,
        profile: i64,
        mut on_record: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut superseded = Superseded::new(self);
        let batches = self.desk.all(query(AS_OBSERVED).bind(profile)).await?;
        let (mut some, mut records) = (Vec::new(), 0_i64);
        for (index, batch) in batches.iter().enumerate() {
            some.push(batch.try_get::<i64, _>(0)?);
            records += batch.try_get::<i64, _>(1)?;
            if records < CHUNK && index + 1 < batches.len() {
                continue;
            }
            records = 0;
            for row in self.desk.all(query(RECORDS_OF_BATCHES).bind(profile).bind(std::mem::take(&mut some))).await? {
                if !superseded.hides(profile, row.try_get(0)?).await? && on_record(row.try_get(1)?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
