//! Backups of a node's store: by schedule in the process that stores batches, and by hand beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::StartError;
use super::place::store_settings;
use super::{create_private, lock_each};
use crate::runtime::{Clock, OnGiveUp, Root};
use crate::settings::{Problem, Role, Settings};
use crate::store::{self, Backup, BackupLog, Restored, Shelf};

/// The clock is looked at this often: a machine that slept, or was set to another time, makes up for it.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A backup that failed is tried again after this long, or after the interval where that is shorter.
const AGAIN_AFTER_MS: u64 = 60_000;

/// Starts the schedule, where the settings have one and this process is the one that stores batches.
pub(super) fn schedule(root: &Root, settings: &Settings) -> Result<Option<BackupLog>, StartError> {
    let (Some(every), Some(to)) = (settings.backup.every, settings.backup.to.clone()) else { return Ok(None) };
    let store::Place::File(file) = store_settings(settings)?.place else { return Ok(None) };
    if !settings.node.roles.holds(Role::Aggregator) {
        return Ok(None);
    }
    let shelf = Shelf::new(&to);
    let log = BackupLog::new(to, every.as_ms() / 1_000, shelf.newest_ms());
    let job = Job { file, shelf, keep: settings.backup.keep, every_ms: every.as_ms(), log: log.clone() };
    let place = root.place("backup").map_err(StartError::Thread)?;
    root.spawn(&place, "backup", OnGiveUp::Contain, move || job.run());
    Ok(Some(log))
}

struct Job {
    file: PathBuf,
    shelf: Shelf,
    keep: usize,
    every_ms: u64,
    log: BackupLog,
}

impl Job {
    async fn run(self) {
        // One of an earlier process counts; one of the future is of a clock that was wrong.
        let mut last_ms = self.shelf.newest_ms().filter(|at_ms| *at_ms <= Clock::System.now_ms());
        loop {
            let now_ms = Clock::System.now_ms();
            let due_ms = last_ms.map_or(now_ms, |at_ms| at_ms.saturating_add_unsigned(self.every_ms));
            let left_ms = u64::try_from(due_ms.saturating_sub(now_ms)).unwrap_or(0);
            let pause = match left_ms {
                0 if self.make(now_ms).await => {
                    last_ms = Some(now_ms);
                    continue;
                }
                0 => Duration::from_millis(self.every_ms.min(AGAIN_AFTER_MS)),
                left_ms => Duration::from_millis(left_ms).min(LOOK_EVERY),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// False: it failed.
    async fn make(&self, now_ms: i64) -> bool {
        match self.shelf.add(&self.file, now_ms).await {
            Ok(backup) => {
                let kept = self.shelf.prune(self.keep);
                tracing::info!(file = %backup.file.display(), bytes = backup.bytes, kept, "backup made");
                self.log.made(&backup, kept, now_ms);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the backup failed");
                self.log.failed(error.to_string());
                false
            }
        }
    }
}

/// Makes a backup by hand: `to` is a file, or a folder in which it is named by its moment.
pub async fn back_up(file: &Path, to: &Path, overwrite: bool) -> Result<Backup, StartError> {
    let is_folder = to.is_dir() || to.as_os_str().as_encoded_bytes().ends_with(b"/");
    let made = match is_folder {
        true => Shelf::new(to).add(file, Clock::System.now_ms()).await,
        false => Backup::make(file, to, overwrite).await,
    };
    made.map_err(StartError::Backup)
}

/// Puts a backup into the place of the store, while nothing of Chartly uses the data folder.
pub async fn restore(settings: &Settings, from: &Path, overwrite: bool) -> Result<Restored, StartError> {
    let store::Place::File(file) = store_settings(settings)?.place else {
        return Err(StartError::Settings(Problem::new("the store is on PostgreSQL").into()));
    };
    let data_dir = &settings.node.data_dir;
    create_private(data_dir).map_err(|error| StartError::DataFolder { path: data_dir.clone(), error })?;
    let _locks = lock_each(Role::ALL.into_iter(), data_dir)?;
    Restored::put(from, &file, overwrite, Clock::System.now_ms()).await.map_err(StartError::Backup)
}
