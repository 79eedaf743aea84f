//! A lock on a file that only one process holds at a time. The system gives it back when the process ends, however it
//! ends, so there is no stale lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::StoreError;

const PAUSE: Duration = Duration::from_millis(20);

/// Held until dropped.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, or says at once that another process (or another part of this one) holds it. The file is
    /// created where it is missing, and stays.
    pub fn take(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failed = |error: std::io::Error| StoreError::Io(format!("locking {}: {error}", path.display()));
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Takes the lock, waiting for it at most `patience`.
    pub(super) async fn wait(path: PathBuf, patience: Duration) -> Result<Self, StoreError> {
        let until = tokio::time::Instant::now() + patience;
        loop {
            match Self::take(&path) {
                Err(StoreError::Locked { .. }) if tokio::time::Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                taken => return taken,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let first = FileLock::take(&path).unwrap();
        assert!(matches!(FileLock::take(&path), Err(StoreError::Locked { .. })));
        drop(first);
        FileLock::take(&path).unwrap();
    }
}
