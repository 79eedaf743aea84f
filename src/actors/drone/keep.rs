//! A run's raw answers, kept where its profile says so. Whatever goes wrong here costs the run nothing: it is said,
//! counted, and the run goes on.

use std::sync::Arc;

use super::KeptSettings;
use crate::domain::ids::RunId;
use crate::domain::run::{RunReport, RunState};
use crate::pipeline::CursorMark;
use crate::pipeline::kept::{KeepError, Keeper, KeptEnd, KeptHead, KeptRuns, Shelf};
use crate::profiles::Profile;

/// Opens the folder beside the thread that runs.
pub(super) async fn open(settings: KeptSettings) -> Arc<KeptRuns> {
    aside(move || Arc::new(KeptRuns::open(&settings.folder, settings.max_bytes))).await
}

/// Begins to keep; `None` where nothing is kept.
pub(super) async fn begin(
    kept: &Arc<KeptRuns>,
    profile: &Profile,
    run_id: &RunId,
    started_ms: i64,
    cursor: Option<CursorMark>,
) -> Option<Keeper> {
    profile.keep_answers()?;
    let head = KeptHead {
        run_id: run_id.clone(),
        profile_id: profile.id().clone(),
        profile_digest: *profile.digest(),
        started_ms,
        cursor,
    };
    let (kept, version) = (Arc::clone(kept), profile.clone());
    match aside(move || kept.begin(&version, head)).await {
        Ok(writer) => Some(Keeper::new(Shelf::Run(writer?))),
        Err(error) => {
            give_up(profile, &error.into());
            None
        }
    }
}

/// Keeps the whole run. One that was told that nothing changed adds nothing.
pub(super) async fn end(kept: &Arc<KeptRuns>, profile: &Profile, keeper: Option<Keeper>, report: &RunReport) {
    let Some(keeper) = keeper else { return };
    let (state, finished_ms) = (report.state, report.finished_ms.unwrap_or(report.started_ms));
    let done = match keeper.end() {
        Ok(Shelf::Run(writer)) if state != RunState::Unchanged && !writer.is_empty() => {
            let kept = Arc::clone(kept);
            aside(move || kept.keep(writer, KeptEnd { state, finished_ms })).await
        }
        Ok(_) => return,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => count("kept"),
        Err(error) => give_up(profile, &error),
    }
}

fn give_up(profile: &Profile, error: &KeepError) {
    count("given_up");
    tracing::warn!(profile = %profile.id(), %error, "a run's answers are not kept");
}

fn count(outcome: &'static str) {
    metrics::counter!("chartly_drone_runs_kept_total", "outcome" => outcome).increment(1);
}

/// Runs what waits for a disk beside the thread that runs. Its panic is the caller's.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a process that ends takes work back.
            Err(_) => std::future::pending().await,
        },
    }
}
