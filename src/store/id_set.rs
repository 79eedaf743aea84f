//! A set of row ids as ranges: what a run has seen so far. Records of one source mostly stand in a row, so it stays
//! small however long the run. Pure.

use std::collections::BTreeMap;

use super::record_set::{BrokenSet, unpack_ranges};

/// Ids as ranges that neither touch nor overlap: first id to last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IdSet(BTreeMap<i64, i64>);

impl IdSet {
    pub(super) fn contains(&self, id: i64) -> bool {
        self.0.range(..=id).next_back().is_some_and(|(_, last)| *last >= id)
    }

    /// Adds `first..=last`.
    pub(super) fn insert(&mut self, first: i64, last: i64) {
        let (mut first, mut last) = (first, last);
        // Every range that overlaps or touches becomes part of the new one.
        while let Some((&start, &end)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if end < first.saturating_sub(1) {
                break;
            }
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// Those of `ids` that are not in it, in their order.
    pub(super) fn unseen(&self, ids: &[i64]) -> Vec<i64> {
        ids.iter().copied().filter(|id| !self.contains(*id)).collect()
    }

    /// Adds all of `ids`.
    pub(super) fn extend(&mut self, ids: &[i64]) {
        for range in ids.chunk_by(|left, right| left + 1 == *right) {
            self.insert(range[0], range[range.len() - 1]);
        }
    }

    /// Adds the ids of a packed set of at most `limit`.
    pub(super) fn extend_packed(&mut self, packed: &[u8], limit: usize) -> Result<(), BrokenSet> {
        unpack_ranges(packed, limit)?.into_iter().for_each(|(first, last)| self.insert(first, last));
        Ok(())
    }

    /// Ranges it is made of: what it costs.
    pub(super) fn ranges(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_become_one() {
        let mut set = IdSet::default();
        for id in [5, 7, 6, 1, 10] {
            set.insert(id, id);
        }
        set.insert(2, 4);
        assert_eq!((set.ranges(), set.contains(1), set.contains(8)), (2, true, false));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(ranges in prop::collection::vec((0_i64..100, 0_i64..8), 0..40)) {
            let (mut set, mut plain) = (IdSet::default(), BTreeSet::new());
            for (first, further) in ranges {
                set.insert(first, first + further);
                plain.extend(first..=first + further);
            }
            for id in -1..110 {
                prop_assert_eq!(set.contains(id), plain.contains(&id), "{}", id);
            }
            let starts = plain.iter().filter(|id| !plain.contains(&(**id - 1))).count();
            prop_assert_eq!(set.ranges(), starts);
        }
    }
}
