//! Records of one run that have the same key and other values: which of them counts. Records that are still in hand are
//! taken out of their batch; one that was sent already is followed by its better one, which the store takes for a new
//! version of the same observation.

use std::collections::{HashMap, HashSet};

use super::fields::{Identity, Ranked};
use crate::domain::batch::Records;
use crate::profiles::plan::Duplicates;

/// Number of a batch of the run, and of a record in it.
pub type Place = (u64, usize);

/// What becomes of a new record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No other has its key.
    Alone,
    /// It counts instead of the one here; `None`: that one was sent already.
    Replaces(Option<Place>),
    /// The other counts.
    Loses,
    /// The profile allows one only.
    Conflict,
}

#[derive(Debug, Clone)]
struct Held {
    place: Place,
    rank: Option<Ranked>,
}

#[derive(Default)]
pub struct Rivals {
    rule: Duplicates,
    /// The batch that is being filled, and the next one to be sent.
    batch: u64,
    next_out: u64,
    /// By `last` those in hand only; the other rules remember all keys of the run.
    known: HashMap<u128, Held>,
    replaced: HashSet<Place>,
    /// What the page in hand changed.
    fresh: Vec<u128>,
    changed: Vec<(u128, Held)>,
}

impl Rivals {
    pub fn new(rule: Duplicates) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Another batch begins.
    pub fn next_batch(&mut self) {
        self.batch += 1;
    }

    /// Judges a record that was put at `index` of the open batch.
    pub fn judge(&mut self, identity: Identity, index: usize) -> Verdict {
        let Some(key) = identity.key else { return Verdict::Alone };
        let new = Held { place: (self.batch, index), rank: identity.rank };
        let Some(old) = self.known.get(&key).cloned() else {
            self.known.insert(key, new);
            self.fresh.push(key);
            return Verdict::Alone;
        };
        match self.rule {
            Duplicates::Error => return Verdict::Conflict,
            Duplicates::First => return Verdict::Loses,
            Duplicates::Max if new.rank <= old.rank => return Verdict::Loses,
            Duplicates::Max | Duplicates::Last => {}
        }
        self.known.insert(key, new);
        let place = old.place;
        self.changed.push((key, old));
        if place.0 < self.next_out {
            return Verdict::Replaces(None);
        }
        self.replaced.insert(place);
        Verdict::Replaces(Some(place))
    }

    /// The page counts.
    pub fn settle(&mut self) {
        self.fresh.clear();
        self.changed.clear();
    }

    /// The page does not count; `full` batches are left. Gives the places of records that count again.
    pub fn forget(&mut self, full: usize) -> Vec<Place> {
        let mut again = Vec::new();
        for (key, old) in self.changed.drain(..).rev() {
            self.replaced.remove(&old.place);
            again.push(old.place);
            self.known.insert(key, old);
        }
        for key in self.fresh.drain(..) {
            self.known.remove(&key);
        }
        self.batch = self.next_out + full as u64;
        again
    }

    /// The position of a batch among those in hand.
    pub fn position(&self, batch: u64) -> usize {
        usize::try_from(batch.saturating_sub(self.next_out)).unwrap_or(usize::MAX)
    }

    /// The next batch on its way out, without the records that do not count.
    pub fn without_replaced(&mut self, batch: Records) -> Records {
        let number = self.next_out;
        self.next_out += 1;
        self.batch = self.batch.max(self.next_out);
        if self.rule == Duplicates::Last {
            self.known.retain(|_, held| held.place.0 > number);
        }
        if !(0..batch.len()).any(|index| self.replaced.contains(&(number, index))) {
            return batch;
        }
        let mut kept = Records::with_capacity(batch.len(), batch.byte_len());
        for index in 0..batch.len() {
            if !self.replaced.remove(&(number, index)) {
                let copied = kept.push_with(|out| {
                    out.extend_from_slice(batch.text(index));
                    Ok::<(), std::convert::Infallible>(())
                });
                copied.expect("copying bytes cannot fail");
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u128, rank: f64) -> Identity {
        Identity { key: Some(key), rank: Some(Ranked::Number(rank)) }
    }

    #[test]
    fn each_rule_chooses() {
        let mut last = Rivals::new(Duplicates::Last);
        assert_eq!(last.judge(record(1, 5.0), 0), Verdict::Alone);
        assert_eq!(last.judge(record(1, 3.0), 1), Verdict::Replaces(Some((0, 0))));
        assert_eq!(last.judge(Identity::default(), 2), Verdict::Alone);
        let mut first = Rivals::new(Duplicates::First);
        assert_eq!(first.judge(record(1, 5.0), 0), Verdict::Alone);
        assert_eq!(first.judge(record(1, 9.0), 1), Verdict::Loses);
        let mut max = Rivals::new(Duplicates::Max);
        assert_eq!(max.judge(record(1, 5.0), 0), Verdict::Alone);
        assert_eq!(max.judge(record(1, 4.0), 1), Verdict::Loses);
        assert_eq!(max.judge(record(1, 6.0), 1), Verdict::Replaces(Some((0, 0))));
        let mut error = Rivals::new(Duplicates::Error);
        assert_eq!(error.judge(record(1, 5.0), 0), Verdict::Alone);
        assert_eq!(error.judge(record(1, 4.0), 1), Verdict::Conflict);
    }

    #[test]
    fn a_forgotten_page_leaves_no_trace() {
        let mut rivals = Rivals::new(Duplicates::Last);
        rivals.judge(record(1, 1.0), 0);
        rivals.settle();
        rivals.judge(record(1, 2.0), 1);
        rivals.judge(record(2, 2.0), 2);
        assert_eq!(rivals.forget(0), [(0, 0)]);
        assert_eq!(rivals.judge(record(2, 2.0), 1), Verdict::Alone);
        assert_eq!(rivals.judge(record(1, 3.0), 2), Verdict::Replaces(Some((0, 0))));
    }
}
