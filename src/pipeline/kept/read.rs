//! One kept run as it lies on disk: opened by its index, each answer read when it is asked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use thiserror::Error;
use zstd::stream::read::Decoder;

use super::{Entry, FOOTER_BYTES, Index, KeptAnswer, KeptEnd, KeptHead, MARK};
use crate::domain::digest::Digest;

/// An index, decompressed.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// An answer's head, decompressed.
const MAX_HEAD_BYTES: u64 = 4 << 20;

/// A file that is not whole, or not one of ours.
#[derive(Debug, Error)]
#[error("{path}: {reason}")]
pub struct TornRun {
    path: String,
    reason: String,
}

/// A kept run whose file is whole.
#[derive(Debug)]
pub struct KeptRun {
    path: PathBuf,
    file: Mutex<File>,
    head: KeptHead,
    end: KeptEnd,
    answers: Vec<Entry>,
}

impl KeptRun {
    pub fn open(path: &Path) -> Result<Self, TornRun> {
        let torn = |reason: String| TornRun { path: path.display().to_string(), reason };
        let mut file = File::open(path).map_err(|error| torn(error.to_string()))?;
        let Index { run, end, answers } = index(&mut file).map_err(|error| torn(error.to_string()))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), head: run, end, answers })
    }

    pub fn head(&self) -> &KeptHead {
        &self.head
    }

    pub fn end(&self) -> KeptEnd {
        self.end
    }

    pub fn len(&self) -> usize {
        self.answers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// The answers to this request, in the order in which they came: place and status.
    pub(in crate::pipeline) fn answers_to(&self, request: &Digest) -> Vec<(usize, u16)> {
        let all = self.answers.iter().enumerate();
        all.filter(|(_, entry)| entry.request == *request).map(|(place, entry)| (place, entry.status)).collect()
    }

    /// An answer with its body; a body that is longer than `max_bytes` is cut behind it.
    pub(in crate::pipeline) fn answer(&self, place: usize, max_bytes: u64) -> Result<(KeptAnswer, Vec<u8>), TornRun> {
        let torn = |error: io::Error| TornRun { path: self.path.display().to_string(), reason: error.to_string() };
        self.read(place, max_bytes).map_err(torn)
    }

    fn read(&self, place: usize, max_bytes: u64) -> io::Result<(KeptAnswer, Vec<u8>)> {
        let entry = self.answers.get(place).ok_or_else(|| broken("it has no such answer"))?;
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(entry.offset))?;
        let mut frame = BufReader::new(Decoder::new(&mut *file)?.single_frame());
        let mut line = Vec::new();
        (&mut frame).take(MAX_HEAD_BYTES).read_until(b'\n', &mut line)?;
        let head: KeptAnswer = serde_json::from_slice(&line)?;
        let mut body = Vec::new();
        frame.take(max_bytes.saturating_add(1)).read_to_end(&mut body)?;
        Ok((head, body))
    }
}

fn index(file: &mut File) -> io::Result<Index> {
    let length = file.metadata()?.len();
    let at = length.checked_sub(FOOTER_BYTES).ok_or_else(|| broken("it is too short"))?;
    file.seek(SeekFrom::Start(at))?;
    let mut footer = [0; FOOTER_BYTES as usize];
    file.read_exact(&mut footer)?;
    let number = |from: usize| u64::from_le_bytes(std::array::from_fn(|index| footer[from + index]));
    let (offset, bytes) = (number(0), number(8));
    if &footer[16..] != MARK || offset.checked_add(bytes) != Some(at) {
        return Err(broken("its end is missing"));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut text = Vec::new();
    Decoder::new(&mut *file)?.single_frame().take(MAX_INDEX_BYTES).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn broken(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
