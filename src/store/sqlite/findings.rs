//! What is to be told of a run beside its counts: rows that failed, and whether it looked other than the runs before it.
//! One row for a run that has something to tell; judged in the transaction that stores the run's last batch.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Sqlite;
use super::rejects::{self, Failed};
use crate::domain::drift::{self, Change, DriftRule, Fate, HISTORY};
use crate::domain::ids::RunId;
use crate::domain::rejects::{RejectCount, Rejects};
use crate::domain::run::{RunReport, RunState};
use crate::domain::shape::RunShape;
use crate::protocol::aggregator::{DriftTold, FindingCounts};
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::rows::shown;
use crate::store::tenants::Tenant;

/// Shapes kept of a profile, of all its versions together.
const MAX_SHAPES: i64 = 4 * HISTORY as i64;

/// A run, as findings are kept of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of {
    pub(super) profile: i64,
    pub(super) run: i64,
    /// The profile's version: a row of `names`, or 0.
    pub(super) version: i64,
    pub(super) now_ms: i64,
}

/// What a run's view tells of its findings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) failed_rows: u64,
    pub(super) rejects: Option<String>,
    pub(super) drifted: bool,
    pub(super) changes: Vec<Change>,
    pub(super) fate: Option<Fate>,
}

impl Findings {
    /// Reads the columns `f_…` of a joined row, all null where there are no findings.
    pub(super) fn read(row: &SqliteRow, run_id: &RunId) -> Result<Self, StoreError> {
        let Some(rejected) = row.try_get::<Option<i64>, _>("f_rejected")? else { return Ok(Self::default()) };
        let drifted: i64 = row.try_get("f_drifted")?;
        Ok(Self {
            failed_rows: shown(rejected),
            rejects: (rejected > 0).then(|| format!("/api/runs/{run_id}/rejects")),
            drifted: drifted != 0,
            changes: from_json(row.try_get("f_changes")?)?,
            fate: row.try_get::<Option<i64>, _>("f_fate")?.and_then(fate_of),
        })
    }
}

/// Notes what a batch tells of its run: the rows that failed and, with the last report, how the run was judged. A run
/// whose records are held was judged before.
pub(super) async fn note(db: &mut SqliteConnection, of: Of, batch: &Batch) -> Result<Option<DriftTold>, StoreError> {
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
pub(super) async fn note_refused(db: &mut SqliteConnection, of: Of, batch: &Batch) -> Result<(), StoreError> {
    if batch.rejected == 0 {
        return Ok(());
    }
    let refused: Vec<Failed<'_>> = batch.rejects.iter().map(Failed::record).collect();
    let mut counts = Rejects::default();
    counts.count("a record was refused", u64::from(batch.rejected));
    rejects::add(db, of, &counts.counts, &refused).await
}

/// All of a run that was accepted is stored: nothing of it is held any more.
async fn settled(db: &mut SqliteConnection, run: i64) -> Result<(), StoreError> {
    let accepted = fate_number(Fate::Accepted);
    let clear = sqlx::query("UPDATE findings SET fate = NULL WHERE run = ? AND fate = ?");
    clear.bind(run).bind(accepted).execute(&mut *db).await?;
    let forget = "DELETE FROM findings WHERE run = ? AND fate IS NULL AND rejected = 0 AND changes = '[]'";
    sqlx::query(forget).bind(run).execute(db).await?;
    Ok(())
}

/// Keeps the rows that a report tells of.
pub(super) async fn note_rows(db: &mut SqliteConnection, of: Of, report: &RunReport) -> Result<(), StoreError> {
    let Some(told) = report.rejects.as_ref().filter(|told| !told.is_empty()) else { return Ok(()) };
    let told = told.bounded();
    let rows: Vec<Failed<'_>> = told.rows.iter().map(Failed::row).collect();
    rejects::add(db, of, &told.counts, &rows).await
}

/// Judges a run that ended by its shape, and makes it part of the history where it is accepted. `at_drift` is the fate
/// of held records if it drifted.
pub(super) async fn judge(
    db: &mut SqliteConnection,
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
pub(super) async fn told(db: &mut SqliteConnection, run: i64) -> Result<Option<DriftTold>, StoreError> {
    let query = sqlx::query("SELECT drifted, changes, fate FROM findings WHERE run = ?").bind(run);
    let Some(row) = query.fetch_optional(db).await? else { return Ok(None) };
    let drifted: i64 = row.try_get(0)?;
    let changes: Vec<Change> = from_json(row.try_get(1)?)?;
    let fate = row.try_get::<Option<i64>, _>(2)?.and_then(fate_of);
    let nothing = changes.is_empty() && fate.is_none();
    Ok((!nothing).then_some(DriftTold { drifted: drifted != 0, changes, fate }))
}

async fn history(db: &mut SqliteConnection, of: Of) -> Result<Vec<RunShape>, StoreError> {
    let text = "SELECT shape FROM shapes WHERE profile = ? AND version = ? ORDER BY id DESC LIMIT ?";
    let query = sqlx::query(text).bind(of.profile).bind(of.version).bind(HISTORY as i64);
    query.fetch_all(db).await?.iter().map(|row| from_json(row.try_get(0)?)).collect()
}

/// Makes a shape part of the history.
pub(super) async fn accept(
    db: &mut SqliteConnection,
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
        let forget = sqlx::query("DELETE FROM shapes WHERE profile = ? AND version = ?");
        forget.bind(of.profile).bind(of.version).execute(&mut *db).await?;
    }
    if let Some(newest) = kept.first() {
        let insert = sqlx::query("INSERT INTO shapes (profile, version, shape) VALUES (?, ?, ?)");
        insert.bind(of.profile).bind(of.version).bind(to_json(newest)).execute(&mut *db).await?;
    }
    let trim = "DELETE FROM shapes WHERE profile = ? AND version = ? AND id <=
        (SELECT id FROM shapes WHERE profile = ? AND version = ? ORDER BY id DESC LIMIT 1 OFFSET ?)";
    let trim = sqlx::query(trim).bind(of.profile).bind(of.version).bind(of.profile).bind(of.version);
    trim.bind(HISTORY as i64).execute(&mut *db).await?;
    let of_all = "DELETE FROM shapes WHERE profile = ? AND id <=
        (SELECT id FROM shapes WHERE profile = ? ORDER BY id DESC LIMIT 1 OFFSET ?)";
    sqlx::query(of_all).bind(of.profile).bind(of.profile).bind(MAX_SHAPES).execute(db).await?;
    Ok(())
}

/// Makes what a released run looked like the whole of the history.
pub(super) async fn begin_anew(db: &mut SqliteConnection, of: Of, shape: &RunShape) -> Result<(), StoreError> {
    let before = history(db, of).await?;
    let shape = drift::after_drift(before.first(), shape.clone());
    let forget = sqlx::query("DELETE FROM shapes WHERE profile = ? AND version = ?");
    forget.bind(of.profile).bind(of.version).execute(&mut *db).await?;
    let insert = sqlx::query("INSERT INTO shapes (profile, version, shape) VALUES (?, ?, ?)");
    insert.bind(of.profile).bind(of.version).bind(to_json(&shape)).execute(db).await?;
    Ok(())
}

pub(super) async fn keep_changes(
    db: &mut SqliteConnection,
    of: Of,
    changes: &[Change],
    drifted: bool,
    shape: Option<String>,
) -> Result<(), StoreError> {
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, shape, created_ms)
        VALUES (?, ?, 0, 0, '[]', ?, ?, ?, ?)
        ON CONFLICT (run) DO UPDATE SET drifted = excluded.drifted, changes = excluded.changes, shape = excluded.shape";
    let query = sqlx::query(text).bind(of.run).bind(of.profile).bind(i64::from(drifted)).bind(to_json(&changes));
    query.bind(shape).bind(of.now_ms).execute(&mut *db).await?;
    if drifted { count(db, of.profile, Total::Drifted, 1).await } else { Ok(()) }
}

/// Notes what became of a run's held records.
pub(super) async fn set_fate(db: &mut SqliteConnection, of: Of, fate: Option<Fate>) -> Result<(), StoreError> {
    let before = told(db, of.run).await?.and_then(|told| told.fate);
    let text = "INSERT INTO findings (run, profile, rejected, kept, counts, drifted, changes, fate, created_ms)
        VALUES (?, ?, 0, 0, '[]', 0, '[]', ?, ?) ON CONFLICT (run) DO UPDATE SET fate = excluded.fate";
    let query = sqlx::query(text).bind(of.run).bind(of.profile).bind(fate.map(fate_number)).bind(of.now_ms);
    query.execute(&mut *db).await?;
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

pub(super) async fn count(
    db: &mut SqliteConnection,
    profile: i64,
    total: Total,
    change: i64,
) -> Result<(), StoreError> {
    if change == 0 {
        return Ok(());
    }
    sqlx::query("INSERT INTO findings_totals (profile) VALUES (?) ON CONFLICT (profile) DO NOTHING")
        .bind(profile)
        .execute(&mut *db)
        .await?;
    let text = match total {
        Total::Drifted => "UPDATE findings_totals SET drifted = drifted + ? WHERE profile = ?",
        Total::Rejected => "UPDATE findings_totals SET rejected = rejected + ? WHERE profile = ?",
        Total::Discarded => "UPDATE findings_totals SET discarded = discarded + ? WHERE profile = ?",
        Total::Waiting => "UPDATE findings_totals SET waiting = waiting + ? WHERE profile = ?",
        Total::Held => "UPDATE findings_totals SET held = held + ? WHERE profile = ?",
    };
    sqlx::query(text).bind(change).bind(profile).execute(db).await?;
    Ok(())
}

impl Sqlite {
    pub(super) async fn finding_counts(&self, tenant: Tenant) -> Result<FindingCounts, StoreError> {
        let text = "SELECT coalesce(sum(t.drifted), 0), coalesce(sum(t.rejected), 0), coalesce(sum(t.waiting), 0),
                coalesce(sum(t.held), 0), coalesce(sum(t.discarded), 0)
            FROM profiles p JOIN findings_totals t ON t.profile = p.id WHERE p.tenant_id = ?";
        let row = sqlx::query(text).bind(tenant.0).fetch_one(&self.readers).await?;
        Ok(FindingCounts {
            drifted_runs: shown(row.try_get(0)?),
            failed_rows: shown(row.try_get(1)?),
            waiting_runs: shown(row.try_get(2)?),
            held_bytes: shown(row.try_get(3)?),
            discarded_runs: shown(row.try_get(4)?),
        })
    }
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
