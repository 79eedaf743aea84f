//! Replays: what was asked for and is not carried out yet, and which runs were replays of which.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::Postgres;
use super::desk::Write;
use super::profiles::{current, lock_tenant};
use super::text::kept;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::protocol::coordinator::{ReplayOf, ReplayRequest};
use crate::store::error::StoreError;
use crate::store::rows::{digest_of, stored};
use crate::store::tenants::Tenant;
use crate::store::types::{MAX_REPLAY_AGE_MS, MAX_REPLAY_REQUESTS};

impl Postgres {
    /// Asks each of `drones` to replay, by the profile's current version.
    pub(in crate::store) async fn add_replay_requests(
        &self,
        tenant: Tenant,
        profile: ProfileId,
        of: ReplayOf,
        drones: Vec<DroneId>,
        now_ms: i64,
    ) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        self.desk.write(Add { tenant, profile, of, drones, now_ms }).await
    }

    /// The oldest first.
    pub(in crate::store) async fn replay_requests(
        &self,
        tenant: Tenant,
    ) -> Result<Vec<(DroneId, ReplayRequest)>, StoreError> {
        let text = "SELECT q.id, p.profile_id, q.digest, q.drone_id, q.since_ms, q.until_ms, q.run_id
            FROM replay_requests q JOIN profiles p ON p.id = q.profile WHERE q.tenant_id = $1 ORDER BY q.id";
        let rows = self.desk.all(query(text).bind(tenant.0)).await?;
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
        self.desk.write(Finish { tenant, requests }).await
    }
}

/// A run of this group that is a replay: its row, its profile, the run whose answers it read.
pub(super) type Noted = (i64, i64, String);

/// Notes which runs are replays. Saying it again changes nothing.
pub(super) async fn note_replays(db: &mut PgConnection, noted: &[Noted]) -> Result<(), StoreError> {
    if noted.is_empty() {
        return Ok(());
    }
    let text = "INSERT INTO replays (run, profile, replay_of)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING";
    let runs: Vec<i64> = noted.iter().map(|(run, ..)| *run).collect();
    let profiles: Vec<i64> = noted.iter().map(|(_, profile, _)| *profile).collect();
    let originals: Vec<String> = noted.iter().map(|(.., of)| kept(of).into_owned()).collect();
    query(text).bind(runs).bind(profiles).bind(originals).execute(db).await?;
    Ok(())
}

fn read(row: &PgRow) -> Result<(DroneId, ReplayRequest), StoreError> {
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

const ADD: &str = "
    INSERT INTO replay_requests (tenant_id, profile, digest, drone_id, since_ms, until_ms, run_id, requested_ms)
    SELECT p.tenant_id, p.id, $3, w.drone_id, $5, $6, $7, $8
    FROM profiles p CROSS JOIN unnest($4::text[]) WITH ORDINALITY AS w (drone_id, place)
    WHERE p.tenant_id = $1 AND p.profile_id = $2 ORDER BY w.place RETURNING id, drone_id";

impl Write for Add {
    type Output = Vec<(DroneId, ReplayRequest)>;

    async fn run(&self, db: &mut PgConnection) -> Result<Self::Output, StoreError> {
        lock_tenant(db, self.tenant).await?;
        let digest = current(db, self.tenant, &self.profile).await?.summary.digest;
        let old = query("DELETE FROM replay_requests WHERE tenant_id = $1 AND requested_ms < $2");
        old.bind(self.tenant.0).bind(self.now_ms.saturating_sub(MAX_REPLAY_AGE_MS)).execute(&mut *db).await?;
        let count = query("SELECT count(*) FROM replay_requests WHERE tenant_id = $1").bind(self.tenant.0);
        let waiting: i64 = count.fetch_one(&mut *db).await?.try_get(0)?;
        if waiting.unsigned_abs() as usize + self.drones.len() > MAX_REPLAY_REQUESTS {
            return Err(StoreError::TooManyRunRequests(MAX_REPLAY_REQUESTS));
        }
        let drones: Vec<&str> = self.drones.iter().map(DroneId::as_str).collect();
        let run_id = self.of.run_id.as_ref().map(|id| kept(id.as_str()).into_owned());
        let ask = query(ADD).bind(self.tenant.0).bind(self.profile.as_str()).bind(&digest.as_bytes()[..]);
        let ask = ask.bind(drones).bind(self.of.since_ms).bind(self.of.until_ms).bind(run_id).bind(self.now_ms);
        let rows = ask.fetch_all(db).await?;
        let request = |row: &PgRow| {
            let (profile_id, of) = (self.profile.clone(), self.of.clone());
            let request = ReplayRequest { request_id: row.try_get(0)?, profile_id, digest, of };
            Ok((stored(DroneId::parse(row.try_get(1)?))?, request))
        };
        rows.iter().map(request).collect()
    }
}

struct Finish {
    tenant: Tenant,
    requests: Vec<i64>,
}

impl Write for Finish {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let ask = query("DELETE FROM replay_requests WHERE tenant_id = $1 AND id = ANY($2)");
        ask.bind(self.tenant.0).bind(&self.requests[..]).execute(db).await?;
        Ok(())
    }
}
