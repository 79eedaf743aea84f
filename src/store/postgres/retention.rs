//! What retention asks of a server. Nothing here removes anything (see `expire`).

use std::collections::{HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::Postgres;
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

/// A run is tied where it was replayed, is a replay, or has records that are held.
const RUNS_BEFORE: &str = "
    SELECT u.id, u.received_ms, u.state,
        EXISTS (SELECT FROM replays y WHERE y.run = u.id)
        OR EXISTS (SELECT FROM replays y WHERE y.profile = u.profile AND y.replay_of = u.run_id)
        OR EXISTS (SELECT FROM held h WHERE h.run = u.id AND h.body IS NOT NULL)
    FROM runs u WHERE u.profile = $1 AND u.id < $2 ORDER BY u.id DESC LIMIT $3";

pub(super) const BATCHES_OF: &str =
    "SELECT run, inserted, record_set FROM batches WHERE run = ANY($1) AND record_set IS NOT NULL";

pub(super) const SETS: &str = "SELECT id, ids FROM record_sets WHERE id = ANY($1)";

const WITH_RECORDS: &str = "
    SELECT w.number FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS w (number, first, last)
    WHERE EXISTS (SELECT FROM records r WHERE r.profile = $1 AND r.id BETWEEN w.first AND w.last)";

const COUNT_RECORDS: &str = "
    SELECT count(*) FROM unnest($2::bigint[], $3::bigint[]) AS w (first, last)
    JOIN records r ON r.profile = $1 AND r.id BETWEEN w.first AND w.last";

const CROWDED: &str = "
    SELECT observation FROM revisions WHERE profile = $1 AND observation > $2
    GROUP BY observation HAVING count(*) > $3 ORDER BY observation LIMIT $4";

pub(super) const TURNS_OF: &str = "
    SELECT observation, seen_ms, record FROM revisions WHERE profile = $1 AND observation = ANY($2)
    ORDER BY observation, seen_ms";

impl Keeper for Postgres {
    async fn records_kept(&self, profile: i64) -> Result<u64, StoreError> {
        Ok(shown(self.counted("SELECT records FROM counters WHERE profile = $1", profile).await?))
    }

    async fn last_batch(&self, profile: i64) -> Result<i64, StoreError> {
        self.counted("SELECT coalesce(max(id), 0) FROM batches WHERE profile = $1", profile).await
    }

    async fn runs_before(&self, profile: i64, run: i64) -> Result<Vec<RunRow>, StoreError> {
        let mut runs = Vec::new();
        for row in self.desk.all(query(RUNS_BEFORE).bind(profile).bind(run).bind(RUNS)).await? {
            let (id, received_ms) = (row.try_get(0)?, row.try_get(1)?);
            runs.push(RunRow { id, received_ms, ended: Ended::of(row.try_get(2)?), is_tied: row.try_get(3)? });
        }
        Ok(runs)
    }

    async fn batches_of(&self, runs: &[i64]) -> Result<Vec<BatchRow>, StoreError> {
        let rows = self.desk.all(query(BATCHES_OF).bind(runs.to_vec())).await?;
        rows.iter().map(batch_row).collect()
    }

    async fn sets(&self, wanted: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = self.desk.all(query(SETS).bind(wanted.to_vec())).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn numbers_with_records(&self, profile: i64, ranges: &[(i64, i64, i64)]) -> Result<HashSet<i64>, StoreError> {
        let ask = query(WITH_RECORDS).bind(profile);
        let ask = ask.bind(ranges.iter().map(|(number, ..)| *number).collect::<Vec<_>>());
        let ask = ask.bind(ranges.iter().map(|(_, first, _)| *first).collect::<Vec<_>>());
        let rows = self.desk.all(ask.bind(ranges.iter().map(|(.., last)| *last).collect::<Vec<_>>())).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    async fn record_ids(&self, profile: i64, after: i64, size: i64) -> Result<Vec<i64>, StoreError> {
        let text = "SELECT id FROM records WHERE profile = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows = self.desk.all(query(text).bind(profile).bind(after).bind(size)).await?;
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
        let rows = self.desk.all(query(CROWDED).bind(profile).bind(after).bind(max_turns).bind(size)).await?;
        let wanted = rows.iter().map(|row| sixteen(row.try_get(0)?)).collect::<Result<Vec<_>, StoreError>>()?;
        let named: Vec<Vec<u8>> = wanted.iter().map(|observation| observation.to_vec()).collect();
        let mut turns = read_turns(&self.desk.all(query(TURNS_OF).bind(profile).bind(named)).await?)?;
        Ok(wanted.into_iter().map(|one| (one, turns.remove(&one).unwrap_or_default())).collect())
    }

    async fn run_of_expired(&self, tenant: Tenant, run: &RunId) -> Result<Option<(i64, i64)>, StoreError> {
        let text = "SELECT u.id, u.profile FROM runs u JOIN counters c ON c.profile = u.profile
            WHERE u.tenant_id = $1 AND u.run_id = $2 AND c.expired > 0";
        let row = self.desk.optional(query(text).bind(tenant.0).bind(run.as_str().to_owned())).await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
    }

    async fn count_records(&self, profile: i64, ranges: &[(i64, i64)]) -> Result<u64, StoreError> {
        let ask = query(COUNT_RECORDS).bind(profile);
        let ask = ask.bind(ranges.iter().map(|(first, _)| *first).collect::<Vec<_>>());
        let ask = ask.bind(ranges.iter().map(|(_, last)| *last).collect::<Vec<_>>());
        let row = self.desk.optional(ask).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map_or(0, shown))
    }

    async fn expire(&self, expire: Expire) -> Result<Removed, StoreError> {
        self.desk.write(expire).await
    }

    async fn remove_runs(&self, profile: i64, runs: Vec<i64>, before_ms: i64) -> Result<Removed, StoreError> {
        self.desk.write(RemoveRuns { profile, runs, before_ms }).await
    }
}

pub(super) fn batch_row(row: &PgRow) -> Result<BatchRow, StoreError> {
    Ok(BatchRow { run: row.try_get(0)?, inserted: row.try_get(1)?, record_set: row.try_get(2)? })
}

/// Turns by their observations, each in their order.
pub(super) fn read_turns(rows: &[PgRow]) -> Result<HashMap<Observation, Vec<KeptTurn>>, StoreError> {
    let mut turns: HashMap<Observation, Vec<KeptTurn>> = HashMap::new();
    for row in rows {
        let turn = KeptTurn { seen_ms: row.try_get(1)?, record: row.try_get(2)? };
        turns.entry(sixteen(row.try_get(0)?)?).or_default().push(turn);
    }
    Ok(turns)
}

impl Postgres {
    /// One number of a profile.
    async fn counted(&self, text: &'static str, profile: i64) -> Result<i64, StoreError> {
        let row = self.desk.optional(query(text).bind(profile)).await?;
        let row = row.ok_or_else(|| StoreError::Engine("a profile has no counters".into()))?;
        Ok(row.try_get(0)?)
    }

    /// The profile whose reads are whole from the latest time on, if that is after `time_ms`.
    pub(in crate::store) async fn horizon_after(
        &self,
        tenant: Tenant,
        profile: Option<&ProfileId>,
        time_ms: i64,
    ) -> Result<Option<Horizon>, StoreError> {
        let text = "SELECT p.profile_id, c.horizon_ms FROM profiles p JOIN counters c ON c.profile = p.id
            WHERE p.tenant_id = $1 AND ($2::text IS NULL OR p.profile_id = $2) AND c.horizon_ms > $3
            ORDER BY c.horizon_ms DESC LIMIT 1";
        let named = profile.map(|profile| profile.as_str().to_owned());
        let Some(row) = self.desk.optional(query(text).bind(tenant.0).bind(named).bind(time_ms)).await? else {
            return Ok(None);
        };
        Ok(Some(Horizon { profile: stored(ProfileId::parse(row.try_get(0)?))?, horizon_ms: row.try_get(1)? }))
    }

    pub(in crate::store) async fn tenant_names(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.desk.all(query("SELECT name FROM tenants ORDER BY id")).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Removed so far, and the time before which no read is whole.
    pub(in crate::store) async fn expired_of(&self, profile: i64) -> Result<(u64, Option<i64>), StoreError> {
        let ask = query("SELECT expired, horizon_ms FROM counters WHERE profile = $1").bind(profile);
        let row = self.desk.optional(ask).await?;
        let row = row.ok_or_else(|| StoreError::Engine("a profile has no counters".into()))?;
        Ok((shown(row.try_get(0)?), row.try_get(1)?))
    }

    /// The profile as its rows name it, a hidden one too.
    pub(in crate::store) async fn row_of(&self, tenant: Tenant, id: &ProfileId) -> Result<i64, StoreError> {
        self.profile_row(tenant, id).await?.ok_or_else(|| StoreError::UnknownProfile(id.clone()))
    }
}
