//! The look at a profile before anything goes: its runs are walked once, the newest first.

use std::collections::{HashMap, HashSet};

use super::walk::{Cutoffs, LastSeen, Walk, WalkedRun};
use super::{BatchRow, Keeper, RunRow};
use crate::domain::retention::Retention;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::record_set::unpack_ranges;

/// Runs that go in one pass; the next pass takes more.
const MAX_RUNS: usize = 200_000;

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) last_batch: i64,
    pub(super) cutoffs: Cutoffs,
    /// What the source gives.
    pub(super) given: IdSet,
    /// That, and what was seen since the cutoff of records.
    pub(super) stays: IdSet,
    /// Runs that may go, the oldest first.
    pub(super) runs: Vec<i64>,
}

pub(super) async fn survey(
    keeper: &impl Keeper,
    profile: i64,
    rule: &Retention,
    now_ms: i64,
) -> Result<Survey, StoreError> {
    let before = |age_ms: Option<u64>| age_ms.map(|age_ms| now_ms.saturating_sub_unsigned(age_ms));
    let cutoffs = Cutoffs { records_ms: before(rule.records_ms), runs_ms: before(rule.runs_ms) };
    // Asked first: what arrives during the walk is looked at again before something goes.
    let last_batch = keeper.last_batch(profile).await?;
    let mut walk = Walk::new(cutoffs);
    let mut runs = Runs::of(keeper, profile, cutoffs.runs_ms);
    while let Some(run) = runs.next().await? {
        let untold = if walk.asks_about(&run) { walk.untold(&run) } else { IdSet::default() };
        let rest_is_gone = !untold.is_empty() && is_gone(keeper, profile, &untold).await?;
        walk.pass(&run, rest_is_gone);
        if walk.is_done(&run) {
            break;
        }
    }
    let Walk { given, recent, runs: mut gone, .. } = walk;
    let mut stays = recent;
    stays.union(&given);
    gone.reverse();
    gone.truncate(MAX_RUNS);
    Ok(Survey { last_batch, cutoffs, given, stays, runs: gone })
}

/// When any of `ids` was last seen.
pub(super) async fn last_seen(keeper: &impl Keeper, profile: i64, ids: &IdSet) -> Result<Option<i64>, StoreError> {
    let mut walk = LastSeen::default();
    let mut runs = Runs::of(keeper, profile, None);
    while let Some(run) = runs.next().await? {
        if let Some(seen_ms) = walk.pass(&run, ids) {
            return Ok(Some(seen_ms));
        }
    }
    Ok(None)
}

async fn is_gone(keeper: &impl Keeper, profile: i64, ids: &IdSet) -> Result<bool, StoreError> {
    let ranges: Vec<(i64, i64, i64)> = ids.iter().map(|(first, last)| (0, first, last)).collect();
    Ok(keeper.numbers_with_records(profile, &ranges).await?.is_empty())
}

/// A profile's runs, the newest first, some read at a time.
struct Runs<'k, K> {
    keeper: &'k K,
    profile: i64,
    /// Whether a run brought something is asked only of those that arrived before.
    brought_before_ms: Option<i64>,
    before: i64,
    sets: Sets,
    /// Read and not yet handed on, the newest last.
    ready: Vec<WalkedRun>,
}

impl<'k, K: Keeper> Runs<'k, K> {
    fn of(keeper: &'k K, profile: i64, brought_before_ms: Option<i64>) -> Self {
        Self { keeper, profile, brought_before_ms, before: i64::MAX, sets: Sets::default(), ready: Vec::new() }
    }

    async fn next(&mut self) -> Result<Option<WalkedRun>, StoreError> {
        if self.ready.is_empty() {
            self.read().await?;
        }
        Ok(self.ready.pop())
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let rows = self.keeper.runs_before(self.profile, self.before).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        self.before = last.id;
        let ids: Vec<i64> = rows.iter().map(|run| run.id).collect();
        let batches = self.keeper.batches_of(&ids).await?;
        self.sets.load(self.keeper, &batches).await?;
        let is_old = |run: &&RunRow| self.brought_before_ms.is_some_and(|cutoff_ms| run.received_ms < cutoff_ms);
        let old: HashSet<i64> = rows.iter().filter(is_old).map(|run| run.id).collect();
        let brought = brought(self.keeper, self.profile, &batches, &old, &self.sets).await?;
        self.ready = rows.iter().rev().map(|row| self.sets.walked(row, &batches, &brought)).collect();
        Ok(())
    }
}

/// Those of the old runs that brought a record which is kept. What a batch inserted has the highest ids of its set.
async fn brought(
    keeper: &impl Keeper,
    profile: i64,
    batches: &[BatchRow],
    old: &HashSet<i64>,
    sets: &Sets,
) -> Result<HashSet<i64>, StoreError> {
    let mut ranges = Vec::new();
    for batch in batches.iter().filter(|batch| batch.inserted > 0 && old.contains(&batch.run)) {
        let mut left = batch.inserted;
        for (first, last) in sets.of(batch.record_set).iter().rev() {
            let taken = left.min(last - first + 1);
            ranges.push((batch.run, last - taken + 1, *last));
            left -= taken;
            if left == 0 {
                break;
            }
        }
    }
    if ranges.is_empty() { Ok(HashSet::new()) } else { keeper.numbers_with_records(profile, &ranges).await }
}

/// Sets that were unpacked; an unchanged source has few.
#[derive(Default)]
struct Sets(HashMap<i64, Vec<(i64, i64)>>);

impl Sets {
    /// Then those of earlier runs are forgotten.
    const MAX: usize = 1_000;

    async fn load(&mut self, keeper: &impl Keeper, batches: &[BatchRow]) -> Result<(), StoreError> {
        if self.0.len() > Self::MAX {
            self.0.clear();
        }
        let mut missing: Vec<i64> = batches.iter().map(|batch| batch.record_set).collect();
        missing.retain(|set| !self.0.contains_key(set));
        missing.sort_unstable();
        missing.dedup();
        for (id, packed) in keeper.sets(&missing).await? {
            let ranges = unpack_ranges(&packed, MAX_RECORDS);
            let ranges = ranges.map_err(|error| StoreError::Engine(error.to_string()))?;
            let mut set = IdSet::default();
            ranges.into_iter().for_each(|(first, last)| set.insert(first, last));
            self.0.insert(id, set.iter().collect());
        }
        Ok(())
    }

    fn of(&self, set: i64) -> &[(i64, i64)] {
        self.0.get(&set).map_or(&[], Vec::as_slice)
    }

    fn walked(&self, row: &RunRow, batches: &[BatchRow], brought: &HashSet<i64>) -> WalkedRun {
        let mut saw = IdSet::default();
        for batch in batches.iter().filter(|batch| batch.run == row.id) {
            self.of(batch.record_set).iter().for_each(|(first, last)| saw.insert(*first, *last));
        }
        let RunRow { id, received_ms, ended, is_tied } = *row;
        WalkedRun { id, received_ms, ended, is_tied, brought: brought.contains(&id), saw }
    }
}
