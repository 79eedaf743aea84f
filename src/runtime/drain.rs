//! An ordered, bounded stop: one step after the other, each with what is left of one deadline, cut short on demand.
//!
//! It knows only names and futures. Which actors are producers and which are storage is the node's knowledge.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::error::Unfinished;

type Step = Pin<Box<dyn Future<Output = Result<(), Unfinished>>>>;

/// Steps of a shutdown in their order: producers first, storage last.
#[derive(Default)]
pub struct DrainSequence {
    steps: Vec<(String, Step)>,
}

impl std::fmt::Debug for DrainSequence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.steps.iter().map(|(name, _)| name)).finish()
    }
}

/// How a shutdown went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Steps that ended with nothing lost, in their order.
    pub finished: Vec<String>,
    /// Steps that did not, with what is known about them.
    pub unfinished: Vec<String>,
    /// True when it was told to stop at once.
    pub cut_short: bool,
}

impl DrainReport {
    /// True when everything stopped in order and nothing was lost.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unfinished.is_empty() && !self.cut_short
    }
}

impl DrainSequence {
    /// No steps yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that begins when the one before has ended.
    #[must_use]
    pub fn then(
        mut self,
        name: impl Into<String>,
        step: impl Future<Output = Result<(), Unfinished>> + 'static,
    ) -> Self {
        self.steps.push((name.into(), Box::pin(step)));
        self
    }

    /// Runs the steps within `deadline` altogether; `at_once` (a second signal) ends it immediately.
    pub async fn run(self, deadline: Duration, at_once: impl Future<Output = ()>) -> DrainReport {
        let until = Instant::now() + deadline;
        let mut report = DrainReport::default();
        tokio::pin!(at_once);
        for (name, step) in self.steps {
            if report.cut_short {
                report.unfinished.push(name);
                continue;
            }
            tokio::select! {
                biased;
                () = &mut at_once => {
                    report.cut_short = true;
                    report.unfinished.push(name);
                }
                ended = timeout_at(until, step) => report.note(name, ended),
            }
        }
        report
    }
}

impl DrainReport {
    fn note(&mut self, name: String, ended: Result<Result<(), Unfinished>, tokio::time::error::Elapsed>) {
        match ended {
            Ok(Ok(())) => self.finished.push(name),
            Ok(Err(unfinished)) => self.unfinished.push(format!("{name}: {unfinished}")),
            Err(_) => self.unfinished.push(format!("{name}: out of time")),
        }
    }
}
