//! Which of an observation's versions go together. They go from the earliest on, so that what is left is an unbroken
//! end of the history: no read of a later time can tell that something went before it. Pure.

use std::collections::HashSet;

/// From `seen_ms` on, the observation was this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct KeptTurn {
    pub(in crate::store) seen_ms: i64,
    pub(in crate::store) record: i64,
}

/// How many of the first turns go, where only records of `may_go` may, and at least `leave` turns stay.
///
/// A turn goes with its record, or because its record has a later turn, with which it stays. What stands goes only when
/// everything before it went.
pub(in crate::store) fn cut(turns: &[KeptTurn], may_go: &HashSet<i64>, leave: usize) -> usize {
    let most = turns.len().saturating_sub(leave);
    let goes = |(at, turn): &(usize, &KeptTurn)| {
        may_go.contains(&turn.record) || turns[at + 1..].iter().any(|later| later.record == turn.record)
    };
    turns.iter().enumerate().take(most).take_while(goes).count()
}

/// Those of `candidates` that go when the first `gone` turns do: all that stand in no turn that is left.
pub(in crate::store) fn records_gone(turns: &[KeptTurn], gone: usize, candidates: &[i64]) -> Vec<i64> {
    let left: HashSet<i64> = turns[gone..].iter().map(|turn| turn.record).collect();
    candidates.iter().copied().filter(|record| !left.contains(record)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(records: &[i64]) -> Vec<KeptTurn> {
        records.iter().zip(1..).map(|(record, seen_ms)| KeptTurn { seen_ms, record: *record }).collect()
    }

    fn cut_of(records: &[i64], may_go: &[i64], leave: usize) -> usize {
        cut(&turns(records), &may_go.iter().copied().collect(), leave)
    }

    #[test]
    fn versions_go_from_the_earliest_on() {
        assert_eq!(cut_of(&[1, 2, 3], &[1, 2], 0), 2);
        assert_eq!(cut_of(&[1, 2, 3], &[2, 3], 0), 0, "the first one stays, and with it all that came after");
        assert_eq!(cut_of(&[1, 2, 3], &[1, 2, 3], 0), 3);
        assert_eq!(cut_of(&[1, 2, 3], &[1, 2, 3], 2), 1);
    }

    #[test]
    fn a_value_that_came_back_stays_with_its_last_turn() {
        let back = turns(&[1, 2, 1]);
        assert_eq!(cut(&back, &HashSet::from([2]), 0), 2);
        assert_eq!(records_gone(&back, 2, &[2]), [2]);
        assert_eq!(cut(&back, &HashSet::from([1, 2]), 1), 2);
        assert_eq!(records_gone(&back, 2, &[1, 2]), [2]);
    }

    proptest! {
        #[test]
        fn what_is_left_is_an_end_of_the_history(
            records in prop::collection::vec(0_i64..5, 0..10),
            may_go in prop::collection::hash_set(0_i64..5, 0..5),
            leave in 0_usize..4,
        ) {
            let all = turns(&records);
            let gone = cut(&all, &may_go, leave);
            prop_assert!(all.len() - gone >= leave.min(all.len()));
            let candidates: Vec<i64> = may_go.iter().copied().collect();
            let went = records_gone(&all, gone, &candidates);
            for turn in &all[gone..] {
                prop_assert!(!went.contains(&turn.record), "a turn that is left has its record");
            }
            for record in &went {
                prop_assert!(may_go.contains(record));
            }
        }
    }
}
