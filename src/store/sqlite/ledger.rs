//! What is written down about a batch beside its records: the set of what it saw, the batch itself, its run, and its
//! profile's counters; all in one exchange with the database.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::job::Bench;
use super::runs::bind_run;
use crate::domain::digest::Digest;
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::record_set::pack;
use crate::store::run_facts::{Outcome, StoredRun, state_changes};
use crate::store::tenants::Tenant;

/// A set of records: in the database already, or to be written.
pub(super) enum RecordSet {
    Empty,
    Kept(i64),
    New { digest: [u8; 16], packed: Vec<u8> },
}

/// What a run sees with one batch: a run sees a record once.
pub(super) struct Sightings {
    /// Rows that the run had not seen before.
    fresh: Vec<i64>,
    /// All that it saw, the batch included.
    pub(super) seen: IdSet,
}

impl Sightings {
    /// `batches` counts the run's batches, this one included.
    pub(super) async fn take(bench: &mut Bench<'_>, run: i64, batches: i64, rows: &[i64]) -> Result<Self, StoreError> {
        let mut seen = match bench.memory.take_run(run, batches - 1) {
            Some(seen) => seen,
            None if batches == 1 => IdSet::default(),
            None => seen_before(bench.db, run).await?,
        };
        let fresh = seen.unseen(rows);
        seen.extend(&fresh);
        Ok(Self { fresh, seen })
    }

    /// Remembers the run, if more of it will come, and gives the fresh rows.
    pub(super) fn keep(self, bench: &mut Bench<'_>, run: i64, batches: i64, goes_on: bool) -> Vec<i64> {
        if goes_on {
            bench.memory.keep_run(run, batches, self.seen);
        }
        self.fresh
    }
}

async fn seen_before(db: &mut SqliteConnection, run: i64) -> Result<IdSet, StoreError> {
    let text = "SELECT s.ids FROM batches b JOIN record_sets s ON s.id = b.record_set WHERE b.run = ?";
    let mut seen = IdSet::default();
    for row in sqlx::query(text).bind(run).fetch_all(db).await? {
        let read = seen.extend_packed(row.try_get(0)?, MAX_RECORDS);
        read.map_err(|error| StoreError::Engine(error.to_string()))?;
    }
    Ok(seen)
}

impl RecordSet {
    /// `is_novel`: it holds a record that was inserted just now, so no earlier set can equal it.
    pub(super) async fn of(db: &mut SqliteConnection, ids: &[i64], is_novel: bool) -> Result<Self, StoreError> {
        if ids.is_empty() {
            return Ok(Self::Empty);
        }
        let packed = pack(ids);
        let digest = Digest::of(&packed).key();
        if is_novel {
            return Ok(Self::New { digest, packed });
        }
        let find = sqlx::query("SELECT id FROM record_sets WHERE digest = ?").bind(&digest[..]);
        let found = find.fetch_optional(db).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?.map_or(Self::New { digest, packed }, Self::Kept))
    }
}

/// All that is to be written down about a batch.
pub(super) struct Entry<'a> {
    pub(super) batch: i64,
    pub(super) key: &'a [u8],
    pub(super) digest: &'a [u8],
    pub(super) outcome: Outcome,
    pub(super) now_ms: i64,
    pub(super) set: RecordSet,
    /// The id that a new set takes.
    pub(super) next_set: i64,
    /// Records in the set.
    pub(super) seen: usize,
    /// Start of the run, in Unix milliseconds.
    pub(super) seen_ms: i64,
    /// By how much the number of replaced records grew.
    pub(super) replaced: i64,
    pub(super) tenant: Tenant,
    pub(super) run_id: &'a RunId,
    pub(super) run: &'a StoredRun,
    pub(super) run_row: i64,
    /// The run's state before this batch, unless this is its first.
    pub(super) state_before: Option<RunState>,
}

macro_rules! run {
    () => {
        "
    INSERT INTO runs (id, tenant_id, run_id, profile, drone, profile_digest, state, started_ms, finished_ms,
        received_ms, batches, inserted, known, rejected, requests, bytes, rows, dropped, error, revised)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET profile_digest = excluded.profile_digest, state = excluded.state,
        started_ms = excluded.started_ms, finished_ms = excluded.finished_ms, received_ms = excluded.received_ms,
        batches = excluded.batches, inserted = excluded.inserted, known = excluded.known,
        rejected = excluded.rejected, requests = excluded.requests, bytes = excluded.bytes, rows = excluded.rows,
        dropped = excluded.dropped, error = excluded.error, revised = excluded.revised;"
    };
}

macro_rules! states {
    () => {
        " running = running + ?,
        succeeded = succeeded + ?, unchanged = unchanged + ?, partial = partial + ?, failed = failed + ?,
        last_run = ?, last_received_ms = max(coalesce(last_received_ms, ?), ?) WHERE profile = ?"
    };
}

/// No `?1`: the arguments of statements in one text are counted through.
macro_rules! entry {
    ($($set:literal)?) => {
        concat!($($set,)? run!(), "
    INSERT INTO batches (id, profile, run, batch_key, digest, inserted, known, rejected, record_set, received_ms,
        revised)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
    UPDATE counters SET replaced = replaced + ?, seen_ms = max(coalesce(seen_ms, ?), ?), records = records + ?,
        results = results + ?,", states!())
    };
}

const RUN_ALONE: &str = concat!(run!(), " UPDATE counters SET", states!());
const WITH_NEW_SET: &str = entry!("INSERT INTO record_sets (id, digest, ids) VALUES (?, ?, ?);");
const WITHOUT_SET: &str = entry!();

impl Entry<'_> {
    pub(super) async fn write(self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        let (set, query) = match &self.set {
            RecordSet::Empty => (None, sqlx::query(WITHOUT_SET)),
            RecordSet::Kept(row) => (Some(*row), sqlx::query(WITHOUT_SET)),
            RecordSet::New { digest, packed } => {
                let query = sqlx::query(WITH_NEW_SET).bind(self.next_set).bind(&digest[..]).bind(&packed[..]);
                (Some(self.next_set), query)
            }
        };
        let profile = self.run.profile;
        let Outcome { inserted, known, rejected, revised } = self.outcome;
        let query = bind_run(self.run, query, self.run_row, self.tenant, self.run_id);
        let query = query.bind(self.batch).bind(profile).bind(self.run_row);
        let query = query.bind(self.key).bind(self.digest).bind(inserted).bind(known).bind(rejected);
        let query =
            query.bind(set).bind(self.now_ms).bind(revised).bind(self.replaced).bind(self.seen_ms).bind(self.seen_ms);
        let query = query.bind(inserted).bind(self.seen as i64);
        let changes = state_changes(self.state_before, self.run.facts.state);
        let query = changes.into_iter().fold(query, |query, change| query.bind(change));
        let query = query.bind(self.run_row).bind(self.now_ms).bind(self.now_ms).bind(profile);
        query.execute(db).await?;
        Ok(())
    }
}

/// Writes a run's row alone, for a batch whose records are held.
pub(super) async fn save_run(
    db: &mut SqliteConnection,
    (tenant, run_id): (Tenant, &RunId),
    run: &StoredRun,
    row: i64,
    before: Option<RunState>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let query = bind_run(run, sqlx::query(RUN_ALONE), row, tenant, run_id);
    let query = state_changes(before, run.facts.state).into_iter().fold(query, |query, change| query.bind(change));
    query.bind(row).bind(now_ms).bind(now_ms).bind(run.profile).execute(db).await?;
    Ok(())
}
