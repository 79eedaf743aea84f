//! What is to happen to each batch of a group: stored, answered as before, or refused. Pure: it looks at what the
//! database holds and at the batches of the group that come before.

use std::collections::HashMap;

use crate::domain::ids::{ProfileId, RunId};
use crate::store::error::StoreError;
use crate::store::posted::Posted;
use crate::store::run_facts::{Outcome, StoredRun};
use crate::store::tenants::Tenant;

/// What the database holds about a batch before it is stored, and the rows that it may take.
#[derive(Debug, Default)]
pub(in crate::store) struct Found {
    /// None: there is no such profile, or it is hidden.
    pub(super) profile: Option<i32>,
    pub(super) run: Option<StoredRun>,
    /// Whose the run is.
    pub(super) owner: Option<ProfileId>,
    /// A batch that was stored under this one's name.
    pub(super) earlier: Option<Earlier>,
    pub(super) drone: Option<i64>,
    pub(super) version: Option<i64>,
    /// The key by which the profile's records are linked.
    pub(super) keyed_by: Option<String>,
    /// Records of the profile that retention has removed.
    pub(super) expired: i64,
    /// Start of the profile's latest run, in Unix milliseconds.
    pub(super) latest_ms: Option<i64>,
    pub(super) next_batch: i64,
    pub(super) next_run: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Earlier {
    pub(super) digest: [u8; 16],
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Store,
    /// It was stored before, with this outcome.
    Replay(Outcome),
    /// It is the same as an earlier one of this group.
    SameAs(usize),
    Refuse(StoreError),
}

/// A run, and what names a batch in it.
type BatchName = (Tenant, RunId, Vec<u8>);

/// The batches of a group as they were judged so far.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// Runs that begin in this group, and whose they are.
    begun: HashMap<(Tenant, RunId), ProfileId>,
    /// Batches to be stored, by run and name.
    taken: HashMap<BatchName, (usize, [u8; 16])>,
}

impl Judge {
    pub(super) fn judge(&mut self, index: usize, posted: &Posted, found: &Found) -> Verdict {
        if found.profile.is_none() {
            return Verdict::Refuse(posted.unknown_profile());
        }
        let (profile, run) = (&posted.batch.profile_id, (posted.tenant, posted.batch.run_id.clone()));
        let owner = found.owner.as_ref().or_else(|| self.begun.get(&run));
        let is_own = owner.is_none_or(|owner| owner == profile);
        let name = (run.0, run.1.clone(), posted.key.clone());
        let taken = self.taken.get(&name).copied();
        match (&found.earlier, taken) {
            (Some(earlier), _) if is_own && earlier.digest == posted.digest => return Verdict::Replay(earlier.outcome),
            (None, Some((before, digest))) if is_own && digest == posted.digest => return Verdict::SameAs(before),
            _ => {}
        }
        if let Some(other) = owner.filter(|_| !is_own) {
            return Verdict::Refuse(posted.run_conflict(other.clone()));
        }
        if found.earlier.is_some() || taken.is_some() {
            return Verdict::Refuse(posted.batch_conflict());
        }
        self.begun.entry(run).or_insert_with(|| profile.clone());
        self.taken.insert(name, (index, posted.digest));
        Verdict::Store
    }
}
