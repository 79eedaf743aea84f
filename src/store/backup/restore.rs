//! Puts a backup into the place of a store: verified first, in one step, with what was there before kept beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::draft::{Draft, sync_folder_of};
use super::{Backup, beside, measure};
use crate::store::error::StoreError;
use crate::store::lock::FileLock;
use crate::store::sqlite;

/// What was put into place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    #[serde(flatten)]
    pub backup: Backup,
    /// Where it is now.
    pub store: PathBuf,
    /// False: there was no digest beside the backup to hold it against.
    pub digest_known: bool,
    /// The database that was there before, where there was one.
    pub replaced: Option<PathBuf>,
}

impl Restored {
    /// Whoever calls this holds the locks of the data folder. `now_ms` names what is replaced.
    pub async fn put(from: &Path, store: &Path, overwrite: bool, now_ms: i64) -> Result<Self, StoreError> {
        let (backup, digest_known) = Backup::verify(from).await?;
        let _lock = FileLock::take(FileLock::beside(store))?;
        let is_there = store.exists() || log_of(store).exists();
        if is_there && !overwrite {
            return Err(StoreError::Exists { path: store.display().to_string() });
        }
        let draft = Draft::begin(beside(store, ".restore"))?;
        draft.fill(from)?;
        draft.sync()?;
        if measure(draft.path()).await?.1 != backup.digest {
            let reason = "it was read twice, and differed: look at the disk".to_owned();
            return Err(StoreError::BadBackup { path: from.display().to_string(), reason });
        }
        sqlite::copy::name_anew(draft.path()).await?;
        let replaced = if is_there { set_aside(store, now_ms).await? } else { None };
        draft.put(store)?;
        Ok(Self { backup, store: store.to_owned(), digest_known, replaced })
    }
}

fn log_of(store: &Path) -> PathBuf {
    beside(store, "-wal")
}

/// Gives the database that is there a second name, and takes its log away: read into a file that is not its own, a log
/// would spoil it. Killed between any two steps, there is either the old database or the new one.
async fn set_aside(store: &Path, now_ms: i64) -> Result<Option<PathBuf>, StoreError> {
    let kept = beside(store, &format!(".replaced-{now_ms}"));
    match sqlite::copy::fold(store).await {
        Ok(()) => {}
        Err(error @ StoreError::Locked { .. }) => return Err(error),
        // What cannot be opened has no use for its log; it is kept beside the file all the same.
        Err(_) => move_away(&log_of(store), &log_of(&kept))?,
    }
    move_away(&beside(store, "-shm"), &beside(&kept, "-shm"))?;
    let linked = fs::hard_link(store, &kept);
    match linked {
        Ok(()) => sync_folder_of(&kept).map(|()| Some(kept)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A file system without links.
        Err(_) => move_away(store, &kept).map(|()| Some(kept)),
    }
}

fn move_away(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(|error| StoreError::of_io("renaming", from, &error)),
    }
}
