//! Backups of a store that is a file: made while others write, verified before they count, restored only after they
//! were verified. What a backup holds and what it does not stands in docs/backup.md. Knows no clock and no node; a
//! store on a server is backed up by the server's own tools.

mod draft;
mod log;
mod restore;
mod shelf;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use log::{BackupLog, BackupVitals};
pub use restore::Restored;
pub use shelf::Shelf;

use self::draft::Draft;
use super::error::StoreError;
use super::sqlite;
use crate::domain::digest::Digest;

/// What a database holds, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub profiles: u64,
    /// Versions of profiles.
    pub versions: u64,
    pub runs: u64,
    pub batches: u64,
    /// Records, all versions of observations included.
    pub records: u64,
    /// The newest step of its layout.
    pub migration: i64,
}

/// A file that was verified: whole, ours, of a release that this one knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    pub file: PathBuf,
    pub bytes: u64,
    /// SHA-256 of the file; it stands beside it too, as `sha256sum --check` reads it.
    pub digest: Digest,
    #[serde(flatten)]
    pub counts: Counts,
}

impl Backup {
    /// Copies the database at `store` as of this moment, verifies the copy, and only then gives it its name. A file
    /// that exists stays, unless `overwrite`.
    pub async fn make(store: &Path, to: &Path, overwrite: bool) -> Result<Self, StoreError> {
        refuse_taken(to, overwrite)?;
        let draft = Draft::begin(beside(to, ".draft"))?;
        sqlite::copy::copy_into(store, draft.path()).await?;
        let counts = sqlite::copy::check(draft.path()).await?;
        draft.sync()?;
        let (bytes, digest) = measure(draft.path()).await?;
        let sum = Draft::begin(beside(to, ".sha256.draft"))?;
        sum.write(format!("{}  {}\n", hex::encode(digest.as_bytes()), name_of(to)).as_bytes())?;
        // Killed in between, a backup may be without a digest, and is never beside another one's.
        draft::remove(&sum_file(to));
        draft.put(to)?;
        sum.put(&sum_file(to))?;
        Ok(Self { file: to.to_owned(), bytes, digest, counts })
    }

    /// Reads all of a backup. True: its digest stands beside it, and agrees.
    pub async fn verify(file: &Path) -> Result<(Self, bool), StoreError> {
        let (bytes, digest) = measure(file).await?;
        let told = told_digest(file)?;
        if told.is_some_and(|told| told != digest) {
            let reason = format!("its digest is {digest}, and {} says another", sum_file(file).display());
            return Err(StoreError::BadBackup { path: file.display().to_string(), reason });
        }
        let counts = sqlite::copy::check(file).await.map_err(|error| match error {
            StoreError::Damaged { path, reason } | StoreError::Foreign { path, reason } => {
                StoreError::BadBackup { path, reason }
            }
            other => other,
        })?;
        Ok((Self { file: file.to_owned(), bytes, digest, counts }, told.is_some()))
    }
}

fn refuse_taken(path: &Path, overwrite: bool) -> Result<(), StoreError> {
    if !overwrite && path.exists() {
        return Err(StoreError::Exists { path: path.display().to_string() });
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn sum_file(path: &Path) -> PathBuf {
    beside(path, ".sha256")
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Length and digest of a file, read apart from whoever else works on this thread.
async fn measure(file: &Path) -> Result<(u64, Digest), StoreError> {
    let path = file.to_owned();
    let failed = |error: &io::Error| StoreError::of_io("reading", file, error);
    let read = tokio::task::spawn_blocking(move || {
        let (mut from, mut sum) = (File::open(path)?, Sha256::new());
        let bytes = io::copy(&mut from, &mut sum)?;
        Ok((bytes, Digest::from_bytes(sum.finalize().into())))
    });
    let read = read.await.map_err(io::Error::other).and_then(|inner| inner);
    read.map_err(|error| failed(&error))
}

/// What the file beside a backup says of it; none where there is no such file.
fn told_digest(file: &Path) -> Result<Option<Digest>, StoreError> {
    let path = sum_file(file);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::of_io("reading", &path, &error)),
    };
    let digits = text.split_whitespace().next().unwrap_or_default();
    let digest = Digest::parse(&format!("sha256:{digits}"));
    digest
        .map(Some)
        .map_err(|error| StoreError::BadBackup { path: path.display().to_string(), reason: error.to_string() })
}

#[cfg(test)]
mod tests;
