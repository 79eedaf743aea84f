//! Placement against what it promises, over random histories.

use proptest::prelude::*;
use std::collections::BTreeMap;

use super::*;

fn drone(n: u32) -> DroneId {
    DroneId::parse(&format!("d{n}")).unwrap()
}

fn profile(n: u32) -> ProfileId {
    ProfileId::parse(&format!("p{n}")).unwrap()
}

fn enabled(n: u32, needs: Needs) -> EnabledProfile {
    EnabledProfile { id: profile(n), digest: Digest::of(&n.to_be_bytes()), needs }
}

fn plain(count: u32) -> Vec<EnabledProfile> {
    (0..count).map(|n| enabled(n, Needs::default())).collect()
}

fn placed(drones: u32, profiles: u32) -> Placement {
    let mut placement = Placement::new(1);
    placement.set_profiles(plain(profiles));
    for n in 0..drones {
        placement.open(&drone(n), &Offer::default(), true);
    }
    placement.place();
    placement
}

fn holders(placement: &Placement, profiles: u32) -> BTreeMap<u32, Vec<(DroneId, u64)>> {
    (0..profiles).map(|n| (n, placement.holders(&profile(n)))).collect()
}

fn moved(before: &BTreeMap<u32, Vec<(DroneId, u64)>>, after: &BTreeMap<u32, Vec<(DroneId, u64)>>) -> usize {
    before.iter().filter(|(n, held)| after[n] != **held).count()
}

/// Looks until nothing moves.
fn calm(placement: &mut Placement) {
    for _ in 0..200 {
        placement.allow_moves();
        placement.place();
    }
}

#[test]
fn a_lost_drone_moves_its_own_share_and_nothing_else() {
    let mut placement = placed(10, 5_000);
    let before = holders(&placement, 5_000);
    placement.close(&drone(3));
    placement.place();
    let after = holders(&placement, 5_000);
    let lost = before.values().filter(|held| held[0].0 == drone(3)).count();
    assert_eq!(moved(&before, &after), lost);
    assert!((400..600).contains(&lost), "{lost} of 5,000");
    assert!(after.values().all(|held| held.len() == 1 && held[0].0 != drone(3)));
}

#[test]
fn a_joining_drone_takes_its_share_little_by_little_and_nothing_else_moves() {
    let mut placement = placed(9, 5_000);
    calm(&mut placement);
    let before = holders(&placement, 5_000);
    placement.allow_moves();
    placement.open(&drone(9), &Offer::default(), true);
    placement.place();
    assert!(placement.count_of(&drone(9)) <= 5_000 / MOVED_PART, "{}", placement.count_of(&drone(9)));
    calm(&mut placement);
    let after = holders(&placement, 5_000);
    let share = placement.count_of(&drone(9));
    assert_eq!(moved(&before, &after), share, "only what the new one took");
    assert!((400..600).contains(&share), "{share} of 5,000");
    calm(&mut placement);
    assert_eq!(holders(&placement, 5_000), after, "nothing moves without a change");
}

#[test]
fn the_weight_decides_over_the_share() {
    let mut placement = placed(8, 4_000);
    placement.open(&drone(8), &Offer { weight: 2, ..Offer::default() }, true);
    calm(&mut placement);
    let share = placement.count_of(&drone(8));
    assert!((640..960).contains(&share), "{share} of 4,000 by a weight of 2 in 10");
}

#[test]
fn a_drone_takes_no_more_than_it_can_and_what_is_over_says_why() {
    let mut placement = Placement::new(1);
    placement.set_profiles(plain(10));
    placement.open(&drone(0), &Offer { capacity: Some(4), ..Offer::default() }, true);
    placement.place();
    assert_eq!(placement.count_of(&drone(0)), 4);
    let unplaced = placement.unplaced(100);
    assert_eq!(unplaced.len(), 6);
    assert!(unplaced[0].1.contains("capacity"), "{unplaced:?}");
    placement.open(&drone(1), &Offer { capacity: Some(6), ..Offer::default() }, true);
    placement.place();
    assert_eq!((placement.count_of(&drone(1)), placement.unplaced(100).len()), (6, 0));
    placement.open(&drone(1), &Offer { capacity: Some(2), ..Offer::default() }, true);
    placement.place();
    assert_eq!((placement.count_of(&drone(1)), placement.unplaced(100).len()), (2, 4));
}

#[test]
fn a_reason_names_what_is_missing() {
    let mut placement = Placement::new(1);
    let label = |value: &str| BTreeMap::from([("region".to_owned(), BTreeSet::from([value.to_owned()]))]);
    let secrets = BTreeSet::from(["KEY".to_owned()]);
    placement.set_profiles(vec![
        enabled(0, Needs { labels: label("eu"), ..Needs::default() }),
        enabled(1, Needs { secrets: secrets.clone(), ..Needs::default() }),
        enabled(2, Needs { labels: label("us"), secrets, ..Needs::default() }),
        enabled(3, Needs { replicas: 3, ..Needs::default() }),
    ]);
    let reason = |placement: &Placement, n| placement.state_of(&profile(n)).unwrap().1;
    placement.place();
    assert_eq!(reason(&placement, 0).as_deref(), Some("no drone takes work: none is online, or they drain"));
    let offer = |region: &str, secrets: &[&str]| Offer {
        labels: [("region".to_owned(), region.to_owned())].into(),
        secrets: Some(secrets.iter().map(|name| (*name).to_owned()).collect()),
        ..Offer::default()
    };
    placement.open(&drone(0), &offer("us", &[]), true);
    placement.place();
    assert_eq!(reason(&placement, 0).as_deref(), Some("no drone that is online has the label region: eu"));
    assert_eq!(
        reason(&placement, 1).as_deref(),
        Some("no drone that is online has the secret KEY (CHARTLY_SECRET_KEY)")
    );
    placement.open(&drone(1), &offer("eu", &["KEY"]), true);
    placement.place();
    assert_eq!((reason(&placement, 0), reason(&placement, 1)), (None, None));
    let both = "no drone that is online has all of: the label region: us, the secret KEY (CHARTLY_SECRET_KEY)";
    assert_eq!(reason(&placement, 2).as_deref(), Some(both));
    assert_eq!(reason(&placement, 3).as_deref(), Some("it runs on 2 of 3 drones: 2 that are online meet its needs"));
}

#[test]
fn a_pin_overrules_the_choice_and_waits_for_its_drone() {
    let mut placement = placed(5, 20);
    for n in 0..5 {
        placement.set_pin(&profile(7), Some(&drone(n)));
        placement.place();
        assert_eq!(placement.holders(&profile(7)).iter().map(|held| held.0.clone()).collect::<Vec<_>>(), [drone(n)]);
    }
    placement.close(&drone(4));
    placement.place();
    assert!(placement.holders(&profile(7)).is_empty());
    assert!(placement.state_of(&profile(7)).unwrap().1.unwrap().contains("pinned to drone d4"));
    placement.open(&drone(4), &Offer::default(), false);
    placement.place();
    assert_eq!(placement.holders(&profile(7)).len(), 1);
    placement.close(&drone(4));
    placement.set_pin(&profile(7), None);
    placement.place();
    assert_eq!(placement.holders(&profile(7)).len(), 1, "on another one");
}

#[test]
fn too_many_different_needs_are_told() {
    let mut placement = Placement::new(1);
    let own = |n: u32| {
        let labels = BTreeMap::from([("host".to_owned(), BTreeSet::from([n.to_string()]))]);
        enabled(n, Needs { labels, ..Needs::default() })
    };
    let most = u32::try_from(groups::MAX_GROUPS).unwrap();
    placement.set_profiles((0..=most).map(own).collect());
    placement.place();
    let refused = |placement: &Placement| {
        (0..=most).filter(|n| placement.state_of(&profile(*n)).unwrap().1.unwrap().contains("different needs")).count()
    };
    assert_eq!(refused(&placement), 1);
    // A group that nobody needs any more gives its place.
    let fewer: Vec<_> = (1..=most).map(own).collect();
    placement.set_profiles(fewer.clone());
    placement.set_profiles(fewer);
    placement.place();
    assert!((1..=most).all(|n| !placement.state_of(&profile(n)).unwrap().1.unwrap().contains("different needs")));
}

#[derive(Debug, Clone)]
enum Step {
    Open(u32, u8),
    Close(u32),
    Settle(u32),
    Forget(u32),
    Profiles(Vec<(u32, u8)>),
    Pin(u32, Option<u32>),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u32..8, any::<u8>()).prop_map(|(n, kind)| Step::Open(n, kind)),
        2 => (0_u32..8).prop_map(Step::Close),
        1 => (0_u32..8).prop_map(Step::Settle),
        1 => (0_u32..8).prop_map(Step::Forget),
        2 => proptest::collection::vec((0_u32..30, any::<u8>()), 0..30).prop_map(Step::Profiles),
        1 => (0_u32..30, proptest::option::of(0_u32..8)).prop_map(|(p, d)| Step::Pin(p, d)),
        2 => Just(Step::Look),
    ]
}

fn offer(kind: u8) -> Offer {
    let region = if kind & 1 == 0 { "eu" } else { "us" };
    Offer {
        labels: [("region".to_owned(), region.to_owned())].into(),
        secrets: (kind & 2 == 0).then(BTreeSet::new),
        capacity: (kind & 12 == 0).then_some(3),
        weight: 1 + u32::from(kind >> 6),
    }
}

fn needs(kind: u8) -> Needs {
    let region = if kind & 1 == 0 { "eu" } else { "us" };
    Needs {
        labels: (kind & 6 == 0)
            .then(|| ("region".to_owned(), BTreeSet::from([region.to_owned()])))
            .into_iter()
            .collect(),
        secrets: (kind & 24 == 0).then(|| "KEY".to_owned()).into_iter().collect(),
        replicas: 1 + u32::from(kind >> 6),
    }
}

/// What the model knows: open drones with their offers, profiles with their needs, pins.
#[derive(Default)]
struct Model {
    open: BTreeMap<u32, Offer>,
    profiles: BTreeMap<u32, Needs>,
    pins: BTreeMap<u32, u32>,
}

impl Model {
    fn take(&mut self, placement: &mut Placement, step: Step) {
        match step {
            Step::Open(n, kind) => {
                placement.open(&drone(n), &offer(kind), kind & 32 == 0);
                self.open.insert(n, offer(kind));
            }
            Step::Close(n) => {
                placement.close(&drone(n));
                self.open.remove(&n);
            }
            Step::Settle(n) => placement.settle(&drone(n)),
            Step::Forget(n) => {
                placement.forget(&drone(n));
                self.open.remove(&n);
            }
            Step::Profiles(all) => {
                self.profiles = all.into_iter().map(|(n, kind)| (n, needs(kind))).collect();
                placement.set_profiles(self.profiles.iter().map(|(n, needs)| enabled(*n, needs.clone())).collect());
            }
            Step::Pin(p, d) => {
                placement.set_pin(&profile(p), d.map(drone).as_ref());
                match d {
                    Some(d) => self.pins.insert(p, d),
                    None => self.pins.remove(&p),
                };
            }
            Step::Look => placement.allow_moves(),
        }
        placement.place();
    }

    fn check(&self, placement: &Placement) -> Result<(), TestCaseError> {
        let mut loads = BTreeMap::<DroneId, usize>::new();
        for (n, needs) in &self.profiles {
            let held: Vec<_> = placement.holders(&profile(*n)).into_iter().map(|(drone, _)| drone).collect();
            let different: BTreeSet<_> = held.iter().collect();
            prop_assert_eq!(different.len(), held.len(), "twice on one drone");
            for drone in &held {
                *loads.entry(drone.clone()).or_default() += 1;
            }
            self.check_one(placement, *n, needs, &held)?;
        }
        for (n, offer) in &self.open {
            let load = loads.remove(&drone(*n)).unwrap_or(0);
            prop_assert_eq!(load, placement.count_of(&drone(*n)));
            let pinned = self.pins.values().filter(|to| *to == n).count();
            prop_assert!(offer.capacity.is_none_or(|most| load <= most as usize + pinned));
        }
        prop_assert!(loads.is_empty(), "work of drones that are not there: {:?}", loads);
        Ok(())
    }

    fn check_one(&self, placement: &Placement, n: u32, needs: &Needs, held: &[DroneId]) -> Result<(), TestCaseError> {
        if let Some(pin) = self.pins.get(&n) {
            let expected: Vec<_> = self.open.contains_key(pin).then(|| drone(*pin)).into_iter().collect();
            prop_assert_eq!(held, &expected[..], "pinned");
            return Ok(());
        }
        let fits = |n: &&u32| needs.are_met_by(&self.open[n]);
        let fit: BTreeSet<_> = self.open.keys().filter(fits).map(|n| drone(*n)).collect();
        prop_assert!(held.iter().all(|drone| fit.contains(drone)), "p{} is where it does not fit: {:?}", n, held);
        prop_assert!(held.len() <= needs.replicas as usize);
        let has_room =
            |n: &&u32| self.open[n].capacity.is_none_or(|most| placement.count_of(&drone(**n)) < most as usize);
        let free = self.open.keys().filter(fits).filter(has_room).filter(|n| !held.contains(&drone(**n))).count();
        prop_assert!(held.len() == needs.replicas as usize || free == 0, "p{} could be placed", n);
        prop_assert_eq!(placement.state_of(&profile(n)).unwrap().1.is_none(), held.len() == needs.replicas as usize);
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_profile_is_where_it_may_be_as_often_as_it_can(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut placement, mut model) = (Placement::new(1), Model::default());
        let mut epochs = BTreeSet::new();
        let mut known = BTreeMap::new();
        for step in steps {
            model.take(&mut placement, step);
            model.check(&placement)?;
            for n in 0..30 {
                for (holder, epoch) in placement.holders(&profile(n)) {
                    let lease = (n, holder);
                    if known.get(&epoch) != Some(&lease) {
                        prop_assert!(epochs.insert(epoch), "an epoch is given once");
                        known.insert(epoch, lease);
                    }
                }
            }
        }
    }
}
