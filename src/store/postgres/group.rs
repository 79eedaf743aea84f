//! Storing the batches of a group, exactly once, as one: find out what was stored before, put the records that are new,
//! keep the fact that the runs saw them all, bring runs and counters up to date. One transaction around all of it, and
//! a handful of statements however many the batches are.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlx::postgres::PgConnection;

use super::batches::Waiting;
use super::finding::find;
use super::ledger::{Entry, Ledger, NewSet, kept_sets};
use super::placing::{Part, Placed, place};
use super::runs_of_group::{Runs, Step};
use super::verdict::{Found, Judge, Verdict};
use crate::domain::digest::Digest;
use crate::runtime::Breakpoints;
use crate::store::error::StoreError;
use crate::store::memory::Memory;
use crate::store::posted::Posted;
use crate::store::record_set::pack;
use crate::store::run_facts::{Outcome, state_changes};
use crate::store::writer::{Failure, panic_text};

/// Writes the group, within the caller's transaction, and keeps the outcome of each of its batches.
pub(super) async fn store(
    db: &mut PgConnection,
    group: &mut [Waiting],
    memory: &mut Memory,
    breakpoints: &Breakpoints,
) -> Result<(), Failure> {
    let found = find(db, group).await.map_err(Failure::of_all)?;
    let verdicts = judge(group, &found, breakpoints)?;
    let outcomes = write(db, group, &found, &verdicts, memory).await.map_err(Failure::of_all)?;
    for (index, verdict) in verdicts.into_iter().enumerate() {
        let posted = &group[index].posted;
        let receipt = match verdict {
            Verdict::Store => outcomes.get(&index).map(|outcome| posted.receipt(*outcome, false)),
            Verdict::SameAs(before) => outcomes.get(&before).map(|outcome| posted.receipt(*outcome, true)),
            Verdict::Replay(outcome) => Some(posted.receipt(outcome, true)),
            Verdict::Refuse(refusal) => {
                group[index].outcome = Some(Err(refusal));
                continue;
            }
        };
        group[index].outcome = receipt.map(Ok);
    }
    Ok(())
}

fn judge(group: &mut [Waiting], found: &[Found], breakpoints: &Breakpoints) -> Result<Vec<Verdict>, Failure> {
    let mut judge = Judge::default();
    let mut verdicts = Vec::with_capacity(group.len());
    for (index, (waiting, its_own)) in group.iter_mut().zip(found).enumerate() {
        waiting.outcome = None;
        let verdict = catch_unwind(AssertUnwindSafe(|| {
            breakpoints.pass("store.job");
            judge.judge(index, &waiting.posted, its_own)
        }));
        let crashed = |payload: Box<dyn std::any::Any + Send>| StoreError::Crashed(panic_text(payload.as_ref()));
        verdicts.push(verdict.map_err(|payload| Failure { culprit: Some(index), error: crashed(payload) })?);
    }
    Ok(verdicts)
}

/// Writes all that is to be stored; gives how each batch ended.
async fn write(
    db: &mut PgConnection,
    group: &[Waiting],
    found: &[Found],
    verdicts: &[Verdict],
    memory: &mut Memory,
) -> Result<HashMap<usize, Outcome>, StoreError> {
    let stored: Vec<usize> = (0..group.len()).filter(|index| verdicts[*index] == Verdict::Store).collect();
    if stored.is_empty() {
        return Ok(HashMap::new());
    }
    let part = |index: &usize| {
        let (posted, found) = (&group[*index].posted, &found[*index]);
        Part { posted, profile: found.profile.unwrap_or_default(), batch: found.next_batch }
    };
    let parts: Vec<Part<'_>> = stored.iter().map(part).collect();
    let all_placed = place(db, &parts, memory).await?;
    let mut runs = Runs::of(db, group, found, &stored, memory).await?;
    let mut books = Books::default();
    for (&index, placed) in stored.iter().zip(all_placed) {
        let (posted, found) = (&group[index].posted, &found[index]);
        let Placed { rows, inserted } = placed;
        let outcome = posted.outcome(inserted)?;
        let step = runs.take(posted, found, outcome, &rows)?;
        books.enter(posted, found, outcome, &step);
        books.outcomes.insert(index, outcome);
    }
    books.number_sets(db).await?;
    books.ledger.runs = runs.finish(memory);
    books.ledger.write(db).await?;
    Ok(books.outcomes)
}

/// A packed set of records, its digest, and whether it holds one that was inserted just now.
type SeenSet = ([u8; 16], Vec<u8>, bool);

/// What is being written down, batch by batch.
#[derive(Default)]
struct Books {
    ledger: Ledger,
    outcomes: HashMap<usize, Outcome>,
    /// For each entry the set of what it saw.
    sets: Vec<Option<SeenSet>>,
}

impl Books {
    fn enter(&mut self, posted: &Posted, found: &Found, outcome: Outcome, step: &Step) {
        let profile = i64::from(found.profile.unwrap_or_default());
        let growth = self.ledger.growth.entry(profile).or_default();
        growth.records += i64::from(outcome.inserted);
        growth.results += step.fresh.len() as i64;
        growth.last_run = step.row;
        growth.last_received_ms = growth.last_received_ms.max(posted.now_ms);
        for (total, change) in growth.runs.iter_mut().zip(state_changes(step.before, step.now)) {
            *total += change;
        }
        self.sets.push((!step.fresh.is_empty()).then(|| {
            let packed = pack(&step.fresh);
            (Digest::of(&packed).key(), packed, outcome.inserted > 0)
        }));
        self.ledger.entries.push(Entry {
            id: found.next_batch,
            profile,
            run: step.row,
            key: posted.key.clone(),
            digest: posted.digest,
            outcome,
            record_set: None,
            received_ms: posted.now_ms,
        });
    }

    /// Finds the sets that are kept already; a new one takes the id of its batch.
    async fn number_sets(&mut self, db: &mut PgConnection) -> Result<(), StoreError> {
        // One that holds a new record cannot have been kept before.
        let old = self.sets.iter().flatten().filter(|(_, _, is_novel)| !is_novel);
        let mut known = kept_sets(db, &old.map(|(digest, ..)| *digest).collect::<Vec<_>>()).await?;
        for (entry, set) in self.ledger.entries.iter_mut().zip(self.sets.drain(..)) {
            let Some((digest, packed, _)) = set else { continue };
            let id = *known.entry(digest).or_insert(entry.id);
            if id == entry.id {
                self.ledger.sets.push(NewSet { id, digest, packed });
            }
            entry.record_set = Some(id);
        }
        Ok(())
    }
}
