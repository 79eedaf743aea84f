//! Which drone runs which profile: rendezvous hashing. Each pair of drone and profile has a score; the highest live
//! drone wins. So the same fleet gives the same answer everywhere, and one drone's coming or going moves only its
//! own share. Pure.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::domain::ids::{DroneId, ProfileId};

/// The drone for each profile; empty when there is no drone.
pub(super) fn place<'a>(
    profiles: impl Iterator<Item = &'a ProfileId>,
    drones: &[&DroneId],
) -> BTreeMap<ProfileId, DroneId> {
    let mut placed = BTreeMap::new();
    for profile in profiles {
        let winner = drones.iter().max_by_key(|drone| (score(drone, profile), **drone));
        if let Some(drone) = winner {
            placed.insert(profile.clone(), (*drone).clone());
        }
    }
    placed
}

fn score(drone: &DroneId, profile: &ProfileId) -> u64 {
    let mut pair = Vec::with_capacity(drone.as_str().len() + profile.as_str().len() + 1);
    pair.extend_from_slice(drone.as_str().as_bytes());
    // Neither id can hold a slash, so different pairs never read alike.
    pair.push(b'/');
    pair.extend_from_slice(profile.as_str().as_bytes());
    xxh3_64(&pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ids(count: usize) -> Vec<ProfileId> {
        (0..count).map(|n| ProfileId::parse(&format!("profile-{n}")).unwrap()).collect()
    }

    fn fleet(numbers: &BTreeSet<u16>) -> Vec<DroneId> {
        numbers.iter().map(|n| DroneId::parse(&format!("drone-{n}")).unwrap()).collect()
    }

    fn placed(profiles: &[ProfileId], drones: &[DroneId]) -> BTreeMap<ProfileId, DroneId> {
        place(profiles.iter(), &drones.iter().collect::<Vec<_>>())
    }

    #[test]
    fn without_drones_nothing_is_placed() {
        assert!(placed(&ids(3), &[]).is_empty());
    }

    #[test]
    fn a_fleet_shares_evenly() {
        let (profiles, drones) = (ids(10_000), fleet(&(0..10).collect()));
        let shares = placed(&profiles, &drones);
        for drone in &drones {
            let share = shares.values().filter(|other| *other == drone).count();
            assert!((850..1150).contains(&share), "{drone} has {share} of 10,000");
        }
    }

    proptest! {
        #[test]
        fn each_profile_is_on_exactly_one_live_drone(numbers in proptest::collection::btree_set(0u16..500, 1..20), count in 0usize..60) {
            let (profiles, drones) = (ids(count), fleet(&numbers));
            let shares = placed(&profiles, &drones);
            prop_assert_eq!(shares.len(), profiles.len());
            prop_assert!(shares.values().all(|drone| drones.contains(drone)));
        }

        #[test]
        fn a_lost_drone_moves_only_its_own(numbers in proptest::collection::btree_set(0u16..500, 2..20), lost in any::<prop::sample::Index>()) {
            let (profiles, drones) = (ids(200), fleet(&numbers));
            let before = placed(&profiles, &drones);
            let gone = drones[lost.index(drones.len())].clone();
            let left: Vec<_> = drones.into_iter().filter(|drone| *drone != gone).collect();
            for (profile, drone) in placed(&profiles, &left) {
                if before[&profile] != gone {
                    prop_assert_eq!(&before[&profile], &drone);
                }
            }
        }
    }
}
