//! Tenants by name: looked up once, created with their first write.

use sqlx::Row;

use super::Sqlite;
use super::job::{Bench, Write};
use crate::domain::ids::TenantId;
use crate::store::error::StoreError;
use crate::store::tenants::{NOBODY, Tenant};

impl Sqlite {
    /// For reads: a tenant that has never written owns nothing, and reading does not create it.
    pub(in crate::store) async fn tenant_to_read(&self, name: &TenantId) -> Result<Tenant, StoreError> {
        if let Some(tenant) = self.tenants.get(name) {
            return Ok(tenant);
        }
        let row = sqlx::query("SELECT id FROM tenants WHERE name = ?").bind(name.as_str());
        let Some(row) = row.fetch_optional(&self.readers).await? else { return Ok(NOBODY) };
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
        let tenant = self.write(CreateTenant(name.clone())).await?;
        self.tenants.put(name, tenant);
        Ok(tenant)
    }
}

struct CreateTenant(TenantId);

impl Write for CreateTenant {
    type Output = Tenant;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Tenant, StoreError> {
        let name = self.0.as_str();
        let insert = sqlx::query("INSERT INTO tenants (name) VALUES (?) ON CONFLICT DO NOTHING").bind(name);
        insert.execute(&mut *bench.db).await?;
        let row = sqlx::query("SELECT id FROM tenants WHERE name = ?").bind(name).fetch_one(&mut *bench.db).await?;
        Ok(Tenant(row.try_get(0)?))
    }
}
