//! The runs that a group touches, as they change batch by batch, and what each of them has seen.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgConnection;

use super::finding::version_name;
use super::ledger::{Growth, Ledger, LiveRun, sets_of_runs};
use super::names::{Names, intern};
use super::verdict::Found;
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::memory::Memory;
use crate::store::posted::Posted;
use crate::store::run_facts::{Outcome, StoredRun, state_changes};
use crate::store::tenants::Tenant;

/// All runs of the batches that are stored.
#[derive(Debug, Default)]
pub(super) struct Runs {
    live: Vec<LiveRun>,
    /// For each run whether it was there before the batch that is taken next.
    is_known: Vec<bool>,
    touched: BTreeSet<usize>,
    by_id: HashMap<(Tenant, RunId), usize>,
    seen: HashMap<i64, IdSet>,
    names: Names,
}

/// What a batch did to its run.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) row: i64,
    /// None: the run began with it.
    pub(super) before: Option<RunState>,
    pub(super) now: RunState,
    /// The profile's version: a row of `names`, or 0.
    pub(super) version: i64,
    /// Start of the run, in Unix milliseconds; no clock is believed beyond now.
    pub(super) seen_ms: i64,
    /// The rows that the run sees for the first time, since a run sees a record once.
    pub(super) fresh: Vec<i64>,
}

impl Runs {
    /// Makes the runs of these batches ready: named, and with what they have seen before.
    pub(super) async fn of(
        db: &mut PgConnection,
        group: &[&Posted],
        found: &[Found],
        stored: &[usize],
        memory: &mut Memory,
    ) -> Result<Self, StoreError> {
        let mut runs = Self { names: intern(db, &new_names(group, found, stored)).await?, ..Self::default() };
        let mut forgotten = Vec::new();
        for &index in stored {
            runs.admit(group[index], &found[index], memory, &mut forgotten)?;
        }
        for (run, packed) in sets_of_runs(db, &forgotten).await? {
            let read = runs.seen.entry(run).or_default().extend_packed(&packed, MAX_RECORDS);
            read.map_err(|error| StoreError::Engine(error.to_string()))?;
        }
        Ok(runs)
    }

    fn admit(
        &mut self,
        posted: &Posted,
        found: &Found,
        memory: &mut Memory,
        forgotten: &mut Vec<i64>,
    ) -> Result<(), StoreError> {
        let id = (posted.tenant, posted.batch.run_id.clone());
        if self.by_id.contains_key(&id) {
            return Ok(());
        }
        let (row, run) = match &found.run {
            Some(run) => (run.row.unwrap_or(found.next_run), run.clone()),
            None => {
                let drone = self.name(posted.tenant, found.drone, posted.batch.drone_id.as_str())?;
                (found.next_run, posted.begin_run(found.profile.unwrap_or_default().into(), drone))
            }
        };
        match memory.take_run(row, run.facts.batches) {
            Some(seen) => drop(self.seen.insert(row, seen)),
            None if run.facts.batches == 0 => {}
            None => forgotten.push(row),
        }
        self.by_id.insert(id.clone(), self.live.len());
        self.is_known.push(found.run.is_some());
        self.live.push(LiveRun { row, tenant: id.0, run_id: id.1, run });
        Ok(())
    }

    fn name(&self, tenant: Tenant, known: Option<i64>, text: &str) -> Result<i64, StoreError> {
        let interned = || self.names.get(&(tenant.0, text.to_owned())).copied();
        known.or_else(interned).ok_or_else(|| StoreError::Engine(format!("the name {text:?} was not kept")))
    }

    /// Takes a batch into its run.
    pub(super) fn take(
        &mut self,
        posted: &Posted,
        found: &Found,
        outcome: Outcome,
        rows: &[i64],
    ) -> Result<Step, StoreError> {
        let at = self.by_id.get(&(posted.tenant, posted.batch.run_id.clone())).copied();
        let at = at.ok_or_else(|| StoreError::Engine("a batch has no run".into()))?;
        self.name_version(at, posted, found)?;
        self.touched.insert(at);
        let live = &mut self.live[at];
        let before = std::mem::replace(&mut self.is_known[at], true).then_some(live.run.facts.state);
        live.run.facts.take(&posted.batch, outcome, posted.now_ms);
        let seen = self.seen.entry(live.row).or_default();
        let fresh = seen.unseen(rows);
        seen.extend(&fresh);
        let version = live.run.profile_digest.unwrap_or(0);
        let (now, seen_ms) = (live.run.facts.state, live.run.facts.started_ms.min(posted.now_ms));
        Ok(Step { row: live.row, before, now, version, seen_ms, fresh })
    }

    /// All that a run saw.
    pub(super) fn seen(&self, row: i64) -> Option<&IdSet> {
        self.seen.get(&row)
    }

    /// Counts observations of a run that changed.
    pub(super) fn revise(&mut self, posted: &Posted, observations: u32) {
        if let Some(at) = self.by_id.get(&(posted.tenant, posted.batch.run_id.clone())) {
            self.live[*at].run.facts.revised += i64::from(observations);
        }
    }

    /// The first report that names the profile's version settles it.
    fn name_version(&mut self, at: usize, posted: &Posted, found: &Found) -> Result<(), StoreError> {
        let name = version_name(posted).filter(|_| self.live[at].run.profile_digest.is_none());
        let version = name.map(|name| self.name(posted.tenant, found.version, &name)).transpose()?;
        let run = &mut self.live[at].run;
        run.profile_digest = run.profile_digest.or(version);
        Ok(())
    }

    /// The runs that changed since this was last asked, as they are now.
    pub(super) fn touched(&mut self) -> Vec<LiveRun> {
        std::mem::take(&mut self.touched).into_iter().map(|at| self.live[at].clone()).collect()
    }

    /// The memory keeps what runs in progress have seen.
    pub(super) fn finish(mut self, memory: &mut Memory) {
        for live in &self.live {
            let facts = &live.run.facts;
            if let Some(seen) = self.seen.remove(&live.row).filter(|_| !facts.state.is_final()) {
                memory.keep_run(live.row, facts.batches, seen);
            }
        }
    }
}

/// The run of a batch whose records are held, saved as it was before it.
pub(super) async fn known_run(db: &mut PgConnection, posted: &Posted, found: &Found) -> Result<StoredRun, StoreError> {
    let found = std::slice::from_ref(found);
    let mut runs = Runs::of(db, &[posted], found, &[0], &mut Memory::default()).await?;
    runs.name_version(0, posted, &found[0])?;
    let LiveRun { row, run, .. } = runs.live.swap_remove(0);
    let before = found[0].run.as_ref().map(|known| known.facts.state);
    let run = StoredRun { row: Some(row), ..run };
    save_run(db, posted, &run, before).await?;
    Ok(run)
}

/// Writes a run's row without a batch. `before` is its state until now, if it was there.
pub(super) async fn save_run(
    db: &mut PgConnection,
    posted: &Posted,
    run: &StoredRun,
    before: Option<RunState>,
) -> Result<(), StoreError> {
    let row = run.row.unwrap_or_default();
    let runs = state_changes(before, run.facts.state);
    let growth = Growth { runs, last_run: row, last_received_ms: posted.now_ms, ..Growth::default() };
    let (tenant, run_id) = (posted.tenant, posted.batch.run_id.clone());
    let ledger = Ledger {
        runs: vec![LiveRun { row, tenant, run_id, run: run.clone() }],
        growth: HashMap::from([(run.profile, growth)]),
        ..Ledger::default()
    };
    ledger.write(db).await
}

/// The texts that these batches need and the table of names has not.
fn new_names(group: &[&Posted], found: &[Found], stored: &[usize]) -> BTreeSet<(i64, String)> {
    let mut names = BTreeSet::new();
    for &index in stored {
        let (posted, found) = (group[index], &found[index]);
        if found.run.is_none() && found.drone.is_none() {
            names.insert((posted.tenant.0, posted.batch.drone_id.as_str().to_owned()));
        }
        if let (None, Some(version)) = (found.version, version_name(posted)) {
            names.insert((posted.tenant.0, version));
        }
    }
    names
}
