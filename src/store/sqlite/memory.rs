//! What the writer remembers between transactions to spare the database questions. Only ever a shortcut: emptied
//! whenever a transaction fails, and checked against what the database says where another process might have written.

use std::collections::HashMap;

use crate::store::id_set::IdSet;

/// Profiles that are remembered; then all are forgotten, which costs one slower batch each.
const MAX_PROFILES: usize = 10_000;
/// Runs in progress that are remembered, and what they may take together; then all are forgotten.
const MAX_RUNS: usize = 256;
const MAX_RANGES: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether most records of a profile's last batch were known.
    mostly_known: HashMap<i64, bool>,
    runs: HashMap<i64, SeenByRun>,
    ranges: usize,
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
