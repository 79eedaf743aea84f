//! SQLite's answer to which records stand.

use std::sync::Arc;

use futures_util::TryStreamExt;
use sqlx::Row;

use super::Sqlite;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::superseded::Standing;

/// Binds: the profile. Final states are numbered in `run_facts`; 1 is succeeded.
const STANDING_SETS: &str = "
    SELECT s.ids FROM record_sets s WHERE s.id IN (
        SELECT b.record_set FROM batches b INDEXED BY batches_of_profile WHERE b.profile = ?1 AND b.run NOT IN (
            SELECT u.id FROM runs u INDEXED BY runs_of_profile JOIN replays y ON y.profile = ?1 AND y.replay_of = u.run_id
                JOIN runs r ON r.id = y.run WHERE u.profile = ?1 AND r.state = 1
            UNION
            SELECT y.run FROM replays y JOIN replays z ON z.profile = ?1 AND z.replay_of = y.replay_of AND z.run > y.run
                JOIN runs r ON r.id = z.run WHERE y.profile = ?1 AND r.state = 1))";

impl Sqlite {
    pub(super) async fn was_replayed(&self, profile: i64) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT EXISTS (SELECT 1 FROM replays WHERE profile = ?)").bind(profile);
        Ok(query.fetch_one(&self.readers).await?.try_get(0)?)
    }
}

impl Standing for Sqlite {
    async fn standing(&self, profile: i64) -> Result<Option<Arc<IdSet>>, StoreError> {
        if !self.was_replayed(profile).await? {
            return Ok(None);
        }
        let last = sqlx::query("SELECT max(id) FROM batches INDEXED BY batches_of_profile WHERE profile = ?");
        let last: Option<i64> = last.bind(profile).fetch_one(&self.readers).await?.try_get(0)?;
        let last = last.unwrap_or(0);
        if let Some(known) = self.standings.get(profile, last) {
            return Ok(Some(known));
        }
        let mut standing = IdSet::default();
        let mut rows = sqlx::query(STANDING_SETS).bind(profile).fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            let read = standing.extend_packed(row.try_get(0)?, MAX_RECORDS);
            read.map_err(|error| StoreError::Engine(error.to_string()))?;
        }
        Ok(Some(self.standings.keep(profile, last, standing)))
    }
}
