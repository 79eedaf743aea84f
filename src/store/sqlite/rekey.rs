//! Links a profile's records anew when its key changed: each record's observation by the new key, and its versions in
//! the order in which they were first seen. In one transaction with the change, so that no reader sees a half of it.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;
use crate::store::error::StoreError;
use crate::store::observed::key_of;

const CHUNK: i64 = 5_000;

const BODIES: &str = "SELECT id, body FROM records INDEXED BY records_of_profile WHERE profile = ? AND id > ?
    ORDER BY id LIMIT ?";

/// Binds: a JSON array of pairs of id and observation in hex digits.
const LINK: &str = "
    UPDATE records SET observation = unhex(linked.value ->> 1) FROM json_each(?) linked
    WHERE records.id = linked.value ->> 0";

const TURNS: &str = "
    INSERT INTO revisions (profile, observation, seen_ms, record)
    SELECT profile, observation, seen_ms, id FROM (
        SELECT r.id, r.profile, r.observation, r.key, min(u.started_ms, b.received_ms) AS seen_ms,
            count(*) OVER (PARTITION BY r.observation) AS versions
        FROM records r INDEXED BY records_of_profile JOIN batches b ON b.id = r.batch JOIN runs u ON u.id = b.run
        WHERE r.profile = ? AND r.observation IS NOT NULL)
    WHERE versions > 1 ORDER BY seen_ms, key
    ON CONFLICT (profile, observation, seen_ms) DO UPDATE SET record = excluded.record";

const REPLACED: &str = "
    UPDATE records SET replaced = batch
    WHERE profile = ? AND observation IN (SELECT observation FROM revisions WHERE profile = ?)
        AND id <> (SELECT v.record FROM revisions v WHERE v.profile = records.profile
            AND v.observation = records.observation ORDER BY v.seen_ms DESC LIMIT 1)";

/// Brings the records of `profile` under the key of its current version, if they are under another.
pub(super) async fn rekey(db: &mut SqliteConnection, profile: i64) -> Result<(), StoreError> {
    let find = "SELECT p.profile_id, v.key_dims FROM profiles p JOIN profile_versions v ON v.id = p.version
        WHERE p.id = ? AND coalesce(v.key_dims, '[]') <> coalesce(p.keyed_by, '[]')";
    let Some(row) = sqlx::query(find).bind(profile).fetch_optional(&mut *db).await? else { return Ok(()) };
    let id = crate::store::rows::stored(ProfileId::parse(row.try_get(0)?))?;
    let key_dims: Option<String> = row.try_get(1)?;
    for text in [
        "DELETE FROM revisions WHERE profile = ?",
        "UPDATE records SET replaced = NULL WHERE profile = ? AND replaced IS NOT NULL",
    ] {
        sqlx::query(text).bind(profile).execute(&mut *db).await?;
    }
    link_all(db, profile, key_of(&id, key_dims.as_deref()).as_ref()).await?;
    sqlx::query(TURNS).bind(profile).execute(&mut *db).await?;
    let replaced = sqlx::query(REPLACED).bind(profile).bind(profile).execute(&mut *db).await?.rows_affected();
    let count = sqlx::query("UPDATE counters SET replaced = ? WHERE profile = ?").bind(replaced.cast_signed());
    count.bind(profile).execute(&mut *db).await?;
    let note = sqlx::query("UPDATE profiles SET keyed_by = ? WHERE id = ?").bind(key_dims).bind(profile);
    note.execute(db).await?;
    Ok(())
}

async fn link_all(db: &mut SqliteConnection, profile: i64, key: Option<&ObservationKey>) -> Result<(), StoreError> {
    let mut last = 0_i64;
    loop {
        let query = sqlx::query(BODIES).bind(profile).bind(last).bind(CHUNK);
        let rows = query.fetch_all(&mut *db).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.try_get(0)?;
        let mut links: Vec<(i64, Option<String>)> = Vec::with_capacity(rows.len());
        for row in &rows {
            let body: &str = row.try_get(1)?;
            let observation = key.and_then(|key| key.of_record(body.as_bytes()));
            links.push((row.try_get(0)?, observation.map(hex::encode)));
        }
        let links = serde_json::to_string(&links).map_err(|error| StoreError::Engine(error.to_string()))?;
        sqlx::query(LINK).bind(links).execute(&mut *db).await?;
    }
}
