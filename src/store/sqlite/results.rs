//! Results: what runs saw, in the order in which batches arrived. A batch holds one packed set of record ids; a page
//! unpacks the sets it touches and no more, so its cost does not depend on how far in it is.
//!
//! A result's position is its batch and its place in the batch's set, packed into one number.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::lists::Pager;
use super::tenants::Tenant;
use crate::protocol::aggregator::{RecordFilter, RecordRow};
use crate::protocol::batch::MAX_RECORDS;
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::record_row::{Sighting, WantedDims, compose};
use crate::store::record_set::unpack;

/// Bits of a position that hold the place in the set.
const PLACE_BITS: u32 = 16;
const _: () = assert!(MAX_RECORDS < 1 << PLACE_BITS);
/// Batches read at a time; a set takes some 100 KB at the very most.
const BATCHES: i64 = 16;
/// Records read at a time.
const CHUNK: usize = 500;

macro_rules! select_batches {
    ($condition:literal) => {
        concat!(
            "SELECT b.id, b.received_ms, s.ids, u.run_id, d.name AS drone, p.profile_id, p.tenant_id FROM batches b
             CROSS JOIN runs u ON u.id = b.run CROSS JOIN names d ON d.id = u.drone
             CROSS JOIN profiles p ON p.id = b.profile LEFT JOIN record_sets s ON s.id = b.record_set WHERE ",
            $condition,
            " ORDER BY b.id LIMIT ?"
        )
    };
}

pub(super) const BATCHES_FROM: &str = select_batches!("b.id >= ?");
pub(super) const BATCHES_OF_PROFILE: &str = select_batches!("b.profile = ? AND b.id >= ?");
pub(super) const BATCHES_OF_RUN: &str = select_batches!("b.run = ? AND b.id >= ?");

/// Binds: a JSON array of ids.
pub(super) const RECORDS_BY_ID: &str = "
    SELECT r.id, r.body, r.batch, b.received_ms FROM json_each(?) wanted
    CROSS JOIN records r ON r.id = wanted.value CROSS JOIN batches b ON b.id = r.batch";

/// Which batches are gone through.
enum Source {
    All,
    Profile(i64),
    Run(i64),
}

/// A batch as far as its results need it.
struct SeenBatch {
    id: i64,
    received_ms: i64,
    ids: Vec<i64>,
    run_id: String,
    drone: String,
    profile_id: String,
}

struct StoredRecord {
    body: String,
    first_batch: i64,
    first_seen_ms: i64,
}

/// What a listed row shows.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// Every sighting.
    Results,
    /// Only first sightings, as records.
    Records,
}

impl Sqlite {
    pub(in crate::store) async fn results(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        self.sightings(tenant, filter, page, Shown::Results).await
    }

    /// The records that a run was the first to see.
    pub(super) async fn records_of_run(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        self.sightings(tenant, filter, page, Shown::Records).await
    }

    async fn sightings(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
        shown: Shown,
    ) -> Result<Page<RecordRow>, StoreError> {
        let dims = WantedDims::new(&filter.dims);
        let mut pager = Pager::new(page, 0, true)?;
        let Some(source) = self.source(tenant, filter).await? else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        while pager.next_chunk().is_some() {
            let (batch, place) = (pager.position() >> PLACE_BITS, pager.position() & ((1 << PLACE_BITS) - 1));
            let rows = self.batches_from(&source, batch).await?;
            for row in &rows {
                if !pager.goes_on() {
                    break;
                }
                let Some(seen) = wanted_batch(row, tenant, filter)? else {
                    let id: i64 = row.try_get(0)?;
                    pager.pass((id + 1) << PLACE_BITS, None);
                    continue;
                };
                let from = if seen.id == batch { place as usize } else { 0 };
                self.expand(&seen, from, &dims, shown, &mut pager).await?;
            }
            if pager.goes_on() && rows.len() < BATCHES as usize {
                pager.end();
            }
        }
        Ok(pager.finish())
    }

    async fn source(&self, tenant: Tenant, filter: &RecordFilter) -> Result<Option<Source>, StoreError> {
        if let Some(run_id) = &filter.run_id {
            let query = sqlx::query("SELECT id FROM runs WHERE tenant_id = ? AND run_id = ?").bind(tenant.0);
            let row = query.bind(run_id.as_str()).fetch_optional(&self.readers).await?;
            return Ok(row.map(|row| row.try_get(0)).transpose()?.map(Source::Run));
        }
        match &filter.profile_id {
            None => Ok(Some(Source::All)),
            Some(id) => Ok(self.profile_row(tenant, id).await?.map(Source::Profile)),
        }
    }

    async fn batches_from(&self, source: &Source, batch: i64) -> Result<Vec<SqliteRow>, StoreError> {
        let query = match source {
            Source::All => sqlx::query(BATCHES_FROM),
            Source::Profile(profile) => sqlx::query(BATCHES_OF_PROFILE).bind(*profile),
            Source::Run(run) => sqlx::query(BATCHES_OF_RUN).bind(*run),
        };
        Ok(query.bind(batch).bind(BATCHES).fetch_all(&self.readers).await?)
    }

    /// Offers the batch's results from place `from` on, until the page is full.
    async fn expand(
        &self,
        seen: &SeenBatch,
        from: usize,
        dims: &WantedDims,
        shown: Shown,
        pager: &mut Pager<RecordRow>,
    ) -> Result<(), StoreError> {
        let mut place = from.min(seen.ids.len());
        let takes_all = dims.is_empty() && shown == Shown::Results;
        while place < seen.ids.len() && pager.goes_on() {
            let size = if takes_all { pager.room().min(CHUNK) } else { CHUNK };
            let chunk = &seen.ids[place..(place + size).min(seen.ids.len())];
            let records = self.records_by_id(chunk).await?;
            for id in chunk {
                place += 1;
                let position = (seen.id << PLACE_BITS) + place as i64;
                let item = match records.get(id) {
                    Some(record) => seen.show(record, dims, shown)?,
                    None => None,
                };
                pager.pass(position, item);
            }
        }
        Ok(())
    }

    async fn records_by_id(&self, ids: &[i64]) -> Result<HashMap<i64, StoredRecord>, StoreError> {
        let mut records = HashMap::with_capacity(ids.len());
        let wanted = serde_json::to_string(ids).map_err(|error| StoreError::Engine(error.to_string()))?;
        for row in sqlx::query(RECORDS_BY_ID).bind(wanted).fetch_all(&self.readers).await? {
            let record =
                StoredRecord { body: row.try_get(1)?, first_batch: row.try_get(2)?, first_seen_ms: row.try_get(3)? };
            records.insert(row.try_get(0)?, record);
        }
        Ok(records)
    }
}

impl SeenBatch {
    fn show(&self, record: &StoredRecord, dims: &WantedDims, shown: Shown) -> Result<Option<RecordRow>, StoreError> {
        let is_first = record.first_batch == self.id;
        if !dims.match_body(&record.body) || (shown == Shown::Records && !is_first) {
            return Ok(None);
        }
        let sighting = Sighting { run_id: &self.run_id, drone_id: &self.drone, seen_ms: self.received_ms };
        let sighting = (shown == Shown::Results).then_some(sighting);
        compose(&record.body, &self.profile_id, record.first_seen_ms, sighting).map(Some)
    }
}

/// The batch, if its results are asked for at all.
fn wanted_batch(row: &SqliteRow, tenant: Tenant, filter: &RecordFilter) -> Result<Option<SeenBatch>, StoreError> {
    let owner: i64 = row.try_get("tenant_id")?;
    let received_ms: i64 = row.try_get("received_ms")?;
    let (drone, profile_id): (String, String) = (row.try_get("drone")?, row.try_get("profile_id")?);
    let wanted = owner == tenant.0
        && filter.since_ms.is_none_or(|since_ms| received_ms >= since_ms)
        && filter.drone_id.as_ref().is_none_or(|wanted| wanted.as_str() == drone)
        && filter.profile_id.as_ref().is_none_or(|wanted| wanted.as_str() == profile_id);
    let packed: Option<&[u8]> = row.try_get("ids")?;
    let (true, Some(packed)) = (wanted, packed) else { return Ok(None) };
    let ids = unpack(packed, MAX_RECORDS).map_err(|error| StoreError::Engine(error.to_string()))?;
    Ok(Some(SeenBatch { id: row.try_get("id")?, received_ms, ids, run_id: row.try_get("run_id")?, drone, profile_id }))
}
