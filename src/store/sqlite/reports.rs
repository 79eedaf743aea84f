//! Reports that were computed, the newest kept.

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::job::{Bench, Write};
use crate::protocol::paging::{Page, PageRequest};
use crate::protocol::reporter::{ReportSummary, ReportView};
use crate::store::error::StoreError;
use crate::store::pager::Pager;
use crate::store::tenants::Tenant;

pub(super) const PAGE: &str = "SELECT id, report_id, created_ms, spec FROM reports NOT INDEXED WHERE tenant_id = ? AND id < ? ORDER BY id DESC LIMIT ?";

impl Sqlite {
    pub(in crate::store) async fn save_report(
        &self,
        tenant: Tenant,
        (id, spec, result): (String, String, String),
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.write(Save { tenant, id, now_ms, spec, result, keep: self.max_reports }).await
    }

    pub(in crate::store) async fn report(&self, tenant: Tenant, id: &str) -> Result<ReportView, StoreError> {
        let text = "SELECT report_id, created_ms, spec, result FROM reports WHERE tenant_id = ? AND report_id = ?";
        let row = sqlx::query(text).bind(tenant.0).bind(id).fetch_optional(&self.readers).await?;
        let row = row.ok_or_else(|| StoreError::UnknownReport(id.chars().take(100).collect()))?;
        Ok(ReportView {
            report_id: row.try_get(0)?,
            created_ms: row.try_get(1)?,
            spec: parse(&row, 2)?,
            result: parse(&row, 3)?,
        })
    }

    /// The newest first.
    pub(in crate::store) async fn reports(
        &self,
        tenant: Tenant,
        page: &PageRequest,
    ) -> Result<Page<ReportSummary>, StoreError> {
        let mut pager = Pager::new(page, i64::MAX, false)?;
        while let Some(chunk) = pager.next_chunk() {
            let query = sqlx::query(PAGE).bind(tenant.0).bind(pager.position()).bind(chunk);
            let rows = query.fetch_all(&self.readers).await?;
            pager.got(rows.len());
            for row in &rows {
                let report =
                    ReportSummary { report_id: row.try_get(1)?, created_ms: row.try_get(2)?, spec: parse(row, 3)? };
                pager.pass(row.try_get(0)?, Some(report));
            }
        }
        Ok(pager.finish())
    }
}

fn parse<T: DeserializeOwned>(row: &SqliteRow, column: usize) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text)
        .map_err(|error| StoreError::Engine(format!("a stored report does not read back: {error}")))
}

struct Save {
    tenant: Tenant,
    id: String,
    now_ms: i64,
    spec: String,
    result: String,
    keep: u32,
}

impl Write for Save {
    type Output = ();

    fn bytes(&self) -> usize {
        self.spec.len() + self.result.len()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<(), StoreError> {
        let insert = "INSERT INTO reports (tenant_id, report_id, created_ms, spec, result) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (tenant_id, report_id) DO NOTHING";
        let insert = sqlx::query(insert).bind(self.tenant.0).bind(&self.id).bind(self.now_ms);
        insert.bind(&self.spec).bind(&self.result).execute(&mut *bench.db).await?;
        let trim = "DELETE FROM reports WHERE tenant_id = ? AND id <=
            (SELECT id FROM reports WHERE tenant_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)";
        let trim = sqlx::query(trim).bind(self.tenant.0).bind(self.tenant.0).bind(self.keep);
        trim.execute(&mut *bench.db).await?;
        Ok(())
    }
}
