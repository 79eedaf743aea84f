//! Drones, and runs asked for by hand.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::job::{Bench, Write};
use crate::domain::ids::{DroneId, ProfileId};
use crate::domain::needs::Offer;
use crate::protocol::coordinator::RunRequest;
use crate::store::error::StoreError;
use crate::store::rows::{list_text, offer, stored};
use crate::store::tenants::Tenant;
use crate::store::types::{MAX_RUN_REQUESTS, SavedDrone};

impl Sqlite {
    pub(in crate::store) async fn save_drone(&self, tenant: Tenant, drone: SavedDrone) -> Result<(), StoreError> {
        self.write(Save { tenant, drone }).await
    }

    pub(in crate::store) async fn drones(&self, tenant: Tenant) -> Result<Vec<SavedDrone>, StoreError> {
        let text = "SELECT drone_id, version, labels, secrets, capacity, weight, registered_ms, last_seen_ms, draining FROM drones
            WHERE tenant_id = ? ORDER BY drone_id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
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
        self.write(Touch { tenant, seen }).await
    }

    pub(in crate::store) async fn set_draining(
        &self,
        tenant: Tenant,
        drone: DroneId,
        draining: bool,
    ) -> Result<(), StoreError> {
        self.write(SetDraining { tenant, drone, draining }).await
    }

    pub(in crate::store) async fn add_run_request(
        &self,
        tenant: Tenant,
        profile: ProfileId,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        self.write(AddRunRequest { tenant, profile, now_ms }).await
    }

    /// The oldest first.
    pub(in crate::store) async fn run_requests(&self, tenant: Tenant) -> Result<Vec<RunRequest>, StoreError> {
        let text = "SELECT q.id, p.profile_id FROM run_requests q JOIN profiles p ON p.id = q.profile
            WHERE q.tenant_id = ? ORDER BY q.id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
        let request = |row: &SqliteRow| {
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
        self.write(FinishRunRequests { tenant, requests }).await
    }
}

fn read_drone(row: &SqliteRow) -> Result<SavedDrone, StoreError> {
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

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        let drone = &self.drone;
        let Offer { labels, secrets, capacity, weight } = &drone.offer;
        let (labels, secrets) = (list_text(labels)?, secrets.as_ref().map(list_text).transpose()?);
        let text = "INSERT INTO drones
                (tenant_id, drone_id, version, labels, registered_ms, last_seen_ms, draining, secrets, capacity, weight)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (tenant_id, drone_id) DO UPDATE SET version = excluded.version, labels = excluded.labels,
                secrets = excluded.secrets, capacity = excluded.capacity, weight = excluded.weight,
                last_seen_ms = max(last_seen_ms, excluded.last_seen_ms), draining = excluded.draining";
        let query = sqlx::query(text).bind(self.tenant.0).bind(drone.drone_id.as_str()).bind(&drone.version);
        let query = query.bind(labels).bind(drone.registered_ms).bind(drone.last_seen_ms).bind(drone.draining);
        let query = query.bind(secrets).bind(capacity.map(i64::from)).bind(i64::from(*weight));
        query.execute(&mut *bench.db).await?;
        Ok(())
    }
}

struct Touch {
    tenant: Tenant,
    seen: Vec<(DroneId, i64)>,
}

impl Write for Touch {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        let text = "UPDATE drones SET last_seen_ms = max(last_seen_ms, ?) WHERE tenant_id = ? AND drone_id = ?";
        for (drone, seen_ms) in &self.seen {
            let query = sqlx::query(text).bind(seen_ms).bind(self.tenant.0).bind(drone.as_str());
            query.execute(&mut *bench.db).await?;
        }
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

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE drones SET draining = ? WHERE tenant_id = ? AND drone_id = ?");
        let query = query.bind(self.draining).bind(self.tenant.0).bind(self.drone.as_str());
        match query.execute(&mut *bench.db).await?.rows_affected() {
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

    async fn run(&self, bench: &mut Bench<'_>) -> Result<i64, StoreError> {
        let count = sqlx::query("SELECT count(*) FROM run_requests WHERE tenant_id = ?").bind(self.tenant.0);
        let waiting: i64 = count.fetch_one(&mut *bench.db).await?.try_get(0)?;
        if waiting >= MAX_RUN_REQUESTS as i64 {
            return Err(StoreError::TooManyRunRequests(MAX_RUN_REQUESTS));
        }
        let text = "INSERT INTO run_requests (tenant_id, profile, requested_ms)
            SELECT tenant_id, id, ? FROM profiles WHERE tenant_id = ? AND profile_id = ? AND deleted_ms IS NULL";
        let query = sqlx::query(text).bind(self.now_ms).bind(self.tenant.0).bind(self.profile.as_str());
        let done = query.execute(&mut *bench.db).await?;
        match done.rows_affected() {
            0 => Err(StoreError::UnknownProfile(self.profile.clone())),
            _ => Ok(done.last_insert_rowid()),
        }
    }
}

struct FinishRunRequests {
    tenant: Tenant,
    requests: Vec<i64>,
}

impl Write for FinishRunRequests {
    type Output = ();

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        for request in &self.requests {
            let query = sqlx::query("DELETE FROM run_requests WHERE tenant_id = ? AND id = ?");
            query.bind(self.tenant.0).bind(request).execute(&mut *bench.db).await?;
        }
        Ok(())
    }
}
