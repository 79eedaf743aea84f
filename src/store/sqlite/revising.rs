//! How SQLite is asked for versions of observations. The order of the tables and their indices are said, since its
//! planner knows nothing of them; ids come as a JSON array.

use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use crate::store::error::StoreError;
use crate::store::history::KeepsHistory;
use crate::store::rekey::{Link, Rekeys};
use crate::store::revising::Revises;

impl Revises for SqliteConnection {
    const ANY_REPLACED: &'static str =
        "SELECT 1 FROM records INDEXED BY records_replaced WHERE profile = $1 AND replaced IS NOT NULL LIMIT 1";

    const CHANGED: &'static str = "
        SELECT r.id, r.key, r.observation, s.id AS stood FROM json_each($2) wanted
        CROSS JOIN records r ON r.id = wanted.value
        CROSS JOIN records s INDEXED BY records_standing
            ON s.profile = $1 AND s.observation = r.observation AND s.replaced IS NULL AND s.id <> r.id";

    const MAY_CHANGE: &'static str = "
        SELECT r.id, r.key, r.observation FROM json_each($3) wanted CROSS JOIN records r ON r.id = wanted.value
        WHERE r.observation IS NOT NULL AND (r.replaced IS NOT NULL
            OR EXISTS (SELECT 1 FROM revisions v WHERE v.profile = $1 AND v.observation = r.observation)
            OR EXISTS (SELECT 1 FROM records s INDEXED BY records_standing WHERE s.profile = $1
                AND s.observation = r.observation AND s.replaced IS NULL AND s.id <> r.id)
            OR $2 < (SELECT min(u.started_ms, b.received_ms) FROM batches b JOIN runs u ON u.id = b.run
                WHERE b.id = r.batch))";

    const BEGIN_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT r.profile, r.observation, min(u.started_ms, b.received_ms), r.id FROM json_each($2) wanted
        CROSS JOIN records r ON r.id = wanted.value
        CROSS JOIN batches b ON b.id = r.batch CROSS JOIN runs u ON u.id = b.run
        WHERE NOT EXISTS (SELECT 1 FROM revisions v WHERE v.profile = $1 AND v.observation = r.observation)";

    const ADD_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT $1, r.observation, $2, r.id FROM json_each($3) wanted CROSS JOIN records r ON r.id = wanted.value
        WHERE true ON CONFLICT (profile, observation, seen_ms) DO UPDATE SET record = excluded.record";

    const REPLACE: &'static str = "UPDATE records SET replaced = $2
        WHERE id IN (SELECT value FROM json_each($3)) AND profile = $1 AND replaced IS NULL";

    const RESTORE: &'static str = "UPDATE records SET replaced = NULL
        WHERE id IN (SELECT value FROM json_each($2)) AND profile = $1 AND replaced IS NOT NULL";

    const TURNS: &'static str = "
        SELECT v.seen_ms, v.record, r.key FROM revisions v JOIN records r ON r.id = v.record
        WHERE v.profile = $1 AND v.observation = $2 ORDER BY v.seen_ms";

    const ONLY_TURN: &'static str = "
        SELECT min(u.started_ms, b.received_ms), r.id, r.key FROM records r INDEXED BY records_standing
        JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
        WHERE r.profile = $1 AND r.observation = $2 AND r.replaced IS NULL LIMIT 1";

    const SEEN_SINCE: &'static str = "
        SELECT min(u.started_ms, b.received_ms), s.ids FROM runs u INDEXED BY runs_by_start
        CROSS JOIN batches b INDEXED BY batches_of_run ON b.run = u.id CROSS JOIN record_sets s ON s.id = b.record_set
        WHERE u.profile = $1 AND u.started_ms >= $2 ORDER BY u.started_ms LIMIT $3";
}

impl Rekeys for SqliteConnection {
    const BODIES: &'static str = "SELECT id, body FROM records INDEXED BY records_of_profile
        WHERE profile = $1 AND id > $2 ORDER BY id LIMIT $3";

    const ALL_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT profile, observation, seen_ms, id FROM (
            SELECT r.id, r.profile, r.observation, r.key, min(u.started_ms, b.received_ms) AS seen_ms,
                count(*) OVER (PARTITION BY r.observation) AS versions
            FROM records r INDEXED BY records_of_profile JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
            WHERE r.profile = $1 AND r.observation IS NOT NULL)
        WHERE versions > 1 ORDER BY seen_ms, key
        ON CONFLICT (profile, observation, seen_ms) DO UPDATE SET record = excluded.record";

    const REPLACED: &'static str = "
        UPDATE records SET replaced = batch
        WHERE profile = $1 AND observation IN (SELECT observation FROM revisions WHERE profile = $1)
            AND id <> (SELECT v.record FROM revisions v WHERE v.profile = records.profile
                AND v.observation = records.observation ORDER BY v.seen_ms DESC LIMIT 1)";

    async fn link(&mut self, profile: i64, links: Vec<Link>) -> Result<(), StoreError> {
        // Pairs of id and observation in hex digits.
        let text = "UPDATE records SET observation = unhex(linked.value ->> 1) FROM json_each($2) linked
            WHERE records.id = linked.value ->> 0 AND records.profile = $1";
        let pairs: Vec<(i64, Option<String>)> =
            links.into_iter().map(|(id, observation)| (id, observation.map(hex::encode))).collect();
        let pairs = serde_json::to_string(&pairs).map_err(|error| StoreError::Engine(error.to_string()))?;
        sqlx::query(text).bind(profile).bind(pairs).execute(self).await?;
        Ok(())
    }

    /// Nothing here ends by itself.
    async fn have_patience(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl KeepsHistory for Sqlite {
    const HISTORY: &'static str = "
        WITH turns (seen_ms, record) AS (
            SELECT v.seen_ms, v.record FROM revisions v WHERE v.profile = $1 AND v.observation = $2
            UNION ALL
            SELECT min(u.started_ms, b.received_ms), r.id FROM records r INDEXED BY records_standing
            JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
            WHERE r.profile = $1 AND r.observation = $2 AND r.replaced IS NULL
                AND NOT EXISTS (SELECT 1 FROM revisions v WHERE v.profile = $1 AND v.observation = $2))
        SELECT t.seen_ms, r.body, b.received_ms,
            (SELECT min(n.seen_ms) FROM turns n WHERE n.seen_ms > t.seen_ms) AS until_ms
        FROM turns t JOIN records r ON r.id = t.record JOIN batches b ON b.id = r.batch
        WHERE t.seen_ms > $3 ORDER BY t.seen_ms LIMIT $4";
}
