//! Records as lines (NDJSON), of any number, cut into chunks that are stored one after another. Where a chunk ends is
//! decided by the lines alone, never by how they arrived, so the same lines sent again give the same chunks, and each
//! is known to the store by its place. Pure; holds one chunk and one unfinished line, however long the body.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::aggregator::{Receipt, Rejected};
use super::batch::{MAX_NAMED_REJECTS, MAX_RECORDS};
use crate::domain::batch::Records;
use crate::domain::ids::RunId;
use crate::domain::record::push_record;
use crate::domain::rejects::{MAX_EXCERPT_CHARS, cut};

/// A chunk ends with this many lines that are not blank; each is one commit at most, and several share one.
pub const CHUNK_LINES: usize = 1_000;
/// Or when its lines together have this many bytes.
pub const CHUNK_BYTES: usize = 1 << 20;
/// A longer line is rejected, and read over without being kept.
pub const MAX_LINE_BYTES: usize = 256 << 10;

const _: () = assert!(CHUNK_LINES <= MAX_RECORDS, "a chunk is a batch");

/// Consecutive lines, checked.
#[derive(Debug, Default, PartialEq)]
pub struct Chunk {
    pub records: Records,
    /// The first rejected ones; an index is the line's number less one.
    pub rejects: Vec<Rejected>,
    pub rejected: u32,
    /// Number of its last line, from 1.
    pub last_line: u64,
    lines: usize,
    bytes: usize,
}

/// Cuts what it is given into chunks.
#[derive(Debug, Default)]
pub struct Lines {
    chunk: Chunk,
    /// Lines that ended.
    line: u64,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Bytes of the line so far, of one that is too long.
    skipped: Option<usize>,
}

impl Lines {
    /// Takes bytes off `piece` until a chunk is full or nothing is left.
    pub fn take(&mut self, piece: &mut &[u8]) -> Option<Chunk> {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            let (line, rest) = (&piece[..end], &piece[end + 1..]);
            *piece = rest;
            self.finish_line(line);
            if self.chunk.is_full() {
                return Some(std::mem::take(&mut self.chunk));
            }
        }
        self.keep(piece);
        *piece = &[];
        None
    }

    /// What is left at the end of the body, whose last line may lack its newline.
    pub fn end(mut self) -> Option<Chunk> {
        if !self.begun.is_empty() || self.skipped.is_some() {
            self.finish_line(b"");
        }
        (self.chunk.lines > 0).then_some(self.chunk)
    }

    fn keep(&mut self, part: &[u8]) {
        if let Some(skipped) = &mut self.skipped {
            *skipped += part.len();
            return;
        }
        self.begun.extend_from_slice(part);
        if self.begun.len() > MAX_LINE_BYTES {
            self.skipped = Some(self.begun.len());
            self.begun.truncate(MAX_EXCERPT_CHARS * 4);
        }
    }

    fn finish_line(&mut self, last_part: &[u8]) {
        let whole_is_here = self.begun.is_empty() && self.skipped.is_none() && last_part.len() <= MAX_LINE_BYTES;
        self.line += 1;
        self.chunk.last_line = self.line;
        if whole_is_here {
            return self.chunk.push(self.line, last_part);
        }
        self.keep(last_part);
        let line = std::mem::take(&mut self.begun);
        match self.skipped.take() {
            Some(bytes) => self.chunk.reject_long(self.line, &line, bytes),
            None => self.chunk.push(self.line, &line),
        }
        self.begun = line;
        self.begun.clear();
    }
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.lines >= CHUNK_LINES || self.bytes >= CHUNK_BYTES
    }

    fn push(&mut self, number: u64, line: &[u8]) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        self.count(line.len());
        let Ok(text) = std::str::from_utf8(line) else {
            return self.reject(number, "the line is not UTF-8".into(), line);
        };
        if let Err(reason) = push_record(&mut self.records, text) {
            self.reject(number, reason, line);
        }
    }

    fn reject_long(&mut self, number: u64, beginning: &[u8], bytes: usize) {
        self.count(beginning.len());
        let reason = format!("the line has {bytes} bytes; at most {MAX_LINE_BYTES} are taken");
        self.reject(number, reason, beginning);
    }

    fn count(&mut self, bytes: usize) {
        self.lines += 1;
        self.bytes += bytes;
    }

    fn reject(&mut self, number: u64, reason: String, line: &[u8]) {
        self.rejected += 1;
        if self.rejects.len() < MAX_NAMED_REJECTS {
            let index = u32::try_from(number - 1).unwrap_or(u32::MAX);
            let excerpt = cut(&String::from_utf8_lossy(line), MAX_EXCERPT_CHARS).to_owned();
            self.rejects.push(Rejected { index, reason, excerpt });
        }
    }
}

/// A line that was not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RejectedLine {
    /// From 1.
    pub line: u64,
    pub reason: String,
    /// The line as it was sent, cut at 400 characters.
    pub excerpt: String,
}

/// What was committed of a body of lines. `inserted + known + rejected` is the number of its lines that are not blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinesReceipt {
    #[schema(value_type = String)]
    pub run_id: RunId,
    /// Every line up to this one was stored or rejected, and that is committed.
    pub lines: u64,
    /// Records that were new.
    pub inserted: u64,
    /// Records that the store held already (or that the body holds twice).
    pub known: u64,
    /// Observations of which another version stands now, or stood in the past, than was known before.
    pub revised: u64,
    pub rejected: u64,
    /// The first of the rejected; at most 100.
    pub rejects: Vec<RejectedLine>,
    /// Chunks of lines, each of which was committed as a whole.
    pub batches: u64,
    /// Of them those that had been stored before: their counts are of then.
    pub replayed: u64,
}

impl LinesReceipt {
    pub fn of(run_id: RunId) -> Self {
        let (lines, inserted, known, revised, rejected, batches, replayed) = Default::default();
        Self { run_id, lines, inserted, known, revised, rejected, rejects: Vec::new(), batches, replayed }
    }

    /// Adds a chunk that was committed.
    pub fn add(&mut self, last_line: u64, receipt: &Receipt) {
        self.lines = last_line;
        self.inserted += u64::from(receipt.inserted);
        self.known += u64::from(receipt.known);
        self.revised += u64::from(receipt.revised);
        self.rejected += u64::from(receipt.rejected);
        self.batches += 1;
        self.replayed += u64::from(receipt.replayed);
        let room = MAX_NAMED_REJECTS - self.rejects.len();
        let named = receipt.rejects.iter().take(room).map(|Rejected { index, reason, excerpt }| RejectedLine {
            line: u64::from(*index) + 1,
            reason: reason.clone(),
            excerpt: excerpt.clone(),
        });
        self.rejects.extend(named);
    }
}

#[cfg(test)]
mod tests;
