//! Records of a run on their way to the sink: batched, each one once, a page all or nothing.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::MAX_BATCH;
use super::decode::Tables;
use super::fields::{Drop, Identity, Row, Tally, unmet, write_record};
use super::json::Cell;
use super::rivals::{Rivals, Verdict};
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::profiles::plan::{Duplicates, Mapping};

/// So many records back a duplicate is recognised, at least. Beyond that the store recognises it. A hundred thousand
/// would be a drone's largest piece of memory.
const REMEMBERED: usize = 1 << 13;

#[derive(Default)]
pub struct Outbox {
    /// Full batches of the page in hand, then of pages that are settled.
    full: Vec<Records>,
    open: Records,
    seen: Seen,
    rivals: Rivals,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    Added,
    Duplicate,
    Dropped,
    /// Another row has the same key, and the profile says that this is an error.
    Conflict,
    /// The answer names another unit than the profile; how, in words.
    OtherUnit(String),
}

impl Outbox {
    /// `rule` says which of several records with one key counts.
    pub fn new(rule: &Duplicates) -> Self {
        Self { rivals: Rivals::new(rule.clone()), ..Self::default() }
    }

    /// Makes the record of a row that meets the conditions.
    pub fn put(&mut self, mapping: &Mapping, tables: &Tables, cells: &[Cell<'_>], tally: &mut Tally) -> Put {
        if self.is_filtered(mapping, cells, tally) {
            return Put::Dropped;
        }
        self.put_unfiltered(mapping, tables, cells, tally)
    }

    /// Whether a row does not meet the conditions; it is counted then.
    pub fn is_filtered(&self, mapping: &Mapping, cells: &[Cell<'_>], tally: &mut Tally) -> bool {
        let unmet = unmet(mapping, cells);
        if let Some(index) = unmet {
            tally.drop_row(&Drop::Filtered(index), &mapping.conditions);
        }
        unmet.is_some()
    }

    /// Makes the record of a row.
    pub fn put_unfiltered(&mut self, mapping: &Mapping, tables: &Tables, cells: &[Cell<'_>], tally: &mut Tally) -> Put {
        if self.open.len() >= MAX_BATCH {
            let capacity = self.open.byte_len();
            let full = std::mem::replace(&mut self.open, Records::with_capacity(MAX_BATCH, capacity));
            self.full.push(full);
            self.rivals.next_batch();
        }
        let mut identity = Identity::default();
        let row = Row { cells, tables };
        let written = self.open.push_with(|out| {
            identity = write_record(mapping, row, out, tally)?;
            Ok(())
        });
        let digest = match written {
            Ok(digest) => digest,
            Err(drop) => return self.dropped(&drop, mapping, tally),
        };
        if !self.seen.insert(&digest) {
            self.open.pop();
            self.page.duplicates += 1;
            return Put::Duplicate;
        }
        let verdict = self.rivals.judge(identity, self.open.len() - 1);
        match verdict {
            Verdict::Alone => self.page.records += 1,
            Verdict::Replaces(place) => {
                tally.drop_row(&Drop::SameKey, &mapping.conditions);
                match place.and_then(|place| self.digest_at(place)) {
                    Some(other) => self.seen.remove(&other),
                    None => self.page.records += 1,
                }
            }
            Verdict::Loses | Verdict::Conflict => {
                self.seen.remove(&digest);
                self.open.pop();
                if verdict == Verdict::Conflict {
                    return Put::Conflict;
                }
                return self.dropped(&Drop::SameKey, mapping, tally);
            }
        }
        Put::Added
    }

    /// The digest of a record that is still in hand.
    fn digest_at(&self, (batch, index): (u64, usize)) -> Option<Digest> {
        let position = self.rivals.position(batch);
        let records = if position < self.full.len() { &self.full[position] } else { &self.open };
        records.digests().get(index).copied()
    }

    fn dropped(&mut self, drop: &Drop, mapping: &Mapping, tally: &mut Tally) -> Put {
        if let Drop::OtherUnit(unread) = drop {
            return Put::OtherUnit(unread.in_words());
        }
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
        self.rivals.settle();
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
        for place in self.rivals.forget(mark.full) {
            if let Some(digest) = self.digest_at(place) {
                self.seen.insert(&digest);
            }
        }
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
        let full = std::mem::take(&mut self.full);
        let kept = full.into_iter().map(|batch| self.rivals.without_replaced(batch)).filter(|batch| !batch.is_empty());
        kept.collect()
    }

    /// The rest, at the end of the run.
    pub fn take_open(&mut self) -> Option<Records> {
        let open = self.rivals.without_replaced(std::mem::take(&mut self.open));
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
