//! What is to be told of a run beside its counts: rows that failed, and whether it looked other than the runs before it.
//! One row for a run that has something to tell; judged in the transaction that stores the run's last batch. The same for
//! every engine.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use super::rejects::{self, Failed};
use super::rows::shown;
use super::sql::{Cells, Db, Reads, values};
use super::tenants::Tenant;
use crate::domain::drift::{self, Change, DriftRule, Fate, HISTORY};
use crate::domain::rejects::{RejectCount, Rejects};
use crate::domain::run::{RunReport, RunState};
use crate::domain::shape::RunShape;
use crate::protocol::aggregator::{DriftTold, FindingCounts};
use crate::protocol::batch::Batch;

/// Shapes kept of a profile, of all its versions together.
const MAX_SHAPES: i64 = 4 * HISTORY as i64;

const FORGET_SHAPES: &str = "DELETE FROM shapes WHERE profile = $1 AND version = $2";
const ADD_SHAPE: &str = "INSERT INTO shapes (profile, version, shape) VALUES ($1, $2, $3)";

/// A run, as findings are kept of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub(super) profile: i64,
    pub(super) run: i64,
    /// The profile's version: a row of `names`, or 0.
    pub(super) version: i64,
    pub(super) now_ms: i64,
}

/// A run's view with what was found of it, from a row that has also the columns `f_…`, all null where there is nothing.
macro_rules! run_view_with_findings {
    ($row:expr) => {{
        let run = $crate::store::rows::run_view!($row);
        match $row.try_get::<Option<i64>, _>("f_rejected")? {
            None => run,
            Some(rejected) => $crate::protocol::aggregator::RunView {
                failed_rows: $crate::store::rows::shown(rejected),
                rejects: (rejected > 0).then(|| format!("/api/runs/{}/rejects", run.run_id)),
                drifted: $row.try_get::<i64, _>("f_drifted")? != 0,
                changes: $crate::store::findings::from_json($row.try_get("f_changes")?)?,
                quarantine: $row.try_get::<Option<i64>, _>("f_fate")?.and_then($crate::store::findings::fate_of),
                ..run
            },
        }
    }};
}

pub(super) use run_view_with_findings;

/// Notes what a batch tells of its run: the rows that failed and, with the last report, how the run was judged. A run
/// whose records are held was judged before.
pub(super) async fn note(db: &mut impl Db, of: Of, batch: &Batch) -> Result<Option<DriftTold>, StoreError> {
    note_refused(db, of, batch).await?;
    let Some(report) = batch.last_report() else { return Ok(None) };
    if batch.is_held() {
        settled(db, of.run).await?;
        return Ok(None);
    }
    note_rows(db, of, report).await?;
    judge(db, of, report, None).await
}

/// Keeps the records of a batch that were refused.
pub(super) async fn note_refused(db: &mut impl Db, of: Of, batch: &Batch) -> Result<(), StoreError> {
    if batch.rejected == 0 {
        return Ok(());
    }
    let refused: Vec<Failed<'_>> = batch.rejects.iter().map(Failed::record).collect();
    let mut counts = Rejects::default();
    counts.count("a record was refused", u64::from(batch.rejected));
    rejects::add(db, of, &counts.counts, &refused).await
}

/// All of a run that was accepted is stored: nothing of it is held any more.
async fn settled(db: &mut impl Db, run: i64) -> Result<(), StoreError> {
    let accepted = fate_number(Fate::Accepted);
    db.run("UPDATE findings SET fate = NULL WHERE run = $1 AND fate = $2", values![run, accepted]).await?;
    let forget = "DELETE FROM findings WHERE run = $1 AND fate IS NULL AND rejected = 0 AND changes = '[]'";
    db.run(forget, values![run]).await?;
    Ok(())
}

/// Keeps the rows that a report tells of.
pub(super) async fn note_rows(db: &mut impl Db, of: Of, report: &RunReport) -> Result<(), StoreError> {
    let Some(told) = report.rejects.as_ref().filter(|told| !told.is_empty()) else { return Ok(()) };
    let told = told.bounded();
    let rows: Vec<Failed<'_>> = told.rows.iter().map(Failed::row).collect();
    rejects::add(db, of, &told.counts, &rows).await
}

/// Judges a run that ended by its shape, and makes it part of the history where it is accepted. `at_drift` is the fate
/// of held records if it drifted.
pub(super) async fn judge(
    db: &mut impl Db,
    of: Of,
    report: &RunReport,
    at_drift: Option<Fate>,
) -> Result<Option<DriftTold>, StoreError> {
    let (Some(shape), Some(rule)) = (&report.shape, &report.drift) else { return Ok(None) };
    if !matches!(report.state, RunState::Succeeded | RunState::Partial | RunState::Failed) {
        return Ok(None);
    }
    let shape = shape.clone().bounded();
    let history = history(db, of).await?;
    let changes = drift::judge(rule, &history, &shape, report.state == RunState::Succeeded);
    let drifted = drift::is_drift(rule, &changes);
    let fate = at_drift.filter(|_| drifted);
    if report.state != RunState::Failed && fate.is_none() {
        accept(db, of, rule, history, shape.clone(), &changes).await?;
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let waits = fate.filter(|fate| *fate == Fate::Waiting).map(|_| to_json(&shape));
    keep_changes(db, of, &changes, drifted, waits).await?;
    if let Some(fate) = fate {
        set_fate(db, of, Some(fate)).await?;
    }
    Ok(Some(DriftTold { drifted, changes, fate }))
}

/// What was told of a run before.
pub(super) async fn told(db: &mut impl Db, run: i64) -> Result<Option<DriftTold>, StoreError> {
    let text = "SELECT drifted, changes, fate FROM findings WHERE run = $1";
    let Some(row) = db.first(text, values![run]).await? else { return Ok(None) };
    let drifted = row.number(0)?;
    let changes: Vec<Change> = from_json(row.text(1)?)?;
    let fate = row.maybe_number(2)?.and_then(fate_of);
    let nothing = changes.is_empty() && fate.is_none();
    Ok((!nothing).then_some(DriftTold { drifted: drifted != 0, changes, fate }))
}

async fn history(db: &mut impl Db, of: Of) -> Result<Vec<RunShape>, StoreError> {
    let text = "SELECT shape FROM shapes WHERE profile = $1 AND version = $2 ORDER BY id DESC LIMIT $3";
    let rows = db.all(text, values![of.profile, of.version, HISTORY as i64]).await?;
    rows.iter().map(|row| from_json(row.text(0)?)).collect()
}

/// Makes a shape part of the history.
pub(super) async fn accept(
    db: &mut impl Db,
    of: Of,
    rule: &DriftRule,
    history: Vec<RunShape>,
    shape: RunShape,
    changes: &[Change],
) -> Result<(), StoreError> {
    // A source that looks the same again and again costs no writes.
    if history.len() >= HISTORY && history.iter().all(|before| *before == shape) {
        return Ok(());
    }
    let kept = drift::accepted(rule, history, shape, changes);
    if drift::is_drift(rule, changes) {
        db.run(FORGET_SHAPES, values![of.profile, of.version]).await?;
    }
    if let Some(newest) = kept.first() {
        db.run(ADD_SHAPE, values![of.profile, of.version, to_json(newest)]).await?;
    }
    let trim = "DELETE FROM shapes WHERE profile = $1 AND version = $2 AND id <=
        (SELECT id FROM shapes WHERE profile = $1 AND version = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)";
    db.run(trim, values![of.profile, of.version, HISTORY as i64]).await?;
    let of_all = "DELETE FROM shapes WHERE profile = $1 AND id <=
        (SELECT id FROM shapes WHERE profile = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    db.run(of_all, values![of.profile, MAX_SHAPES]).await?;
    Ok(())
}

/// Makes what a released run looked like the whole of the history.
pub(super) async fn begin_anew(db: &mut impl Db, of: Of, shape: &RunShape) -> Result<(), StoreError> {
    let before = history(db, of).await?;
    let shape = drift::after_drift(before.first(), shape.clone());
    db.run(FORGET_SHAPES, values![of.profile, of.version]).await?;
    db.run(ADD_SHAPE, values![of.profile, of.version, to_json(&shape)]).await?;
    Ok(())
}

pub(super) async fn keep_changes(
    db: &mut impl Db,
    of: Of,
    changes: &[Change],
    drifted: bool,
    shape: Option<String>,
) -> Result<(), StoreError> {
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, shape, created_ms)
        VALUES ($1, $2, 0, 0, '[]', $3, $4, $5, $6)
        ON CONFLICT (run) DO UPDATE SET drifted = excluded.drifted, changes = excluded.changes, shape = excluded.shape";
    db.run(text, values![of.run, of.profile, i64::from(drifted), to_json(&changes), shape, of.now_ms]).await?;
    if drifted { count(db, of.profile, Total::Drifted, 1).await } else { Ok(()) }
}

/// Notes what became of a run's held records.
pub(super) async fn set_fate(db: &mut impl Db, of: Of, fate: Option<Fate>) -> Result<(), StoreError> {
    let before = told(db, of.run).await?.and_then(|told| told.fate);
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, fate, created_ms)
        VALUES ($1, $2, 0, 0, '[]', 0, '[]', $3, $4) ON CONFLICT (run) DO UPDATE SET fate = excluded.fate";
    db.run(text, values![of.run, of.profile, fate.map(fate_number), of.now_ms]).await?;
    let waits = |state: Option<Fate>| i64::from(state == Some(Fate::Waiting));
    count(db, of.profile, Total::Waiting, waits(fate) - waits(before)).await
}

/// What is counted over all runs of a profile.
#[derive(Debug, Clone, Copy)]
pub(super) enum Total {
    Drifted,
    Rejected,
    Discarded,
    Waiting,
    Held,
}

pub(super) async fn count(db: &mut impl Db, profile: i64, total: Total, change: i64) -> Result<(), StoreError> {
    if change == 0 {
        return Ok(());
    }
    let begin = "INSERT INTO findings_totals (profile) VALUES ($1) ON CONFLICT (profile) DO NOTHING";
    db.run(begin, values![profile]).await?;
    let text = match total {
        Total::Drifted => "UPDATE findings_totals SET drifted = drifted + $1 WHERE profile = $2",
        Total::Rejected => "UPDATE findings_totals SET rejected = rejected + $1 WHERE profile = $2",
        Total::Discarded => "UPDATE findings_totals SET discarded = discarded + $1 WHERE profile = $2",
        Total::Waiting => "UPDATE findings_totals SET waiting = waiting + $1 WHERE profile = $2",
        Total::Held => "UPDATE findings_totals SET held = held + $1 WHERE profile = $2",
    };
    db.run(text, values![change, profile]).await?;
    Ok(())
}

/// What was found of a tenant's runs, in all.
pub(super) async fn counts_of(engine: &impl Reads, tenant: Tenant) -> Result<FindingCounts, StoreError> {
    let text = "SELECT CAST(coalesce(sum(t.drifted), 0) AS bigint), CAST(coalesce(sum(t.rejected), 0) AS bigint),
            CAST(coalesce(sum(t.waiting), 0) AS bigint), CAST(coalesce(sum(t.held), 0) AS bigint),
            CAST(coalesce(sum(t.discarded), 0) AS bigint)
        FROM profiles p JOIN findings_totals t ON t.profile = p.id WHERE p.tenant_id = $1";
    let rows = engine.read(text, values![tenant.0]).await?;
    let Some(row) = rows.first() else { return Ok(FindingCounts::default()) };
    Ok(FindingCounts {
        drifted_runs: shown(row.number(0)?),
        failed_rows: shown(row.number(1)?),
        waiting_runs: shown(row.number(2)?),
        held_bytes: shown(row.number(3)?),
        discarded_runs: shown(row.number(4)?),
    })
}

/// The number that a fate is stored as. Never renumber.
pub(super) fn fate_number(fate: Fate) -> i64 {
    match fate {
        Fate::Accepted => 1,
        Fate::Waiting => 2,
        Fate::Failed => 3,
        Fate::Released => 4,
        Fate::Discarded => 5,
    }
}

pub(super) fn fate_of(number: i64) -> Option<Fate> {
    Fate::ALL.into_iter().find(|fate| fate_number(*fate) == number)
}

pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("findings hold only texts and whole numbers")
}

pub(super) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Engine(format!("a stored finding does not read back: {error}")))
}

/// The counts of two parts of a run together.
pub(super) fn together(before: Vec<RejectCount>, more: &[RejectCount]) -> Vec<RejectCount> {
    let mut all = Rejects { counts: before, rows: Vec::new() };
    more.iter().for_each(|more| all.count(&more.reason, more.rows));
    all.counts
}
