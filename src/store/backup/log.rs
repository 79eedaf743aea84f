//! How backups by schedule have gone, for status and metrics.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::Backup;

/// A copy of what is known at one moment. Counts are since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BackupVitals {
    /// The folder.
    pub to: PathBuf,
    pub every_s: u64,
    /// When the last good one was made, in Unix milliseconds; one of an earlier process counts.
    pub last_success_ms: Option<i64>,
    pub age_s: Option<u64>,
    pub last_file: Option<PathBuf>,
    pub last_bytes: Option<u64>,
    /// Backups in the folder.
    pub kept: usize,
    pub made: u64,
    pub failures: u64,
    /// The last failure, until one succeeds.
    pub last_error: Option<String>,
}

impl BackupVitals {
    /// What is wrong, in a sentence that says what to do.
    pub fn problem(&self) -> Option<String> {
        let error = self.last_error.as_deref()?;
        let since = match self.age_s {
            Some(age_s) => format!("the last good one is {} h old", age_s / 3_600),
            None => "there is none yet".to_owned(),
        };
        Some(format!("the backup to {} failed: {error}; {since}, it is tried again by itself", self.to.display()))
    }
}

/// Shared by whoever makes backups and whoever looks.
#[derive(Debug, Clone)]
pub struct BackupLog(Arc<Mutex<BackupVitals>>);

impl BackupLog {
    pub fn new(to: PathBuf, every_s: u64, last_success_ms: Option<i64>) -> Self {
        Self(Arc::new(Mutex::new(BackupVitals { to, every_s, last_success_ms, ..BackupVitals::default() })))
    }

    pub fn made(&self, backup: &Backup, kept: usize, now_ms: i64) {
        self.change(|vitals| {
            vitals.made += 1;
            vitals.kept = kept;
            vitals.last_success_ms = Some(now_ms);
            vitals.last_file = Some(backup.file.clone());
            vitals.last_bytes = Some(backup.bytes);
            vitals.last_error = None;
        });
    }

    pub fn failed(&self, error: String) {
        self.change(|vitals| {
            vitals.failures += 1;
            vitals.last_error = Some(error);
        });
    }

    pub fn vitals(&self, now_ms: i64) -> BackupVitals {
        let mut vitals = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        vitals.age_s = vitals.last_success_ms.map(|at_ms| now_ms.saturating_sub(at_ms).max(0).unsigned_abs() / 1_000);
        vitals
    }

    fn change(&self, how: impl FnOnce(&mut BackupVitals)) {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
