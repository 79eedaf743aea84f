//! Tenants by name: looked up once, created with their first write.

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use super::Postgres;
use super::desk::Write;
use crate::domain::ids::TenantId;
use crate::store::error::StoreError;
use crate::store::tenants::{NOBODY, Tenant};

const FIND: &str = "SELECT id FROM tenants WHERE name = $1";

impl Postgres {
    /// For reads: a tenant that has never written owns nothing, and reading does not create it.
    pub(in crate::store) async fn tenant_to_read(&self, name: &TenantId) -> Result<Tenant, StoreError> {
        if let Some(tenant) = self.tenants.get(name) {
            return Ok(tenant);
        }
        let row = self.desk.optional(query(FIND).bind(name.as_str())).await?;
        let Some(row) = row else { return Ok(NOBODY) };
        let tenant = Tenant(row.try_get(0)?);
        self.tenants.put(name, tenant);
        Ok(tenant)
    }

    /// For writes that may be a tenant's first.
    pub(in crate::store) async fn tenant_to_write(&self, name: &TenantId) -> Result<Tenant, StoreError> {
        let known = self.tenant_to_read(name).await?;
        if known != NOBODY {
            return Ok(known);
        }
        let tenant = self.desk.write(CreateTenant(name.clone())).await?;
        self.tenants.put(name, tenant);
        Ok(tenant)
    }
}

struct CreateTenant(TenantId);

impl Write for CreateTenant {
    type Output = Tenant;

    async fn run(&self, db: &mut PgConnection) -> Result<Tenant, StoreError> {
        let name = self.0.as_str();
        query("INSERT INTO tenants (name) VALUES ($1) ON CONFLICT DO NOTHING").bind(name).execute(&mut *db).await?;
        Ok(Tenant(query(FIND).bind(name).fetch_one(db).await?.try_get(0)?))
    }
}
