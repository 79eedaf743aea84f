//! Storing the batches of a group, exactly once, as one: find out what was stored before, put the records that are new,
//! keep the fact that the runs saw them all, bring runs and counters up to date. One transaction around all of it, and
//! a handful of statements however many the batches are.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlx::postgres::PgConnection;

use super::books::Books;
use super::finding::find;
use super::placing::{Part, Placed, place};
use super::runs_of_group::{Runs, Step};
use super::verdict::{Found, Judge, Verdict};
use crate::protocol::aggregator::Receipt;
use crate::runtime::Breakpoints;
use crate::store::error::StoreError;
use crate::store::findings::{self, Of};
use crate::store::memory::Memory;
use crate::store::observed::NO_KEY;
use crate::store::posted::Posted;
use crate::store::revising::{Revised, Revising};
use crate::store::sightings::PLACE_BITS;
use crate::store::writer::{Failure, panic_text};

/// Writes the group, within the caller's transaction; gives the outcome of each of its batches.
pub(super) async fn store(
    db: &mut PgConnection,
    group: &[&Posted],
    memory: &mut Memory,
    breakpoints: &Breakpoints,
) -> Result<Vec<Result<Receipt, StoreError>>, Failure> {
    let found = find(db, group).await.map_err(Failure::of_all)?;
    let verdicts = judge(group, &found, breakpoints)?;
    let written = write(db, group, &found, &verdicts, memory).await.map_err(Failure::of_all)?;
    let of = |index: &usize| {
        let missing = || StoreError::Engine("a batch was judged and not written".into());
        written.get(index).cloned().ok_or_else(missing)
    };
    let outcomes = verdicts.into_iter().enumerate().map(|(index, verdict)| match verdict {
        Verdict::Store => of(&index),
        Verdict::SameAs(before) => of(&before).map(|receipt| Receipt { replayed: true, drift: None, ..receipt }),
        Verdict::Replay(outcome) => Ok(group[index].receipt(outcome, true)),
        Verdict::Refuse(refusal) => Err(refusal),
    });
    Ok(outcomes.collect())
}

fn judge(group: &[&Posted], found: &[Found], breakpoints: &Breakpoints) -> Result<Vec<Verdict>, Failure> {
    let mut judge = Judge::default();
    let mut verdicts = Vec::with_capacity(group.len());
    for (index, (posted, its_own)) in group.iter().zip(found).enumerate() {
        let verdict = catch_unwind(AssertUnwindSafe(|| {
            breakpoints.pass("store.job");
            judge.judge(index, posted, its_own)
        }));
        let crashed = |payload: Box<dyn std::any::Any + Send>| StoreError::Crashed(panic_text(payload.as_ref()));
        verdicts.push(verdict.map_err(|payload| Failure { culprit: Some(index), error: crashed(payload) })?);
    }
    Ok(verdicts)
}

/// Writes all that is to be stored; gives the receipts, by the places of the batches in the group.
async fn write(
    db: &mut PgConnection,
    group: &[&Posted],
    found: &[Found],
    verdicts: &[Verdict],
    memory: &mut Memory,
) -> Result<HashMap<usize, Receipt>, StoreError> {
    let stored: Vec<usize> = (0..group.len()).filter(|index| verdicts[*index] == Verdict::Store).collect();
    let mut receipts = HashMap::new();
    if stored.is_empty() {
        return Ok(receipts);
    }
    let mut runs = Runs::of(db, group, found, &stored, memory).await?;
    let mut work = Work { group, found, runs: &mut runs, memory, latest_ms: HashMap::new() };
    for wave in waves(found, &stored) {
        work.write(db, &wave, &mut receipts).await?;
    }
    runs.finish(memory);
    Ok(receipts)
}

/// All at once; of a profile with a key one batch after another, since each finds what stands as the one before left it.
fn waves(found: &[Found], stored: &[usize]) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut taken: HashMap<i32, usize> = HashMap::new();
    for &index in stored {
        let its_own = &found[index];
        let is_keyed = its_own.keyed_by.as_deref().is_some_and(|key| key != NO_KEY);
        let turn = taken.entry(its_own.profile.unwrap_or_default()).or_default();
        if waves.len() <= *turn {
            waves.resize_with(*turn + 1, Vec::new);
        }
        waves[*turn].push(index);
        *turn += usize::from(is_keyed);
    }
    waves
}

/// The batches of a group on their way.
struct Work<'a> {
    group: &'a [&'a Posted],
    found: &'a [Found],
    runs: &'a mut Runs,
    memory: &'a mut Memory,
    /// Start of the latest run of each profile, as the group goes on.
    latest_ms: HashMap<i64, i64>,
}

impl Work<'_> {
    async fn write(
        &mut self,
        db: &mut PgConnection,
        stored: &[usize],
        receipts: &mut HashMap<usize, Receipt>,
    ) -> Result<(), StoreError> {
        let (group, all_found) = (self.group, self.found);
        let part_of = |index: &usize| {
            let (posted, found) = (group[*index], &all_found[*index]);
            let observed = posted.observed_by(found.keyed_by.as_deref());
            let (batch, expired) = (found.next_batch, found.expired);
            Part { posted, observed, profile: found.profile.unwrap_or_default(), batch, expired }
        };
        let parts: Vec<Part<'_>> = stored.iter().map(part_of).collect();
        let all_placed = place(db, &parts, self.memory).await?;
        let (mut books, mut told) = (Books::default(), Vec::with_capacity(stored.len()));
        for (&index, (part, Placed { rows, inserted })) in stored.iter().zip(parts.iter().zip(all_placed)) {
            let (posted, found) = (group[index], &all_found[index]);
            let mut outcome = posted.outcome(inserted)?;
            let step = self.runs.take(posted, found, outcome, &rows)?;
            let revised = self.revise(db, part, &rows, &step, found.latest_ms).await?;
            outcome.revised = revised.observations;
            self.runs.revise(posted, revised.observations);
            books.enter(posted, found, outcome, &step, revised.replaced);
            receipts.insert(index, posted.receipt(outcome, false));
            let profile = i64::from(found.profile.unwrap_or_default());
            told.push((index, Of { profile, run: step.row, version: step.version, now_ms: posted.now_ms }));
        }
        books.write(db, self.runs.touched()).await?;
        for (index, of) in told {
            let posted = group[index];
            let drift = if posted.was_held { None } else { findings::note(db, of, &posted.batch).await? };
            if let Some(receipt) = receipts.get_mut(&index) {
                receipt.drift = drift;
            }
        }
        Ok(())
    }

    /// Which versions stand after the batch.
    async fn revise(
        &mut self,
        db: &mut PgConnection,
        part: &Part<'_>,
        rows: &[i64],
        step: &Step,
        latest_ms: Option<i64>,
    ) -> Result<Revised, StoreError> {
        let (profile, seen_ms) = (i64::from(part.profile), step.seen_ms);
        let known_ms = self.latest_ms.get(&profile).copied().max(latest_ms);
        self.latest_ms.insert(profile, known_ms.unwrap_or(seen_ms).max(seen_ms));
        let Some(seen) = self.runs.seen(step.row).filter(|_| !part.observed.is_empty()) else {
            return Ok(Revised::default());
        };
        let next_record = part.batch << PLACE_BITS;
        let revising = Revising { db, profile, batch: part.batch, seen_ms, rows, next_record, seen };
        revising.settle(known_ms, step.before.is_some()).await
    }
}
