//! A pass over one profile: by age, by versions, by count, then the runs. One step is one short transaction.

use super::survey::{Survey, last_seen, survey};
use super::{Candidates, Expire, Keeper, Observation, Removed};
use crate::domain::retention::Retention;
use crate::protocol::aggregator::RetentionPlan;
use crate::store::error::StoreError;
use crate::store::id_set::IdSet;
use crate::store::{Engine, on_engine};

/// Observations that are looked at in one step.
const OBSERVATIONS: i64 = 200;
/// Rows that go with one run, about: its own, its batches, what was told of it.
const ROWS_OF_RUN: usize = 4;
/// Records chosen by count in one pass; the next pass takes more.
const MAX_BY_COUNT: u64 = 5_000_000;

/// A pass under way. Dropping it ends it; what is left goes with the next one.
#[derive(Debug)]
pub struct RetentionPass {
    engine: Engine,
    work: Work,
}

impl RetentionPass {
    pub(in crate::store) async fn begin(
        engine: Engine,
        profile: i64,
        rule: Retention,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        let found = on_engine!(&engine, keeper => survey(keeper.as_ref(), profile, &rule, now_ms).await)?;
        let work = Work { profile, rule, found, phase: Phase::ByAge(Candidates::of(profile)) };
        Ok(Self { engine, work })
    }

    /// Removes about `rows` rows; `None`: the pass is over.
    pub async fn step(&mut self, rows: usize) -> Result<Option<Removed>, StoreError> {
        let Self { engine, work } = self;
        on_engine!(&*engine, keeper => work.step(keeper.as_ref(), rows.max(1)).await)
    }

    /// What would go, with nothing removed.
    pub(in crate::store) async fn plan(mut self) -> Result<RetentionPlan, StoreError> {
        let Self { engine, work } = &mut self;
        on_engine!(&*engine, keeper => work.plan(keeper.as_ref()).await)
    }
}

struct Work {
    profile: i64,
    rule: Retention,
    found: Survey,
    phase: Phase,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("profile", &self.profile).field("rule", &self.rule).finish_non_exhaustive()
    }
}

enum Phase {
    ByAge(Candidates),
    /// Behind this observation.
    ByVersions(Option<Observation>),
    /// Ids that were chosen, those that arrived last at the end; and the time before which no read is whole then.
    ByCount(Vec<i64>, i64),
    Runs(usize),
    Over,
}

impl Work {
    async fn step(&mut self, keeper: &impl Keeper, rows: usize) -> Result<Option<Removed>, StoreError> {
        loop {
            match &mut self.phase {
                Phase::ByAge(candidates) => {
                    let ids = match self.found.cutoffs.records_ms {
                        Some(_) => candidates.next(keeper, &self.found.stays, rows).await?,
                        None => Vec::new(),
                    };
                    if !ids.is_empty() {
                        let horizon_ms = self.found.cutoffs.records_ms.unwrap_or_default();
                        return self.expire(keeper, ids, 0, horizon_ms).await.map(Some);
                    }
                    self.phase = Phase::ByVersions(None);
                }
                Phase::ByVersions(after) => {
                    let Some(versions) = self.rule.versions else {
                        self.phase = self.by_count(keeper).await?;
                        continue;
                    };
                    let crowd = keeper.crowded(self.profile, *after, versions.into(), OBSERVATIONS).await?;
                    let Some((last, _)) = crowd.last() else {
                        self.phase = self.by_count(keeper).await?;
                        continue;
                    };
                    *after = Some(*last);
                    let ids = self.too_many_versions(&crowd, versions as usize);
                    if !ids.is_empty() {
                        return self.expire(keeper, ids, versions as usize, i64::MIN).await.map(Some);
                    }
                }
                Phase::ByCount(chosen, horizon_ms) => {
                    let horizon_ms = *horizon_ms;
                    let ids = chosen.split_off(chosen.len().saturating_sub(rows));
                    if !ids.is_empty() {
                        return self.expire(keeper, ids, 0, horizon_ms).await.map(Some);
                    }
                    self.phase = Phase::Runs(0);
                }
                Phase::Runs(at) => {
                    let end = (*at + (rows / ROWS_OF_RUN).max(1)).min(self.found.runs.len());
                    let runs = self.found.runs[*at..end].to_vec();
                    *at = end;
                    if !runs.is_empty() {
                        let before_ms = self.found.cutoffs.runs_ms.unwrap_or(i64::MIN);
                        return keeper.remove_runs(self.profile, runs, before_ms).await.map(Some);
                    }
                    self.phase = Phase::Over;
                }
                Phase::Over => return Ok(None),
            }
        }
    }

    async fn expire(
        &self,
        keeper: &impl Keeper,
        ids: Vec<i64>,
        leave: usize,
        horizon_ms: i64,
    ) -> Result<Removed, StoreError> {
        let last_batch = self.found.last_batch;
        keeper.expire(Expire { profile: self.profile, ids, leave, horizon_ms, last_batch }).await
    }

    /// Records of the turns that are too many, but for what the source gives.
    fn too_many_versions(&self, crowd: &[(Observation, Vec<super::KeptTurn>)], versions: usize) -> Vec<i64> {
        let early = crowd.iter().flat_map(|(_, turns)| &turns[..turns.len().saturating_sub(versions)]);
        let mut ids: Vec<i64> = early.map(|turn| turn.record).filter(|id| !self.found.given.contains(*id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    async fn by_count(&self, keeper: &impl Keeper) -> Result<Phase, StoreError> {
        let chosen = self.too_many(keeper, &IdSet::default()).await?;
        if chosen.is_empty() {
            return Ok(Phase::Runs(0));
        }
        // What went is missing from reads of any time up to then, and is whole behind it.
        let last_ms = last_seen(keeper, self.profile, &chosen).await?;
        let ids = chosen.iter().flat_map(|(first, last)| (first..=last).rev());
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
        Ok(Phase::ByCount(ids, last_ms.map_or(i64::MIN, |last_ms| last_ms + 1)))
    }

    /// Those that arrived first, as many as there are too many, but for what the source gives. `gone`: they go anyhow.
    async fn too_many(&self, keeper: &impl Keeper, gone: &IdSet) -> Result<IdSet, StoreError> {
        let mut chosen = IdSet::default();
        let Some(max_records) = self.rule.max_records else { return Ok(chosen) };
        let kept = keeper.records_kept(self.profile).await?.saturating_sub(gone.len());
        let mut left = kept.saturating_sub(max_records).min(MAX_BY_COUNT);
        let mut stays = self.found.given.clone();
        stays.union(gone);
        let mut candidates = Candidates::of(self.profile);
        while left > 0 {
            let ids = candidates.next(keeper, &stays, usize::try_from(left).unwrap_or(usize::MAX)).await?;
            if ids.is_empty() {
                break;
            }
            left -= ids.len() as u64;
            chosen.extend(&ids);
        }
        Ok(chosen)
    }

    async fn plan(&mut self, keeper: &impl Keeper) -> Result<RetentionPlan, StoreError> {
        let mut goes = IdSet::default();
        let mut candidates = Candidates::of(self.profile);
        while self.found.cutoffs.records_ms.is_some() {
            let ids = candidates.next(keeper, &self.found.stays, usize::MAX).await?;
            if ids.is_empty() {
                break;
            }
            goes.extend(&ids);
        }
        let by_age = goes.len();
        let mut after = None;
        while let Some(versions) = self.rule.versions {
            let crowd = keeper.crowded(self.profile, after, versions.into(), OBSERVATIONS).await?;
            let Some((last, _)) = crowd.last() else { break };
            after = Some(*last);
            goes.extend(&self.too_many_versions(&crowd, versions as usize));
        }
        let by_versions = goes.len() - by_age;
        let by_count = self.too_many(keeper, &goes).await?.len();
        let runs = self.found.runs.len() as u64;
        Ok(RetentionPlan { records: goes.len() + by_count, by_age, by_versions, by_count, runs })
    }
}
