//! A file on its way: written under a name of its own beside its place, synced, and put into place in one step. It is
//! locked while somebody writes it, so that what a dead process left can be told from what is under way.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::beside;
use crate::store::error::StoreError;

/// Removed when it is dropped before it was put into place.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    /// An empty file for its owner's eyes only. What a dead process left under this name is thrown away.
    pub(super) fn begin(path: PathBuf) -> Result<Self, StoreError> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| StoreError::of_io("writing", &path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(StoreError::of_io("locking", &path, &error)),
        }
        let draft = Self { path, file };
        draft.did("emptying", draft.file.set_len(0))?;
        // A journal of the draft before would be played back into this one.
        remove(&beside(&draft.path, "-journal"));
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.did("writing", (&self.file).write_all(bytes))
    }

    /// All of `from` goes into it.
    pub(super) fn fill(&self, from: &Path) -> Result<(), StoreError> {
        let source = File::open(from).map_err(|error| StoreError::of_io("reading", from, &error));
        self.did("writing", io::copy(&mut source?, &mut &self.file).map(drop))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.did("syncing", self.file.sync_all())
    }

    /// Gives it its name, in the place of whatever has that name; both are on the disk afterwards.
    pub(super) fn put(self, to: &Path) -> Result<(), StoreError> {
        self.sync()?;
        self.did("renaming", fs::rename(&self.path, to))?;
        sync_folder_of(to)
    }

    fn did(&self, doing: &str, outcome: io::Result<()>) -> Result<(), StoreError> {
        outcome.map_err(|error| StoreError::of_io(doing, &self.path, &error))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Nothing is there any more where it was put into place.
        remove(&self.path);
        remove(&beside(&self.path, "-journal"));
    }
}

/// Removes a file where there is one; what cannot be removed is in the way of nothing.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, file = %path.display(), "a file cannot be removed");
    }
}

/// A new name is on the disk only once its folder is.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| StoreError::of_io("syncing", folder, &error))
}
