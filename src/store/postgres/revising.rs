//! How PostgreSQL is asked for versions of observations. A record's batch is the upper part of its id: the number 16 is
//! `PLACE_BITS`.

use sqlx::postgres::PgConnection;
use sqlx::query;

use super::Postgres;
use crate::store::error::StoreError;
use crate::store::history::KeepsHistory;
use crate::store::rekey::{Link, Rekeys};
use crate::store::revising::Revises;

impl Revises for PgConnection {
    const ANY_REPLACED: &'static str = "SELECT 1 FROM records WHERE profile = $1 AND replaced IS NOT NULL LIMIT 1";

    const CHANGED: &'static str = "
        SELECT r.id, r.key, r.observation, s.id AS stood FROM unnest($2::bigint[]) AS wanted (id)
        JOIN records r ON r.profile = $1 AND r.id = wanted.id
        JOIN records s ON s.profile = $1 AND s.observation = r.observation AND s.observation IS NOT NULL
            AND s.replaced IS NULL AND s.id <> r.id";

    const MAY_CHANGE: &'static str = "
        SELECT r.id, r.key, r.observation FROM unnest($3::bigint[]) AS wanted (id)
        JOIN records r ON r.profile = $1 AND r.id = wanted.id
        WHERE r.observation IS NOT NULL AND (r.replaced IS NOT NULL
            OR (SELECT 1 FROM revisions v WHERE v.profile = $1 AND v.observation = r.observation LIMIT 1) = 1
            OR (SELECT 1 FROM records s WHERE s.profile = $1 AND s.observation = r.observation
                AND s.observation IS NOT NULL AND s.replaced IS NULL AND s.id <> r.id LIMIT 1) = 1
            OR $2 < (SELECT least(u.started_ms, b.received_ms) FROM batches b JOIN runs u ON u.id = b.run
                WHERE b.id = r.id >> 16))";

    const BEGIN_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT r.profile, r.observation, least(u.started_ms, b.received_ms), r.id
        FROM unnest($2::bigint[]) AS wanted (id) JOIN records r ON r.profile = $1 AND r.id = wanted.id
        JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run
        WHERE NOT EXISTS (SELECT FROM revisions v WHERE v.profile = $1 AND v.observation = r.observation)";

    const ADD_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT r.profile, r.observation, $2, r.id
        FROM unnest($3::bigint[]) AS wanted (id) JOIN records r ON r.profile = $1 AND r.id = wanted.id
        ON CONFLICT (profile, observation, seen_ms) DO UPDATE SET record = excluded.record";

    const REPLACE: &'static str =
        "UPDATE records SET replaced = $2 WHERE profile = $1 AND id = ANY($3) AND replaced IS NULL";

    const RESTORE: &'static str =
        "UPDATE records SET replaced = NULL WHERE profile = $1 AND id = ANY($2) AND replaced IS NOT NULL";

    const TURNS: &'static str = "
        SELECT v.seen_ms, v.record, r.key FROM revisions v JOIN records r ON r.profile = $1 AND r.id = v.record
        WHERE v.profile = $1 AND v.observation = $2 ORDER BY v.seen_ms";

    const ONLY_TURN: &'static str = "
        SELECT least(u.started_ms, b.received_ms), r.id, r.key FROM records r
        JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run
        WHERE r.profile = $1 AND r.observation = $2 AND r.observation IS NOT NULL AND r.replaced IS NULL LIMIT 1";

    const SEEN_SINCE: &'static str = "
        SELECT least(u.started_ms, b.received_ms), s.ids FROM runs u
        JOIN batches b ON b.run = u.id JOIN record_sets s ON s.id = b.record_set
        WHERE u.profile = $1 AND u.started_ms >= $2 ORDER BY u.started_ms LIMIT $3";
}

impl Rekeys for PgConnection {
    const BODIES: &'static str = "SELECT id, body FROM records WHERE profile = $1 AND id > $2 ORDER BY id LIMIT $3";

    const ALL_TURNS: &'static str = "
        INSERT INTO revisions (profile, observation, seen_ms, record)
        SELECT DISTINCT ON (observation, seen_ms) profile, observation, seen_ms, id FROM (
            SELECT r.id, r.profile, r.observation, r.key, least(u.started_ms, b.received_ms) AS seen_ms,
                count(*) OVER (PARTITION BY r.observation) AS versions
            FROM records r JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run
            WHERE r.profile = $1 AND r.observation IS NOT NULL) AS linked
        WHERE versions > 1 ORDER BY observation, seen_ms, key DESC";

    const REPLACED: &'static str = "
        UPDATE records r SET replaced = r.id >> 16 FROM (
            SELECT DISTINCT ON (observation) observation, record FROM revisions WHERE profile = $1
            ORDER BY observation, seen_ms DESC) AS last
        WHERE r.profile = $1 AND r.observation = last.observation AND r.observation IS NOT NULL
            AND r.replaced IS NULL AND r.id <> last.record";

    async fn link(&mut self, profile: i64, links: Vec<Link>) -> Result<(), StoreError> {
        let text = "UPDATE records r SET observation = linked.observation
            FROM unnest($2::bigint[], $3::bytea[]) AS linked (id, observation)
            WHERE r.profile = $1 AND r.id = linked.id AND r.observation IS DISTINCT FROM linked.observation";
        let ids: Vec<i64> = links.iter().map(|(id, _)| *id).collect();
        let observations: Vec<Option<&[u8]>> =
            links.iter().map(|(_, observation)| observation.as_ref().map(|bytes| &bytes[..])).collect();
        query(text).bind(profile).bind(ids).bind(observations).execute(self).await?;
        Ok(())
    }

    /// Linking joins all versions of a profile in one statement, which goes by no index. Whoever waits for it has
    /// `LINKING_PATIENCE`.
    async fn have_patience(&mut self) -> Result<(), StoreError> {
        let text = "SET LOCAL statement_timeout = '10min'; SET LOCAL enable_hashjoin = on;
            SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on";
        sqlx::raw_sql(text).execute(self).await?;
        Ok(())
    }
}

impl KeepsHistory for Postgres {
    const HISTORY: &'static str = "
        WITH turns (seen_ms, record) AS (
            SELECT v.seen_ms, v.record FROM revisions v WHERE v.profile = $1 AND v.observation = $2
            UNION ALL
            SELECT least(u.started_ms, b.received_ms), r.id FROM records r
            JOIN batches b ON b.id = r.id >> 16 JOIN runs u ON u.id = b.run
            WHERE r.profile = $1 AND r.observation = $2 AND r.observation IS NOT NULL AND r.replaced IS NULL
                AND NOT EXISTS (SELECT FROM revisions v WHERE v.profile = $1 AND v.observation = $2))
        SELECT t.seen_ms, r.body, b.received_ms,
            (SELECT min(n.seen_ms) FROM turns n WHERE n.seen_ms > t.seen_ms) AS until_ms
        FROM turns t JOIN records r ON r.profile = $1 AND r.id = t.record JOIN batches b ON b.id = r.id >> 16
        WHERE t.seen_ms > $3 ORDER BY t.seen_ms LIMIT $4";
}
