//! The summary, from counters that the ingest keeps.

use sqlx::{Row, query};

use super::Postgres;
use crate::protocol::aggregator::Summary;
use crate::store::counts::{read_counts, summary_of};
use crate::store::error::StoreError;
use crate::store::findings;
use crate::store::tenants::Tenant;

impl Postgres {
    pub(in crate::store) async fn summary(&self, tenant: Tenant) -> Result<Summary, StoreError> {
        let text = "SELECT p.profile_id, c.*, r.state FROM profiles p JOIN counters c ON c.profile = p.id
            LEFT JOIN runs r ON r.id = c.last_run
            WHERE p.tenant_id = $1 AND c.last_received_ms IS NOT NULL ORDER BY p.profile_id";
        let rows = self.desk.all(query(text).bind(tenant.0)).await?;
        let counts = rows.iter().map(|row| read_counts!(row)).collect::<Result<_, StoreError>>()?;
        summary_of(counts, findings::counts_of(self, tenant).await?)
    }
}
