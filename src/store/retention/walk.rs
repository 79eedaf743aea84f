//! The walk over a profile's runs, the newest first: what the source gives now, what was seen since a time, when
//! something was last seen, and which runs say nothing that a later one does not say too. Pure: the engine hands it one
//! run after another.
//!
//! A run that found its source unchanged has seen what the run before it saw, without sending it again. It vouches for
//! that run.

use crate::domain::run::RunState;
use crate::store::id_set::IdSet;
use crate::store::run_facts::state_of;

/// A run as far as retention looks at it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct WalkedRun {
    pub(in crate::store) id: i64,
    /// Arrival of its last batch, in Unix milliseconds.
    pub(in crate::store) received_ms: i64,
    pub(in crate::store) ended: Ended,
    /// It was replayed, is a replay, or has records that are held: it stays, and says nothing of the source as it is now.
    pub(in crate::store) is_tied: bool,
    /// It was the first to see a record that is kept.
    pub(in crate::store) brought: bool,
    pub(in crate::store) saw: IdSet,
}

/// How a run ended, as far as it matters here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) enum Ended {
    Well,
    Unchanged,
    /// Not yet, or not well.
    #[default]
    Otherwise,
}

impl Ended {
    /// From a stored state.
    pub(in crate::store) fn of(state: i64) -> Self {
        match state_of(state) {
            Some(RunState::Succeeded) => Self::Well,
            Some(RunState::Unchanged) => Self::Unchanged,
            _ => Self::Otherwise,
        }
    }
}

/// What is asked of a walk.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Cutoffs {
    /// Records that no run has seen since may go.
    pub(in crate::store) records_ms: Option<i64>,
    /// Runs that arrived before may go.
    pub(in crate::store) runs_ms: Option<i64>,
}

/// The walk so far.
#[derive(Debug, Default)]
pub(in crate::store) struct Walk {
    cutoffs: Cutoffs,
    /// What the source gives: seen by the latest run that ended well, or by any since.
    pub(in crate::store) given: IdSet,
    /// What was seen since the cutoff.
    pub(in crate::store) recent: IdSet,
    /// Runs that may go, the newest first.
    pub(in crate::store) runs: Vec<i64>,
    has_begun: bool,
    /// The newest run that ended well was passed.
    found_latest: bool,
    /// What runs saw that are passed and not tied.
    later: IdSet,
    /// The newest unchanged run since the last that saw something.
    voucher: Option<Voucher>,
}

#[derive(Debug, Clone, Copy)]
struct Voucher {
    run: i64,
    received_ms: i64,
    may_go: bool,
}

impl Walk {
    pub(in crate::store) fn new(cutoffs: Cutoffs) -> Self {
        Self { cutoffs, ..Self::default() }
    }

    /// What no later run saw, of a run that goes unless some of it is kept.
    pub(in crate::store) fn untold(&self, run: &WalkedRun) -> IdSet {
        run.saw.without(&self.later)
    }

    /// Whether it matters of a run if what no later run saw is kept at all.
    pub(in crate::store) fn asks_about(&self, run: &WalkedRun) -> bool {
        let is_old = self.cutoffs.runs_ms.is_some_and(|cutoff_ms| run.received_ms < cutoff_ms);
        is_old && !run.is_tied && !run.brought
    }

    /// Takes the next older run. `rest_is_gone`: nothing is kept of what no later run saw.
    pub(in crate::store) fn pass(&mut self, run: &WalkedRun, rest_is_gone: bool) {
        let is_newest = !std::mem::replace(&mut self.has_begun, true);
        let is_latest = !self.found_latest && run.ended == Ended::Well;
        let is_old = self.cutoffs.runs_ms.is_some_and(|cutoff_ms| run.received_ms < cutoff_ms);
        let may_go = is_old && !run.is_tied && !is_newest && !is_latest;
        if run.ended == Ended::Unchanged && run.saw.is_empty() {
            return self.pass_unchanged(run, may_go);
        }
        if run.saw.is_empty() && run.ended != Ended::Well {
            // It says nothing of the source.
            self.runs.extend(may_go.then_some(run.id));
            return;
        }
        let voucher = if run.is_tied { None } else { self.voucher.take() };
        let last_seen_ms = voucher.map_or(run.received_ms, |voucher| voucher.received_ms.max(run.received_ms));
        if !self.found_latest {
            self.given.union(&run.saw);
        }
        if self.cutoffs.records_ms.is_some_and(|cutoff_ms| last_seen_ms >= cutoff_ms) {
            self.recent.union(&run.saw);
        }
        // One that vouches for it would vouch for an earlier run once it is gone: they go together.
        let is_told_later = !run.brought && (rest_is_gone || self.untold(run).is_empty());
        if may_go && is_told_later && voucher.is_none_or(|voucher| voucher.may_go) {
            self.runs.extend(voucher.map(|voucher| voucher.run));
            self.runs.push(run.id);
        }
        if !run.is_tied {
            self.later.union(&run.saw);
            self.found_latest |= run.ended == Ended::Well;
        }
    }

    fn pass_unchanged(&mut self, run: &WalkedRun, may_go: bool) {
        if self.voucher.is_some() {
            self.runs.extend(may_go.then_some(run.id));
        } else if !run.is_tied {
            self.voucher = Some(Voucher { run: run.id, received_ms: run.received_ms, may_go });
        }
    }

    /// Whether older runs cannot change what it found.
    pub(in crate::store) fn is_done(&self, run: &WalkedRun) -> bool {
        let seen_all = self.cutoffs.records_ms.is_none_or(|cutoff_ms| {
            run.received_ms < cutoff_ms && self.voucher.is_none_or(|voucher| voucher.received_ms < cutoff_ms)
        });
        self.found_latest && self.cutoffs.runs_ms.is_none() && seen_all
    }
}

/// The walk for when something was last seen.
#[derive(Debug, Default)]
pub(in crate::store) struct LastSeen {
    vouched_ms: Option<i64>,
}

impl LastSeen {
    /// Takes the next older run; the time, if it saw any of `ids`.
    pub(in crate::store) fn pass(&mut self, run: &WalkedRun, ids: &IdSet) -> Option<i64> {
        if run.ended == Ended::Unchanged && run.saw.is_empty() {
            self.vouched_ms = self.vouched_ms.max(Some(run.received_ms));
            return None;
        }
        if run.saw.is_empty() && run.ended != Ended::Well {
            return None;
        }
        let vouched_ms = if run.is_tied { None } else { self.vouched_ms.take() };
        run.saw.meets(ids).then(|| vouched_ms.map_or(run.received_ms, |vouched_ms| vouched_ms.max(run.received_ms)))
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
