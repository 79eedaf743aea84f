//! One run's answers on their way to disk, one after the other, each compressed for itself, so that memory does not
//! grow with the run. The file has another name until it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use zstd::stream::write::Encoder;

use super::{Entry, Index, KeepError, KeptAnswer, KeptEnd, KeptHead, MARK, MAX_ANSWERS};

/// Speed and memory matter more to a drone than the last tenth of the size.
const ZSTD_LEVEL: i32 = 1;

/// A file that is being written. Dropped before it is finished, it is gone.
#[derive(Debug)]
pub struct KeptWriter {
    file: File,
    part: PathBuf,
    target: PathBuf,
    head: KeptHead,
    answers: Vec<Entry>,
    bytes: u64,
    max_bytes: u64,
}

impl KeptWriter {
    /// Begins the file that will be called `target`.
    pub(super) fn create(target: &Path, head: KeptHead, max_bytes: u64) -> io::Result<Self> {
        let part = target.with_extension(super::runs::PART);
        let file = private(OpenOptions::new().write(true).create_new(true)).open(&part)?;
        let (target, answers) = (target.to_owned(), Vec::new());
        Ok(Self { file, part, target, head, answers, bytes: 0, max_bytes })
    }

    pub(super) fn add(&mut self, answer: &KeptAnswer, body: &[u8]) -> Result<(), KeepError> {
        if self.answers.len() >= MAX_ANSWERS {
            return Err(KeepError::TooMany);
        }
        let entry = Entry { request: answer.request, status: answer.status, offset: self.bytes };
        let mut head = serde_json::to_vec(answer).map_err(io::Error::from)?;
        head.push(b'\n');
        self.frame(&[&head, body])?;
        self.answers.push(entry);
        if self.bytes > self.max_bytes {
            return Err(KeepError::TooLarge { max_bytes: self.max_bytes });
        }
        Ok(())
    }

    /// Whether no answer came.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub fn head(&self) -> &KeptHead {
        &self.head
    }

    /// Closes the file and gives it its name. From now on it survives a power cut.
    pub(super) fn finish(mut self, end: KeptEnd) -> Result<(), KeepError> {
        let index = Index { run: self.head.clone(), end, answers: std::mem::take(&mut self.answers) };
        let index = serde_json::to_vec(&index).map_err(io::Error::from)?;
        let offset = self.bytes;
        self.frame(&[&index])?;
        let length = self.bytes - offset;
        let footer = [&offset.to_le_bytes()[..], &length.to_le_bytes()[..], MARK].concat();
        self.file.write_all(&footer)?;
        self.file.sync_all()?;
        fs::rename(&self.part, &self.target)?;
        sync_folder(&self.target);
        Ok(())
    }

    /// Writes the parts as one compressed frame with a checksum.
    fn frame(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut encoder = Encoder::new(&mut self.file, ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        for part in parts {
            encoder.write_all(part)?;
        }
        encoder.finish()?;
        self.bytes = self.file.stream_position()?;
        Ok(())
    }
}

impl Drop for KeptWriter {
    fn drop(&mut self) {
        // Where it was finished, there is no file of this name.
        let _ = fs::remove_file(&self.part);
    }
}

/// Only the drone's own user reads it.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes the new name durable. Where a folder cannot be synced, the file system does it in time.
fn sync_folder(file: &Path) {
    if let Some(folder) = file.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}
