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

    /// The last id of the range that holds `id`.
    pub(super) fn end_of(&self, id: i64) -> Option<i64> {
        self.0.range(..=id).next_back().map(|(_, last)| *last).filter(|last| *last >= id)
    }

    /// Its ranges in order, each as first and last id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    pub(super) fn union(&mut self, other: &Self) {
        other.iter().for_each(|(first, last)| self.insert(first, last));
    }

    /// Its ids that are not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (first, last) in self.iter() {
            let mut at = first;
            while at <= last {
                if let Some(end) = other.end_of(at) {
                    at = end.saturating_add(1);
                    continue;
                }
                let next = other.0.range(at..=last).next().map(|(start, _)| *start);
                let end = next.map_or(last, |start| start - 1);
                rest.insert(at, end);
                at = end.saturating_add(1);
            }
        }
        rest
    }

    /// Whether they have an id in common.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let (few, many) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        few.iter().any(|(first, last)| many.0.range(..=last).next_back().is_some_and(|(_, end)| *end >= first))
    }

    /// How many ids it holds.
    pub(super) fn len(&self) -> u64 {
        self.iter().map(|(first, last)| first.abs_diff(last) + 1).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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

    fn set_of(ids: &BTreeSet<i64>) -> IdSet {
        let mut set = IdSet::default();
        ids.iter().for_each(|id| set.insert(*id, *id));
        set
    }

    proptest! {
        #[test]
        fn two_sets_relate_as_plain_ones_do(
            own in prop::collection::btree_set(0_i64..30, 0..12),
            other in prop::collection::btree_set(0_i64..30, 0..12),
        ) {
            let (mut left, right) = (set_of(&own), set_of(&other));
            prop_assert_eq!(left.meets(&right), !own.is_disjoint(&other));
            prop_assert_eq!(left.without(&right), set_of(&own.difference(&other).copied().collect()));
            for id in 0..30 {
                let end = (id..=30).take_while(|next| own.contains(next)).last();
                prop_assert_eq!(left.end_of(id), end);
            }
            left.union(&right);
            prop_assert_eq!(left, set_of(&own.union(&other).copied().collect()));
        }

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
            let len = plain.len() as u64;
            prop_assert_eq!((set.len(), set.is_empty()), (len, len == 0));
            let starts = plain.iter().filter(|id| !plain.contains(&(**id - 1))).count();
            prop_assert_eq!(set.ranges(), starts);
        }
    }
}
