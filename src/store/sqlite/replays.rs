//! Replays: what was asked for and is not carried out yet, and which runs were replays of which.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::job::{Bench, Write};
use super::profiles::current;
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::run::RunReport;
use crate::protocol::coordinator::{ReplayOf, ReplayRequest};
use crate::store::error::StoreError;
use crate::store::rows::{digest_of, stored};
use crate::store::tenants::Tenant;
use crate::store::types::{MAX_REPLAY_AGE_MS, MAX_REPLAY_REQUESTS};

impl Sqlite {
    /// Asks each of `drones` to replay, by the profile's current version.
    pub(in crate::store) async fn add_replay_requests(
        &self,
        tenant: Tenant,
        profile: ProfileId,
        of: ReplayOf,
        drones: Vec<DroneId>,
        now_ms: i64,
    ) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        self.write(Add { tenant, profile, of, drones, now_ms }).await
    }

    /// The oldest first.
    pub(in crate::store) async fn replay_requests(
        &self,
        tenant: Tenant,
    ) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        let text = "SELECT q.id, p.profile_id, q.digest, q.drone_id, q.since_ms, q.until_ms, q.run_id
            FROM replay_requests q JOIN profiles p ON p.id = q.profile WHERE q.tenant_id = ? ORDER BY q.id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
        rows.iter().map(read).collect()
    }

    pub(in crate::store) async fn finish_replay_requests(
        &self,
        tenant: Tenant,
        requests: Vec<i64>,
    ) -> Result<(), StoreError> {
        if requests.is_empty() {
            return Ok(());
        }
        self.write(Finish { tenant, requests }).await
    }
}

/// Notes that a run is a replay, where its report says so. Saying it again changes nothing.
pub(super) async fn note_replay(
    db: &mut SqliteConnection,
    run: i64,
    profile: i64,
    report: Option<&RunReport>,
) -> Result<(), StoreError> {
    let Some(of) = report.and_then(|report| report.replay_of.as_ref()) else { return Ok(()) };
    let text = "INSERT INTO replays (run, profile, replay_of) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    sqlx::query(text).bind(run).bind(profile).bind(of.as_str()).execute(db).await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<(DroneId, ReplayRequest), StoreError> {
    let run_id: Option<&str> = row.try_get("run_id")?;
    let of = ReplayOf {
        since_ms: row.try_get("since_ms")?,
        until_ms: row.try_get("until_ms")?,
        run_id: run_id.map(|id| stored(RunId::parse(id))).transpose()?,
    };
    let request = ReplayRequest {
        request_id: row.try_get("id")?,
        profile_id: stored(ProfileId::parse(row.try_get("profile_id")?))?,
        digest: digest_of(row.try_get("digest")?)?,
        of,
    };
    Ok((stored(DroneId::parse(row.try_get("drone_id")?))?, request))
}

struct Add {
    tenant: Tenant,
    profile: ProfileId,
    of: ReplayOf,
    drones: Vec<DroneId>,
    now_ms: i64,
}

impl Write for Add {
    type Output = Vec<(DroneId, ReplayRequest)>;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Self::Output, StoreError> {
        let db = &mut *bench.db;
        let digest = current(db, self.tenant, &self.profile).await?.summary.digest;
        let old = sqlx::query("DELETE FROM replay_requests WHERE tenant_id = ? AND requested_ms < ?");
        old.bind(self.tenant.0).bind(self.now_ms.saturating_sub(MAX_REPLAY_AGE_MS)).execute(&mut *db).await?;
        let count = sqlx::query("SELECT count(*) FROM replay_requests WHERE tenant_id = ?").bind(self.tenant.0);
        let waiting: i64 = count.fetch_one(&mut *db).await?.try_get(0)?;
        if waiting.unsigned_abs() as usize + self.drones.len() > MAX_REPLAY_REQUESTS {
            return Err(StoreError::TooManyRunRequests(MAX_REPLAY_REQUESTS));
        }
        let mut requests = Vec::with_capacity(self.drones.len());
        for drone in &self.drones {
            let request_id = self.insert(db, drone, &digest).await?;
            let (profile_id, of) = (self.profile.clone(), self.of.clone());
            requests.push((drone.clone(), ReplayRequest { request_id, profile_id, digest, of }));
        }
        Ok(requests)
    }
}

impl Add {
    async fn insert(&self, db: &mut SqliteConnection, drone: &DroneId, digest: &Digest) -> Result<i64, StoreError> {
        let text = "INSERT INTO replay_requests
                (tenant_id, profile, digest, drone_id, since_ms, until_ms, run_id, requested_ms)
            SELECT tenant_id, id, ?, ?, ?, ?, ?, ? FROM profiles WHERE tenant_id = ? AND profile_id = ?";
        let query = sqlx::query(text).bind(&digest.as_bytes()[..]).bind(drone.as_str());
        let query = query.bind(self.of.since_ms).bind(self.of.until_ms);
        let query = query.bind(self.of.run_id.as_ref().map(RunId::as_str)).bind(self.now_ms);
        let query = query.bind(self.tenant.0).bind(self.profile.as_str());
        Ok(query.execute(db).await?.last_insert_rowid())
    }
}

struct Finish {
    tenant: Tenant,
    requests: Vec<i64>,
}

impl Write for Finish {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        for request in &self.requests {
            let query = sqlx::query("DELETE FROM replay_requests WHERE tenant_id = ? AND id = ?");
            query.bind(self.tenant.0).bind(request).execute(&mut *bench.db).await?;
        }
        Ok(())
    }
}
