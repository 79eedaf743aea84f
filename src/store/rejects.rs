//! Rows that failed and records that were refused: the first of each run, and for each profile only so many that the
//! oldest runs' go. The same for every engine.

use super::error::StoreError;
use super::findings::{Of, Total, count, from_json, to_json, together};
use super::pager::Pager;
use super::rows::shown;
use super::sql::{Cells, Db, Reads, values};
use super::tenants::Tenant;
use crate::domain::ids::RunId;
use crate::domain::rejects::{MAX_ROWS, RejectCount, RejectedRow};
use crate::protocol::aggregator::{RejectView, Rejected, RejectsPage};
use crate::protocol::paging::PageRequest;

/// Rows kept of a profile.
const MAX_ROWS_OF_PROFILE: i64 = 10_000;

const PAGE: &str = "SELECT id, reason, excerpt, place FROM rejects WHERE run = $1 AND id > $2 ORDER BY id LIMIT $3";

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
    db: &mut impl Db,
    of: Of,
    counts: &[RejectCount],
    rows: &[Failed<'_>],
) -> Result<(), StoreError> {
    let known = "SELECT kept, counts FROM findings WHERE run = $1";
    let (kept, before) = match db.first(known, values![of.run]).await? {
        Some(row) => (row.number(0)?, from_json(row.text(1)?)?),
        None => (0, Vec::new()),
    };
    let all = together(before, counts);
    let total = i64::try_from(all.iter().map(|count| count.rows).sum::<u64>()).unwrap_or(i64::MAX);
    let more = i64::try_from(counts.iter().map(|count| count.rows).sum::<u64>()).unwrap_or(i64::MAX);
    let room = MAX_ROWS.saturating_sub(usize::try_from(kept).unwrap_or(MAX_ROWS));
    let rows = &rows[..rows.len().min(room)];
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, created_ms)
        VALUES ($1, $2, $3, $4, $5, 0, '[]', $6) ON CONFLICT (run) DO UPDATE SET rejected = excluded.rejected,
        kept = excluded.kept, counts = excluded.counts";
    db.run(text, values![of.run, of.profile, total, kept + rows.len() as i64, to_json(&all), of.now_ms]).await?;
    for row in rows {
        let insert = "INSERT INTO rejects (profile, run, place, reason, excerpt) VALUES ($1, $2, $3, $4, $5)";
        let place = row.place.map(i64::from);
        db.run(insert, values![of.profile, of.run, place, row.reason, row.excerpt]).await?;
    }
    let trim = "DELETE FROM rejects WHERE profile = $1 AND id <=
        (SELECT id FROM rejects WHERE profile = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    db.run(trim, values![of.profile, MAX_ROWS_OF_PROFILE]).await?;
    count(db, of.profile, Total::Rejected, more).await
}

/// A page of those of one run.
pub(super) async fn page_of(
    engine: &impl Reads,
    tenant: Tenant,
    run_id: &RunId,
    page: &PageRequest,
) -> Result<RejectsPage, StoreError> {
    let text = "SELECT r.id, coalesce(f.rejected, 0), coalesce(f.kept, 0), coalesce(f.counts, '[]')
        FROM runs r LEFT JOIN findings f ON f.run = r.id WHERE r.tenant_id = $1 AND r.run_id = $2";
    let found = engine.read(text, values![tenant.0, run_id.as_str()]).await?;
    let found = found.first().ok_or_else(|| StoreError::UnknownRun(run_id.clone()))?;
    let run = found.number(0)?;
    let mut pager = Pager::new(page, 0, false)?;
    while let Some(chunk) = pager.next_chunk() {
        let rows = engine.read(PAGE, values![run, pager.position(), chunk]).await?;
        pager.got(rows.len());
        for row in &rows {
            let index = row.maybe_number(3)?.and_then(|place| u32::try_from(place).ok());
            let view = RejectView { reason: row.text(1)?.to_owned(), excerpt: row.text(2)?.to_owned(), index };
            pager.pass(row.number(0)?, Some(view));
        }
    }
    let kept_rows = pager.finish();
    Ok(RejectsPage {
        total: shown(found.number(1)?),
        counts: from_json(found.text(3)?)?,
        kept: shown(found.number(2)?),
        items: kept_rows.items,
        next: kept_rows.next,
    })
}
