//! Results and what a run was the first to see: SQLite's answers to the questions of the walk.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use crate::protocol::aggregator::{RecordFilter, RecordRow, Versions};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::sightings::{BATCHES, SeenBatch, Shown, Sightings, Source, StoredRecord, page_of};
use crate::store::tenants::Tenant;

macro_rules! select_batches {
    ($condition:literal) => {
        concat!(
            "SELECT b.id, b.profile, b.received_ms, s.ids, u.run_id, d.name AS drone, p.profile_id, p.tenant_id
             FROM batches b CROSS JOIN runs u ON u.id = b.run CROSS JOIN names d ON d.id = u.drone
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
        match self.source(tenant, filter).await? {
            Some(source) => page_of(self, (tenant, source), filter, page, shown).await,
            None => Ok(Page { items: Vec::new(), next: None }),
        }
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
}

impl Sightings for Sqlite {
    async fn batches_from(&self, source: Source, first: i64) -> Result<Vec<SeenBatch>, StoreError> {
        let query = match source {
            Source::All => sqlx::query(BATCHES_FROM),
            Source::Profile(profile) => sqlx::query(BATCHES_OF_PROFILE).bind(profile),
            Source::Run(run) => sqlx::query(BATCHES_OF_RUN).bind(run),
        };
        let rows = query.bind(first).bind(BATCHES).fetch_all(&self.readers).await?;
        rows.iter().map(seen_batch).collect()
    }

    /// What stands is asked for another way here (`records`), hence all are wanted.
    async fn records_by_id(
        &self,
        _profile: i64,
        ids: &[i64],
        _versions: Versions,
    ) -> Result<HashMap<i64, StoredRecord>, StoreError> {
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

fn seen_batch(row: &SqliteRow) -> Result<SeenBatch, StoreError> {
    Ok(SeenBatch {
        id: row.try_get("id")?,
        profile: row.try_get("profile")?,
        owner: row.try_get("tenant_id")?,
        received_ms: row.try_get("received_ms")?,
        set: row.try_get("ids")?,
        run_id: row.try_get("run_id")?,
        drone: row.try_get("drone")?,
        profile_id: row.try_get("profile_id")?,
    })
}
