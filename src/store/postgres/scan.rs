//! All records of a profile, one after another, for reports: in the order of arrival, in memory that does not grow.
//! Each chunk is a read of its own, so that a long scan never holds back what the server may tidy up. Where kept answers
//! were replayed, they come in the order in which the source was asked, without those that a replay has replaced.

use std::ops::ControlFlow;

use sqlx::{Row, query};

use super::Postgres;
use super::standing::{stands_now, stood_then};
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::superseded::Superseded;
use crate::store::tenants::Tenant;

const CHUNK: i64 = 1_000;

const LATEST: &str = concat!(
    "SELECT r.id, r.body FROM records r WHERE r.profile = $1 AND r.id > $2",
    stands_now!(),
    " ORDER BY r.id LIMIT $3"
);
/// Binds also a time. The number 16 is `PLACE_BITS`.
const AS_OF: &str = concat!(
    "SELECT r.id, r.body FROM records r JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run
     WHERE r.profile = $1 AND r.id > $2",
    stood_then!("$4"),
    " ORDER BY r.id LIMIT $3"
);

/// Of replayed profiles: batches that brought records, in the order in which the source was asked.
const AS_OBSERVED: &str = "
    SELECT b.id, b.inserted FROM batches b JOIN runs u ON u.id = b.run
    WHERE b.profile = $1 AND b.inserted > 0 ORDER BY u.started_ms, b.id";

/// What these batches brought, in their order.
macro_rules! records_of_batches {
    ($versions:expr) => {
        concat!(
            "SELECT r.id, r.body FROM unnest($2::bigint[]) WITH ORDINALITY AS w (batch, place)
             JOIN records r ON r.profile = $1 AND r.id >= w.batch << 16 AND r.id < (w.batch + 1) << 16
             JOIN batches b ON b.id = w.batch JOIN runs u ON u.id = b.run WHERE true",
            $versions,
            " ORDER BY w.place, r.id"
        )
    };
}

const LATEST_OF_BATCHES: &str = records_of_batches!(stands_now!());
const AS_OF_OF_BATCHES: &str = records_of_batches!(stood_then!("$3"));

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
        if self.replayed_up_to(profile).await?.is_some() {
            return self.scan_as_observed(profile, as_of_ms, on_record).await;
        }
        let mut position = 0_i64;
        loop {
            let ask = match as_of_ms {
                None => query(LATEST).bind(profile).bind(position).bind(CHUNK),
                Some(time_ms) => query(AS_OF).bind(profile).bind(position).bind(CHUNK).bind(time_ms),
            };
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
        as_of_ms: Option<i64>,
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
            let taken = std::mem::take(&mut some);
            let ask = match as_of_ms {
                None => query(LATEST_OF_BATCHES).bind(profile).bind(taken),
                Some(time_ms) => query(AS_OF_OF_BATCHES).bind(profile).bind(taken).bind(time_ms),
            };
            for row in self.desk.all(ask).await? {
                if !superseded.hides(profile, row.try_get(0)?).await? && on_record(row.try_get(1)?).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
