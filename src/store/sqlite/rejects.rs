//! Rows that failed and records that were refused: the first of each run, and for each profile only so many that the
//! oldest runs' go.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::findings::{Of, Total, count, from_json, to_json, together};
use crate::domain::ids::RunId;
use crate::domain::rejects::{MAX_ROWS, RejectCount, RejectedRow};
use crate::protocol::aggregator::{RejectView, Rejected, RejectsPage};
use crate::protocol::paging::PageRequest;
use crate::store::error::StoreError;
use crate::store::pager::Pager;
use crate::store::rows::shown;
use crate::store::tenants::Tenant;

/// Rows kept of a profile.
const MAX_ROWS_OF_PROFILE: i64 = 10_000;

pub(super) const PAGE: &str =
    "SELECT id, reason, excerpt, place FROM rejects WHERE run = ? AND id > ? ORDER BY id LIMIT ?";

/// One that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'a> {
    reason: &'a str,
    excerpt: &'a str,
    place: Option<u32>,
}

impl<'a> Failed<'a> {
    pub(super) fn row(row: &'a RejectedRow) -> Self {
        Self { reason: &row.reason, excerpt: &row.excerpt, place: None }
    }

    pub(super) fn record(record: &'a Rejected) -> Self {
        Self { reason: &record.reason, excerpt: &record.excerpt, place: Some(record.index) }
    }
}

/// Adds to what is known of a run.
pub(super) async fn add(
    db: &mut SqliteConnection,
    of: Of,
    counts: &[RejectCount],
    rows: &[Failed<'_>],
) -> Result<(), StoreError> {
    let known = sqlx::query("SELECT kept, counts FROM findings WHERE run = ?").bind(of.run);
    let (kept, before) = match known.fetch_optional(&mut *db).await? {
        Some(row) => (row.try_get::<i64, _>(0)?, from_json(row.try_get(1)?)?),
        None => (0, Vec::new()),
    };
    let all = together(before, counts);
    let total = i64::try_from(all.iter().map(|count| count.rows).sum::<u64>()).unwrap_or(i64::MAX);
    let more = i64::try_from(counts.iter().map(|count| count.rows).sum::<u64>()).unwrap_or(i64::MAX);
    let room = MAX_ROWS.saturating_sub(usize::try_from(kept).unwrap_or(MAX_ROWS));
    let rows = &rows[..rows.len().min(room)];
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, created_ms)
        VALUES (?, ?, ?, ?, ?, 0, '[]', ?) ON CONFLICT (run) DO UPDATE SET rejected = excluded.rejected,
        kept = excluded.kept, counts = excluded.counts";
    let query = sqlx::query(text).bind(of.run).bind(of.profile).bind(total).bind(kept + rows.len() as i64);
    query.bind(to_json(&all)).bind(of.now_ms).execute(&mut *db).await?;
    for row in rows {
        let insert = sqlx::query("INSERT INTO rejects (profile, run, place, reason, excerpt) VALUES (?, ?, ?, ?, ?)");
        let insert = insert.bind(of.profile).bind(of.run).bind(row.place).bind(row.reason).bind(row.excerpt);
        insert.execute(&mut *db).await?;
    }
    let trim = "DELETE FROM rejects WHERE profile = ? AND id <=
        (SELECT id FROM rejects WHERE profile = ? ORDER BY id DESC LIMIT 1 OFFSET ?)";
    let trim = sqlx::query(trim).bind(of.profile).bind(of.profile).bind(MAX_ROWS_OF_PROFILE);
    trim.execute(&mut *db).await?;
    count(db, of.profile, Total::Rejected, more).await
}

impl Sqlite {
    pub(in crate::store) async fn rejects(
        &self,
        tenant: Tenant,
        run_id: &RunId,
        page: &PageRequest,
    ) -> Result<RejectsPage, StoreError> {
        let text = "SELECT r.id, coalesce(f.rejected, 0), coalesce(f.kept, 0), coalesce(f.counts, '[]')
            FROM runs r LEFT JOIN findings f ON f.run = r.id WHERE r.tenant_id = ? AND r.run_id = ?";
        let found = sqlx::query(text).bind(tenant.0).bind(run_id.as_str()).fetch_optional(&self.readers).await?;
        let found = found.ok_or_else(|| StoreError::UnknownRun(run_id.clone()))?;
        let run: i64 = found.try_get(0)?;
        let mut pager = Pager::new(page, 0, false)?;
        while let Some(chunk) = pager.next_chunk() {
            let rows = sqlx::query(PAGE).bind(run).bind(pager.position()).bind(chunk).fetch_all(&self.readers).await?;
            pager.got(rows.len());
            for row in &rows {
                let view = RejectView { reason: row.try_get(1)?, excerpt: row.try_get(2)?, index: row.try_get(3)? };
                pager.pass(row.try_get(0)?, Some(view));
            }
        }
        let kept_rows = pager.finish();
        Ok(RejectsPage {
            total: shown(found.try_get(1)?),
            counts: from_json(found.try_get(3)?)?,
            kept: shown(found.try_get(2)?),
            items: kept_rows.items,
            next: kept_rows.next,
        })
    }
}
