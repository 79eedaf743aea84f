//! What operators decided on drones and profiles: pins, and drones that are forgotten.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query};

use super::Postgres;
use super::desk::Write;
use crate::domain::ids::{DroneId, ProfileId};
use crate::store::error::StoreError;
use crate::store::rows::stored;
use crate::store::tenants::Tenant;

impl Postgres {
    pub(in crate::store) async fn set_pin(
        &self,
        tenant: Tenant,
        profile: ProfileId,
        drone: Option<DroneId>,
    ) -> Result<(), StoreError> {
        self.desk.write(SetPin { tenant, profile, drone }).await
    }

    /// By profile.
    pub(in crate::store) async fn pins(&self, tenant: Tenant) -> Result<Vec<(ProfileId, DroneId)>, StoreError> {
        let text = "SELECT p.profile_id, i.drone_id FROM pins i JOIN profiles p ON p.id = i.profile
            WHERE p.tenant_id = $1 AND p.deleted_ms IS NULL ORDER BY p.profile_id";
        let rows = self.desk.all(query(text).bind(tenant.0)).await?;
        let pin =
            |row: &PgRow| Ok((stored(ProfileId::parse(row.try_get(0)?))?, stored(DroneId::parse(row.try_get(1)?))?));
        rows.iter().map(pin).collect()
    }

    pub(in crate::store) async fn forget_drones(&self, tenant: Tenant, drones: Vec<DroneId>) -> Result<(), StoreError> {
        if drones.is_empty() {
            return Ok(());
        }
        self.desk.write(Forget { tenant, drones }).await
    }
}

struct SetPin {
    tenant: Tenant,
    profile: ProfileId,
    drone: Option<DroneId>,
}

impl Write for SetPin {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        let text = "SELECT id FROM profiles WHERE tenant_id = $1 AND profile_id = $2 AND deleted_ms IS NULL";
        let ask = query(text).bind(self.tenant.0).bind(self.profile.as_str());
        let row = ask.fetch_optional(&mut *db).await?;
        let row = row.ok_or_else(|| StoreError::UnknownProfile(self.profile.clone()))?;
        let profile: i64 = row.try_get(0)?;
        let change = match &self.drone {
            Some(drone) => query(
                "INSERT INTO pins (profile, drone_id) VALUES ($1, $2)
                    ON CONFLICT (profile) DO UPDATE SET drone_id = excluded.drone_id",
            )
            .bind(profile)
            .bind(drone.as_str()),
            None => query("DELETE FROM pins WHERE profile = $1").bind(profile),
        };
        change.execute(&mut *db).await?;
        Ok(())
    }
}

struct Forget {
    tenant: Tenant,
    drones: Vec<DroneId>,
}

impl Write for Forget {
    type Output = ();

    async fn run(&self, db: &mut PgConnection) -> Result<(), StoreError> {
        for drone in &self.drones {
            let ask = query("DELETE FROM drones WHERE tenant_id = $1 AND drone_id = $2");
            ask.bind(self.tenant.0).bind(drone.as_str()).execute(&mut *db).await?;
        }
        Ok(())
    }
}
