//! Storing a batch, exactly once: find out whether it was stored before, put the records that are new, keep the fact
//! that the run saw them all, bring the run and the counters up to date. One transaction around all of it.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::job::{Bench, Write};
use super::ledger::{Entry, RecordSet, Sightings, save_run};
use super::names::intern;
use super::placing::{Placed, Placing};
use super::replays::note_replay;
use super::runs::read_run;
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::findings::{self, Of};
use crate::store::held::store_held;
use crate::store::memory::Content;
use crate::store::observed::Observed;
use crate::store::posted::Posted;
use crate::store::revising::{Revised, Revising};
use crate::store::rows::stored;
use crate::store::run_facts::{Outcome, StoredRun};
use crate::store::tenants::Tenant;

impl Sqlite {
    pub(in crate::store) async fn store_batch(
        &self,
        tenant: Tenant,
        batch: Batch,
        now_ms: i64,
    ) -> Result<Receipt, StoreError> {
        let posted = Posted::new(tenant, batch, Arc::clone(&self.keys), now_ms);
        let receipt = match posted.batch.is_held() {
            true => Box::pin(store_held(self, posted, self.max_held_bytes)).await?,
            false => self.write(posted).await?,
        };
        self.counters.count_batch(&receipt);
        Ok(receipt)
    }
}

/// What the database holds about a batch before it is stored, and the rows that it will take.
pub(in crate::store) struct Found {
    profile: i64,
    run: Option<StoredRun>,
    drone: Option<i64>,
    version: Option<i64>,
    pub(super) next_run: i64,
    next_batch: i64,
    next_set: i64,
    next_record: i64,
    /// Start of the profile's latest run, in Unix milliseconds.
    latest_ms: Option<i64>,
    keyed_by: Option<String>,
    /// Records of the profile that retention has removed.
    expired: i64,
}

const FIND: &str = "
    SELECT p.id AS of_profile, r.profile AS owner, b.digest, b.inserted AS b_inserted, b.known AS b_known,
        b.rejected AS b_rejected, b.revised AS b_revised, p.keyed_by, c.seen_ms AS latest_ms,
        coalesce(c.expired, 0) AS expired, r.*,
        (SELECT id FROM names WHERE tenant_id = p.tenant_id AND name = ?) AS drone_row,
        (SELECT id FROM names WHERE tenant_id = p.tenant_id AND name = ?) AS version_row,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0) + 1 AS next_run,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'batches'), 0) + 1 AS next_batch,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record_sets'), 0) + 1 AS next_set,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'records'), 0) + 1 AS next_record
    FROM profiles p
    LEFT JOIN counters c ON c.profile = p.id
    LEFT JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = ?
    LEFT JOIN batches b ON b.run = r.id AND b.batch_key = ?
    WHERE p.tenant_id = ? AND p.profile_id = ? AND p.deleted_ms IS NULL";

impl Write for Posted {
    type Output = Receipt;

    fn records(&self) -> usize {
        self.weight()
    }

    fn bytes(&self) -> usize {
        self.bytes_held()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Receipt, StoreError> {
        let row = self.find(bench.db).await?;
        if let Some(receipt) = self.replay(&row)? {
            return Ok(receipt);
        }
        let found = self.judge(bench.db, &row).await?;
        self.store(bench, found).await
    }
}

impl Posted {
    /// Stores a batch that was held.
    pub(super) async fn store_kept(&self, bench: &mut Bench<'_>) -> Result<Receipt, StoreError> {
        let row = self.find(bench.db).await?;
        let found = self.judge(bench.db, &row).await?;
        self.store(bench, found).await
    }

    /// Profile, run, an earlier copy of the batch and the rows to come, in one question.
    pub(super) async fn find(&self, db: &mut SqliteConnection) -> Result<SqliteRow, StoreError> {
        let query = sqlx::query(FIND).bind(self.batch.drone_id.as_str()).bind(self.version());
        let query = query.bind(self.batch.run_id.as_str()).bind(&self.key[..]);
        let query = query.bind(self.tenant.0).bind(self.batch.profile_id.as_str());
        query.fetch_optional(db).await?.ok_or_else(|| self.unknown_profile())
    }

    /// The receipt of then, where this very batch was stored before.
    pub(super) fn replay(&self, row: &SqliteRow) -> Result<Option<Receipt>, StoreError> {
        let Some(digest) = row.try_get::<Option<Vec<u8>>, _>("digest")? else { return Ok(None) };
        let profile: i64 = row.try_get("of_profile")?;
        let owner: Option<i64> = row.try_get("owner")?;
        if digest != self.digest || owner != Some(profile) {
            return Ok(None);
        }
        let outcome = Outcome {
            inserted: row.try_get("b_inserted")?,
            known: row.try_get("b_known")?,
            rejected: row.try_get("b_rejected")?,
            revised: row.try_get("b_revised")?,
        };
        Ok(Some(self.receipt(outcome, true)))
    }

    /// Refuses what contradicts the store; nothing has been written by then.
    pub(super) async fn judge(&self, db: &mut SqliteConnection, row: &SqliteRow) -> Result<Found, StoreError> {
        let profile: i64 = row.try_get("of_profile")?;
        let owner: Option<i64> = row.try_get("owner")?;
        if let Some(other) = owner.filter(|owner| *owner != profile) {
            let query = sqlx::query("SELECT profile_id FROM profiles WHERE id = ?").bind(other);
            let named = stored(ProfileId::parse(query.fetch_one(db).await?.try_get(0)?))?;
            return Err(self.run_conflict(named));
        }
        if row.try_get::<Option<&[u8]>, _>("digest")?.is_some() {
            return Err(self.batch_conflict());
        }
        Ok(Found {
            profile,
            run: owner.map(|_| read_run(row)).transpose()?,
            drone: row.try_get("drone_row")?,
            version: row.try_get("version_row")?,
            next_run: row.try_get("next_run")?,
            next_batch: row.try_get("next_batch")?,
            next_set: row.try_get("next_set")?,
            next_record: row.try_get("next_record")?,
            latest_ms: row.try_get("latest_ms")?,
            keyed_by: row.try_get("keyed_by")?,
            expired: row.try_get("expired")?,
        })
    }

    async fn store(&self, bench: &mut Bench<'_>, found: Found) -> Result<Receipt, StoreError> {
        let observed = self.observed_by(found.keyed_by.as_deref());
        let placed = self.place(bench, &found, &observed).await?;
        let mut outcome = self.outcome(placed.inserted)?;
        let state_before = found.run.as_ref().map(|run| run.facts.state);
        let mut run = self.advance(bench.db, &found, outcome).await?;
        let run_row = run.row.unwrap_or(found.next_run);
        let seen_ms = run.facts.started_ms.min(self.now_ms);
        let sightings = Sightings::take(bench, run_row, run.facts.batches, &placed.rows).await?;
        let revised = if observed.is_empty() {
            Revised::default()
        } else {
            let rows = &placed.rows[..];
            let (profile, batch, next_record) = (found.profile, found.next_batch, found.next_record);
            let seen = &sightings.seen;
            let revising = Revising { db: &mut *bench.db, profile, batch, seen_ms, rows, next_record, seen };
            revising.settle(found.latest_ms, found.run.is_some()).await?
        };
        outcome.revised = revised.observations;
        run.facts.revised += i64::from(revised.observations);
        let goes_on = self.was_held || !run.facts.state.is_final();
        let fresh = sightings.keep(bench, run_row, run.facts.batches, goes_on);
        let entry = Entry {
            batch: found.next_batch,
            key: &self.key,
            digest: &self.digest,
            outcome,
            now_ms: self.now_ms,
            set: RecordSet::of(bench.db, &fresh, placed.inserted > 0).await?,
            next_set: found.next_set,
            seen: fresh.len(),
            seen_ms,
            replaced: revised.replaced,
            tenant: self.tenant,
            run_id: &self.batch.run_id,
            run: &run,
            run_row,
            state_before,
        };
        let of =
            Of { profile: run.profile, run: run_row, version: run.profile_digest.unwrap_or(0), now_ms: self.now_ms };
        entry.write(bench.db).await?;
        note_replay(bench.db, run_row, run.profile, self.batch.run.as_ref()).await?;
        let drift = if self.was_held { None } else { findings::note(bench.db, of, &self.batch).await? };
        Ok(Receipt { drift, ..self.receipt(outcome, false) })
    }

    async fn place(&self, bench: &mut Bench<'_>, found: &Found, observed: &Observed) -> Result<Placed, StoreError> {
        let profile = found.profile;
        if self.distinct.is_empty() {
            return Ok(Placed { rows: Vec::new(), inserted: 0 });
        }
        let content = Content { profile, expired: found.expired, digest: self.content };
        if let Some(rows) = bench.memory.rows_of(&content, self.distinct.len()) {
            return Ok(Placed { rows, inserted: 0 });
        }
        let placing = Placing::new(&self.batch.records, &self.distinct, observed, profile, found.next_batch);
        let placed = placing.place(bench.db, bench.memory.expects_known(profile)).await?;
        bench.memory.remember(profile, placed.inserted * 2 < self.distinct.len());
        bench.memory.keep_rows(content, &placed.rows);
        Ok(placed)
    }

    /// The run with this batch taken in.
    async fn advance(
        &self,
        db: &mut SqliteConnection,
        found: &Found,
        outcome: Outcome,
    ) -> Result<StoredRun, StoreError> {
        let mut run = self.run_of(db, found).await?;
        run.facts.take(&self.batch, outcome, self.now_ms);
        Ok(run)
    }

    /// The run of a batch whose records are held, saved as it was before it.
    pub(super) async fn known_run(&self, db: &mut SqliteConnection, found: Found) -> Result<StoredRun, StoreError> {
        let next_run = found.next_run;
        let run = self.run_of(db, &found).await?;
        let before = run.row.map(|_| run.facts.state);
        let row = run.row.unwrap_or(next_run);
        self.save_run(db, &run, row, before).await?;
        Ok(StoredRun { row: Some(row), ..run })
    }

    /// Writes a run's row without a batch.
    pub(super) async fn save_run(
        &self,
        db: &mut SqliteConnection,
        run: &StoredRun,
        row: i64,
        before: Option<RunState>,
    ) -> Result<(), StoreError> {
        save_run(db, (self.tenant, &self.batch.run_id), run, row, before, self.now_ms).await
    }

    /// The run as it was before this batch.
    async fn run_of(&self, db: &mut SqliteConnection, found: &Found) -> Result<StoredRun, StoreError> {
        let mut run = match (&found.run, found.drone) {
            (Some(run), _) => run.clone(),
            (None, Some(drone)) => self.begin_run(found.profile, drone),
            (None, None) => self.begin_run(found.profile, intern(db, self.tenant, self.batch.drone_id.as_str()).await?),
        };
        // The first report that names the profile's version settles it.
        if let (None, Some(text)) = (run.profile_digest, self.version()) {
            run.profile_digest = Some(match found.version {
                Some(row) => row,
                None => intern(db, self.tenant, text).await?,
            });
        }
        Ok(run)
    }
}
