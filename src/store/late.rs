//! Settles observations one by one: for sightings that do not come after all others, and for two versions seen at one
//! time. What later runs saw decides whether the version that stood goes on. The same for every engine.

use super::error::StoreError;
use super::id_set::IdSet;
use super::revising::{Observation, Revised, Revises, Revising, Sighted};
use super::revisions::{SeenAgain, Turn, doubt, take};
use super::sql::{Cells, sixteen, values};
use crate::protocol::batch::MAX_RECORDS;

/// Batches of later runs that are looked at; what even later ones saw counts as not seen again until they are sent.
const MAX_LATER: i64 = 20_000;

/// A batch at work, and what later runs saw, once that was asked for.
pub(super) struct Late<'a, D> {
    of: Revising<'a, D>,
    later: Option<Vec<(i64, IdSet)>>,
}

impl<'a, D: Revises> Late<'a, D> {
    pub(super) fn new(of: Revising<'a, D>) -> Self {
        Self { of, later: None }
    }

    /// Takes the batch's sightings of one observation in.
    pub(super) async fn settle(&mut self, of: Observation, sighted: &[Sighted]) -> Result<Revised, StoreError> {
        let kept = self.turns(D::TURNS, of).await?;
        let before = if kept.is_empty() { self.turns(D::ONLY_TURN, of).await? } else { kept.clone() };
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

    async fn turns(&mut self, text: &'static str, of: Observation) -> Result<Vec<Turn>, StoreError> {
        let rows = self.of.db.all(text, values![self.of.profile, &of[..]]).await?;
        let turn =
            |row: &D::Row| Ok(Turn { seen_ms: row.number(0)?, record: row.number(1)?, key: sixteen(row.bytes(2)?)? });
        rows.iter().map(turn).collect()
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
        let mut later = Vec::new();
        let asked = values![self.of.profile, self.of.seen_ms, MAX_LATER];
        for row in self.of.db.all(D::SEEN_SINCE, asked).await? {
            let mut ids = IdSet::default();
            let read = ids.extend_packed(row.bytes(1)?, MAX_RECORDS);
            read.map_err(|error| StoreError::Engine(error.to_string()))?;
            later.push((row.number(0)?, ids));
        }
        Ok(later)
    }

    /// Writes the difference down.
    async fn write(&mut self, of: Observation, kept: &[Turn], turns: &[Turn]) -> Result<(), StoreError> {
        for gone in kept.iter().filter(|turn| !turns.contains(turn)) {
            let text = "DELETE FROM revisions WHERE profile = $1 AND observation = $2 AND seen_ms = $3";
            self.of.db.run(text, values![self.of.profile, &of[..], gone.seen_ms]).await?;
        }
        for new in turns.iter().filter(|turn| !kept.contains(turn)) {
            let text = "INSERT INTO revisions (profile, observation, seen_ms, record) VALUES ($1, $2, $3, $4)";
            self.of.db.run(text, values![self.of.profile, &of[..], new.seen_ms, new.record]).await?;
        }
        Ok(())
    }

    /// Marks the last version as the one that stands; gives by how much the number of replaced ones grew.
    async fn stand(&mut self, turns: &[Turn], before: &[Turn], sighted: &[Sighted]) -> Result<i64, StoreError> {
        let Some(stands) = turns.last().map(|turn| turn.record) else { return Ok(0) };
        let stood = before.last().map(|turn| turn.record);
        let others = sighted.iter().map(|sighted| sighted.row).chain(stood).filter(|row| *row != stands);
        let (profile, others) = (self.of.profile, others.collect::<Vec<i64>>());
        let replaced = self.of.db.run(D::REPLACE, values![profile, self.of.batch, others]).await?;
        Ok(replaced - self.of.db.run(D::RESTORE, values![profile, vec![stands]]).await?)
    }
}
