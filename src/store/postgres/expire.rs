//! Removing what retention chose, in one short transaction at a time. It takes the profile first, as whoever stores
//! batches does, and looks at everything once more: what arrived since it was chosen stays.

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use super::desk::Write;
use super::retention::{BATCHES_OF, SETS, TURNS_OF, batch_row, read_turns};
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::retention::choice::{Candidate, Choice, observations};
use crate::store::retention::{BatchRow, Expire, Removed, by_state, tally_runs};
use crate::store::sql::{Db, sixteen};

const SEEN_SINCE: &str = "
    SELECT s.ids FROM batches b JOIN record_sets s ON s.id = b.record_set WHERE b.profile = $1 AND b.id > $2";

const ROWS: &str = "SELECT id, observation, replaced IS NOT NULL FROM records WHERE profile = $1 AND id = ANY($2)";

const FORGET_TURNS: &str = "
    DELETE FROM revisions v USING unnest($2::bytea[], $3::bigint[]) AS gone (observation, seen_ms)
    WHERE v.profile = $1 AND v.observation = gone.observation AND v.seen_ms <= gone.seen_ms";

const COUNT: &str = "
    UPDATE counters SET records = records - $2, replaced = replaced - $3, expired = expired + $2,
        horizon_ms = greatest(horizon_ms, $4) WHERE profile = $1";

impl Write for Expire {
    type Output = Removed;

    async fn run(&self, db: &mut PgConnection) -> Result<Removed, StoreError> {
        db.take_profile(self.profile).await?;
        let seen_since = seen_since(db, self).await?;
        let candidates = candidates(db, self, &seen_since).await?;
        let named: Vec<Vec<u8>> = observations(&candidates).iter().map(|one| one.to_vec()).collect();
        let turns = query(TURNS_OF).bind(self.profile).bind(named).fetch_all(&mut *db).await?;
        let choice = Choice::of(self, &candidates, &read_turns(&turns)?);
        if choice.is_empty() {
            return Ok(Removed::default());
        }
        let (gone, last_ms): (Vec<Vec<u8>>, Vec<i64>) =
            choice.turns.iter().map(|(observation, seen_ms)| (observation.to_vec(), *seen_ms)).unzip();
        query(FORGET_TURNS).bind(self.profile).bind(gone).bind(last_ms).execute(&mut *db).await?;
        let forget = query("DELETE FROM records WHERE profile = $1 AND id = ANY($2)").bind(self.profile);
        forget.bind(choice.records.clone()).execute(&mut *db).await?;
        let count = query(COUNT).bind(self.profile).bind(choice.records.len() as i64);
        count.bind(choice.replaced).bind(choice.horizon_ms).execute(db).await?;
        Ok(Removed { records: choice.records.len() as u64, runs: 0 })
    }
}

/// What batches saw that arrived since the survey.
async fn seen_since(db: &mut PgConnection, expire: &Expire) -> Result<IdSet, StoreError> {
    let mut seen = IdSet::default();
    for row in query(SEEN_SINCE).bind(expire.profile).bind(expire.last_batch).fetch_all(db).await? {
        let read = seen.extend_packed(row.try_get(0)?, MAX_RECORDS);
        read.map_err(|error| StoreError::Engine(error.to_string()))?;
    }
    Ok(seen)
}

async fn candidates(db: &mut PgConnection, expire: &Expire, seen: &IdSet) -> Result<Vec<Candidate>, StoreError> {
    let mut candidates = Vec::new();
    for row in query(ROWS).bind(expire.profile).bind(seen.unseen(&expire.ids)).fetch_all(db).await? {
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

/// A run that was heard of since, or has records that are held, stays.
const OLD_RUNS: &str = "
    SELECT u.id, u.state FROM runs u WHERE u.profile = $1 AND u.id = ANY($2) AND u.received_ms < $3
        AND NOT EXISTS (SELECT FROM held h WHERE h.run = u.id AND h.body IS NOT NULL)";

const FORGET_RUNS: [&str; 5] = [
    "DELETE FROM batches WHERE run = ANY($1)",
    "DELETE FROM rejects WHERE run = ANY($1)",
    "DELETE FROM findings WHERE run = ANY($1)",
    "DELETE FROM held WHERE run = ANY($1)",
    "DELETE FROM runs WHERE id = ANY($1)",
];

/// Those that no batch names any more.
const FORGET_SETS: &str = "
    DELETE FROM record_sets s WHERE s.id = ANY($1) AND NOT EXISTS (SELECT FROM batches b WHERE b.record_set = s.id)";

const COUNT_RUNS: &str = "
    UPDATE counters SET results = results - $2, running = running - $3, succeeded = succeeded - $4,
        unchanged = unchanged - $5, partial = partial - $6, failed = failed - $7 WHERE profile = $1";

impl Write for RemoveRuns {
    type Output = Removed;

    async fn run(&self, db: &mut PgConnection) -> Result<Removed, StoreError> {
        db.take_profile(self.profile).await?;
        let ask = query(OLD_RUNS).bind(self.profile).bind(self.runs.clone()).bind(self.before_ms);
        let (mut runs, mut states) = (Vec::new(), Vec::new());
        for row in ask.fetch_all(&mut *db).await? {
            runs.push(row.try_get::<i64, _>(0)?);
            states.push(row.try_get(1)?);
        }
        if runs.is_empty() {
            return Ok(Removed::default());
        }
        let rows = query(BATCHES_OF).bind(runs.clone()).fetch_all(&mut *db).await?;
        let batches = rows.iter().map(batch_row).collect::<Result<Vec<BatchRow>, StoreError>>()?;
        let mut sets: Vec<i64> = batches.iter().map(|batch| batch.record_set).collect();
        sets.sort_unstable();
        sets.dedup();
        let packed = query(SETS).bind(sets.clone()).fetch_all(&mut *db).await?;
        let packed = packed.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let packed = packed.collect::<Result<Vec<(i64, Vec<u8>)>, StoreError>>()?;
        let (results, _) = tally_runs(&batches, &packed)?;
        for text in FORGET_RUNS {
            query(text).bind(runs.clone()).execute(&mut *db).await?;
        }
        query(FORGET_SETS).bind(sets).execute(&mut *db).await?;
        let count = query(COUNT_RUNS).bind(self.profile).bind(results);
        by_state(&states).into_iter().fold(count, |counted, number| counted.bind(number)).execute(db).await?;
        Ok(Removed { records: 0, runs: runs.len() as u64 })
    }
}
