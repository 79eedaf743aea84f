//! The summary, from counters that the ingest keeps.

use sqlx::Row;

use super::Sqlite;
use crate::protocol::aggregator::Summary;
use crate::store::counts::{read_counts, summary_of};
use crate::store::error::StoreError;
use crate::store::findings;
use crate::store::tenants::Tenant;

impl Sqlite {
    pub(in crate::store) async fn summary(&self, tenant: Tenant) -> Result<Summary, StoreError> {
        let text = "SELECT p.profile_id, c.*, r.state FROM profiles p JOIN counters c ON c.profile = p.id
            LEFT JOIN runs r ON r.id = c.last_run
            WHERE p.tenant_id = ? AND c.last_received_ms IS NOT NULL ORDER BY p.profile_id";
        let rows = sqlx::query(text).bind(tenant.0).fetch_all(&self.readers).await?;
        let counts = rows.iter().map(|row| read_counts!(row)).collect::<Result<_, StoreError>>()?;
        summary_of(counts, findings::counts_of(self, tenant).await?)
    }
}
