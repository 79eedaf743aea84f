//! How a guard reports the end of what it guards, and what the node is told when that end is too much.

use std::sync::Arc;

use serde::Serialize;

use super::{
    policy::OnGiveUp,
    root::Root,
    vitals::{State, Vitals},
};

/// The exit code of a process that ends because supervision gave up (`EX_SOFTWARE`).
pub const ESCALATION_EXIT_CODE: i32 = 70;

/// Why the node can no longer do its work. The first one counts; the node shuts down in order and exits with
/// [`ESCALATION_EXIT_CODE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalation {
    /// The actor, task or place.
    pub name: String,
    /// What happened to it.
    pub reason: Reason,
}

/// What made supervision give up.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reason {
    /// More crashes within the window than the policy survives.
    #[error("crashed {crashes} times, the last time with: {last}")]
    GaveUp {
        /// Crashes within the window.
        crashes: usize,
        /// The text of the last panic.
        last: String,
    },
    /// The arbiter ended under it.
    #[error("its arbiter ended")]
    ArbiterLost,
    /// The arbiter answers no ping; its thread is blocked.
    #[error("its arbiter has not answered {missed} pings in a row")]
    ArbiterStuck {
        /// Pings in a row without an answer.
        missed: u32,
    },
}

/// Belongs to one guard. Dropped before an end was reported, it reports that the arbiter was lost.
#[derive(Debug)]
pub(super) struct Report {
    vitals: Arc<Vitals>,
    root: Root,
    on_give_up: OnGiveUp,
}

impl Report {
    pub(super) const fn new(vitals: Arc<Vitals>, root: Root, on_give_up: OnGiveUp) -> Self {
        Self { vitals, root, on_give_up }
    }

    pub(super) fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub(super) fn shared_vitals(&self) -> Arc<Vitals> {
        Arc::clone(&self.vitals)
    }

    pub(super) fn crashed(&self, text: &str) {
        self.vitals.count_crash(text);
        tracing::warn!(name = self.vitals.name(), crash = text, "crashed");
    }

    pub(super) fn stopped(&self) {
        tracing::debug!(name = self.vitals.name(), "stopped");
        self.end(State::Stopped);
    }

    pub(super) fn gave_up(&self, crashes: usize, last: String) {
        tracing::error!(name = self.vitals.name(), crashes, last, contained = self.is_contained(), "given up");
        self.end(State::GaveUp);
        self.escalate(Reason::GaveUp { crashes, last });
    }

    fn end(&self, state: State) {
        self.root.has_ended(&self.vitals);
        self.vitals.enter(state);
    }

    fn escalate(&self, reason: Reason) {
        if !self.is_contained() {
            self.root.escalate(self.vitals.name(), reason);
        }
    }

    fn is_contained(&self) -> bool {
        self.on_give_up == OnGiveUp::Contain
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.vitals.state().has_ended() {
            return;
        }
        self.end(State::Stopped);
        if !self.root.is_stopping() {
            self.escalate(Reason::ArbiterLost);
        }
    }
}
