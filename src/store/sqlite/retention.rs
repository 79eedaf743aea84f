//! What retention asks of a file. All of it goes by an index; nothing here removes anything (see `expire`).

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sqlx::Row;

use super::Sqlite;
use super::expire::RemoveRuns;
use crate::domain::ids::{ProfileId, RunId};
use crate::store::error::StoreError;
use crate::store::retention::turns::KeptTurn;
use crate::store::retention::walk::Ended;
use crate::store::retention::{BatchRow, Expire, Horizon, Keeper, Observation, Removed, RunRow};
use crate::store::rows::{shown, stored};
use crate::store::sql::sixteen;
use crate::store::tenants::Tenant;

/// Runs that are looked at together.
const RUNS: i64 = 100;

/// Binds: profile, the id before which to go on, how many. A run is tied where it was replayed, is a replay, or has
/// records that are held.
pub(super) const RUNS_BEFORE: &str = "
    SELECT u.id, u.received_ms, u.state,
        EXISTS (SELECT 1 FROM replays y WHERE y.run = u.id)
        OR EXISTS (SELECT 1 FROM replays y INDEXED BY replays_by_origin
            WHERE y.profile = u.profile AND y.replay_of = u.run_id)
        OR EXISTS (SELECT 1 FROM held h WHERE h.run = u.id AND h.body IS NOT NULL)
    FROM runs u INDEXED BY runs_of_profile WHERE u.profile = ? AND u.id < ? ORDER BY u.id DESC LIMIT ?";

/// Binds: a JSON array of runs.
pub(super) const BATCHES_OF: &str = "
    SELECT b.run, b.inserted, b.record_set FROM json_each(?) wanted
    CROSS JOIN batches b INDEXED BY batches_of_run ON b.run = wanted.value WHERE b.record_set IS NOT NULL";

/// Binds: a JSON array of number, first and last id; the profile.
pub(super) const WITH_RECORDS: &str = "
    SELECT wanted.value ->> 0 FROM json_each(?) wanted
    WHERE EXISTS (SELECT 1 FROM records r INDEXED BY records_of_profile
        WHERE r.profile = ? AND r.id BETWEEN wanted.value ->> 1 AND wanted.value ->> 2)";

pub(super) const RECORD_IDS: &str =
    "SELECT id FROM records INDEXED BY records_of_profile WHERE profile = ? AND id > ? ORDER BY id LIMIT ?";

/// Binds: profile, the observation behind which to go on, turns that are not too many, how many observations.
pub(super) const CROWDED: &str = "
    SELECT observation FROM revisions WHERE profile = ? AND observation > ?
    GROUP BY observation HAVING count(*) > ? ORDER BY observation LIMIT ?";

/// Binds: a JSON array of observations in hex digits; the profile.
pub(super) const TURNS_OF: &str = "
    SELECT v.observation, v.seen_ms, v.record FROM json_each(?) wanted
    CROSS JOIN revisions v ON v.profile = ? AND v.observation = unhex(wanted.value)";

/// Binds: a JSON array of first and last id.
const COUNT_RECORDS: &str = "
    SELECT count(*) FROM json_each(?) wanted
    CROSS JOIN records r ON r.id BETWEEN wanted.value ->> 0 AND wanted.value ->> 1";

impl Keeper for Sqlite {
    async fn records_kept(&self, profile: i64) -> Result<u64, StoreError> {
        let query = sqlx::query("SELECT records FROM counters WHERE profile = ?").bind(profile);
        Ok(shown(query.fetch_one(&self.readers).await?.try_get(0)?))
    }

    async fn last_batch(&self, profile: i64) -> Result<i64, StoreError> {
        let text = "SELECT coalesce(max(id), 0) FROM batches INDEXED BY batches_of_profile WHERE profile = ?";
        Ok(sqlx::query(text).bind(profile).fetch_one(&self.readers).await?.try_get(0)?)
    }

    async fn runs_before(&self, profile: i64, run: i64) -> Result<Vec<RunRow>, StoreError> {
        let query = sqlx::query(RUNS_BEFORE).bind(profile).bind(run).bind(RUNS);
        let mut runs = Vec::new();
        for row in query.fetch_all(&self.readers).await? {
            let (id, received_ms) = (row.try_get(0)?, row.try_get(1)?);
            runs.push(RunRow { id, received_ms, ended: Ended::of(row.try_get(2)?), is_tied: row.try_get(3)? });
        }
        Ok(runs)
    }

    async fn batches_of(&self, runs: &[i64]) -> Result<Vec<BatchRow>, StoreError> {
        let mut batches = Vec::new();
        for row in sqlx::query(BATCHES_OF).bind(json(runs)?).fetch_all(&self.readers).await? {
            batches.push(BatchRow { run: row.try_get(0)?, inserted: row.try_get(1)?, record_set: row.try_get(2)? });
        }
        Ok(batches)
    }

    async fn sets(&self, wanted: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let text = "SELECT id, ids FROM record_sets WHERE id IN (SELECT value FROM json_each(?))";
        let rows = sqlx::query(text).bind(json(wanted)?).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn numbers_with_records(&self, profile: i64, ranges: &[(i64, i64, i64)]) -> Result<HashSet<i64>, StoreError> {
        let rows = sqlx::query(WITH_RECORDS).bind(json(ranges)?).bind(profile).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn record_ids(&self, profile: i64, after: i64, size: i64) -> Result<Vec<i64>, StoreError> {
        let rows = sqlx::query(RECORD_IDS).bind(profile).bind(after).bind(size).fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn crowded(
        &self,
        profile: i64,
        after: Option<Observation>,
        max_turns: i64,
        size: i64,
    ) -> Result<Vec<(Observation, Vec<KeptTurn>)>, StoreError> {
        let after = after.map_or_else(Vec::new, |observation| observation.to_vec());
        let query = sqlx::query(CROWDED).bind(profile).bind(after).bind(max_turns).bind(size);
        let rows = query.fetch_all(&self.readers).await?;
        let wanted = rows.iter().map(|row| sixteen(row.try_get(0)?)).collect::<Result<Vec<_>, StoreError>>()?;
        let mut reader = self.readers.acquire().await?;
        let mut turns = turns_of(&mut reader, profile, &wanted).await?;
        Ok(wanted.into_iter().map(|one| (one, turns.remove(&one).unwrap_or_default())).collect())
    }

    async fn run_of_expired(&self, tenant: Tenant, run: &RunId) -> Result<Option<(i64, i64)>, StoreError> {
        let text = "SELECT u.id, u.profile FROM runs u JOIN counters c ON c.profile = u.profile
            WHERE u.tenant_id = ? AND u.run_id = ? AND c.expired > 0";
        let query = sqlx::query(text).bind(tenant.0).bind(run.as_str());
        let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(None) };
        Ok(Some((row.try_get(0)?, row.try_get(1)?)))
    }

    async fn count_records(&self, _profile: i64, ranges: &[(i64, i64)]) -> Result<u64, StoreError> {
        let query = sqlx::query(COUNT_RECORDS).bind(json(ranges)?);
        Ok(shown(query.fetch_one(&self.readers).await?.try_get(0)?))
    }

    async fn expire(&self, expire: Expire) -> Result<Removed, StoreError> {
        self.write(expire).await
    }

    async fn remove_runs(&self, profile: i64, runs: Vec<i64>, before_ms: i64) -> Result<Removed, StoreError> {
        self.write(RemoveRuns { profile, runs, before_ms }).await
    }
}

/// Many values as one.
pub(super) fn json<T: Serialize + ?Sized>(values: &T) -> Result<String, StoreError> {
    serde_json::to_string(values).map_err(|error| StoreError::Engine(error.to_string()))
}

/// The turns of observations, each in their order.
pub(super) async fn turns_of(
    db: &mut sqlx::SqliteConnection,
    profile: i64,
    wanted: &[Observation],
) -> Result<HashMap<Observation, Vec<KeptTurn>>, StoreError> {
    let named: Vec<String> = wanted.iter().map(hex::encode).collect();
    let mut turns: HashMap<Observation, Vec<KeptTurn>> = HashMap::new();
    for row in sqlx::query(TURNS_OF).bind(json(&named)?).bind(profile).fetch_all(db).await? {
        let turn = KeptTurn { seen_ms: row.try_get(1)?, record: row.try_get(2)? };
        turns.entry(sixteen(row.try_get(0)?)?).or_default().push(turn);
    }
    turns.values_mut().for_each(|turns| turns.sort_unstable_by_key(|turn| turn.seen_ms));
    Ok(turns)
}

impl Sqlite {
    /// The profile whose reads are whole from the latest time on, if that is after `time_ms`.
    pub(in crate::store) async fn horizon_after(
        &self,
        tenant: Tenant,
        profile: Option<&ProfileId>,
        time_ms: i64,
    ) -> Result<Option<Horizon>, StoreError> {
        let text = "SELECT p.profile_id, c.horizon_ms FROM profiles p JOIN counters c ON c.profile = p.id
            WHERE p.tenant_id = ? AND (? IS NULL OR p.profile_id = ?) AND c.horizon_ms > ?
            ORDER BY c.horizon_ms DESC LIMIT 1";
        let named = profile.map(ProfileId::as_str);
        let query = sqlx::query(text).bind(tenant.0).bind(named).bind(named).bind(time_ms);
        let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(None) };
        Ok(Some(Horizon { profile: stored(ProfileId::parse(row.try_get(0)?))?, horizon_ms: row.try_get(1)? }))
    }

    pub(in crate::store) async fn tenant_names(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT name FROM tenants ORDER BY id").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Removed so far, and the time before which no read is whole.
    pub(in crate::store) async fn expired_of(&self, profile: i64) -> Result<(u64, Option<i64>), StoreError> {
        let query = sqlx::query("SELECT expired, horizon_ms FROM counters WHERE profile = ?").bind(profile);
        let row = query.fetch_one(&self.readers).await?;
        Ok((shown(row.try_get(0)?), row.try_get(1)?))
    }

    /// The profile as its rows name it, a hidden one too.
    pub(in crate::store) async fn row_of(&self, tenant: Tenant, id: &ProfileId) -> Result<i64, StoreError> {
        self.profile_row(tenant, id).await?.ok_or_else(|| StoreError::UnknownProfile(id.clone()))
    }
}
