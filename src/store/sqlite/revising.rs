//! What a batch changes about observations: which version stands, and since when. The usual batch, which is of the
//! latest run, is settled in a few statements whatever its size; a late one, or one with two versions of the same
//! observation, is settled observation by observation.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::late::Late;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;

pub(super) type Observation = [u8; 16];

pub(super) const ANY_REPLACED: &str =
    "SELECT 1 FROM records INDEXED BY records_replaced WHERE profile = ? AND replaced IS NOT NULL LIMIT 1";

/// Binds: a JSON array of ids. Rows that do not stand alone, each with one that stands.
pub(super) const CHANGED: &str = "
    SELECT r.id, r.key, r.observation, s.id AS stood FROM json_each(?) wanted
    CROSS JOIN records r ON r.id = wanted.value
    CROSS JOIN records s INDEXED BY records_standing
        ON s.profile = r.profile AND s.observation = r.observation AND s.replaced IS NULL AND s.id <> r.id";

/// Binds: the start of the run, a JSON array of ids. Rows of a late run that may change what is known.
pub(super) const MAY_CHANGE: &str = "
    WITH late (seen_ms) AS (SELECT ?)
    SELECT r.id, r.key, r.observation FROM late CROSS JOIN json_each(?) wanted
    CROSS JOIN records r ON r.id = wanted.value
    WHERE r.observation IS NOT NULL AND (r.replaced IS NOT NULL
        OR EXISTS (SELECT 1 FROM revisions v WHERE v.profile = r.profile AND v.observation = r.observation)
        OR EXISTS (SELECT 1 FROM records s INDEXED BY records_standing WHERE s.profile = r.profile
            AND s.observation = r.observation AND s.replaced IS NULL AND s.id <> r.id)
        OR late.seen_ms < (SELECT min(u.started_ms, b.received_ms) FROM batches b JOIN runs u ON u.id = b.run
            WHERE b.id = r.batch))";

/// The first version's turn, where it has not been written down yet. Binds: a JSON array of ids.
const BEGIN_TURNS: &str = "
    INSERT INTO revisions (profile, observation, seen_ms, record)
    SELECT r.profile, r.observation, min(u.started_ms, b.received_ms), r.id FROM json_each(?) wanted
    CROSS JOIN records r ON r.id = wanted.value CROSS JOIN batches b ON b.id = r.batch CROSS JOIN runs u ON u.id = b.run
    WHERE NOT EXISTS (SELECT 1 FROM revisions v WHERE v.profile = r.profile AND v.observation = r.observation)";

/// Binds: the start of the run, a JSON array of ids.
const ADD_TURNS: &str = "
    INSERT INTO revisions (profile, observation, seen_ms, record)
    SELECT r.profile, r.observation, ?, r.id FROM json_each(?) wanted CROSS JOIN records r ON r.id = wanted.value
    WHERE true ON CONFLICT (profile, observation, seen_ms) DO UPDATE SET record = excluded.record";

pub(super) const REPLACE: &str =
    "UPDATE records SET replaced = ? WHERE id IN (SELECT value FROM json_each(?)) AND replaced IS NULL";
pub(super) const RESTORE: &str =
    "UPDATE records SET replaced = NULL WHERE id IN (SELECT value FROM json_each(?)) AND replaced IS NOT NULL";

/// What a batch did to observations.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Revised {
    /// Observations that changed, now or in the past.
    pub(super) observations: u32,
    /// By how much the number of replaced records grew.
    pub(super) replaced: i64,
}

/// A batch whose records are placed.
pub(super) struct Revising<'a> {
    pub(super) db: &'a mut SqliteConnection,
    pub(super) profile: i64,
    pub(super) batch: i64,
    /// Start of the run, in Unix milliseconds.
    pub(super) seen_ms: i64,
    /// The rows of its records, each once.
    pub(super) rows: &'a [i64],
    /// Rows from here on were inserted by the batch.
    pub(super) next_record: i64,
    /// All that the run saw, this batch included.
    pub(super) seen: &'a IdSet,
}

/// A row of the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighted {
    pub(super) row: i64,
    pub(super) key: [u8; 16],
}

/// Rows of the batch of one observation, and what stood for it.
#[derive(Debug, Default)]
struct Group {
    sighted: Vec<Sighted>,
    stood: Vec<i64>,
}

impl Revising<'_> {
    /// For a batch of the latest run of its profile.
    pub(super) async fn in_order(mut self) -> Result<Revised, StoreError> {
        let groups = self.changed().await?;
        let (mut now, mut before, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (observation, group) in groups {
            match (group.sighted.as_slice(), group.stood.as_slice()) {
                ([new], [stood]) if !self.seen.contains(*stood) => {
                    now.push(new.row);
                    before.push(*stood);
                }
                _ => rest.push((observation, group.sighted)),
            }
        }
        let mut revised = self.turn(&now, &before).await?;
        let mut late = Late::new(self);
        for (observation, sighted) in rest {
            revised.add(late.settle(observation, &sighted).await?);
        }
        Ok(revised)
    }

    /// For a batch of an earlier run than the latest.
    pub(super) async fn late(self) -> Result<Revised, StoreError> {
        let rows = sqlx::query(MAY_CHANGE).bind(self.seen_ms).bind(ids(self.rows)?).fetch_all(&mut *self.db).await?;
        let mut groups: HashMap<Observation, Vec<Sighted>> = HashMap::new();
        for row in &rows {
            let sighted = Sighted { row: row.try_get(0)?, key: bytes(row.try_get(1)?)? };
            groups.entry(bytes(row.try_get(2)?)?).or_default().push(sighted);
        }
        let mut late = Late::new(self);
        let mut revised = Revised::default();
        for (observation, sighted) in groups {
            revised.add(late.settle(observation, &sighted).await?);
        }
        Ok(revised)
    }

    async fn changed(&mut self) -> Result<HashMap<Observation, Group>, StoreError> {
        let mut wanted: Vec<i64> = self.rows.iter().copied().filter(|row| *row >= self.next_record).collect();
        if sqlx::query(ANY_REPLACED).bind(self.profile).fetch_optional(&mut *self.db).await?.is_some() {
            wanted = self.rows.to_vec();
        }
        let mut groups: HashMap<Observation, Group> = HashMap::new();
        if wanted.is_empty() {
            return Ok(groups);
        }
        for row in sqlx::query(CHANGED).bind(ids(&wanted)?).fetch_all(&mut *self.db).await? {
            let sighted = Sighted { row: row.try_get(0)?, key: bytes(row.try_get(1)?)? };
            let group = groups.entry(bytes(row.try_get(2)?)?).or_default();
            if group.sighted.iter().all(|known| known.row != sighted.row) {
                group.sighted.push(sighted);
            }
            group.stood.push(row.try_get(3)?);
        }
        Ok(groups)
    }

    /// Gives the rows of `now` their turn after those of `before`, one for one.
    async fn turn(&mut self, now: &[i64], before: &[i64]) -> Result<Revised, StoreError> {
        if now.is_empty() {
            return Ok(Revised::default());
        }
        let (new, old) = (ids(now)?, ids(before)?);
        sqlx::query(BEGIN_TURNS).bind(&old[..]).execute(&mut *self.db).await?;
        sqlx::query(ADD_TURNS).bind(self.seen_ms).bind(&new[..]).execute(&mut *self.db).await?;
        let replaced = sqlx::query(REPLACE).bind(self.batch).bind(&old[..]).execute(&mut *self.db).await?;
        let restored = sqlx::query(RESTORE).bind(&new[..]).execute(&mut *self.db).await?;
        let replaced = replaced.rows_affected().cast_signed() - restored.rows_affected().cast_signed();
        Ok(Revised { observations: u32::try_from(now.len()).unwrap_or(u32::MAX), replaced })
    }
}

impl Revised {
    fn add(&mut self, other: Self) {
        self.observations = self.observations.saturating_add(other.observations);
        self.replaced += other.replaced;
    }
}

/// Ids as one bound value.
pub(super) fn ids(rows: &[i64]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Engine(error.to_string()))
}

pub(super) fn bytes(blob: &[u8]) -> Result<[u8; 16], StoreError> {
    blob.try_into().map_err(|_| StoreError::Engine("a stored key has not 16 bytes".into()))
}
