//! What a batch changes about observations: which version stands, and since when. The usual batch, which is of the
//! latest run, is settled in a few statements whatever its size; a late one, or one with two versions of the same
//! observation, is settled observation by observation. The same for every engine; each has its own statements.

use std::collections::HashMap;

use super::error::StoreError;
use super::id_set::IdSet;
use super::late::Late;
use super::sql::{Cells, Db, sixteen, values};

pub(super) type Observation = [u8; 16];

/// The statements. `$1` is the profile in all of them.
pub(super) trait Revises: Db {
    /// A row where anything of the profile was ever replaced.
    const ANY_REPLACED: &'static str;
    /// `$2` ids. Row, key and observation of those that do not stand alone, each with one that stands.
    const CHANGED: &'static str;
    /// `$2` start of the run, `$3` ids. Row, key and observation of those that may change what is known.
    const MAY_CHANGE: &'static str;
    /// `$2` ids. The first version's turn, where it has not been written down yet.
    const BEGIN_TURNS: &'static str;
    /// `$2` start of the run, `$3` ids.
    const ADD_TURNS: &'static str;
    /// `$2` the batch that brought it about, `$3` ids.
    const REPLACE: &'static str;
    /// `$2` ids.
    const RESTORE: &'static str;
    /// `$2` observation. Its turns: time, row and key, in the order of time.
    const TURNS: &'static str;
    /// `$2` observation. The turn of the only version there is. The batch at work is not in `batches` yet, hence its own
    /// rows are not found.
    const ONLY_TURN: &'static str;
    /// `$2` a time, `$3` how many. What runs that began then or later saw: the time, and the packed set.
    const SEEN_SINCE: &'static str;
}

/// What a batch did to observations.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Revised {
    /// Observations that changed, now or in the past.
    pub(super) observations: u32,
    /// By how much the number of replaced records grew.
    pub(super) replaced: i64,
}

/// A batch whose records are placed.
pub(super) struct Revising<'a, D> {
    pub(super) db: &'a mut D,
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

impl<D: Revises> Revising<'_, D> {
    /// `latest_ms` is the start of the profile's latest run, and `goes_on` says that the run of this batch had begun
    /// before it.
    pub(super) async fn settle(self, latest_ms: Option<i64>, goes_on: bool) -> Result<Revised, StoreError> {
        let is_latest = |known_ms: i64| self.seen_ms > known_ms || (self.seen_ms == known_ms && goes_on);
        if latest_ms.is_none_or(is_latest) { self.in_order().await } else { self.late().await }
    }

    /// For a batch of the latest run of its profile.
    async fn in_order(mut self) -> Result<Revised, StoreError> {
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
    async fn late(self) -> Result<Revised, StoreError> {
        let rows = self.db.all(D::MAY_CHANGE, values![self.profile, self.seen_ms, self.rows]).await?;
        let mut groups: HashMap<Observation, Vec<Sighted>> = HashMap::new();
        for row in &rows {
            let sighted = Sighted { row: row.number(0)?, key: sixteen(row.bytes(1)?)? };
            groups.entry(sixteen(row.bytes(2)?)?).or_default().push(sighted);
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
        if self.db.first(D::ANY_REPLACED, values![self.profile]).await?.is_some() {
            wanted = self.rows.to_vec();
        }
        let mut groups: HashMap<Observation, Group> = HashMap::new();
        if wanted.is_empty() {
            return Ok(groups);
        }
        for row in self.db.all(D::CHANGED, values![self.profile, wanted]).await? {
            let sighted = Sighted { row: row.number(0)?, key: sixteen(row.bytes(1)?)? };
            let group = groups.entry(sixteen(row.bytes(2)?)?).or_default();
            if group.sighted.iter().all(|known| known.row != sighted.row) {
                group.sighted.push(sighted);
            }
            group.stood.push(row.number(3)?);
        }
        Ok(groups)
    }

    /// Gives the rows of `now` their turn after those of `before`, one for one.
    async fn turn(&mut self, now: &[i64], before: &[i64]) -> Result<Revised, StoreError> {
        if now.is_empty() {
            return Ok(Revised::default());
        }
        self.db.run(D::BEGIN_TURNS, values![self.profile, before]).await?;
        self.db.run(D::ADD_TURNS, values![self.profile, self.seen_ms, now]).await?;
        let replaced = self.db.run(D::REPLACE, values![self.profile, self.batch, before]).await?;
        let restored = self.db.run(D::RESTORE, values![self.profile, now]).await?;
        let observations = u32::try_from(now.len()).unwrap_or(u32::MAX);
        Ok(Revised { observations, replaced: replaced - restored })
    }
}

impl Revised {
    fn add(&mut self, other: Self) {
        self.observations = self.observations.saturating_add(other.observations);
        self.replaced += other.replaced;
    }
}
