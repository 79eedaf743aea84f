//! Retention: what goes, in which order, and how little at a time. What the source gives now never goes, hence nothing
//! that went comes back with the next run. The same for every engine; knows no clock and no pause: whoever carries a pass
//! out calls for one step after another.

pub(super) mod choice;
mod pass;
mod survey;
pub(super) mod turns;
pub(super) mod walk;

use std::collections::HashSet;
use std::future::Future;

pub use pass::RetentionPass;

use super::error::StoreError;
use super::id_set::IdSet;
use super::tenants::Tenant;
use crate::domain::ids::{ProfileId, RunId};
use crate::protocol::batch::MAX_RECORDS;
use turns::KeptTurn;
use walk::Ended;

/// What a step removed, or a pass so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    pub records: u64,
    pub runs: u64,
}

impl Removed {
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.runs += other.runs;
    }
}

pub(super) type Observation = [u8; 16];

/// Reads of the profile are whole from this time on, in Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Horizon {
    pub(super) profile: ProfileId,
    pub(super) horizon_ms: i64,
}

/// A run's row, and what its batches saw.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) id: i64,
    pub(super) received_ms: i64,
    pub(super) ended: Ended,
    pub(super) is_tied: bool,
}

/// A batch that saw records.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchRow {
    pub(super) run: i64,
    pub(super) inserted: i64,
    pub(super) record_set: i64,
}

/// Records that may go, in one transaction.
#[derive(Debug, Clone)]
pub(super) struct Expire {
    pub(super) profile: i64,
    pub(super) ids: Vec<i64>,
    /// Turns that stay of each observation at least.
    pub(super) leave: usize,
    /// Before this time no read is whole any more.
    pub(super) horizon_ms: i64,
    /// What batches behind this one saw stays: they arrived after the survey.
    pub(super) last_batch: i64,
}

/// What retention asks of an engine.
pub(super) trait Keeper {
    /// Records of a profile, earlier versions included.
    fn records_kept(&self, profile: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;
    /// The profile's newest batch; 0: none.
    fn last_batch(&self, profile: i64) -> impl Future<Output = Result<i64, StoreError>> + Send;
    /// Runs before the one with this id, the newest first.
    fn runs_before(&self, profile: i64, run: i64) -> impl Future<Output = Result<Vec<RunRow>, StoreError>> + Send;
    /// Batches of these runs that saw something.
    fn batches_of(&self, runs: &[i64]) -> impl Future<Output = Result<Vec<BatchRow>, StoreError>> + Send;
    /// Packed sets by their ids.
    fn sets(&self, ids: &[i64]) -> impl Future<Output = Result<Vec<(i64, Vec<u8>)>, StoreError>> + Send;
    /// Of these ranges of record ids, each with a number, the numbers of those in which a record of the profile is left.
    fn numbers_with_records(
        &self,
        profile: i64,
        ranges: &[(i64, i64, i64)],
    ) -> impl Future<Output = Result<HashSet<i64>, StoreError>> + Send;
    /// Ids of the profile's records behind one, in order.
    fn record_ids(
        &self,
        profile: i64,
        after: i64,
        size: i64,
    ) -> impl Future<Output = Result<Vec<i64>, StoreError>> + Send;
    /// Observations with more than so many turns, by their key behind one, with their turns in order.
    fn crowded(
        &self,
        profile: i64,
        after: Option<Observation>,
        max_turns: i64,
        size: i64,
    ) -> impl Future<Output = Result<Vec<(Observation, Vec<KeptTurn>)>, StoreError>> + Send;
    /// The run and its profile, where records of the profile were ever removed.
    fn run_of_expired(
        &self,
        tenant: Tenant,
        run: &RunId,
    ) -> impl Future<Output = Result<Option<(i64, i64)>, StoreError>> + Send;
    /// How many of the profile's records are in these ranges of ids.
    fn count_records(
        &self,
        profile: i64,
        ranges: &[(i64, i64)],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;
    fn expire(&self, expire: Expire) -> impl Future<Output = Result<Removed, StoreError>> + Send;
    /// Removes runs with all that was told of them, as far as they arrived before the time.
    fn remove_runs(
        &self,
        profile: i64,
        runs: Vec<i64>,
        before_ms: i64,
    ) -> impl Future<Output = Result<Removed, StoreError>> + Send;
}

/// Records that the run saw and that were removed since.
pub(super) async fn expired_of_run(keeper: &impl Keeper, tenant: Tenant, run: &RunId) -> Result<u64, StoreError> {
    let Some((row, profile)) = keeper.run_of_expired(tenant, run).await? else { return Ok(0) };
    let batches = keeper.batches_of(&[row]).await?;
    let sets: Vec<i64> = batches.iter().map(|batch| batch.record_set).collect();
    let (_, saw) = tally_runs(&batches, &keeper.sets(&sets).await?)?;
    let ranges: Vec<(i64, i64)> = saw.iter().collect();
    Ok(saw.len().saturating_sub(keeper.count_records(profile, &ranges).await?))
}

/// What batches saw together, and how many sightings that are: a run sees a record once, two runs see it twice.
pub(super) fn tally_runs(batches: &[BatchRow], sets: &[(i64, Vec<u8>)]) -> Result<(i64, IdSet), StoreError> {
    let (mut sightings, mut saw) = (0, IdSet::default());
    for (id, packed) in sets {
        let mut set = IdSet::default();
        let read = set.extend_packed(packed, MAX_RECORDS);
        read.map_err(|error| StoreError::Engine(error.to_string()))?;
        let times = batches.iter().filter(|batch| batch.record_set == *id).count();
        sightings += set.len().cast_signed() * times as i64;
        saw.union(&set);
    }
    Ok((sightings, saw))
}

/// How many of these stored states there are of each.
pub(super) fn by_state(states: &[i64]) -> [i64; 5] {
    let count = |state: usize| states.iter().filter(|found| usize::try_from(**found) == Ok(state)).count() as i64;
    std::array::from_fn(count)
}

/// Ids of a profile's records that are not in `stays`, in order and some at a time.
pub(super) struct Candidates {
    profile: i64,
    position: i64,
}

impl Candidates {
    const CHUNK: i64 = 2_000;

    pub(super) fn of(profile: i64) -> Self {
        Self { profile, position: 0 }
    }

    /// The next ones, at least one and at most `most`; none: there are no more.
    pub(super) async fn next(
        &mut self,
        keeper: &impl Keeper,
        stays: &IdSet,
        most: usize,
    ) -> Result<Vec<i64>, StoreError> {
        loop {
            let ids = keeper.record_ids(self.profile, self.position, Self::CHUNK).await?;
            let Some(&last) = ids.last() else { return Ok(Vec::new()) };
            let found: Vec<i64> = stays.unseen(&ids).into_iter().take(most).collect();
            let end = if found.len() == most { found[most - 1] } else { last };
            self.position = stays.end_of(end).unwrap_or(end);
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
}
