//! What runs saw, in the order in which batches arrived: the walk over batches and their packed sets of record ids, the
//! same for every engine. A page unpacks the sets it touches and no more, so its cost does not depend on how far in it
//! is.
//!
//! A result's position is its batch and its place in the batch's set, packed into one number.

use std::collections::HashMap;

use super::error::StoreError;
use super::pager::Pager;
use super::record_row::{Sighting, WantedDims, compose};
use super::record_set::unpack;
use super::superseded::{Standing, Superseded};
use super::tenants::Tenant;
use crate::protocol::aggregator::{RecordFilter, RecordRow, Versions};
use crate::protocol::batch::MAX_RECORDS;
use crate::protocol::paging::{Page, PageRequest};

/// Bits of a position that hold the place in the set.
pub(super) const PLACE_BITS: u32 = 16;
const _: () = assert!(MAX_RECORDS < 1 << PLACE_BITS);
/// Batches read at a time; a set takes some 100 KB at the very most.
pub(super) const BATCHES: i64 = 16;
/// Records read at a time.
const CHUNK: usize = 500;

/// Which batches are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    All,
    Profile(i64),
    Run(i64),
}

/// A batch as far as its results need it.
#[derive(Debug)]
pub(super) struct SeenBatch {
    pub(super) id: i64,
    pub(super) profile: i64,
    pub(super) owner: i64,
    pub(super) received_ms: i64,
    /// The packed set; none where the batch held no record.
    pub(super) set: Option<Vec<u8>>,
    pub(super) run_id: String,
    pub(super) drone: String,
    pub(super) profile_id: String,
}

#[derive(Debug)]
pub(super) struct StoredRecord {
    pub(super) body: String,
    pub(super) first_batch: i64,
    pub(super) first_seen_ms: i64,
}

/// What a listed row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Every sighting.
    Results,
    /// Only first sightings, as records.
    Records,
}

/// The two questions that the walk asks of an engine.
pub(super) trait Sightings: Standing {
    /// At most `BATCHES` batches from `first` on, by id.
    fn batches_from(
        &self,
        source: Source,
        first: i64,
    ) -> impl Future<Output = Result<Vec<SeenBatch>, StoreError>> + Send;

    /// Records of a profile by their ids, those that stand as `versions` says.
    fn records_by_id(
        &self,
        profile: i64,
        ids: &[i64],
        versions: Versions,
    ) -> impl Future<Output = Result<HashMap<i64, StoredRecord>, StoreError>> + Send;
}

/// One page of a walk.
pub(super) async fn page_of(
    engine: &impl Sightings,
    (tenant, source): (Tenant, Source),
    filter: &RecordFilter,
    page: &PageRequest,
    shown: Shown,
) -> Result<Page<RecordRow>, StoreError> {
    let dims = WantedDims::new(&filter.dims);
    let mut pager = Pager::new(page, 0, true)?;
    // What a run saw stays told.
    let leaves_out = shown == Shown::Records && !matches!(source, Source::Run(_));
    let versions = if leaves_out { filter.versions } else { Versions::All };
    let mut superseded = leaves_out.then(|| Superseded::new(engine));
    while pager.next_chunk().is_some() {
        let (batch, place) = (pager.position() >> PLACE_BITS, pager.position() & ((1 << PLACE_BITS) - 1));
        let batches = engine.batches_from(source, batch).await?;
        for seen in &batches {
            if !pager.goes_on() {
                break;
            }
            let (true, Some(packed)) = (is_wanted(seen, tenant, filter), &seen.set) else {
                pager.pass((seen.id + 1) << PLACE_BITS, None);
                continue;
            };
            let ids = unpack(packed, MAX_RECORDS).map_err(|error| StoreError::Engine(error.to_string()))?;
            let from = if seen.id == batch { place as usize } else { 0 };
            expand(engine, seen, &ids, from, (&dims, shown, versions), superseded.as_mut(), &mut pager).await?;
        }
        if pager.goes_on() && batches.len() < BATCHES as usize {
            pager.end();
        }
    }
    Ok(pager.finish())
}

/// Offers the batch's results from place `from` on, until the page is full.
async fn expand<E: Sightings>(
    engine: &E,
    seen: &SeenBatch,
    ids: &[i64],
    from: usize,
    (dims, shown, versions): (&WantedDims, Shown, Versions),
    mut superseded: Option<&mut Superseded<'_, E>>,
    pager: &mut Pager<RecordRow>,
) -> Result<(), StoreError> {
    let mut place = from.min(ids.len());
    let takes_all = dims.is_empty() && shown == Shown::Results;
    while place < ids.len() && pager.goes_on() {
        let size = if takes_all { pager.room().min(CHUNK) } else { CHUNK };
        let chunk = &ids[place..(place + size).min(ids.len())];
        let records = engine.records_by_id(seen.profile, chunk, versions).await?;
        for id in chunk {
            place += 1;
            let position = (seen.id << PLACE_BITS) + place as i64;
            let hidden = match superseded.as_mut() {
                Some(superseded) => superseded.hides(seen.profile, *id).await?,
                None => false,
            };
            let item = match records.get(id).filter(|_| !hidden) {
                Some(record) => show(seen, record, dims, shown)?,
                None => None,
            };
            pager.pass(position, item);
        }
    }
    Ok(())
}

fn show(
    seen: &SeenBatch,
    record: &StoredRecord,
    dims: &WantedDims,
    shown: Shown,
) -> Result<Option<RecordRow>, StoreError> {
    let is_first = record.first_batch == seen.id;
    if !dims.match_body(&record.body) || (shown == Shown::Records && !is_first) {
        return Ok(None);
    }
    let sighting = Sighting { run_id: &seen.run_id, drone_id: &seen.drone, seen_ms: seen.received_ms };
    let sighting = (shown == Shown::Results).then_some(sighting);
    compose(&record.body, &seen.profile_id, record.first_seen_ms, sighting).map(Some)
}

/// Whether the batch's results are asked for at all.
fn is_wanted(seen: &SeenBatch, tenant: Tenant, filter: &RecordFilter) -> bool {
    seen.owner == tenant.0
        && filter.since_ms.is_none_or(|since_ms| seen.received_ms >= since_ms)
        && filter.drone_id.as_ref().is_none_or(|wanted| wanted.as_str() == seen.drone)
        && filter.profile_id.as_ref().is_none_or(|wanted| wanted.as_str() == seen.profile_id)
}
