//! Weighted rendezvous hashing that does not look at every drone. Each drone has points on a circle, as many as it has
//! weight; each profile has probes there. A drone's score is the distance from the nearest probe to its nearest point
//! behind it: the nearest drone wins, the next nearest is the second choice. The score depends on the pair alone, so a
//! drone's coming or going moves only its own share; and the nearest points are found by an index. Pure.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// More probes and points share more evenly and cost more time. Never change them: every profile would move.
const PROBES: usize = 16;
const POINTS_OF_A_WEIGHT: u64 = 8;

/// The points of the drones of one group, each with the drone's place in the list of members.
#[derive(Debug, Default)]
pub(super) struct Points {
    sorted: Vec<(u64, u32)>,
    /// For each value of a hash's leading bits, the first point that is not before it.
    index: Vec<u32>,
    shift: u32,
}

/// Where a drone's points are.
pub(super) fn points_of(drone: &str, weight: u32) -> impl Iterator<Item = u64> {
    (0..u64::from(weight) * POINTS_OF_A_WEIGHT).map(move |number| xxh3_64_with_seed(drone.as_bytes(), number))
}

/// What a profile's probes begin with.
pub(super) fn seed_of(profile: &str) -> u64 {
    xxh3_64_with_seed(profile.as_bytes(), 0x5eed)
}

fn probe(seed: u64, number: usize) -> u64 {
    // The finaliser of SplitMix64: every bit of the seed decides over every bit of the probe.
    let mut mixed = seed.wrapping_add((number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Points {
    /// Drops the points that are not to be kept, and adds fresh ones.
    pub(super) fn change(&mut self, keep: impl Fn(u32) -> bool, fresh: impl Iterator<Item = (u64, u32)>) {
        self.sorted.retain(|(_, member)| keep(*member));
        self.sorted.extend(fresh);
        self.sorted.sort();
        let bits = usize::BITS - self.sorted.len().max(2).leading_zeros();
        self.shift = 64 - bits;
        self.index.clear();
        self.index.reserve(1 << bits);
        let mut place = 0;
        for bucket in 0..1_u64 << bits {
            while self.sorted.get(place).is_some_and(|(point, _)| point >> self.shift < bucket) {
                place += 1;
            }
            self.index.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }

    /// Members in the order of a profile's choice, the first choice first. One comes as often as it has points and
    /// probes near each other; after all of them the list ends.
    pub(super) fn ranked(&self, seed: u64) -> Ranked<'_> {
        let mut near = [Near { distance: u64::MAX, place: 0, left: 0 }; PROBES];
        if !self.sorted.is_empty() {
            for (number, next) in near.iter_mut().enumerate() {
                let place = self.behind(probe(seed, number));
                let distance = self.sorted[place].0.wrapping_sub(probe(seed, number));
                *next = Near { distance, place, left: self.sorted.len() };
            }
        }
        Ranked { points: self, seed, near }
    }

    /// The first point that is not before `hash`, round the circle.
    fn behind(&self, hash: u64) -> usize {
        let bucket = usize::try_from(hash >> self.shift).unwrap_or(0);
        let mut place = self.index[bucket] as usize;
        while self.sorted.get(place).is_some_and(|(point, _)| *point < hash) {
            place += 1;
        }
        if place == self.sorted.len() { 0 } else { place }
    }
}

/// The next point behind one probe.
#[derive(Debug, Clone, Copy)]
struct Near {
    distance: u64,
    place: usize,
    /// Points that this probe has not reached yet.
    left: usize,
}

pub(super) struct Ranked<'p> {
    points: &'p Points,
    seed: u64,
    near: [Near; PROBES],
}

impl Iterator for Ranked<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let open = self.near.iter_mut().enumerate().filter(|(_, near)| near.left > 0);
        let (number, nearest) = open.min_by_key(|(number, near)| (near.distance, *number))?;
        let all = &self.points.sorted;
        let member = all[nearest.place].1;
        nearest.left -= 1;
        nearest.place = if nearest.place + 1 == all.len() { 0 } else { nearest.place + 1 };
        nearest.distance = all[nearest.place].0.wrapping_sub(probe(self.seed, number));
        Some(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn points(drones: &BTreeMap<u32, u32>) -> Points {
        let mut points = Points::default();
        let all = drones.iter().flat_map(|(drone, weight)| {
            points_of(&format!("drone-{drone}"), *weight).map(|point| (point, *drone)).collect::<Vec<_>>()
        });
        points.change(|_| true, all);
        points
    }

    /// The same order, found by looking at every pair.
    fn slowly(points: &Points, seed: u64) -> Vec<u32> {
        let distance = |point: u64| (0..PROBES).map(|number| point.wrapping_sub(probe(seed, number))).min().unwrap();
        let mut scores = BTreeMap::new();
        for (point, member) in &points.sorted {
            let score = scores.entry(*member).or_insert(u64::MAX);
            *score = distance(*point).min(*score);
        }
        let mut order: Vec<_> = scores.into_iter().collect();
        order.sort_by_key(|(_, score)| *score);
        order.into_iter().map(|(member, _)| member).collect()
    }

    fn quickly(points: &Points, seed: u64) -> Vec<u32> {
        let mut seen = BTreeSet::new();
        points.ranked(seed).filter(|member| seen.insert(*member)).collect()
    }

    #[test]
    fn without_drones_there_is_no_choice() {
        assert_eq!(Points::default().ranked(7).next(), None);
    }

    #[test]
    fn shares_are_even_and_follow_the_weight() {
        let points = points(&BTreeMap::from_iter((0..20).map(|drone| (drone, 1 + drone % 2))));
        let mut shares = BTreeMap::<u32, u32>::new();
        for number in 0..60_000 {
            let first = points.ranked(seed_of(&format!("profile-{number}"))).next().unwrap();
            *shares.entry(first).or_default() += 1;
        }
        for (drone, share) in shares {
            let fair = 2_000 * (1 + drone % 2);
            assert!((fair * 80 / 100..fair * 120 / 100).contains(&share), "drone {drone} has {share}, not {fair}");
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_the_order_that_all_pairs_give(
            drones in proptest::collection::btree_map(0_u32..500, 1_u32..4, 1..30), seed: u64,
        ) {
            let points = points(&drones);
            prop_assert_eq!(quickly(&points, seed), slowly(&points, seed));
        }

        #[test]
        fn a_lost_drone_leaves_the_order_of_the_others(
            drones in proptest::collection::btree_map(0_u32..500, 1_u32..4, 2..30), lost: prop::sample::Index, seed: u64,
        ) {
            let gone = *drones.keys().nth(lost.index(drones.len())).unwrap();
            let mut points = points(&drones);
            let mut before = quickly(&points, seed);
            before.retain(|drone| *drone != gone);
            points.change(|drone| drone != gone, std::iter::empty());
            prop_assert_eq!(quickly(&points, seed), before);
        }
    }
}
