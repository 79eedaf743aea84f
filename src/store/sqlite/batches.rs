//! Storing a batch, exactly once: find out whether it was stored before, put the records that are new, keep the fact
//! that the run saw them all, bring the run and the counters up to date. One transaction around all of it.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::job::{Bench, Write};
use super::ledger::{Entry, RecordSet, first_seen};
use super::names::intern;
use super::placing::{Placed, Placing};
use super::runs::read_run;
use crate::domain::ids::ProfileId;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::posted::Posted;
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
        let receipt = self.write(Posted::new(tenant, batch, now_ms)).await?;
        self.counters.count_batch(&receipt);
        Ok(receipt)
    }
}

/// What the database holds about a batch before it is stored, and the rows that it will take.
struct Found {
    profile: i64,
    run: Option<StoredRun>,
    drone: Option<i64>,
    version: Option<i64>,
    next_run: i64,
    next_batch: i64,
    next_set: i64,
}

const FIND: &str = "
    SELECT p.id AS of_profile, r.profile AS owner, b.digest, b.inserted AS b_inserted, b.known AS b_known,
        b.rejected AS b_rejected, r.*,
        (SELECT id FROM names WHERE tenant_id = p.tenant_id AND name = ?) AS drone_row,
        (SELECT id FROM names WHERE tenant_id = p.tenant_id AND name = ?) AS version_row,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0) + 1 AS next_run,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'batches'), 0) + 1 AS next_batch,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'record_sets'), 0) + 1 AS next_set
    FROM profiles p
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
    /// Profile, run, an earlier copy of the batch and the rows to come, in one question.
    async fn find(&self, db: &mut SqliteConnection) -> Result<SqliteRow, StoreError> {
        let query = sqlx::query(FIND).bind(self.batch.drone_id.as_str()).bind(self.version());
        let query = query.bind(self.batch.run_id.as_str()).bind(&self.key[..]);
        let query = query.bind(self.tenant.0).bind(self.batch.profile_id.as_str());
        query.fetch_optional(db).await?.ok_or_else(|| self.unknown_profile())
    }

    /// The receipt of then, where this very batch was stored before.
    fn replay(&self, row: &SqliteRow) -> Result<Option<Receipt>, StoreError> {
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
        };
        Ok(Some(self.receipt(outcome, true)))
    }

    /// Refuses what contradicts the store; nothing has been written by then.
    async fn judge(&self, db: &mut SqliteConnection, row: &SqliteRow) -> Result<Found, StoreError> {
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
        })
    }

    async fn store(&self, bench: &mut Bench<'_>, found: Found) -> Result<Receipt, StoreError> {
        let profile = found.profile;
        let placed = self.place(bench, profile, found.next_batch).await?;
        let outcome = self.outcome(placed.inserted)?;
        let state_before = found.run.as_ref().map(|run| run.facts.state);
        let (batch, next_run, next_set) = (found.next_batch, found.next_run, found.next_set);
        let run = self.advance(bench.db, found, outcome).await?;
        let run_row = run.row.unwrap_or(next_run);
        let is_last = run.facts.state.is_final();
        let seen = first_seen(bench, run_row, run.facts.batches, placed.rows, is_last).await?;
        let set = RecordSet::of(bench.db, &seen, placed.inserted > 0).await?;
        let (key, digest, now_ms) = (&self.key[..], &self.digest[..], self.now_ms);
        let seen = seen.len();
        let (tenant, run_id) = (self.tenant, &self.batch.run_id);
        let entry = Entry {
            batch,
            key,
            digest,
            outcome,
            now_ms,
            set,
            next_set,
            seen,
            tenant,
            run_id,
            run: &run,
            run_row,
            state_before,
        };
        entry.write(bench.db).await?;
        Ok(self.receipt(outcome, false))
    }

    async fn place(&self, bench: &mut Bench<'_>, profile: i64, batch: i64) -> Result<Placed, StoreError> {
        if self.distinct.is_empty() {
            return Ok(Placed { rows: Vec::new(), inserted: 0 });
        }
        if let Some(rows) = bench.memory.rows_of(profile, self.content, self.distinct.len()) {
            return Ok(Placed { rows, inserted: 0 });
        }
        let placing = Placing::new(&self.batch.records, &self.distinct, profile, batch);
        let placed = placing.place(bench.db, bench.memory.expects_known(profile)).await?;
        bench.memory.remember(profile, placed.inserted * 2 < self.distinct.len());
        bench.memory.keep_rows(profile, self.content, &placed.rows);
        Ok(placed)
    }

    /// The run with this batch taken in.
    async fn advance(
        &self,
        db: &mut SqliteConnection,
        found: Found,
        outcome: Outcome,
    ) -> Result<StoredRun, StoreError> {
        let Found { profile, run, drone, version, .. } = found;
        let mut run = match (run, drone) {
            (Some(run), _) => run,
            (None, Some(drone)) => self.begin_run(profile, drone),
            (None, None) => self.begin_run(profile, intern(db, self.tenant, self.batch.drone_id.as_str()).await?),
        };
        run.facts.take(&self.batch, outcome, self.now_ms);
        // The first report that names the profile's version settles it.
        if let (None, Some(text)) = (run.profile_digest, self.version()) {
            run.profile_digest = Some(match version {
                Some(row) => row,
                None => intern(db, self.tenant, text).await?,
            });
        }
        Ok(run)
    }
}
