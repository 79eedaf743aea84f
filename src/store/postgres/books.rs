//! What is being written down of some batches, batch by batch, until all of it goes to the database at once.

use sqlx::postgres::PgConnection;

use super::ledger::{Entry, Ledger, LiveRun, NewSet, kept_sets};
use super::replays::{Noted, note_replays};
use super::runs_of_group::Step;
use super::verdict::Found;
use crate::domain::digest::Digest;
use crate::store::error::StoreError;
use crate::store::posted::Posted;
use crate::store::record_set::pack;
use crate::store::run_facts::{Outcome, state_changes};

/// A packed set of records, its digest, and whether it holds one that was inserted just now.
type SeenSet = ([u8; 16], Vec<u8>, bool);

#[derive(Default)]
pub(super) struct Books {
    ledger: Ledger,
    /// For each entry the set of what it saw.
    sets: Vec<Option<SeenSet>>,
    replays: Vec<Noted>,
}

impl Books {
    pub(super) fn enter(&mut self, posted: &Posted, found: &Found, outcome: Outcome, step: &Step, replaced: i64) {
        let profile = i64::from(found.profile.unwrap_or_default());
        let growth = self.ledger.growth.entry(profile).or_default();
        growth.records += i64::from(outcome.inserted);
        growth.results += step.fresh.len() as i64;
        growth.replaced += replaced;
        growth.seen_ms = growth.seen_ms.max(Some(step.seen_ms));
        growth.last_run = step.row;
        growth.last_received_ms = growth.last_received_ms.max(posted.now_ms);
        for (total, change) in growth.runs.iter_mut().zip(state_changes(step.before, step.now)) {
            *total += change;
        }
        let of = posted.batch.run.as_ref().and_then(|report| report.replay_of.as_ref());
        self.replays.extend(of.map(|of| (step.row, profile, of.to_string())));
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

    /// `runs` are those of the batches that were entered, as they are now.
    pub(super) async fn write(mut self, db: &mut PgConnection, runs: Vec<LiveRun>) -> Result<(), StoreError> {
        self.number_sets(db).await?;
        self.ledger.runs = runs;
        self.ledger.write(db).await?;
        note_replays(db, &self.replays).await
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
