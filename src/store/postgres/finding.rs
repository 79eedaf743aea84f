//! The questions before a group is stored: it takes the profiles it writes, so that no other process writes them
//! meanwhile, and then looks at what there is of each batch.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::verdict::{Earlier, Found};
use crate::domain::ids::ProfileId;
use crate::store::error::StoreError;
use crate::store::posted::Posted;
use crate::store::rows::{kept_name, read_facts, stored};
use crate::store::run_facts::{Outcome, StoredRun};

/// The row of `counters` is a profile's lock. Taken in the order of profiles, hence no two processes wait for each
/// other.
const TAKE_PROFILES: &str = "
    SELECT p.tenant_id, p.profile_id, p.id FROM unnest($1::bigint[], $2::text[]) AS w (tenant_id, profile_id)
    JOIN profiles p ON p.tenant_id = w.tenant_id AND p.profile_id = w.profile_id AND p.deleted_ms IS NULL
    JOIN counters c ON c.profile = p.id ORDER BY p.id FOR NO KEY UPDATE OF c";

const FIND: &str = "
    SELECT w.place, r.*, o.profile_id AS owner, b.digest, b.inserted AS b_inserted, b.known AS b_known,
        b.rejected AS b_rejected, b.revised AS b_revised, p.keyed_by, c.seen_ms AS latest_ms,
        coalesce(c.expired, 0) AS expired, d.id AS drone_row, v.id AS version_row,
        nextval(pg_get_serial_sequence('batches', 'id')) AS next_batch,
        CASE WHEN r.id IS NULL THEN nextval(pg_get_serial_sequence('runs', 'id')) ELSE 0 END AS next_run
    FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
        AS w (tenant_id, run_id, batch_key, drone, version, profile_id, place)
    LEFT JOIN profiles p ON p.tenant_id = w.tenant_id AND p.profile_id = w.profile_id
    LEFT JOIN counters c ON c.profile = p.id
    LEFT JOIN runs r ON r.tenant_id = w.tenant_id AND r.run_id = w.run_id
    LEFT JOIN batches b ON b.run = r.id AND b.batch_key = w.batch_key
    LEFT JOIN profiles o ON o.id = r.profile
    LEFT JOIN names d ON d.tenant_id = w.tenant_id AND d.name = w.drone
    LEFT JOIN names v ON v.tenant_id = w.tenant_id AND v.name = w.version";

/// Everything about every batch of the group, in its order.
pub(super) async fn find(db: &mut PgConnection, group: &[&Posted]) -> Result<Vec<Found>, StoreError> {
    let profiles = take_profiles(db, group).await?;
    let all_posted = || group.iter();
    let ask = query(FIND)
        .bind(all_posted().map(|posted| posted.tenant.0).collect::<Vec<_>>())
        .bind(all_posted().map(|posted| posted.batch.run_id.as_str()).collect::<Vec<_>>())
        .bind(all_posted().map(|posted| &posted.key[..]).collect::<Vec<_>>())
        .bind(all_posted().map(|posted| posted.batch.drone_id.as_str()).collect::<Vec<_>>())
        .bind(all_posted().map(|posted| version_name(posted)).collect::<Vec<_>>())
        .bind(all_posted().map(|posted| posted.batch.profile_id.as_str()).collect::<Vec<_>>());
    let rows = ask.fetch_all(db).await?;
    let mut all: Vec<Found> = group.iter().map(|_| Found::default()).collect();
    for row in &rows {
        let place: i64 = row.try_get("place")?;
        if let Some(found) = usize::try_from(place - 1).ok().and_then(|index| all.get_mut(index)) {
            read(row, found)?;
        }
    }
    in_order(&mut all);
    for (found, posted) in all.iter_mut().zip(group) {
        found.profile = profiles.get(&profile_of(posted)).copied();
    }
    Ok(all)
}

/// The name that the version is kept by.
pub(super) fn version_name(posted: &Posted) -> Option<String> {
    posted.version().map(|version| kept_name(&super::text::kept(version)))
}

fn profile_of(posted: &Posted) -> (i64, ProfileId) {
    (posted.tenant.0, posted.batch.profile_id.clone())
}

async fn take_profiles(db: &mut PgConnection, group: &[&Posted]) -> Result<HashMap<(i64, ProfileId), i32>, StoreError> {
    let wanted: BTreeSet<(i64, &str)> =
        group.iter().map(|posted| (posted.tenant.0, posted.batch.profile_id.as_str())).collect();
    let (tenants, ids): (Vec<i64>, Vec<&str>) = wanted.into_iter().unzip();
    let mut found = HashMap::new();
    for row in query(TAKE_PROFILES).bind(tenants).bind(ids).fetch_all(db).await? {
        let id: i64 = row.try_get(2)?;
        let id = i32::try_from(id).map_err(|_| StoreError::Engine("there are too many profiles".into()))?;
        found.insert((row.try_get(0)?, stored(ProfileId::parse(row.try_get(1)?))?), id);
    }
    Ok(found)
}

fn read(row: &PgRow, found: &mut Found) -> Result<(), StoreError> {
    found.next_batch = row.try_get("next_batch")?;
    found.next_run = row.try_get("next_run")?;
    found.drone = row.try_get("drone_row")?;
    found.version = row.try_get("version_row")?;
    found.keyed_by = row.try_get("keyed_by")?;
    found.expired = row.try_get("expired")?;
    found.latest_ms = row.try_get("latest_ms")?;
    let owner: Option<&str> = row.try_get("owner")?;
    found.owner = owner.map(|owner| stored(ProfileId::parse(owner))).transpose()?;
    if let Some(id) = row.try_get::<Option<i64>, _>("id")? {
        found.run = Some(StoredRun {
            row: Some(id),
            profile: row.try_get("profile")?,
            drone: row.try_get("drone")?,
            profile_digest: row.try_get("profile_digest")?,
            facts: read_facts!(row),
        });
    }
    let Some(digest) = row.try_get::<Option<&[u8]>, _>("digest")? else { return Ok(()) };
    let digest = digest.try_into().map_err(|_| StoreError::Engine("a stored digest has not 16 bytes".into()))?;
    let outcome = Outcome {
        inserted: count(row.try_get("b_inserted")?)?,
        known: count(row.try_get("b_known")?)?,
        rejected: count(row.try_get("b_rejected")?)?,
        revised: count(row.try_get("b_revised")?)?,
    };
    found.earlier = Some(Earlier { digest, outcome });
    Ok(())
}

fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Engine(format!("a stored batch counts {number} records")))
}

/// The server may give numbers out in any order; batches take them in the order of the group.
fn in_order(all: &mut [Found]) {
    let mut numbers: Vec<i64> = all.iter().map(|found| found.next_batch).collect();
    numbers.sort_unstable();
    all.iter_mut().zip(numbers).for_each(|(found, number)| found.next_batch = number);
}
