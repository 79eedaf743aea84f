//! Runs whose records wait: released or discarded by somebody, or for want of room and for their age. The same for every
//! engine.

use super::error::StoreError;
use super::findings::{self, Of, Total, count, fate_number, from_json, set_fate, told};
use super::rows::stored;
use super::sql::{Cells, Db, values};
use super::tenants::Tenant;
use crate::domain::drift::Fate;
use crate::domain::ids::RunId;
use crate::domain::shape::RunShape;

/// Runs of a profile that wait, at most.
const MAX_WAITING: i64 = 100;
const DAY_MS: i64 = 24 * 3_600_000;
/// Records that waited longer are discarded.
const MAX_WAITING_MS: i64 = 14 * DAY_MS;
/// Of a run that never ended, sooner.
const MAX_UNENDED_MS: i64 = DAY_MS;
/// The names of batches that are gone are remembered for as long as a drone might send one again.
const MAX_NAMES_MS: i64 = 30 * DAY_MS;

/// Notes what somebody decided about a run; gives its row.
#[derive(Debug, Clone)]
pub(super) struct Decide {
    pub(super) tenant: Tenant,
    pub(super) run_id: RunId,
    pub(super) release: bool,
    pub(super) now_ms: i64,
}

impl Decide {
    pub(super) async fn note(&self, db: &mut impl Db) -> Result<i64, StoreError> {
        let of = self.find(db).await?;
        db.take_profile(of.profile).await?;
        let found = db.first("SELECT fate, shape FROM findings WHERE run = $1", values![of.run]).await?;
        let fate = found.as_ref().map(|row| row.maybe_number(0)).transpose()?.flatten().and_then(findings::fate_of);
        match (fate, self.release) {
            (Some(Fate::Waiting), true) => {
                if let Some(shape) = found.as_ref().map(|row| row.maybe_text(1)).transpose()?.flatten() {
                    findings::begin_anew(db, of, &from_json::<RunShape>(shape)?).await?;
                }
                set_fate(db, of, Some(Fate::Released)).await?;
            }
            (Some(Fate::Waiting), false) => discard(db, of, Fate::Discarded).await?,
            (Some(Fate::Released), true) | (Some(Fate::Discarded), false) => {}
            (other, _) => {
                let now = other.map_or("its records were never held", Fate::word).to_owned();
                return Err(StoreError::NotQuarantined { run: self.run_id.clone(), now });
            }
        }
        Ok(of.run)
    }

    async fn find(&self, db: &mut impl Db) -> Result<Of, StoreError> {
        let text = "SELECT id, profile, coalesce(profile_digest, 0) FROM runs WHERE tenant_id = $1 AND run_id = $2";
        let row = db.first(text, values![self.tenant.0, self.run_id.as_str()]).await?;
        let row = row.ok_or_else(|| StoreError::UnknownRun(self.run_id.clone()))?;
        Ok(Of { run: row.number(0)?, profile: row.number(1)?, version: row.number(2)?, now_ms: self.now_ms })
    }
}

/// Lets the records of a run go; the names of its batches stay.
pub(super) async fn discard(db: &mut impl Db, of: Of, fate: Fate) -> Result<(), StoreError> {
    let sum = "SELECT CAST(coalesce(sum(bytes), 0) AS bigint) FROM held WHERE run = $1";
    let bytes = db.first(sum, values![of.run]).await?.map_or(Ok(0), |row| row.number(0))?;
    let empty = "UPDATE held SET body = NULL, bytes = 0 WHERE run = $1 AND body IS NOT NULL";
    db.run(empty, values![of.run]).await?;
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
        db: &mut impl Db,
        bytes: u64,
        discarded: &mut Vec<RunId>,
    ) -> Result<bool, StoreError> {
        loop {
            let total = "SELECT held FROM findings_totals WHERE profile = $1";
            let held = db.first(total, values![self.of.profile]).await?.map_or(Ok(0), |row| row.number(0))?;
            if held.unsigned_abs() + bytes <= self.max_bytes {
                return Ok(true);
            }
            let text = "SELECT r.id, r.run_id FROM held h JOIN runs r ON r.id = h.run
                LEFT JOIN findings f ON f.run = h.run
                WHERE h.profile = $1 AND h.body IS NOT NULL AND h.run <> $2 AND (f.fate IS NULL OR f.fate = $3)
                ORDER BY h.id LIMIT 1";
            let values = values![self.of.profile, self.of.run, fate_number(Fate::Waiting)];
            let Some(row) = db.first(text, values).await? else { return Ok(false) };
            self.discard_one(db, row.number(0)?, row.text(1)?, discarded).await?;
        }
    }

    /// Discards what waited too long, and the oldest beyond so many.
    pub(super) async fn clear_old(self, db: &mut impl Db) -> Result<Vec<RunId>, StoreError> {
        let mut discarded = Vec::new();
        let text = "SELECT r.id, r.run_id FROM findings f JOIN runs r ON r.id = f.run
            WHERE f.profile = $1 AND f.fate = 2 AND (f.created_ms < $2 OR f.run <=
                (SELECT run FROM findings WHERE profile = $1 AND fate = 2 ORDER BY run DESC LIMIT 1 OFFSET $3))";
        let Of { profile, run, now_ms, .. } = self.of;
        let mut old = db.all(text, values![profile, now_ms - MAX_WAITING_MS, MAX_WAITING]).await?;
        let unended = "SELECT DISTINCT r.id, r.run_id FROM held h JOIN runs r ON r.id = h.run
            LEFT JOIN findings f ON f.run = h.run
            WHERE h.profile = $1 AND h.body IS NOT NULL AND h.run <> $2 AND f.fate IS NULL AND r.received_ms < $3";
        old.extend(db.all(unended, values![profile, run, now_ms - MAX_UNENDED_MS]).await?);
        for row in old {
            self.discard_one(db, row.number(0)?, row.text(1)?, &mut discarded).await?;
        }
        let forget = "DELETE FROM held WHERE profile = $1 AND body IS NULL AND held_ms < $2";
        db.run(forget, values![profile, now_ms - MAX_NAMES_MS]).await?;
        Ok(discarded)
    }

    async fn discard_one(
        self,
        db: &mut impl Db,
        run: i64,
        run_id: &str,
        discarded: &mut Vec<RunId>,
    ) -> Result<(), StoreError> {
        discard(db, Of { run, ..self.of }, Fate::Discarded).await?;
        discarded.push(stored(RunId::parse(run_id))?);
        Ok(())
    }
}
