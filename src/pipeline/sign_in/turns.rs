//! Keys taken by turns: one that is refused or used up rests. Pure: time comes in as an argument.

/// The keys of one profile.
#[derive(Debug, Default)]
pub struct Turns {
    /// Until when each key rests, Unix milliseconds.
    rest_until_ms: Vec<i64>,
    /// The key whose turn it is.
    next: usize,
}

impl Turns {
    /// The next of the `known` keys that does not rest. `Err`: all do, the first of them until then; `None` where no key
    /// is known.
    pub fn take(&mut self, known: &[usize], now_ms: i64) -> Result<usize, Option<i64>> {
        let Some(largest) = known.iter().max() else { return Err(None) };
        if self.rest_until_ms.len() <= *largest {
            self.rest_until_ms.resize(largest + 1, i64::MIN);
        }
        let count = self.rest_until_ms.len();
        let in_turn = (0..count).map(|step| (self.next + step) % count).filter(|index| known.contains(index));
        let awake = in_turn.into_iter().find(|index| self.rest_until_ms[*index] <= now_ms);
        match awake {
            Some(index) => {
                self.next = (index + 1) % count;
                Ok(index)
            }
            None => Err(known.iter().map(|index| self.rest_until_ms[*index]).min()),
        }
    }

    /// Lets a key rest.
    pub fn rest(&mut self, index: usize, until_ms: i64) {
        if let Some(until) = self.rest_until_ms.get_mut(index) {
            *until = until_ms.max(*until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_go_round_and_pass_over_what_rests() {
        let mut turns = Turns::default();
        let known = [0, 1, 2];
        let take = |turns: &mut Turns, now_ms| turns.take(&known, now_ms);
        assert_eq!(
            [take(&mut turns, 0), take(&mut turns, 0), take(&mut turns, 0), take(&mut turns, 0)],
            [Ok(0), Ok(1), Ok(2), Ok(0)]
        );
        turns.rest(1, 50);
        assert_eq!([take(&mut turns, 10), take(&mut turns, 10)], [Ok(2), Ok(0)]);
        turns.rest(0, 30);
        turns.rest(2, 90);
        assert_eq!(take(&mut turns, 10), Err(Some(30)));
        assert_eq!(take(&mut turns, 30), Ok(0));
        assert_eq!(Turns::default().take(&[], 0), Err(None));
    }

    proptest! {
        /// Any history, against a list of when each key rests.
        #[test]
        fn no_resting_key_is_taken(
            known in prop::collection::btree_set(0_usize..5, 1..5),
            steps in prop::collection::vec((0_i64..20, prop::option::of(0_i64..100)), 1..60),
        ) {
            let known: Vec<usize> = known.into_iter().collect();
            let (mut turns, mut model) = (Turns::default(), [i64::MIN; 5]);
            let (mut now_ms, mut taken) = (0, [0_u32; 5]);
            let rests = steps.iter().any(|(_, rest)| rest.is_some());
            for (passed, rest) in steps {
                now_ms += passed;
                match turns.take(&known, now_ms) {
                    Ok(index) => {
                        prop_assert!(known.contains(&index) && model[index] <= now_ms);
                        taken[index] += 1;
                        if let Some(span) = rest {
                            turns.rest(index, now_ms + span);
                            model[index] = model[index].max(now_ms + span);
                        }
                    }
                    Err(until) => {
                        let first = known.iter().map(|index| model[*index]).min();
                        prop_assert!(until == first && first.is_some_and(|first| first > now_ms));
                    }
                }
            }
            let counts = || known.iter().map(|index| taken[*index]);
            prop_assert!(rests || counts().max().unwrap() - counts().min().unwrap() <= 1, "{taken:?}");
        }
    }
}
