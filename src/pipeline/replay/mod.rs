//! A profile run over answers that were kept from an earlier run: the same pipeline, the clock and the cursor of then,
//! and no network at all.

pub mod compare;

use std::sync::Arc;

use super::fetch::{FetchSettings, Fetcher};
use super::kept::KeptRun;
use super::outcome::{RunInput, RunOutcome, Sink};
use super::preview::StandIns;
use super::run::run;
use crate::profiles::Profile;

/// Runs `profile` over the kept run. The outcome's validators and cursor mean nothing for the next run.
pub async fn replay(
    settings: &FetchSettings,
    kept: Arc<KeptRun>,
    profile: &Profile,
    sink: &mut impl Sink,
) -> RunOutcome {
    let head = kept.head().clone();
    let fetcher = Fetcher::kept(settings.clone(), kept);
    // A secret is in no kept answer, so something in its place does.
    let secrets = &StandIns;
    let (cursor, now_ms) = (head.cursor, head.started_ms);
    let input = RunInput { profile, validators: None, cursor, now_ms, secrets, keeper: None };
    run(&fetcher, input, sink).await
}
