//! PostgreSQL's answer to which records stand.

use std::sync::Arc;

use sqlx::{Row, query};

use super::Postgres;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::superseded::Standing;

/// Sets read at a time.
const CHUNK: i64 = 500;

/// Binds: profile, set to go on after, sets. Final states are numbered in `run_facts`; 1 is succeeded.
const STANDING_SETS: &str = "
    SELECT s.id, s.ids FROM record_sets s WHERE s.id > $2 AND s.id IN (
        SELECT b.record_set FROM batches b WHERE b.profile = $1 AND NOT EXISTS (
            SELECT 1 FROM runs u JOIN replays y ON y.profile = $1 AND y.replay_of = u.run_id
                JOIN runs r ON r.id = y.run AND r.state = 1 WHERE u.id = b.run)
        AND NOT EXISTS (
            SELECT 1 FROM replays y JOIN replays z ON z.profile = $1 AND z.replay_of = y.replay_of AND z.run > y.run
                JOIN runs r ON r.id = z.run AND r.state = 1 WHERE y.run = b.run))
    ORDER BY s.id LIMIT $3";

impl Postgres {
    /// The profile's last batch, where something of it was replayed.
    pub(super) async fn replayed_up_to(&self, profile: i64) -> Result<Option<i64>, StoreError> {
        let text = "SELECT max(id) FROM batches WHERE profile = $1
            AND EXISTS (SELECT 1 FROM replays WHERE profile = $1)";
        let row = self.desk.optional(query(text).bind(profile)).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.flatten())
    }
}

impl Standing for Postgres {
    async fn standing(&self, profile: i64) -> Result<Option<Arc<IdSet>>, StoreError> {
        let Some(last) = self.replayed_up_to(profile).await? else { return Ok(None) };
        if let Some(known) = self.standings.get(profile, last) {
            return Ok(Some(known));
        }
        let (mut standing, mut after) = (IdSet::default(), 0_i64);
        loop {
            let rows = self.desk.all(query(STANDING_SETS).bind(profile).bind(after).bind(CHUNK)).await?;
            for row in &rows {
                after = row.try_get(0)?;
                let read = standing.extend_packed(row.try_get(1)?, MAX_RECORDS);
                read.map_err(|error| StoreError::Engine(error.to_string()))?;
            }
            if rows.len() < CHUNK as usize {
                return Ok(Some(self.standings.keep(profile, last, standing)));
            }
        }
    }
}
