//! A drone without a control plane: runs profiles with the engine of every drone and writes their records as lines.
//! Knows no spool, no schedule and no other drone; what it remembers between two starts lies in its data folder, where
//! it has one.

mod lines;
mod notes;

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};

use super::drones::{fetch_settings, ledger};
use super::error::{StartError, exit};
use super::signals::Signals;
use crate::actors::drone::EnvironmentSecrets;
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::pipeline::fetch::now_ms;
use crate::pipeline::{self, Fetcher, RunInput, RunOutcome};
use crate::profiles::Profile;
use crate::settings::DroneSettings;
use crate::store::FileLock;

use lines::Lines;
pub use lines::{LinesError, Target};
use notes::Notes;

/// The drone and its profiles.
#[derive(Debug)]
pub struct AloneDrone {
    profiles: Vec<Profile>,
    fetcher: Fetcher,
    target: Target,
    notes: RefCell<Notes>,
    /// Sources that do not want to be asked before this time, Unix milliseconds.
    not_before_ms: RefCell<HashMap<ProfileId, i64>>,
    at_once: usize,
    _lock: Option<FileLock>,
}

/// How one profile's run ended.
enum End {
    Good,
    /// It failed, or stopped at a limit.
    Bad,
    /// Its records could not be written.
    Unwritten,
}

impl AloneDrone {
    /// `data_dir` is where it remembers what it has read, and what the quotas of sources have used up; without one every
    /// start reads everything. To be called on the thread that runs it.
    pub fn open(
        profiles: Vec<Profile>,
        target: Target,
        data_dir: Option<&Path>,
        settings: &DroneSettings,
    ) -> Result<Self, StartError> {
        target.probe()?;
        let lock = data_dir.map(|folder| FileLock::take(folder.join("alone.lock"))).transpose()?;
        let ledger = data_dir.map(ledger).transpose()?.unwrap_or_else(Arc::default);
        Ok(Self {
            profiles,
            fetcher: Fetcher::new(fetch_settings(settings, ledger)?),
            notes: RefCell::new(Notes::open(data_dir, &target)),
            target,
            not_before_ms: RefCell::default(),
            at_once: settings.max_concurrency.max(1),
            _lock: lock,
        })
    }

    /// Runs each profile once, or round after round, until a signal. Returns the exit code.
    pub async fn run(self, every: Option<Duration>) -> u8 {
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "signals cannot be heard");
                return exit::FAILED;
            }
        };
        tokio::select! {
            code = Box::pin(self.rounds(every)) => code,
            // Rounds without end are stopped by a signal, and by nothing else; one round is cut short.
            () = signals.next() => if every.is_some() { 0 } else { exit::FAILED },
        }
    }

    async fn rounds(&self, every: Option<Duration>) -> u8 {
        loop {
            let code = self.round().await;
            match every {
                Some(_) if code == exit::STORAGE => return code,
                Some(pause) => tokio::time::sleep(pause).await,
                None => return code,
            }
        }
    }

    /// One run of each profile.
    async fn round(&self) -> u8 {
        let ends = stream::iter(&self.profiles).map(|profile| self.contained(profile)).buffer_unordered(self.at_once);
        ends.fold(0, async |code, end| match end {
            End::Good => code,
            End::Bad => code.max(exit::FAILED),
            End::Unwritten => exit::STORAGE,
        })
        .await
    }

    /// A run that panics is one that failed.
    async fn contained(&self, profile: &Profile) -> End {
        let run = AssertUnwindSafe(Box::pin(self.run_once(profile))).catch_unwind();
        run.await.unwrap_or_else(|_| {
            tracing::error!(profile = %profile.id(), "the run panicked");
            End::Bad
        })
    }

    async fn run_once(&self, profile: &Profile) -> End {
        let started_ms = now_ms();
        let not_before_ms = self.not_before_ms.borrow().get(profile.id()).copied();
        if let Some(until_ms) = not_before_ms.filter(|until_ms| *until_ms > started_ms) {
            tracing::warn!(profile = %profile.id(), until_ms, "not run: its source does not want to be asked yet");
            return End::Bad;
        }
        let mut lines = match Lines::open(&self.target, profile.id()) {
            Ok(lines) => lines,
            Err(error) => return unwritten(profile, &error),
        };
        if lines.begins() {
            self.notes.borrow_mut().forget(profile.id());
        }
        let (validators, cursor) = self.notes.borrow().of(profile.id());
        let secrets = &EnvironmentSecrets;
        let input = RunInput { profile, validators, cursor, now_ms: started_ms, secrets, keeper: None };
        let outcome = pipeline::run(&self.fetcher, input, &mut lines).await;
        self.remember(profile.id(), &outcome);
        log(profile, &outcome);
        match lines.finish() {
            Ok(()) => self.noted(profile, outcome),
            Err(error) => unwritten(profile, &error),
        }
    }

    fn remember(&self, id: &ProfileId, outcome: &RunOutcome) {
        let mut known = self.not_before_ms.borrow_mut();
        match outcome.not_before_ms {
            Some(until_ms) => known.insert(id.clone(), until_ms),
            None => known.remove(id),
        };
    }

    /// The records are on disk: what was learnt of the source holds.
    fn noted(&self, profile: &Profile, outcome: RunOutcome) -> End {
        let state = outcome.state;
        if let Err(error) = self.notes.borrow_mut().put(profile.id(), outcome.validators, outcome.cursor) {
            tracing::warn!(profile = %profile.id(), %error, "what was read is not remembered; it will be read again");
        }
        match state {
            RunState::Succeeded | RunState::Unchanged => End::Good,
            RunState::Running | RunState::Partial | RunState::Failed => End::Bad,
        }
    }
}

fn unwritten(profile: &Profile, error: &LinesError) -> End {
    tracing::error!(profile = %profile.id(), %error, "records are not written");
    End::Unwritten
}

fn log(profile: &Profile, outcome: &RunOutcome) {
    let (state, records, dropped) = (outcome.state.as_str(), outcome.records, outcome.dropped_rows());
    match &outcome.error {
        Some(error) => tracing::warn!(profile = %profile.id(), state, records, dropped, error, "run"),
        None => tracing::info!(profile = %profile.id(), state, records, dropped, "run"),
    }
}
