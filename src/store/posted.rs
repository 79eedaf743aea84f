//! A batch on its way into the store, with everything worked out that needs no database: what names it in its run,
//! which of its records are distinct, and what can be answered. Pure, and the same for every engine.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::error::StoreError;
use super::keys::Keys;
use super::observed::Observed;
use super::run_facts::{Outcome, RunFacts, StoredRun};
use super::tenants::Tenant;
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::domain::drift::{self, Change};
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::Batch;

/// What a record costs beside its text while it waits.
const BYTES_PER_RECORD: usize = 64;

/// A batch that was posted.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) tenant: Tenant,
    pub(super) batch: Batch,
    pub(super) now_ms: i64,
    /// Names the batch in its run.
    pub(super) key: Vec<u8>,
    pub(super) digest: [u8; 16],
    /// Names the records alone, whatever the run.
    pub(super) content: Digest,
    /// Indices of the records, each key once.
    pub(super) distinct: Vec<usize>,
    /// It was held until now, and what it told of its run is known.
    pub(super) was_held: bool,
    /// Records that it named beside its own, and that its run had seen before: they are of a store that was moved.
    pub(super) repeated: usize,
    keys: Arc<Keys>,
    /// The observations by the key that was known when the batch arrived.
    observed: Observed,
}

impl Posted {
    pub(super) fn new(tenant: Tenant, batch: Batch, keys: Arc<Keys>, now_ms: i64) -> Self {
        let digest = batch.content_digest().key();
        let key = batch.seq.map_or_else(|| digest.to_vec(), |seq| seq.to_be_bytes().to_vec());
        let mut seen = HashSet::with_capacity(batch.records.len());
        let digests = batch.records.digests();
        let distinct: Vec<usize> = (0..digests.len()).filter(|index| seen.insert(digests[*index].key())).collect();
        let content = batch.records.content_digest();
        let known = keys.get(tenant, &batch.profile_id);
        let observed = Observed::new(&batch.profile_id, known.as_deref(), &batch.records, &distinct);
        Self { tenant, batch, now_ms, key, digest, content, distinct, was_held: false, repeated: 0, keys, observed }
    }

    /// A batch that was held, by the name that it came with.
    pub(super) fn kept(
        (tenant, keys, now_ms): (Tenant, Arc<Keys>, i64),
        batch: Batch,
        key: Vec<u8>,
        digest: [u8; 16],
    ) -> Self {
        Self { key, digest, was_held: true, ..Self::new(tenant, batch, keys, now_ms) }
    }

    /// The same batch without its records, its report saying what failed.
    pub(super) fn failed(mut self, changes: &[Change]) -> Self {
        self.batch.records = Records::default();
        self.distinct.clear();
        self.content = self.batch.records.content_digest();
        self.observed = Observed::new(&self.batch.profile_id, None, &self.batch.records, &[]);
        if let Some(report) = &mut self.batch.run {
            report.state = RunState::Failed;
            report.error = Some(drift::in_words(changes));
        }
        self
    }

    /// The observations by the key that holds now; mostly they were worked out by it before.
    pub(super) fn observed_by(&self, keyed_by: Option<&str>) -> Cow<'_, Observed> {
        if self.observed.is_by(keyed_by) {
            return Cow::Borrowed(&self.observed);
        }
        self.keys.keep(self.tenant, &self.batch.profile_id, keyed_by);
        Cow::Owned(Observed::new(&self.batch.profile_id, keyed_by, &self.batch.records, &self.distinct))
    }

    /// Decides how many batches share a transaction.
    pub(super) fn weight(&self) -> usize {
        self.batch.records.len().max(1)
    }

    /// Bytes it holds while it waits.
    pub(super) fn bytes_held(&self) -> usize {
        self.batch.records.byte_len() + self.batch.records.len() * BYTES_PER_RECORD
    }

    /// The profile's version as the report tells it.
    pub(super) fn version(&self) -> Option<&str> {
        self.batch.run.as_ref().and_then(|report| report.profile_digest.as_deref())
    }

    /// How its records ended, of which so many were inserted.
    pub(super) fn outcome(&self, inserted: usize) -> Result<Outcome, StoreError> {
        let known = self.batch.records.len() + self.repeated - inserted;
        Ok(Outcome { inserted: count(inserted)?, known: count(known)?, rejected: self.batch.rejected, revised: 0 })
    }

    pub(super) fn receipt(&self, outcome: Outcome, replayed: bool) -> Receipt {
        let Outcome { inserted, known, rejected, revised } = outcome;
        let rejects = self.batch.rejects.clone();
        Receipt {
            run_id: self.batch.run_id.clone(),
            inserted,
            known,
            revised,
            rejected,
            rejects,
            replayed,
            held: 0,
            drift: None,
            discarded: Vec::new(),
        }
    }

    /// The run that begins with this batch.
    pub(super) fn begin_run(&self, profile: i64, drone: i64) -> StoredRun {
        let facts = RunFacts::begin(&self.batch, self.now_ms);
        StoredRun { row: None, profile, drone, profile_digest: None, facts }
    }

    pub(super) fn unknown_profile(&self) -> StoreError {
        StoreError::UnknownProfile(self.batch.profile_id.clone())
    }

    /// Its run is another profile's.
    pub(super) fn run_conflict(&self, owner: ProfileId) -> StoreError {
        StoreError::RunConflict { run: self.batch.run_id.clone(), owner }
    }

    /// Its run holds another batch under its name.
    pub(super) fn batch_conflict(&self) -> StoreError {
        let name = self.batch.seq.map_or_else(|| "the same digest".to_owned(), |seq| format!("seq {seq}"));
        StoreError::BatchConflict { run: self.batch.run_id.clone(), name }
    }
}

fn count(number: usize) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Engine("a batch has more records than a batch may have".into()))
}
