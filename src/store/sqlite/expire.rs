//! Removing what retention chose, in one short transaction at a time. Everything is looked at once more here: what
//! arrived since it was chosen stays.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::job::{Bench, Write};
use super::retention::{BATCHES_OF, json, turns_of};
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::retention::choice::{Candidate, Choice, observations};
use crate::store::retention::{BatchRow, Expire, Removed, by_state, tally_runs};
use crate::store::sql::sixteen;

/// Binds: the profile, the batch behind which to look.
const SEEN_SINCE: &str = "
    SELECT s.ids FROM batches b INDEXED BY batches_of_profile JOIN record_sets s ON s.id = b.record_set
    WHERE b.profile = ? AND b.id > ?";

/// Binds: a JSON array of ids; the profile.
const ROWS: &str = "
    SELECT r.id, r.observation, r.replaced IS NOT NULL FROM json_each(?) wanted
    CROSS JOIN records r ON r.id = wanted.value WHERE r.profile = ?";

/// Binds: a JSON array of observation in hex digits and time; the profile.
const FORGET_TURNS: &str = "
    DELETE FROM revisions WHERE id IN (SELECT v.id FROM json_each(?) gone
        CROSS JOIN revisions v ON v.profile = ? AND v.observation = unhex(gone.value ->> 0)
            AND v.seen_ms <= gone.value ->> 1)";

const FORGET_RECORDS: &str = "DELETE FROM records WHERE id IN (SELECT value FROM json_each(?))";

const COUNT: &str = "
    UPDATE counters SET records = records - ?, replaced = replaced - ?, expired = expired + ?,
        horizon_ms = max(coalesce(horizon_ms, ?), ?) WHERE profile = ?";

impl Write for Expire {
    type Output = Removed;

    fn records(&self) -> usize {
        self.ids.len()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Removed, StoreError> {
        let db = &mut *bench.db;
        let seen_since = seen_since(db, self).await?;
        let candidates = candidates(db, self, &seen_since).await?;
        let turns = turns_of(db, self.profile, &observations(&candidates)).await?;
        let choice = Choice::of(self, &candidates, &turns);
        if choice.is_empty() {
            return Ok(Removed::default());
        }
        let last_turns: Vec<(String, i64)> =
            choice.turns.iter().map(|(observation, seen_ms)| (hex::encode(observation), *seen_ms)).collect();
        sqlx::query(FORGET_TURNS).bind(json(&last_turns)?).bind(self.profile).execute(&mut *db).await?;
        sqlx::query(FORGET_RECORDS).bind(json(&choice.records)?).execute(&mut *db).await?;
        let records = choice.records.len() as i64;
        let count = sqlx::query(COUNT).bind(records).bind(choice.replaced).bind(records);
        count.bind(choice.horizon_ms).bind(choice.horizon_ms).bind(self.profile).execute(db).await?;
        Ok(Removed { records: choice.records.len() as u64, runs: 0 })
    }
}

/// What batches saw that arrived since the survey.
async fn seen_since(db: &mut SqliteConnection, expire: &Expire) -> Result<IdSet, StoreError> {
    let mut seen = IdSet::default();
    for row in sqlx::query(SEEN_SINCE).bind(expire.profile).bind(expire.last_batch).fetch_all(db).await? {
        let read = seen.extend_packed(row.try_get(0)?, MAX_RECORDS);
        read.map_err(|error| StoreError::Engine(error.to_string()))?;
    }
    Ok(seen)
}

async fn candidates(db: &mut SqliteConnection, expire: &Expire, seen: &IdSet) -> Result<Vec<Candidate>, StoreError> {
    let query = sqlx::query(ROWS).bind(json(&seen.unseen(&expire.ids))?).bind(expire.profile);
    let mut candidates = Vec::new();
    for row in query.fetch_all(db).await? {
        let observation: Option<&[u8]> = row.try_get(1)?;
        let observation = observation.map(sixteen).transpose()?;
        candidates.push(Candidate { id: row.try_get(0)?, observation, is_replaced: row.try_get(2)? });
    }
    Ok(candidates)
}

/// Removes runs and all that was told of them.
pub(super) struct RemoveRuns {
    pub(super) profile: i64,
    pub(super) runs: Vec<i64>,
    pub(super) before_ms: i64,
}

/// Binds: a JSON array of ids, the profile, the time. A run that was heard of since, or has records that are held, stays.
const OLD_RUNS: &str = "
    SELECT u.id, u.state FROM json_each(?) wanted CROSS JOIN runs u ON u.id = wanted.value
    WHERE u.profile = ? AND u.received_ms < ?
        AND NOT EXISTS (SELECT 1 FROM held h WHERE h.run = u.id AND h.body IS NOT NULL)";

const FORGET_RUNS: [&str; 5] = [
    "DELETE FROM batches WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM rejects WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM findings WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM held WHERE run IN (SELECT value FROM json_each(?))",
    "DELETE FROM runs WHERE id IN (SELECT value FROM json_each(?))",
];

/// Binds: a JSON array of sets. Those that no batch names any more.
const FORGET_SETS: &str = "
    DELETE FROM record_sets WHERE id IN (SELECT value FROM json_each(?))
        AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.record_set = record_sets.id)";

const COUNT_RUNS: &str = "
    UPDATE counters SET results = results - ?, running = running - ?, succeeded = succeeded - ?,
        unchanged = unchanged - ?, partial = partial - ?, failed = failed - ? WHERE profile = ?";

impl Write for RemoveRuns {
    type Output = Removed;

    fn records(&self) -> usize {
        self.runs.len()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Removed, StoreError> {
        let db = &mut *bench.db;
        let old = sqlx::query(OLD_RUNS).bind(json(&self.runs)?).bind(self.profile).bind(self.before_ms);
        let (mut runs, mut states) = (Vec::new(), Vec::new());
        for row in old.fetch_all(&mut *db).await? {
            runs.push(row.try_get(0)?);
            states.push(row.try_get(1)?);
        }
        if runs.is_empty() {
            return Ok(Removed::default());
        }
        let batches = batches_of(db, &runs).await?;
        let mut sets: Vec<i64> = batches.iter().map(|batch| batch.record_set).collect();
        sets.sort_unstable();
        sets.dedup();
        let packed = packed_sets(db, &sets).await?;
        let results = tally_runs(&batches, &packed)?.0;
        let gone = json(&runs)?;
        for text in FORGET_RUNS {
            sqlx::query(text).bind(&gone[..]).execute(&mut *db).await?;
        }
        sqlx::query(FORGET_SETS).bind(json(&sets)?).execute(&mut *db).await?;
        let count = sqlx::query(COUNT_RUNS).bind(results);
        let count = by_state(&states).into_iter().fold(count, |query, number| query.bind(number));
        count.bind(self.profile).execute(db).await?;
        Ok(Removed { records: 0, runs: runs.len() as u64 })
    }
}

async fn batches_of(db: &mut SqliteConnection, runs: &[i64]) -> Result<Vec<BatchRow>, StoreError> {
    let mut batches = Vec::new();
    for row in sqlx::query(BATCHES_OF).bind(json(runs)?).fetch_all(db).await? {
        batches.push(BatchRow { run: row.try_get(0)?, inserted: row.try_get(1)?, record_set: row.try_get(2)? });
    }
    Ok(batches)
}

async fn packed_sets(db: &mut SqliteConnection, sets: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let text = "SELECT id, ids FROM record_sets WHERE id IN (SELECT value FROM json_each(?))";
    let rows = sqlx::query(text).bind(json(sets)?).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
