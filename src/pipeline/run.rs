//! One run: pages inside windows inside parameter sets.

use super::fetch::Fetcher;
use super::outcome::{RunInput, RunOutcome, Sink};
use crate::domain::run::RunState;

/// Runs a profile once. Never panics on what a source answers; the outcome says what happened.
pub async fn run(_fetcher: &Fetcher, input: RunInput<'_>, _sink: &mut impl Sink) -> RunOutcome {
    RunOutcome {
        state: RunState::Failed,
        error: Some(format!("the profile {} was not fetched", input.profile.id())),
        requests: 0,
        bytes: 0,
        rows: 0,
        duplicates: 0,
        records: 0,
        dropped: Vec::new(),
        unread: Vec::new(),
        validators: None,
        not_before_ms: None,
    }
}
