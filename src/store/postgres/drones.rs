//! Drones, and runs asked for by hand.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::Postgres;
use super::desk::Write;
use super::profiles::lock_tenant;
use super::text::kept;
use crate::domain::ids::{DroneId, ProfileId};
use crate::domain::needs::Offer;
use crate::protocol::coordinator::RunRequest;
use crate::store::error::StoreError;
use crate::store::rows::{list_text, offer, stored};
use crate::store::tenants::Tenant;
use crate::store::types::{MAX_RUN_REQUESTS, SavedDrone};

impl Postgres {
    pub(in crate::store) async fn save_drone(&self, tenant: Tenant, drone: SavedDrone) -> Result<(), StoreError> {
        self.desk.write(Save { tenant, drone }).await
    }

    pub(in crate::store) async fn drones(&self, tenant: Tenant) -> Result<Vec<SavedDrone>, StoreError> {
        let text = "SELECT drone_id, version, labels, secrets, capacity, weight, registered_ms, last_seen_ms, draining FROM drones
            WHERE tenant_id = $1 ORDER BY drone_id";
        let rows = self.desk.all(query(text).bind(tenant.0)).await?;
        rows.iter().map(read_drone).collect()
    }

    pub(in crate::store) async fn touch_drones(
        &self,
        tenant: Tenant,
        seen: Vec<(DroneId, i64)>,
    ) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        self.desk.write(Touch { tenant, seen }).await
    }

    pub(in crate::store) async fn set_draining(
        &self,
        tenant: Tenant,
        drone: DroneId,
        draining: bool,
    ) -> Result<(), StoreError> {
        self.desk.write(SetDraining { tenant, drone, draining }).await
    }

    pub(in crate::store) async fn add_run_request(
        &self,
        tenant: Tenant,
        profile: ProfileId,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.desk.write(AddRunRequest { tenant, profile, now_ms }).await
    }

    /// The oldest first.
    pub(in crate::store) async fn run_requests(&self, tenant: Tenant) -> Result<Vec<RunRequest>, StoreError> {
        let text = "SELECT q.id, p.profile_id FROM run_requests q JOIN profiles p ON p.id = q.profile
            WHERE q.tenant_id = $1 ORDER BY q.id";
        let rows = self.desk.all(query(text).bind(tenant.0)).await?;
        let request = |row: &PgRow| {
            let profile_id = stored(ProfileId::parse(row.try_get(1)?))?;
            Ok(RunRequest { request_id: row.try_get(0)?, profile_id })
        };
        rows.iter().map(request).collect()
    }

    pub(in crate::store) async fn finish_run_requests(
        &self,
        tenant: Tenant,
        requests: Vec<i64>,
    ) -> Result<(), StoreError> {
        if requests.is_empty() {
            return Ok(());
        }
        self.desk.write(FinishRunRequests { tenant, requests }).await
    }
}

fn read_drone(row: &PgRow) -> Result<SavedDrone, StoreError> {
    Ok(SavedDrone {
        drone_id: stored(DroneId::parse(row.try_get("drone_id")?))?,
        version: row.try_get("version")?,
        offer: offer!(row),
        registered_ms: row.try_get("registered_ms")?,
        last_seen_ms: row.try_get("last_seen_ms")?,
        draining: row.try_get("draining")?,
    })
}

struct Save {
    tenant: Tenant,
    drone: SavedDrone,
}

impl Write for Save {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let drone = &self.drone;
        let Offer { labels, secrets, capacity, weight } = &drone.offer;
        let (labels, secrets) = (list_text(labels)?, secrets.as_ref().map(list_text).transpose()?);
        let text = "INSERT INTO drones AS d
                (tenant_id, drone_id, version, labels, registered_ms, last_seen_ms, draining, secrets, capacity, weight)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (tenant_id, drone_id) DO UPDATE SET version = excluded.version, labels = excluded.labels,
                secrets = excluded.secrets, capacity = excluded.capacity, weight = excluded.weight,
                last_seen_ms = greatest(d.last_seen_ms, excluded.last_seen_ms), draining = excluded.draining";
        let ask = query(text).bind(self.tenant.0).bind(drone.drone_id.as_str()).bind(kept(&drone.version));
        let ask = ask.bind(labels).bind(drone.registered_ms).bind(drone.last_seen_ms).bind(drone.draining);
        let ask = ask.bind(secrets).bind(capacity.map(i64::from)).bind(i64::from(*weight));
        ask.execute(db).await?;
        Ok(())
    }
}

struct Touch {
    tenant: Tenant,
    seen: Vec<(DroneId, i64)>,
}

impl Write for Touch {
    type Output = ();

    /// Rows are locked in one order, so that two coordinators never wait for each other.
    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let text = "WITH seen AS (
                SELECT d.id, w.seen_ms FROM unnest($2::text[], $3::bigint[]) AS w (drone_id, seen_ms)
                JOIN drones d ON d.tenant_id = $1 AND d.drone_id = w.drone_id
                ORDER BY d.id FOR NO KEY UPDATE OF d)
            UPDATE drones d SET last_seen_ms = greatest(d.last_seen_ms, seen.seen_ms) FROM seen WHERE d.id = seen.id";
        let (drones, times): (Vec<&str>, Vec<i64>) = self.seen.iter().map(|(id, ms)| (id.as_str(), *ms)).unzip();
        query(text).bind(self.tenant.0).bind(drones).bind(times).execute(db).await?;
        Ok(())
    }
}

struct SetDraining {
    tenant: Tenant,
    drone: DroneId,
    draining: bool,
}

impl Write for SetDraining {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let ask = query("UPDATE drones SET draining = $1 WHERE tenant_id = $2 AND drone_id = $3");
        let ask = ask.bind(self.draining).bind(self.tenant.0).bind(self.drone.as_str());
        match ask.execute(db).await?.rows_affected() {
            0 => Err(StoreError::UnknownDrone(self.drone.clone())),
            _ => Ok(()),
        }
    }
}

struct AddRunRequest {
    tenant: Tenant,
    profile: ProfileId,
    now_ms: i64,
}

impl Write for AddRunRequest {
    type Output = i64;

    async fn run(&self, db: &mut PgConnection) -> Result<i64, StoreError> {
        // Counted by one process at a time, or each would find room for the last one.
        lock_tenant(db, self.tenant).await?;
        let count = query("SELECT count(*) FROM run_requests WHERE tenant_id = $1").bind(self.tenant.0);
        let waiting: i64 = count.fetch_one(&mut *db).await?.try_get(0)?;
        if waiting >= MAX_RUN_REQUESTS as i64 {
            return Err(StoreError::TooManyRunRequests(MAX_RUN_REQUESTS));
        }
        let text = "INSERT INTO run_requests (tenant_id, profile, requested_ms)
            SELECT tenant_id, id, $1 FROM profiles WHERE tenant_id = $2 AND profile_id = $3 AND deleted_ms IS NULL
            RETURNING id";
        let ask = query(text).bind(self.now_ms).bind(self.tenant.0).bind(self.profile.as_str());
        let row = ask.fetch_optional(db).await?;
        Ok(row.ok_or_else(|| StoreError::UnknownProfile(self.profile.clone()))?.try_get(0)?)
    }
}

struct FinishRunRequests {
    tenant: Tenant,
    requests: Vec<i64>,
}

impl Write for FinishRunRequests {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let ask = query("DELETE FROM run_requests WHERE tenant_id = $1 AND id = ANY($2)");
        ask.bind(self.tenant.0).bind(&self.requests[..]).execute(db).await?;
        Ok(())
    }
}
