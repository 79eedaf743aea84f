//! Texts that many rows repeat, kept once: drone ids and profile digests of the runs of a group.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgConnection;
use sqlx::{Row, query};

use crate::store::error::StoreError;

/// In one order, so that no two processes wait for each other.
const INTERN: &str = "
    WITH wanted AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS w (tenant_id, name)),
    added AS (INSERT INTO names (tenant_id, name) SELECT tenant_id, name FROM wanted ORDER BY tenant_id, name
        ON CONFLICT DO NOTHING RETURNING tenant_id, name, id)
    SELECT tenant_id, name, id FROM added
    UNION ALL SELECT n.tenant_id, n.name, n.id FROM wanted w
        JOIN names n ON n.tenant_id = w.tenant_id AND n.name = w.name";

pub(super) type Names = HashMap<(i64, String), i64>;

/// The rows of these texts, created where they are new.
pub(super) async fn intern(db: &mut PgConnection, wanted: &BTreeSet<(i64, String)>) -> Result<Names, StoreError> {
    if wanted.is_empty() {
        return Ok(Names::new());
    }
    let (tenants, names): (Vec<i64>, Vec<&str>) = wanted.iter().map(|(tenant, name)| (*tenant, name.as_str())).unzip();
    let rows = query(INTERN).bind(tenants).bind(names).fetch_all(db).await?;
    let found = rows.iter().map(|row| Ok(((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?)));
    let found = found.collect::<Result<Names, StoreError>>()?;
    if found.len() < wanted.len() {
        // Another process added one since this statement began, and it does not see it yet.
        return Err(StoreError::Raced("a name was added elsewhere".into()));
    }
    Ok(found)
}
