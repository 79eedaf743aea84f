//! The runs that a group touches, as they change batch by batch, and what each of them has seen.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgConnection;

use super::batches::Waiting;
use super::finding::version_name;
use super::ledger::{LiveRun, sets_of_runs};
use super::names::{Names, intern};
use super::verdict::Found;
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::memory::Memory;
use crate::store::posted::Posted;
use crate::store::run_facts::Outcome;
use crate::store::tenants::Tenant;

/// All runs of the batches that are stored.
#[derive(Debug, Default)]
pub(super) struct Runs {
    live: Vec<LiveRun>,
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
    /// The rows that the run sees for the first time, since a run sees a record once.
    pub(super) fresh: Vec<i64>,
}

impl Runs {
    /// Makes the runs of these batches ready: named, and with what they have seen before.
    pub(super) async fn of(
        db: &mut PgConnection,
        group: &[Waiting],
        found: &[Found],
        stored: &[usize],
        memory: &mut Memory,
    ) -> Result<Self, StoreError> {
        let mut runs = Self { names: intern(db, &new_names(group, found, stored)).await?, ..Self::default() };
        let mut forgotten = Vec::new();
        for &index in stored {
            runs.admit(&group[index].posted, &found[index], memory, &mut forgotten)?;
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
        // The first report that names the profile's version settles it.
        let version = version_name(posted).filter(|_| self.live[at].run.profile_digest.is_none());
        let version = version.map(|name| self.name(posted.tenant, found.version, &name)).transpose()?;
        let live = &mut self.live[at];
        let before = (live.run.facts.batches > 0).then_some(live.run.facts.state);
        live.run.facts.take(&posted.batch, outcome, posted.now_ms);
        live.run.profile_digest = live.run.profile_digest.or(version);
        let seen = self.seen.entry(live.row).or_default();
        let fresh = seen.unseen(rows);
        seen.extend(&fresh);
        Ok(Step { row: live.row, before, now: live.run.facts.state, fresh })
    }

    /// The runs as they are now; the memory keeps what those in progress have seen.
    pub(super) fn finish(mut self, memory: &mut Memory) -> Vec<LiveRun> {
        for live in &self.live {
            let facts = &live.run.facts;
            if let Some(seen) = self.seen.remove(&live.row).filter(|_| !facts.state.is_final()) {
                memory.keep_run(live.row, facts.batches, seen);
            }
        }
        self.live
    }
}

/// The texts that these batches need and the table of names has not.
fn new_names(group: &[Waiting], found: &[Found], stored: &[usize]) -> BTreeSet<(i64, String)> {
    let mut names = BTreeSet::new();
    for &index in stored {
        let (posted, found) = (&group[index].posted, &found[index]);
        if found.run.is_none() && found.drone.is_none() {
            names.insert((posted.tenant.0, posted.batch.drone_id.as_str().to_owned()));
        }
        if let (None, Some(version)) = (found.version, version_name(posted)) {
            names.insert((posted.tenant.0, version));
        }
    }
    names
}
