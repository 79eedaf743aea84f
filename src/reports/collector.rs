//! The join: records come in one by one, profile after profile, and each input's values land under shared keys.

use thiserror::Error;

use super::answer;
use super::check::CheckedSpec;
use super::column::{Column, Refused};
use super::extract::{Found, Plan};
use super::key::{self, Keys};
use crate::domain::ids::ProfileId;
use crate::domain::report::{Input, ReportResult};

/// The bound on a join's memory unless settings say otherwise.
pub const DEFAULT_MAX_BYTES: usize = 256 * 1024 * 1024;

/// Why a report stops half-way. Nothing of it is answered then: part of a join would be a wrong one.
#[derive(Debug, Error)]
pub enum JoinError {
    #[error(
        "the join holds {keys} keys, which take more than the {max_bytes} bytes allowed, at record {record} of \
         {profile_id}; join on fewer or coarser dims, or raise reporter.max_join_bytes"
    )]
    TooLarge { keys: usize, max_bytes: usize, record: u64, profile_id: ProfileId },
    #[error(
        "{profile_id} has more than one record for {key:?}, and {measure} says on_duplicate: error; join on more \
         dims, or choose last, first, mean, sum, min or max"
    )]
    Duplicate { profile_id: ProfileId, measure: String, key: Vec<String> },
    #[error("the values of {measure} of {profile_id} for {key:?} add up to more than a number can hold")]
    Overflow { profile_id: ProfileId, measure: String, key: Vec<String> },
    #[error("record {record} of {profile_id} is not canonical JSON: {reason}")]
    BadRecord { record: u64, profile_id: ProfileId, reason: serde_json::Error },
}

/// A join being filled.
#[derive(Debug)]
pub struct Collector {
    pub(super) spec: CheckedSpec,
    pub(super) keys: Keys,
    /// One for each input, in their order.
    pub(super) columns: Vec<Column>,
    pub(super) sources: Vec<Source>,
    found: Found,
    key: Vec<u8>,
    max_bytes: usize,
}

/// One profile that is read, and what became of its records so far.
#[derive(Debug)]
pub(super) struct Source {
    pub profile_id: ProfileId,
    /// Indices of the inputs that read it.
    pub inputs: Vec<usize>,
    pub records: u64,
    pub without_key: u64,
    /// For each of `inputs`.
    pub without_measure: Vec<u64>,
    plan: Plan,
}

impl Source {
    fn new((profile_id, inputs): (ProfileId, Vec<usize>), spec: &CheckedSpec) -> Self {
        let all = &spec.spec().inputs;
        let dims = spec.spec().join.iter().map(String::as_str);
        let plan = Plan::new(dims, inputs.iter().map(|input| all[*input].measure.as_str()));
        let without_measure = vec![0; inputs.len()];
        Self { profile_id, inputs, records: 0, without_key: 0, without_measure, plan }
    }
}

impl Collector {
    /// A join that may hold `max_bytes` of keys and values; the buffers' spare room may double that.
    pub fn new(spec: CheckedSpec, max_bytes: usize) -> Self {
        let columns = spec.spec().inputs.iter().map(|input| Column::new(input.on_duplicate)).collect();
        let sources = spec.sources().into_iter().map(|source| Source::new(source, &spec)).collect();
        let (keys, found, key) = Default::default();
        Self { spec, keys, columns, sources, found, key, max_bytes }
    }

    /// The profiles to read, each once: records of the one at index `i` go to `push(i, …)`.
    pub fn profiles(&self) -> impl Iterator<Item = &ProfileId> {
        self.sources.iter().map(|source| &source.profile_id)
    }

    /// Adds one record of profile `source` by its canonical text, in the order of arrival (`first` and `last`
    /// rest on it). After an error the join is of no use.
    pub fn push(&mut self, source: usize, record: &str) -> Result<(), JoinError> {
        let from = &mut self.sources[source];
        from.records += 1;
        if let Err(reason) = from.plan.read(record, &mut self.found) {
            return Err(JoinError::BadRecord { record: from.records, profile_id: from.profile_id.clone(), reason });
        }
        if !write_key(&mut self.key, &self.found) {
            from.without_key += 1;
            return Ok(());
        }
        for (lacking, value) in from.without_measure.iter_mut().zip(self.found.measures()) {
            *lacking += u64::from(value.is_none());
        }
        if self.found.measures().iter().all(Option::is_none) {
            return Ok(());
        }
        self.add_values(source)
    }

    fn add_values(&mut self, source: usize) -> Result<(), JoinError> {
        let key = self.keys.number(&self.key).filter(|_| self.held_bytes() <= self.max_bytes);
        let Some(key) = key else { return Err(self.too_large(source)) };
        let inputs = &self.sources[source].inputs;
        for (input, value) in inputs.iter().zip(self.found.measures()) {
            let Some(value) = value else { continue };
            if let Err(refused) = self.columns[*input].add(key, *value) {
                return Err(self.refused(refused, *input));
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.keys.held_bytes() + self.keys.len() * self.columns.len() * Column::BYTES_PER_KEY
    }

    fn too_large(&self, source: usize) -> JoinError {
        let Source { profile_id, records, .. } = &self.sources[source];
        let (keys, max_bytes) = (self.keys.len(), self.max_bytes);
        JoinError::TooLarge { keys, max_bytes, record: *records, profile_id: profile_id.clone() }
    }

    fn refused(&self, refused: Refused, input: usize) -> JoinError {
        let Input { profile_id, measure, .. } = self.spec.spec().inputs[input].clone();
        let key = key::read_parts(&self.key);
        match refused {
            Refused::Duplicate => JoinError::Duplicate { profile_id, measure, key },
            Refused::Overflow => JoinError::Overflow { profile_id, measure, key },
        }
    }

    /// The result over all that was pushed.
    pub fn finish(self) -> ReportResult {
        answer::result(&self)
    }
}

/// Writes the join key of what was found; false where a dim is lacking.
fn write_key(key: &mut Vec<u8>, found: &Found) -> bool {
    key.clear();
    for dim in found.dims() {
        let Some(text) = dim else { return false };
        key::write_part(key, text);
    }
    true
}
