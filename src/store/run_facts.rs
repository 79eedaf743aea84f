//! What is known of a run, and how each further batch changes it. Pure, and the same for every engine: whatever the
//! order in which batches arrive, sums and maxima come out equal, and a final state stays final.

use crate::domain::run::{RunReport, RunState};
use crate::protocol::batch::Batch;

/// The longest error text that is kept, in characters.
const MAX_ERROR_CHARS: usize = 2_000;

/// How the records of one batch ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) inserted: u32,
    pub(super) known: u32,
    pub(super) rejected: u32,
    /// Observations that changed.
    pub(super) revised: u32,
}

/// A run's row. `row` is absent until it is saved for the first time.
#[derive(Debug, Clone)]
pub(super) struct StoredRun {
    pub(super) row: Option<i64>,
    pub(super) profile: i64,
    /// Rows of `names`.
    pub(super) drone: i64,
    pub(super) profile_digest: Option<i64>,
    pub(super) facts: RunFacts,
}

/// The changing part of a run's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunFacts {
    pub(super) state: RunState,
    pub(super) started_ms: i64,
    pub(super) finished_ms: Option<i64>,
    pub(super) received_ms: i64,
    pub(super) batches: i64,
    pub(super) inserted: i64,
    pub(super) known: i64,
    pub(super) rejected: i64,
    pub(super) requests: i64,
    pub(super) bytes: i64,
    pub(super) rows: i64,
    pub(super) dropped: i64,
    pub(super) error: Option<String>,
    /// Observations that changed.
    pub(super) revised: i64,
}

impl RunFacts {
    /// A run whose first batch has just arrived.
    pub(super) fn begin(batch: &Batch, now_ms: i64) -> Self {
        Self {
            state: RunState::Running,
            started_ms: batch.run.as_ref().map_or(now_ms, |report| report.started_ms),
            finished_ms: None,
            received_ms: now_ms,
            batches: 0,
            inserted: 0,
            known: 0,
            rejected: 0,
            requests: 0,
            bytes: 0,
            rows: 0,
            dropped: 0,
            error: None,
            revised: 0,
        }
    }

    /// Hears of a batch whose records are held: its report counts, its records do not yet.
    pub(super) fn hear(&mut self, batch: &Batch, now_ms: i64) {
        self.received_ms = self.received_ms.max(now_ms);
        if let Some(report) = &batch.run {
            self.take_report(report);
        }
    }

    /// Takes a batch in: its outcome is added, its report taken over.
    pub(super) fn take(&mut self, batch: &Batch, outcome: Outcome, now_ms: i64) {
        self.received_ms = self.received_ms.max(now_ms);
        self.batches += 1;
        self.inserted += i64::from(outcome.inserted);
        self.known += i64::from(outcome.known);
        self.rejected += i64::from(outcome.rejected);
        if let Some(report) = &batch.run {
            self.take_report(report);
        }
    }

    /// The report's counts are totals of the run so far, hence the larger one is the later one.
    fn take_report(&mut self, report: &RunReport) {
        self.started_ms = self.started_ms.min(report.started_ms);
        self.finished_ms = self.finished_ms.max(report.finished_ms);
        self.requests = self.requests.max(stored(report.requests));
        self.bytes = self.bytes.max(stored(report.bytes));
        self.rows = self.rows.max(stored(report.rows));
        self.dropped = self.dropped.max(stored(report.dropped));
        if self.state.is_final() && !report.state.is_final() {
            return;
        }
        self.state = report.state;
        if let Some(error) = &report.error {
            self.error = Some(shortened(error));
        }
    }
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn shortened(error: &str) -> String {
    if error.chars().count() <= MAX_ERROR_CHARS {
        return error.to_owned();
    }
    let kept: String = error.chars().take(MAX_ERROR_CHARS).collect();
    format!("{kept}… (cut at {MAX_ERROR_CHARS} characters)")
}

/// The number a state is stored as. Never renumber.
pub(super) fn state_number(state: RunState) -> i64 {
    match state {
        RunState::Running => 0,
        RunState::Succeeded => 1,
        RunState::Unchanged => 2,
        RunState::Partial => 3,
        RunState::Failed => 4,
    }
}

/// How the number of runs in each state changes when a run goes from one state (none: it is new) to another.
pub(super) fn state_changes(before: Option<RunState>, now: RunState) -> [i64; 5] {
    let mut changes = [0; 5];
    if let Some(before) = before {
        changes[state_number(before) as usize] -= 1;
    }
    changes[state_number(now) as usize] += 1;
    changes
}

/// The state that a stored number stands for.
pub(super) fn state_of(number: i64) -> Option<RunState> {
    RunState::ALL.into_iter().find(|state| state_number(*state) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(run: &str) -> Batch {
        let body = format!(r#"{{"drone_id":"d","profile_id":"p","run_id":"r","data":[],"run":{run}}}"#);
        Batch::from_json(body.as_bytes()).unwrap()
    }

    fn after(reports: &[&str]) -> RunFacts {
        let mut facts = RunFacts::begin(&batch(reports[0]), 9);
        for report in reports {
            facts.take(&batch(report), Outcome { inserted: 1, known: 2, rejected: 3, revised: 0 }, 9);
        }
        facts
    }

    #[test]
    fn batches_may_arrive_in_any_order() {
        let early = r#"{"state":"running","started_ms":5,"requests":1,"bytes":10}"#;
        let late = r#"{"state":"failed","started_ms":5,"finished_ms":8,"requests":3,"bytes":30,"error":"HTTP 500"}"#;
        let facts = after(&[early, late]);
        assert_eq!(facts, after(&[late, early]));
        assert_eq!((facts.state, facts.requests, facts.finished_ms), (RunState::Failed, 3, Some(8)));
        assert_eq!((facts.batches, facts.inserted, facts.known, facts.rejected), (2, 2, 4, 6));
        assert_eq!(facts.error.as_deref(), Some("HTTP 500"));
    }

    #[test]
    fn a_long_error_says_that_it_was_cut() {
        let report = format!(r#"{{"state":"failed","started_ms":5,"error":"{}"}}"#, "x".repeat(3_000));
        assert!(after(&[&report]).error.unwrap().ends_with("(cut at 2000 characters)"));
    }

    #[test]
    fn states_come_back_as_they_went() {
        assert!(RunState::ALL.into_iter().all(|state| state_of(state_number(state)) == Some(state)));
        assert_eq!(state_of(9), None);
    }
}
