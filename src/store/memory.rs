//! What the writer remembers between transactions to spare the database questions. Only ever a shortcut: emptied
//! whenever a transaction fails, and checked against what the database says where another process might have written.

use std::collections::HashMap;

use super::id_set::IdSet;
use super::record_set::{pack, unpack};
use crate::domain::digest::Digest;

/// Profiles that are remembered; then all are forgotten, which costs one slower batch each.
const MAX_PROFILES: usize = 10_000;
/// Runs in progress that are remembered, and what they may take together; then all are forgotten.
const MAX_RUNS: usize = 256;
const MAX_RANGES: usize = 200_000;
/// Contents that are remembered, and the bytes of their packed rows; then all are forgotten.
const MAX_CONTENTS: usize = 8_192;
const MAX_CONTENT_BYTES: usize = 2 << 20;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether most records of a profile's last batch were known.
    mostly_known: HashMap<i64, bool>,
    runs: HashMap<i64, SeenByRun>,
    ranges: usize,
    /// The rows of what a profile's batches held, by the digest of their records: a source that did not change sends
    /// the very same again. Right as long as none of the profile's records went, which its number of expired ones tells.
    contents: HashMap<Content, Vec<u8>>,
    content_bytes: usize,
}

/// What a batch holds: the same in two batches, the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) profile: i64,
    /// Records of the profile that retention has removed so far.
    pub(super) expired: i64,
    pub(super) digest: Digest,
}

/// The rows that a run had seen after so many batches.
#[derive(Debug)]
struct SeenByRun {
    batches: i64,
    rows: IdSet,
}

impl Memory {
    pub(super) fn expects_known(&self, profile: i64) -> bool {
        self.mostly_known.get(&profile).copied().unwrap_or(false)
    }

    pub(super) fn remember(&mut self, profile: i64, mostly_known: bool) {
        if self.mostly_known.len() >= MAX_PROFILES {
            self.mostly_known.clear();
        }
        self.mostly_known.insert(profile, mostly_known);
    }

    /// The rows of a batch's distinct records, where the very same records were stored before.
    pub(super) fn rows_of(&self, content: &Content, records: usize) -> Option<Vec<i64>> {
        let rows = unpack(self.contents.get(content)?, records).ok()?;
        (rows.len() == records).then_some(rows)
    }

    pub(super) fn keep_rows(&mut self, content: Content, rows: &[i64]) {
        let packed = pack(rows);
        if self.contents.len() >= MAX_CONTENTS || self.content_bytes + packed.len() > MAX_CONTENT_BYTES {
            self.contents.clear();
            self.content_bytes = 0;
        }
        if packed.len() > MAX_CONTENT_BYTES {
            return;
        }
        self.content_bytes += packed.len();
        if let Some(replaced) = self.contents.insert(content, packed) {
            self.content_bytes -= replaced.len();
        }
    }

    /// What the run had seen, if that is remembered as of exactly so many batches. Give it back when it is up to date.
    pub(super) fn take_run(&mut self, run: i64, batches: i64) -> Option<IdSet> {
        let seen = self.runs.remove(&run)?;
        self.ranges -= seen.rows.ranges();
        (seen.batches == batches).then_some(seen.rows)
    }

    pub(super) fn keep_run(&mut self, run: i64, batches: i64, rows: IdSet) {
        if self.runs.len() >= MAX_RUNS || self.ranges + rows.ranges() > MAX_RANGES {
            self.runs.clear();
            self.ranges = 0;
        }
        if rows.ranges() <= MAX_RANGES {
            self.ranges += rows.ranges();
            self.runs.insert(run, SeenByRun { batches, rows });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_remembered_as_of_a_number_of_batches_only() {
        let mut memory = Memory::default();
        let mut rows = IdSet::default();
        rows.insert(1, 5);
        memory.keep_run(7, 2, rows.clone());
        assert_eq!(memory.take_run(7, 3), None, "another process stored a batch of it meanwhile");
        memory.keep_run(7, 3, rows.clone());
        assert_eq!(memory.take_run(7, 3), Some(rows));
        assert_eq!(memory.ranges, 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = Memory::default();
        for number in 0..40_000_i64 {
            let mut rows = IdSet::default();
            (0..10).for_each(|row| rows.insert(row * 2, row * 2));
            memory.keep_run(number, 1, rows);
            let scattered: Vec<i64> = (0..200).map(|row| row * 1_000 + number).collect();
            let digest = Digest::of(&number.to_be_bytes());
            memory.keep_rows(Content { profile: 1, expired: 0, digest }, &scattered);
            memory.remember(number, true);
        }
        assert!(memory.runs.len() <= MAX_RUNS && memory.ranges <= MAX_RANGES);
        assert!(memory.contents.len() <= MAX_CONTENTS && memory.content_bytes <= MAX_CONTENT_BYTES);
        let held: usize = memory.contents.values().map(Vec::len).sum();
        assert_eq!(held, memory.content_bytes);
        assert!(memory.mostly_known.len() <= MAX_PROFILES);
    }
}
