//! Records of a run on their way to the sink: batched, each one once, a page all or nothing.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::MAX_BATCH;
use super::fields::{Drop, Tally, write_record};
use super::json::Cell;
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::profiles::plan::Mapping;

/// So many records back a duplicate is recognised. Beyond that the store recognises it.
const REMEMBERED: usize = 1 << 15;

#[derive(Default)]
pub struct Outbox {
    /// Full batches of the page in hand, then of pages that are settled.
    full: Vec<Records>,
    open: Records,
    seen: Seen,
    /// What the page in hand added.
    page: Mark,
}

#[derive(Default, Clone, Copy)]
struct Mark {
    full: usize,
    open: usize,
    records: u64,
    duplicates: u64,
}

/// What became of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    Added,
    Duplicate,
    Dropped,
}

impl Outbox {
    /// Makes the record of a row.
    pub fn put(&mut self, mapping: &Mapping, cells: &[Cell<'_>], tally: &mut Tally) -> Put {
        if self.open.len() >= MAX_BATCH {
            let capacity = self.open.byte_len();
            let full = std::mem::replace(&mut self.open, Records::with_capacity(MAX_BATCH, capacity));
            self.full.push(full);
        }
        let written = self.open.push_with(|out| write_record(mapping, cells, out, tally));
        let digest = match written {
            Ok(digest) => digest,
            Err(drop) => return self.dropped(&drop, mapping, tally),
        };
        if !self.seen.insert(&digest) {
            self.open.pop();
            self.page.duplicates += 1;
            return Put::Duplicate;
        }
        self.page.records += 1;
        Put::Added
    }

    fn dropped(&mut self, drop: &Drop, mapping: &Mapping, tally: &mut Tally) -> Put {
        tally.drop_row(drop, &mapping.conditions);
        Put::Dropped
    }

    /// Records that the page in hand added.
    pub fn page_records(&self) -> u64 {
        self.page.records
    }

    /// Begins a page.
    pub fn begin(&mut self) {
        self.page = Mark { full: self.full.len(), open: self.open.len(), records: 0, duplicates: 0 };
    }

    /// The page counts: records and duplicates that it gave.
    pub fn settle(&mut self) -> (u64, u64) {
        let counts = (self.page.records, self.page.duplicates);
        self.begin();
        counts
    }

    /// The page does not count: what it gave is forgotten.
    pub fn forget(&mut self) {
        let mark = self.page;
        while self.full.len() > mark.full {
            self.cut(0);
            self.open = self.full.pop().unwrap_or_default();
        }
        self.cut(mark.open);
        self.begin();
    }

    fn cut(&mut self, keep: usize) {
        while self.open.len() > keep {
            let digest = *self.open.digest(self.open.len() - 1);
            self.seen.remove(&digest);
            self.open.pop();
        }
    }

    /// Full batches, ready to be sent.
    pub fn take_full(&mut self) -> Vec<Records> {
        std::mem::take(&mut self.full)
    }

    /// The rest, at the end of the run.
    pub fn take_open(&mut self) -> Option<Records> {
        let open = std::mem::take(&mut self.open);
        (!open.is_empty()).then_some(open)
    }
}

/// Keys of the last records: two generations, the older one is forgotten when the younger is full.
#[derive(Default)]
struct Seen {
    young: HashSet<[u8; 16], BuildHasherDefault<FirstBytes>>,
    old: HashSet<[u8; 16], BuildHasherDefault<FirstBytes>>,
}

impl Seen {
    /// Whether the digest is new.
    fn insert(&mut self, digest: &Digest) -> bool {
        let key = digest.key();
        if self.old.contains(&key) {
            return false;
        }
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
            if self.old.contains(&key) {
                return false;
            }
        }
        self.young.insert(key)
    }

    fn remove(&mut self, digest: &Digest) {
        let key = digest.key();
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

/// A digest is its own hash.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}
