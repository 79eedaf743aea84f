//! The store as a few maps: what random histories are compared with. Slow and plain on purpose.

use std::collections::{BTreeMap, BTreeSet};

/// One batch of a history. Records are named by a number; equal numbers are equal records.
#[derive(Debug, Clone)]
pub(crate) struct ModelBatch {
    pub(crate) profile: usize,
    pub(crate) run: usize,
    pub(crate) seq: Option<u32>,
    pub(crate) records: Vec<u64>,
    pub(crate) is_final: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Stored { inserted: u32, known: u32 },
    Replayed { inserted: u32, known: u32 },
    RunConflict,
    BatchConflict,
}

type Content = (Vec<u64>, bool);

#[derive(Debug, Clone, Default)]
pub(crate) struct ModelRun {
    pub(crate) profile: usize,
    pub(crate) batches: u64,
    pub(crate) inserted: u64,
    pub(crate) known: u64,
    pub(crate) is_final: bool,
    pub(crate) saw: BTreeSet<u64>,
    by_seq: BTreeMap<u32, (Content, Answer)>,
    by_content: BTreeMap<Content, Answer>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) records: BTreeMap<usize, BTreeSet<u64>>,
    pub(crate) runs: BTreeMap<usize, ModelRun>,
}

impl Model {
    pub(crate) fn store(&mut self, batch: &ModelBatch) -> Answer {
        let content = (batch.records.clone(), batch.is_final);
        let run = self.runs.get(&batch.run);
        if run.is_some_and(|run| run.profile != batch.profile) {
            return Answer::RunConflict;
        }
        if let Some(earlier) = run.and_then(|run| run.earlier(batch.seq, &content)) {
            return earlier;
        }
        let records = self.records.entry(batch.profile).or_default();
        let inserted = batch.records.iter().filter(|record| records.insert(**record)).count() as u32;
        let known = batch.records.len() as u32 - inserted;
        let run =
            self.runs.entry(batch.run).or_insert_with(|| ModelRun { profile: batch.profile, ..ModelRun::default() });
        run.take(batch, content, inserted, known);
        Answer::Stored { inserted, known }
    }

    pub(crate) fn results(&self) -> u64 {
        self.runs.values().map(|run| run.saw.len() as u64).sum()
    }
}

impl ModelRun {
    fn earlier(&self, seq: Option<u32>, content: &Content) -> Option<Answer> {
        let Some(seq) = seq else { return self.by_content.get(content).cloned() };
        let (stored, answer) = self.by_seq.get(&seq)?;
        Some(if stored == content { answer.clone() } else { Answer::BatchConflict })
    }

    fn take(&mut self, batch: &ModelBatch, content: Content, inserted: u32, known: u32) {
        self.batches += 1;
        self.inserted += u64::from(inserted);
        self.known += u64::from(known);
        self.is_final |= batch.is_final;
        self.saw.extend(&batch.records);
        let answer = Answer::Replayed { inserted, known };
        match batch.seq {
            Some(seq) => drop(self.by_seq.insert(seq, (content, answer))),
            None => drop(self.by_content.insert(content, answer)),
        }
    }
}
