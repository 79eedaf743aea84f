//! Settles observations one by one: for sightings that do not come after all others, and for two versions seen at one
//! time. What later runs saw decides whether the version that stood goes on.

use sqlx::Row;

use super::revising::{Observation, REPLACE, RESTORE, Revised, Revising, Sighted, bytes, ids};
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::record_set::unpack_ranges;
use crate::store::revisions::{SeenAgain, Turn, doubt, take};

/// Batches of later runs that are looked at; what even later ones saw counts as not seen again until they are sent.
const MAX_LATER: i64 = 20_000;

const TURNS: &str = "
    SELECT v.seen_ms, v.record, r.key FROM revisions v JOIN records r ON r.id = v.record
    WHERE v.profile = ? AND v.observation = ? ORDER BY v.seen_ms";

/// The only version there is. The batch at work is not in `batches` yet, hence its own rows are not found.
const ONLY_TURN: &str = "
    SELECT min(u.started_ms, b.received_ms), r.id, r.key FROM records r INDEXED BY records_standing
    JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
    WHERE r.profile = ? AND r.observation = ? AND r.replaced IS NULL LIMIT 1";

pub(super) const SEEN_SINCE: &str = "
    SELECT min(u.started_ms, b.received_ms), s.ids FROM runs u INDEXED BY runs_by_start
    CROSS JOIN batches b INDEXED BY batches_of_run ON b.run = u.id CROSS JOIN record_sets s ON s.id = b.record_set
    WHERE u.profile = ? AND u.started_ms >= ? ORDER BY u.started_ms LIMIT ?";

/// A batch at work, and what later runs saw, once that was asked for.
pub(super) struct Late<'a> {
    of: Revising<'a>,
    later: Option<Vec<(i64, IdSet)>>,
}

impl<'a> Late<'a> {
    pub(super) fn new(of: Revising<'a>) -> Self {
        Self { of, later: None }
    }

    /// Takes the batch's sightings of one observation in.
    pub(super) async fn settle(&mut self, of: Observation, sighted: &[Sighted]) -> Result<Revised, StoreError> {
        let kept = self.kept_turns(of).await?;
        let before = if kept.is_empty() { self.only_turn(of).await? } else { kept.clone() };
        let mut turns = before.clone();
        for Sighted { row, key } in sighted {
            let seen = Turn { seen_ms: self.of.seen_ms, record: *row, key: *key };
            let again = match doubt(&turns, &seen) {
                Some(doubt) => doubt.settle(self.seen_since(doubt.record).await?),
                None => SeenAgain::default(),
            };
            take(&mut turns, seen, again);
        }
        if turns != before || (kept.is_empty() && turns.len() > 1) {
            self.write(of, &kept, &turns).await?;
        }
        let replaced = self.stand(&turns, &before, sighted).await?;
        Ok(Revised { observations: u32::from(turns != before && !before.is_empty()), replaced })
    }

    async fn kept_turns(&mut self, of: Observation) -> Result<Vec<Turn>, StoreError> {
        let query = sqlx::query(TURNS).bind(self.of.profile).bind(&of[..]);
        let rows = query.fetch_all(&mut *self.of.db).await?;
        let turn = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Turn { seen_ms: row.try_get(0)?, record: row.try_get(1)?, key: bytes(row.try_get(2)?)? })
        };
        rows.iter().map(turn).collect()
    }

    async fn only_turn(&mut self, of: Observation) -> Result<Vec<Turn>, StoreError> {
        let query = sqlx::query(ONLY_TURN).bind(self.of.profile).bind(&of[..]);
        let Some(row) = query.fetch_optional(&mut *self.of.db).await? else { return Ok(Vec::new()) };
        Ok(vec![Turn { seen_ms: row.try_get(0)?, record: row.try_get(1)?, key: bytes(row.try_get(2)?)? }])
    }

    /// When runs saw the record, from this run's time on.
    async fn seen_since(&mut self, record: i64) -> Result<Vec<i64>, StoreError> {
        if self.later.is_none() {
            self.later = Some(self.load_later().await?);
        }
        let later = self.later.iter().flatten();
        let mut times: Vec<i64> = later.filter(|(_, ids)| ids.contains(record)).map(|(seen_ms, _)| *seen_ms).collect();
        if self.of.seen.contains(record) {
            times.push(self.of.seen_ms);
        }
        Ok(times)
    }

    async fn load_later(&mut self) -> Result<Vec<(i64, IdSet)>, StoreError> {
        let query = sqlx::query(SEEN_SINCE).bind(self.of.profile).bind(self.of.seen_ms).bind(MAX_LATER);
        let mut later = Vec::new();
        for row in query.fetch_all(&mut *self.of.db).await? {
            let ranges = unpack_ranges(row.try_get(1)?, MAX_RECORDS);
            let ranges = ranges.map_err(|error| StoreError::Engine(error.to_string()))?;
            let mut ids = IdSet::default();
            ranges.into_iter().for_each(|(first, last)| ids.insert(first, last));
            later.push((row.try_get(0)?, ids));
        }
        Ok(later)
    }

    /// Writes the difference down.
    async fn write(&mut self, of: Observation, kept: &[Turn], turns: &[Turn]) -> Result<(), StoreError> {
        for gone in kept.iter().filter(|turn| !turns.contains(turn)) {
            let text = "DELETE FROM revisions WHERE profile = ? AND observation = ? AND seen_ms = ?";
            let query = sqlx::query(text).bind(self.of.profile).bind(&of[..]).bind(gone.seen_ms);
            query.execute(&mut *self.of.db).await?;
        }
        for new in turns.iter().filter(|turn| !kept.contains(turn)) {
            let text = "INSERT INTO revisions (profile, observation, seen_ms, record) VALUES (?, ?, ?, ?)";
            let query = sqlx::query(text).bind(self.of.profile).bind(&of[..]).bind(new.seen_ms).bind(new.record);
            query.execute(&mut *self.of.db).await?;
        }
        Ok(())
    }

    /// Marks the last version as the one that stands; gives by how much the number of replaced ones grew.
    async fn stand(&mut self, turns: &[Turn], before: &[Turn], sighted: &[Sighted]) -> Result<i64, StoreError> {
        let Some(stands) = turns.last().map(|turn| turn.record) else { return Ok(0) };
        let stood = before.last().map(|turn| turn.record);
        let others = sighted.iter().map(|sighted| sighted.row).chain(stood).filter(|row| *row != stands);
        let others: Vec<i64> = others.collect();
        let query = sqlx::query(REPLACE).bind(self.of.batch).bind(ids(&others)?);
        let replaced = query.execute(&mut *self.of.db).await?.rows_affected().cast_signed();
        let restore = sqlx::query(RESTORE).bind(ids(&[stands])?);
        Ok(replaced - restore.execute(&mut *self.of.db).await?.rows_affected().cast_signed())
    }
}
