//! Storing a batch, exactly once: find out whether it was stored before, put the records that are new, keep the fact
//! that the run saw them all, bring the run and the counters up to date. One transaction around all of it.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::job::{Bench, Write};
use super::names::intern;
use super::runs::StoredRun;
use super::tenants::Tenant;
use super::texts::{FIND_KEYS, INSERT_RECORDS};
use crate::domain::digest::Digest;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::{Batch, MAX_RECORDS};
use crate::store::error::StoreError;
use crate::store::record_set::{pack, unpack};
use crate::store::run_facts::{Outcome, RunFacts, state_number};

/// What a record costs beside its text while it waits.
const BYTES_PER_RECORD: usize = 64;

impl Sqlite {
    pub(in crate::store) async fn store_batch(
        &self,
        tenant: Tenant,
        batch: Batch,
        now_ms: i64,
    ) -> Result<Receipt, StoreError> {
        let receipt = self.write(StoreBatch::new(tenant, batch, now_ms)).await?;
        self.counters.count_batch(&receipt);
        Ok(receipt)
    }
}

struct StoreBatch {
    tenant: Tenant,
    batch: Batch,
    now_ms: i64,
    /// Names the batch in its run.
    key: Vec<u8>,
    digest: [u8; 16],
    /// Indices of the records, each key once.
    distinct: Vec<usize>,
}

/// What the database holds about a batch before it is stored.
struct Found {
    profile: i64,
    run: Option<StoredRun>,
}

/// The records of a batch in the store: their ids in the batch's order, and how many of them are new.
struct Placed {
    ids: Vec<i64>,
    inserted: usize,
}

impl Write for StoreBatch {
    type Output = Receipt;

    fn records(&self) -> usize {
        self.batch.records.len().max(1)
    }

    fn bytes(&self) -> usize {
        self.batch.records.byte_len() + self.batch.records.len() * BYTES_PER_RECORD
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

impl StoreBatch {
    fn new(tenant: Tenant, batch: Batch, now_ms: i64) -> Self {
        let digest = batch.content_digest().key();
        let key = batch.seq.map_or_else(|| digest.to_vec(), |seq| seq.to_be_bytes().to_vec());
        let mut seen = HashSet::with_capacity(batch.records.len());
        let digests = batch.records.digests();
        let distinct = (0..digests.len()).filter(|index| seen.insert(digests[*index].key())).collect();
        Self { tenant, batch, now_ms, key, digest, distinct }
    }

    /// Profile, run and an earlier copy of the batch, in one question.
    async fn find(&self, db: &mut SqliteConnection) -> Result<SqliteRow, StoreError> {
        let text =
            "SELECT p.id AS of_profile, r.profile AS owner, b.digest, b.inserted AS b_inserted, b.known AS b_known,
                b.rejected AS b_rejected, r.*
            FROM profiles p
            LEFT JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = ?
            LEFT JOIN batches b ON b.run = r.id AND b.batch_key = ?
            WHERE p.tenant_id = ? AND p.profile_id = ? AND p.deleted_ms IS NULL";
        let query = sqlx::query(text).bind(self.batch.run_id.as_str()).bind(&self.key[..]);
        let query = query.bind(self.tenant.0).bind(self.batch.profile_id.as_str());
        let unknown = || StoreError::UnknownProfile(self.batch.profile_id.clone());
        query.fetch_optional(db).await?.ok_or_else(unknown)
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
        if let Some(owner) = owner.filter(|owner| *owner != profile) {
            let query = sqlx::query("SELECT profile_id FROM profiles WHERE id = ?").bind(owner);
            let owner: String = query.fetch_one(db).await?.try_get(0)?;
            let owner = crate::store::record_row::stored_profile_id(&owner)?;
            return Err(StoreError::RunConflict { run: self.batch.run_id.clone(), owner });
        }
        if row.try_get::<Option<Vec<u8>>, _>("digest")?.is_some() {
            let name = self.batch.seq.map_or_else(|| "the same digest".to_owned(), |seq| format!("seq {seq}"));
            return Err(StoreError::BatchConflict { run: self.batch.run_id.clone(), name });
        }
        let run = owner.map(|_| StoredRun::read(row)).transpose()?;
        Ok(Found { profile, run })
    }

    async fn store(&self, bench: &mut Bench<'_>, found: Found) -> Result<Receipt, StoreError> {
        let Found { profile, run } = found;
        let batch_row = next_batch(bench.db).await?;
        let placed = self.place(bench, profile, batch_row).await?;
        let known = self.batch.records.len() - placed.inserted;
        let outcome =
            Outcome { inserted: count(placed.inserted)?, known: count(known)?, rejected: self.batch.rejected };
        let before = run.as_ref().map(|run| run.facts.state);
        let mut stored = match run {
            Some(run) => run,
            None => self.begin_run(bench.db, profile).await?,
        };
        stored.facts.take(&self.batch, outcome, self.now_ms);
        self.name_digest(bench.db, &mut stored).await?;
        let run = stored.save(bench.db, self.tenant, &self.batch.run_id).await?;
        let seen = if before.is_some() && known > 0 { unseen(bench.db, run, placed.ids).await? } else { placed.ids };
        let set = keep_set(bench.db, &seen).await?;
        self.keep_batch(bench.db, (batch_row, profile, run, set), outcome).await?;
        let change = Change { before, after: stored.facts.state, run, results: seen.len(), outcome };
        change.count(bench.db, profile, self.now_ms).await?;
        Ok(self.receipt(outcome, false))
    }

    async fn begin_run(&self, db: &mut SqliteConnection, profile: i64) -> Result<StoredRun, StoreError> {
        let drone = intern(db, self.tenant, self.batch.drone_id.as_str()).await?;
        let facts = RunFacts::begin(&self.batch, self.now_ms);
        Ok(StoredRun { row: None, profile, drone, profile_digest: None, facts })
    }

    /// The first report that names the profile's version settles it.
    async fn name_digest(&self, db: &mut SqliteConnection, run: &mut StoredRun) -> Result<(), StoreError> {
        let told = self.batch.run.as_ref().and_then(|report| report.profile_digest.as_deref());
        if let (None, Some(digest)) = (run.profile_digest, told) {
            run.profile_digest = Some(intern(db, self.tenant, digest).await?);
        }
        Ok(())
    }

    /// Puts what is new. Where most are likely to be new they are inserted at once, and only a chunk in which some
    /// were ignored is looked up; where most are likely to be known they are looked up first.
    async fn place(&self, bench: &mut Bench<'_>, profile: i64, batch: i64) -> Result<Placed, StoreError> {
        let mut known = HashMap::new();
        let look_first = bench.memory.expects_known(profile);
        if look_first {
            self.look_up(bench.db, profile, &self.distinct, &mut known).await?;
        }
        let keys = self.batch.records.digests();
        let is_missing = |index: &usize| !known.contains_key(&keys[*index].key());
        let missing: Vec<usize> = self.distinct.iter().copied().filter(is_missing).collect();
        let mut inserted = 0;
        let mut rest = &missing[..];
        while !rest.is_empty() {
            let (size, text) = INSERT_RECORDS.for_rows(rest.len());
            let (chunk, further) = rest.split_at(size);
            rest = further;
            let mut query = sqlx::query(text);
            for &index in chunk {
                let body = std::str::from_utf8(self.batch.records.text(index));
                let body = body.map_err(|error| StoreError::Engine(format!("a record is not UTF-8: {error}")))?;
                query = query.bind(profile).bind(keys[index].key().to_vec()).bind(batch).bind(body);
            }
            let done = query.execute(&mut *bench.db).await?;
            let taken = done.rows_affected() as usize;
            inserted += taken;
            if taken < size {
                self.look_up(bench.db, profile, chunk, &mut known).await?;
                continue;
            }
            let first = done.last_insert_rowid() - size as i64 + 1;
            known.extend(chunk.iter().map(|index| keys[*index].key()).zip(first..));
        }
        if !self.distinct.is_empty() {
            bench.memory.remember(profile, inserted * 2 < self.distinct.len());
        }
        let lost = || StoreError::Engine("a record was neither inserted nor found".into());
        let ids = self.distinct.iter().map(|index| known.get(&keys[*index].key()).copied().ok_or_else(lost));
        Ok(Placed { ids: ids.collect::<Result<_, _>>()?, inserted })
    }

    async fn look_up(
        &self,
        db: &mut SqliteConnection,
        profile: i64,
        indices: &[usize],
        known: &mut HashMap<[u8; 16], i64>,
    ) -> Result<(), StoreError> {
        let keys = self.batch.records.digests();
        let mut rest = indices;
        while !rest.is_empty() {
            let (size, text) = FIND_KEYS.for_rows(rest.len());
            let (chunk, further) = rest.split_at(size);
            rest = further;
            let mut query = sqlx::query(text).bind(profile);
            for &index in chunk {
                query = query.bind(keys[index].key().to_vec());
            }
            for row in query.fetch_all(&mut *db).await? {
                let key: &[u8] = row.try_get(0)?;
                let key = key.try_into().map_err(|_| StoreError::Engine("a stored key has not 16 bytes".into()))?;
                known.insert(key, row.try_get(1)?);
            }
        }
        Ok(())
    }

    async fn keep_batch(
        &self,
        db: &mut SqliteConnection,
        (row, profile, run, set): (i64, i64, i64, Option<i64>),
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO batches
            (id, profile, run, batch_key, digest, inserted, known, rejected, record_set, received_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(text).bind(row).bind(profile).bind(run).bind(&self.key[..]).bind(&self.digest[..]);
        let query = query.bind(outcome.inserted).bind(outcome.known).bind(outcome.rejected);
        query.bind(set).bind(self.now_ms).execute(db).await?;
        Ok(())
    }

    fn receipt(&self, outcome: Outcome, replayed: bool) -> Receipt {
        let Outcome { inserted, known, rejected } = outcome;
        let rejects = self.batch.rejects.clone();
        Receipt { run_id: self.batch.run_id.clone(), inserted, known, rejected, rejects, replayed }
    }
}

fn count(number: usize) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Engine("a batch has more records than a batch may have".into()))
}

/// Records name their batch, so its id is needed before its row can be written.
async fn next_batch(db: &mut SqliteConnection) -> Result<i64, StoreError> {
    let query = sqlx::query("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'batches'");
    Ok(query.fetch_optional(db).await?.map_or(Ok(1), |row| row.try_get(0))?)
}

/// Without the ids that earlier batches of the run hold already: a run sees a record once.
async fn unseen(db: &mut SqliteConnection, run: i64, ids: Vec<i64>) -> Result<Vec<i64>, StoreError> {
    let text = "SELECT s.ids FROM batches b JOIN record_sets s ON s.id = b.record_set WHERE b.run = ?";
    let mut seen = HashSet::new();
    for row in sqlx::query(text).bind(run).fetch_all(db).await? {
        seen.extend(unpack(row.try_get(0)?, MAX_RECORDS).map_err(|error| StoreError::Engine(error.to_string()))?);
    }
    Ok(ids.into_iter().filter(|id| !seen.contains(id)).collect())
}

/// The row of a set, created where no batch had the same one.
async fn keep_set(db: &mut SqliteConnection, ids: &[i64]) -> Result<Option<i64>, StoreError> {
    if ids.is_empty() {
        return Ok(None);
    }
    let packed = pack(ids);
    let digest = Digest::of(&packed).key();
    let find = sqlx::query("SELECT id FROM record_sets WHERE digest = ?").bind(&digest[..]);
    if let Some(row) = find.fetch_optional(&mut *db).await? {
        return Ok(Some(row.try_get(0)?));
    }
    let insert = sqlx::query("INSERT INTO record_sets (digest, ids) VALUES (?, ?)").bind(&digest[..]).bind(packed);
    Ok(Some(insert.execute(db).await?.last_insert_rowid()))
}

/// What a batch changes in its profile's counters.
struct Change {
    before: Option<crate::domain::run::RunState>,
    after: crate::domain::run::RunState,
    run: i64,
    results: usize,
    outcome: Outcome,
}

impl Change {
    async fn count(&self, db: &mut SqliteConnection, profile: i64, now_ms: i64) -> Result<(), StoreError> {
        let mut states = [0_i64; 5];
        if let Some(before) = self.before {
            states[state_number(before) as usize] -= 1;
        }
        states[state_number(self.after) as usize] += 1;
        let text = "UPDATE counters SET records = records + ?, results = results + ?, running = running + ?,
            succeeded = succeeded + ?, unchanged = unchanged + ?, partial = partial + ?, failed = failed + ?,
            last_run = ?, last_received_ms = max(coalesce(last_received_ms, ?), ?) WHERE profile = ?";
        let mut query = sqlx::query(text).bind(self.outcome.inserted).bind(self.results as i64);
        for state in states {
            query = query.bind(state);
        }
        query.bind(self.run).bind(now_ms).bind(now_ms).bind(profile).execute(db).await?;
        Ok(())
    }
}
