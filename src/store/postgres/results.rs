//! Results, and what runs were the first to see: PostgreSQL's answers to the questions of the walk.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::Postgres;
use super::standing::{stands_now, stood_then};
use crate::protocol::aggregator::{RecordFilter, RecordRow, Versions};
use crate::protocol::paging::{Page, PageRequest};
use crate::store::error::StoreError;
use crate::store::sightings::{BATCHES, PLACE_BITS, SeenBatch, Shown, Sightings, Source, StoredRecord, page_of};
use crate::store::tenants::Tenant;

macro_rules! select_batches {
    ($batches:literal) => {
        concat!(
            "SELECT b.id, b.profile, b.received_ms, s.ids, u.run_id, d.name AS drone, p.profile_id, p.tenant_id FROM (",
            $batches,
            ") b JOIN runs u ON u.id = b.run JOIN names d ON d.id = u.drone JOIN profiles p ON p.id = b.profile
             LEFT JOIN record_sets s ON s.id = b.record_set ORDER BY b.id"
        )
    };
}

const BATCHES_FROM: &str = select_batches!("SELECT * FROM batches WHERE id >= $1 ORDER BY id LIMIT $2");
const BATCHES_OF_PROFILE: &str =
    select_batches!("SELECT * FROM batches WHERE profile = $3 AND id >= $1 ORDER BY id LIMIT $2");
const BATCHES_OF_RUN: &str = select_batches!("SELECT * FROM batches WHERE run = $3 AND id >= $1 ORDER BY id LIMIT $2");

/// Binds: profile, ids. The number 16 is `PLACE_BITS`.
macro_rules! records_by_id {
    ($versions:expr) => {
        concat!(
            "SELECT r.id, r.body, b.received_ms FROM records r JOIN batches b ON b.id = r.id >> 16
             JOIN runs u ON u.id = b.run WHERE r.profile = $1 AND r.id = ANY($2)",
            $versions
        )
    };
}

const ALL_BY_ID: &str = records_by_id!("");
const LATEST_BY_ID: &str = records_by_id!(stands_now!());
/// Binds also a time.
const AS_OF_BY_ID: &str = records_by_id!(stood_then!("$3"));

impl Postgres {
    pub(in crate::store) async fn results(
        &self,
        tenant: Tenant,
        filter: &RecordFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordRow>, StoreError> {
        self.sightings(tenant, filter, page, Shown::Results).await
    }

    pub(super) async fn sightings(
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
            let ask = query("SELECT id FROM runs WHERE tenant_id = $1 AND run_id = $2").bind(tenant.0);
            let row = self.desk.optional(ask.bind(run_id.as_str())).await?;
            return Ok(row.map(|row| row.try_get(0)).transpose()?.map(Source::Run));
        }
        match &filter.profile_id {
            None => Ok(Some(Source::All)),
            Some(id) => Ok(self.profile_row(tenant, id).await?.map(Source::Profile)),
        }
    }
}

impl Sightings for Postgres {
    async fn batches_from(&self, source: Source, first: i64) -> Result<Vec<SeenBatch>, StoreError> {
        let ask = match source {
            Source::All => query(BATCHES_FROM).bind(first).bind(BATCHES),
            Source::Profile(profile) => query(BATCHES_OF_PROFILE).bind(first).bind(BATCHES).bind(profile),
            Source::Run(run) => query(BATCHES_OF_RUN).bind(first).bind(BATCHES).bind(run),
        };
        self.desk.all(ask).await?.iter().map(seen_batch).collect()
    }

    async fn records_by_id(
        &self,
        profile: i64,
        ids: &[i64],
        versions: Versions,
    ) -> Result<HashMap<i64, StoredRecord>, StoreError> {
        let ask = match versions {
            Versions::All => query(ALL_BY_ID).bind(profile).bind(ids.to_vec()),
            Versions::Latest => query(LATEST_BY_ID).bind(profile).bind(ids.to_vec()),
            Versions::AsOf(time_ms) => query(AS_OF_BY_ID).bind(profile).bind(ids.to_vec()).bind(time_ms),
        };
        let rows = self.desk.all(ask).await?;
        let record = |row: &PgRow| {
            let id: i64 = row.try_get(0)?;
            let first_batch = id >> PLACE_BITS;
            Ok((id, StoredRecord { body: row.try_get(1)?, first_batch, first_seen_ms: row.try_get(2)? }))
        };
        rows.iter().map(record).collect()
    }
}

fn seen_batch(row: &PgRow) -> Result<SeenBatch, StoreError> {
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
