//! Whose turn it is among processes that write the same file. SQLite lets whoever asks at the right moment begin, so
//! one that writes without a pause would keep all others out until their patience ends. Here whoever wants to write
//! first takes the turnstile and keeps it until it has begun: the one that has just committed stands behind it.
//!
//! A courtesy, not a safeguard: SQLite's own lock keeps writers apart, and who waits too long at the turnstile, or
//! cannot have its file, goes on without it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(1);
/// Somebody ahead begins within SQLite's own patience, or fails.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Turnstile(Option<File>);

/// Held until dropped, or until the process ends.
#[derive(Debug)]
pub(super) struct Turn<'a>(Option<&'a File>);

impl Turnstile {
    /// The turnstile of the database at `path`, a file beside it.
    pub(super) fn of(path: &Path) -> Self {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".turn");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(beside);
        Self(file.inspect_err(|error| tracing::warn!(%error, "writers of this store cannot take turns")).ok())
    }

    /// Waits for a turn. At once where no other process writes.
    pub(super) async fn wait(&self) -> Turn<'_> {
        let Some(file) = &self.0 else { return Turn(None) };
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Turn(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(PAUSE).await,
                Err(_) => return Turn(None),
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(file) = self.0 {
            // One that cannot be given back is given back by the system, with the file.
            let _ = file.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_and_nobody_waits_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let (one, other) = (Turnstile::of(&path), Turnstile::of(&path));
        let turn = one.wait().await;
        assert!(turn.0.is_some());
        assert!(other.wait().await.0.is_none(), "it goes on without it");
        drop(turn);
        assert!(other.wait().await.0.is_some());
        assert!(one.wait().await.0.is_some());
    }

    #[tokio::test]
    async fn without_its_file_nothing_is_held_up() {
        let turnstile = Turnstile::of(Path::new("/nowhere/at/all/x.db"));
        assert!(turnstile.wait().await.0.is_none());
    }
}
