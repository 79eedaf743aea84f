//! Texts that many rows repeat, kept once.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::store::error::StoreError;
use crate::store::rows::kept_name;
use crate::store::tenants::Tenant;

/// The row of this text, created where it is new.
pub(super) async fn intern(db: &mut SqliteConnection, tenant: Tenant, text: &str) -> Result<i64, StoreError> {
    let kept = kept_name(text);
    let find = sqlx::query("SELECT id FROM names WHERE tenant_id = ? AND name = ?").bind(tenant.0).bind(&kept);
    if let Some(row) = find.fetch_optional(&mut *db).await? {
        return Ok(row.try_get(0)?);
    }
    let insert =
        sqlx::query("INSERT INTO names (tenant_id, name) VALUES (?, ?) RETURNING id").bind(tenant.0).bind(&kept);
    Ok(insert.fetch_one(db).await?.try_get(0)?)
}
