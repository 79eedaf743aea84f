//! The turns of one observation: which of its versions stood from when on. Whatever the order in which sightings
//! arrive, the turns come out as if they had arrived in the order of their times: a late one takes its place in the
//! past. Pure, and the same for every engine.

/// From `seen_ms` on, the observation was this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Start of the run that saw it, in Unix milliseconds.
    pub(super) seen_ms: i64,
    pub(super) record: i64,
    /// Of two versions seen at one time, the one with the greater key counts.
    pub(super) key: [u8; 16],
}

/// A record that stood when another was seen: whether it was seen again decides what becomes of its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) record: i64,
    /// From this time on, inclusive.
    pub(super) from_ms: i64,
    /// Up to this time, exclusive.
    pub(super) until_ms: Option<i64>,
}

/// When a record in doubt was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SeenAgain {
    /// At the very time.
    pub(super) then: bool,
    /// The first time after it.
    pub(super) next_ms: Option<i64>,
}

impl Doubt {
    /// Answers from the times at which the record was seen, in any order.
    pub(super) fn settle(self, times_ms: impl IntoIterator<Item = i64>) -> SeenAgain {
        let mut again = SeenAgain::default();
        for time_ms in times_ms {
            if time_ms == self.from_ms {
                again.then = true;
            } else if time_ms > self.from_ms && self.until_ms.is_none_or(|until_ms| time_ms < until_ms) {
                again.next_ms = Some(again.next_ms.map_or(time_ms, |known| known.min(time_ms)));
            }
        }
        again
    }
}

/// Turns behind this place began later than `seen_ms`.
fn place(turns: &[Turn], seen_ms: i64) -> usize {
    turns.partition_point(|turn| turn.seen_ms <= seen_ms)
}

/// What must be known before `seen` can be taken in. `turns` are in the order of their times.
pub(super) fn doubt(turns: &[Turn], seen: &Turn) -> Option<Doubt> {
    let at = place(turns, seen.seen_ms);
    let stood = turns[..at].last().filter(|stood| stood.record != seen.record)?;
    Some(Doubt { record: stood.record, from_ms: seen.seen_ms, until_ms: turns.get(at).map(|next| next.seen_ms) })
}

/// Takes a sighting in. `again` answers the doubt about it.
pub(super) fn take(turns: &mut Vec<Turn>, seen: Turn, again: SeenAgain) {
    let at = place(turns, seen.seen_ms);
    let Some(stood) = turns[..at].last().copied() else {
        turns.insert(0, seen);
        return merge(turns);
    };
    let at_one_time = stood.seen_ms == seen.seen_ms || again.then;
    if stood.record == seen.record || (at_one_time && stood.key > seen.key) {
        return;
    }
    let mut at = at;
    if stood.seen_ms == seen.seen_ms {
        at -= 1;
        turns.remove(at);
    }
    turns.insert(at, seen);
    if let Some(next_ms) = again.next_ms {
        turns.insert(at + 1, Turn { seen_ms: next_ms, ..stood });
    }
    merge(turns);
}

/// Neighbours with one record are one turn, which begins with the first.
fn merge(turns: &mut Vec<Turn>) {
    turns.dedup_by(|later, earlier| later.record == earlier.record);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn turn(seen_ms: i64, record: i64) -> Turn {
        let mut key = [0; 16];
        key[0] = record as u8;
        Turn { seen_ms, record, key }
    }

    /// Takes sightings in one by one, as the store does.
    fn taken(sightings: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let mut turns = Vec::new();
        for (count, &(seen_ms, record)) in sightings.iter().enumerate() {
            let seen = turn(seen_ms, record);
            let again = doubt(&turns, &seen).map(|doubt| {
                let of_record = sightings[..=count].iter().filter(|(_, record)| *record == doubt.record);
                doubt.settle(of_record.map(|(time_ms, _)| *time_ms))
            });
            take(&mut turns, seen, again.unwrap_or_default());
        }
        turns.into_iter().map(|turn| (turn.seen_ms, turn.record)).collect()
    }

    /// The greatest record of each time, and of these only the changes.
    fn model(sightings: &[(i64, i64)]) -> Vec<(i64, i64)> {
        let mut winners = BTreeMap::new();
        for &(seen_ms, record) in sightings {
            let winner = winners.entry(seen_ms).or_insert(record);
            *winner = record.max(*winner);
        }
        let mut turns: Vec<(i64, i64)> = winners.into_iter().collect();
        turns.dedup_by_key(|(_, record)| *record);
        turns
    }

    #[test]
    fn a_value_that_comes_back_stands_again() {
        assert_eq!(taken(&[(1, 1), (2, 2), (3, 1)]), [(1, 1), (2, 2), (3, 1)]);
        assert_eq!(taken(&[(1, 1), (3, 1), (2, 2)]), [(1, 1), (2, 2), (3, 1)], "the second comes late");
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            sightings in prop::collection::vec((0_i64..8, 0_i64..4), 0..24)
        ) {
            prop_assert_eq!(taken(&sightings), model(&sightings));
        }
    }
}
