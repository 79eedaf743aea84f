//! Runs whose records wait: released or discarded by somebody, or for want of room and for their age.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::findings::{self, Of, Total, count, fate_number, from_json, set_fate, told};
use super::job::{Bench, Write};
use crate::domain::drift::Fate;
use crate::domain::ids::RunId;
use crate::domain::shape::RunShape;
use crate::protocol::aggregator::RunView;
use crate::store::error::StoreError;
use crate::store::rows::stored;
use crate::store::tenants::Tenant;

/// Runs of a profile that wait, at most.
const MAX_WAITING: i64 = 100;
const DAY_MS: i64 = 24 * 3_600_000;
/// Records that waited longer are discarded.
const MAX_WAITING_MS: i64 = 14 * DAY_MS;
/// Of a run that never ended, sooner.
const MAX_UNENDED_MS: i64 = DAY_MS;
/// The names of batches that are gone are remembered for as long as a drone might send one again.
const MAX_NAMES_MS: i64 = 30 * DAY_MS;

impl Sqlite {
    pub(in crate::store) async fn settle_run(
        &self,
        tenant: Tenant,
        run_id: &RunId,
        release: bool,
        now_ms: i64,
    ) -> Result<RunView, StoreError> {
        let decided = self.write(Decide { tenant, run_id: run_id.clone(), release, now_ms }).await?;
        if release {
            self.move_held(tenant, decided, now_ms).await?;
        }
        self.run(tenant, run_id).await
    }
}

/// Notes what somebody decided about a run.
struct Decide {
    tenant: Tenant,
    run_id: RunId,
    release: bool,
    now_ms: i64,
}

impl Write for Decide {
    type Output = i64;

    async fn run(&self, bench: &mut Bench<'_>) -> Result<i64, StoreError> {
        let text = "SELECT r.id, r.profile, coalesce(r.profile_digest, 0), f.fate, f.shape FROM runs r
            LEFT JOIN findings f ON f.run = r.id WHERE r.tenant_id = ? AND r.run_id = ?";
        let query = sqlx::query(text).bind(self.tenant.0).bind(self.run_id.as_str());
        let row = query.fetch_optional(&mut *bench.db).await?;
        let row = row.ok_or_else(|| StoreError::UnknownRun(self.run_id.clone()))?;
        let of = Of { run: row.try_get(0)?, profile: row.try_get(1)?, version: row.try_get(2)?, now_ms: self.now_ms };
        let fate = row.try_get::<Option<i64>, _>(3)?.and_then(findings::fate_of);
        match (fate, self.release) {
            (Some(Fate::Waiting), true) => {
                if let Some(shape) = row.try_get::<Option<&str>, _>(4)? {
                    findings::begin_anew(bench.db, of, &from_json::<RunShape>(shape)?).await?;
                }
                set_fate(bench.db, of, Some(Fate::Released)).await?;
            }
            (Some(Fate::Waiting), false) => discard(bench.db, of, Fate::Discarded).await?,
            (Some(Fate::Released), true) | (Some(Fate::Discarded), false) => {}
            (other, _) => {
                let now = other.map_or("its records were never held", Fate::word).to_owned();
                return Err(StoreError::NotQuarantined { run: self.run_id.clone(), now });
            }
        }
        Ok(of.run)
    }
}

/// Lets the records of a run go; the names of its batches stay.
pub(super) async fn discard(db: &mut SqliteConnection, of: Of, fate: Fate) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT coalesce(sum(bytes), 0) FROM held WHERE run = ?").bind(of.run);
    let bytes: i64 = query.fetch_one(&mut *db).await?.try_get(0)?;
    let empty = sqlx::query("UPDATE held SET body = NULL, bytes = 0 WHERE run = ? AND body IS NOT NULL");
    empty.bind(of.run).execute(&mut *db).await?;
    count(db, of.profile, Total::Held, -bytes).await?;
    let before = told(db, of.run).await?.and_then(|told| told.fate);
    if fate == Fate::Discarded && before != Some(Fate::Discarded) {
        count(db, of.profile, Total::Discarded, 1).await?;
    }
    set_fate(db, of, Some(fate)).await
}

/// The room that a profile's held batches have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// The run that needs it.
    pub(super) of: Of,
    pub(super) max_bytes: u64,
}

impl Room {
    /// Makes room for so many bytes more: the oldest other runs are discarded. False: there is none even without them.
    pub(super) async fn make(
        self,
        db: &mut SqliteConnection,
        bytes: u64,
        discarded: &mut Vec<RunId>,
    ) -> Result<bool, StoreError> {
        loop {
            let total = sqlx::query("SELECT held FROM findings_totals WHERE profile = ?").bind(self.of.profile);
            let held: i64 = total.fetch_optional(&mut *db).await?.map_or(Ok(0), |row| row.try_get(0))?;
            if held.unsigned_abs() + bytes <= self.max_bytes {
                return Ok(true);
            }
            let text = "SELECT r.id, r.run_id FROM held h JOIN runs r ON r.id = h.run
                LEFT JOIN findings f ON f.run = h.run
                WHERE h.profile = ? AND h.body IS NOT NULL AND h.run <> ? AND (f.fate IS NULL OR f.fate = ?)
                ORDER BY h.id LIMIT 1";
            let query = sqlx::query(text).bind(self.of.profile).bind(self.of.run).bind(fate_number(Fate::Waiting));
            let Some(row) = query.fetch_optional(&mut *db).await? else { return Ok(false) };
            self.discard_one(db, row.try_get(0)?, row.try_get(1)?, discarded).await?;
        }
    }

    /// Discards what waited too long, and the oldest beyond so many.
    pub(super) async fn clear_old(self, db: &mut SqliteConnection) -> Result<Vec<RunId>, StoreError> {
        let mut discarded = Vec::new();
        let text = "SELECT r.id, r.run_id FROM findings f JOIN runs r ON r.id = f.run
            WHERE f.profile = ? AND f.fate = 2 AND (f.created_ms < ? OR f.run <=
                (SELECT run FROM findings WHERE profile = ? AND fate = 2 ORDER BY run DESC LIMIT 1 OFFSET ?))";
        let query = sqlx::query(text).bind(self.of.profile).bind(self.of.now_ms - MAX_WAITING_MS);
        let mut old = query.bind(self.of.profile).bind(MAX_WAITING).fetch_all(&mut *db).await?;
        let unended = "SELECT DISTINCT r.id, r.run_id FROM held h JOIN runs r ON r.id = h.run
            LEFT JOIN findings f ON f.run = h.run
            WHERE h.profile = ? AND h.body IS NOT NULL AND h.run <> ? AND f.fate IS NULL AND r.received_ms < ?";
        let unended = sqlx::query(unended).bind(self.of.profile).bind(self.of.run);
        old.extend(unended.bind(self.of.now_ms - MAX_UNENDED_MS).fetch_all(&mut *db).await?);
        for row in old {
            self.discard_one(db, row.try_get(0)?, row.try_get(1)?, &mut discarded).await?;
        }
        let forget = sqlx::query("DELETE FROM held WHERE profile = ? AND body IS NULL AND held_ms < ?");
        forget.bind(self.of.profile).bind(self.of.now_ms - MAX_NAMES_MS).execute(db).await?;
        Ok(discarded)
    }

    async fn discard_one(
        self,
        db: &mut SqliteConnection,
        run: i64,
        run_id: &str,
        discarded: &mut Vec<RunId>,
    ) -> Result<(), StoreError> {
        discard(db, Of { run, ..self.of }, Fate::Discarded).await?;
        discarded.push(stored(RunId::parse(run_id))?);
        Ok(())
    }
}
