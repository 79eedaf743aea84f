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
    /// Takes the lock, or says at once that another process (or another part of this one) holds it. The file
    /// and its folder are created where they are missing, and stay.
    pub fn take(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let failed = |error: &std::io::Error| StoreError::of_io("locking", path, error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::of_io("creating", folder, &error))?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// The lock of a database file stands beside it.
    pub(super) fn beside(file: &Path) -> PathBuf {
        let mut path = file.as_os_str().to_owned();
        path.push(".lock");
        path.into()
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
