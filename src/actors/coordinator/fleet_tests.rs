//! The fleet against a small model: whatever happens, each enabled profile is on exactly one live drone, or on none
//! because there is none.

use proptest::prelude::*;

use super::*;
use crate::domain::digest::Digest;
use crate::domain::fleet::Labels;
use crate::domain::needs::Needs;

const LEASE_MS: i64 = 30_000;

fn fleet() -> Fleet {
    Fleet::new(Patience { lease_ms: LEASE_MS, forget_ms: 3_600_000 }, 1)
}

fn drone(n: u8) -> DroneId {
    DroneId::parse(&format!("d{n}")).unwrap()
}

fn profile(n: u8) -> ProfileId {
    ProfileId::parse(&format!("p{n}")).unwrap()
}

fn hello(n: u8) -> DroneHello {
    let labels = Labels::new();
    let (secrets, capacity, weight) = (None, None, None);
    DroneHello {
        drone_id: drone(n),
        version: "1".into(),
        labels,
        clock_ms: None,
        instance: None,
        secrets,
        capacity,
        weight,
    }
}

fn beat(n: u8) -> Beat {
    let drone_id = drone(n);
    Beat {
        drone_id,
        clock_ms: None,
        profiles: 0,
        running: 0,
        spooled: 0,
        spool_dropped: 0,
        done_requests: vec![],
        done_replays: vec![],
        kept_runs: 0,
        kept_bytes: 0,
        instance: None,
        number: 0,
    }
}

fn profiles(numbers: impl IntoIterator<Item = u8>) -> Vec<EnabledProfile> {
    let enabled = |n| EnabledProfile { id: profile(n), digest: Digest::of(&[n]), needs: Needs::default() };
    numbers.into_iter().map(enabled).collect()
}

#[test]
fn a_drone_that_falls_silent_loses_its_work_within_the_lease() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles(0..20));
    fleet.register(&hello(1), 0);
    fleet.register(&hello(2), 0);
    fleet.beat(&beat(1), 20_000);
    let changes = fleet.look(30_000);
    assert_eq!(changes, [Change { drone_id: drone(2), state: DroneState::Offline }]);
    assert_eq!(fleet.work(&drone(1), None).unwrap().assignments.len(), 20);
    assert!(fleet.work(&drone(2), None).unwrap().assignments.is_empty());
}

#[test]
fn an_unknown_drone_is_told_to_register_again() {
    let mut fleet = fleet();
    assert!(!fleet.beat(&beat(1), 0).0.known);
    assert_eq!(fleet.work(&drone(1), None).unwrap_err().code, Code::UnknownDrone);
}

#[test]
fn a_clock_a_day_off_is_seen_and_does_no_harm() {
    let mut fleet = fleet();
    fleet.register(&DroneHello { clock_ms: Some(86_400_000), ..hello(1) }, 0);
    assert_eq!(fleet.view(&drone(1)).unwrap().clock_skew_ms, Some(86_400_000));
    assert!(fleet.look(1_000).is_empty());
    fleet.beat(&Beat { clock_ms: Some(i64::MIN), ..beat(1) }, 2_000);
    assert_eq!(fleet.view(&drone(1)).unwrap().state, DroneState::Online);
}

#[test]
fn a_run_request_stays_until_it_was_carried_out() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles([1]));
    fleet.register(&hello(1), 0);
    assert_eq!(fleet.may_run(&profile(9)).unwrap_err().code, Code::UnknownProfile);
    let asked = fleet.add_request(7, &profile(1));
    assert_eq!(asked.drone_id, Some(drone(1)));
    assert_eq!(fleet.work(&drone(1), None).unwrap().run_now.len(), 1);
    // Asked again by a drone that lost the first answer: it is still there.
    assert_eq!(fleet.work(&drone(1), None).unwrap().run_now.len(), 1);
    assert_eq!(fleet.open_requests(&[7, 8]), [7]);
    fleet.finish_requests(&[7]);
    assert!(fleet.work(&drone(1), None).unwrap().run_now.is_empty());
}

#[test]
fn requests_of_a_removed_profile_are_named() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles([1, 2]));
    fleet.add_request(7, &profile(1));
    fleet.add_request(8, &profile(2));
    assert_eq!(fleet.set_profiles(profiles([2])), [7]);
}

#[test]
fn asking_again_for_what_was_seen_costs_no_list() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles(0..10));
    fleet.register(&hello(1), 0);
    let work = fleet.work(&drone(1), None).unwrap();
    assert_eq!(work.assignments.len(), 10);
    assert!(fleet.work(&drone(1), Some(work.revision)).unwrap().assignments.is_empty());
    assert_eq!(fleet.work(&drone(1), Some(work.revision - 1)).unwrap(), work);
}

#[test]
fn a_draining_drone_gets_nothing_new() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles(0..10));
    fleet.register(&hello(1), 0);
    fleet.register(&hello(2), 0);
    fleet.set_draining(&drone(1), true).unwrap();
    assert!(fleet.work(&drone(1), None).unwrap().assignments.is_empty());
    assert_eq!(fleet.work(&drone(2), None).unwrap().assignments.len(), 10);
}

#[test]
fn labels_of_a_megabyte_are_refused() {
    let fleet = fleet();
    let labels = Labels::from([("region".to_owned(), "x".repeat(1 << 20))]);
    assert_eq!(fleet.admit(&DroneHello { labels, ..hello(1) }).unwrap_err().code, Code::InvalidRequest);
}

#[derive(Debug, Clone)]
enum Step {
    Register(u8),
    Beat(u8),
    Pass(i64),
    Profiles(Vec<u8>),
    Drain(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..6).prop_map(Step::Register),
        (0u8..6).prop_map(Step::Beat),
        (0i64..40_000).prop_map(Step::Pass),
        proptest::collection::vec(0u8..12, 0..12).prop_map(Step::Profiles),
        ((0u8..6), any::<bool>()).prop_map(|(n, draining)| Step::Drain(n, draining)),
    ]
}

fn take(fleet: &mut Fleet, step: Step, now_ms: &mut i64) {
    match step {
        Step::Register(n) => {
            fleet.register(&hello(n), *now_ms);
        }
        Step::Beat(n) => {
            fleet.beat(&beat(n), *now_ms);
        }
        Step::Pass(ms) => {
            *now_ms += ms;
            fleet.look(*now_ms);
        }
        Step::Profiles(numbers) => {
            fleet.set_profiles(profiles(numbers));
        }
        Step::Drain(n, draining) => {
            let _ = fleet.set_draining(&drone(n), draining);
        }
    }
}

fn assigned(fleet: &Fleet, drone: &DroneId) -> Vec<ProfileId> {
    let work = fleet.work(drone, None).map(|work| work.assignments).unwrap_or_default();
    work.into_iter().map(|one| one.profile_id).collect()
}

fn check(fleet: &Fleet) -> Result<(), TestCaseError> {
    let online = fleet.drones.values().filter(|drone| drone.state() == DroneState::Online).count();
    for n in 0..12 {
        let id = profile(n);
        let holders: Vec<_> = fleet.drones.keys().filter(|drone| assigned(fleet, drone).contains(&id)).collect();
        let expected = usize::from(online > 0 && fleet.placement.is_enabled(&id));
        prop_assert_eq!(holders.len(), expected, "{} is on {:?}", id, holders);
        for holder in holders {
            prop_assert_eq!(fleet.drones[holder].state(), DroneState::Online);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn each_profile_is_on_exactly_one_live_drone(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut fleet, mut now_ms) = (fleet(), 0);
        for step in steps {
            let seen = |fleet: &Fleet| (0..6).map(drone).map(|id| (fleet.placement.revision(&id), assigned(fleet, &id))).collect::<Vec<_>>();
            let before = seen(&fleet);
            take(&mut fleet, step, &mut now_ms);
            check(&fleet)?;
            for ((then, had), (now, has)) in before.into_iter().zip(seen(&fleet)) {
                prop_assert!(now > then || has == had, "work moved unseen");
            }
        }
    }
}

fn hello_of(n: u8, instance: &str) -> DroneHello {
    DroneHello { instance: Some(instance.into()), ..hello(n) }
}

fn beat_of(n: u8, instance: &str, number: u64) -> Beat {
    Beat { instance: Some(instance.into()), number, ..beat(n) }
}

#[test]
fn of_two_processes_with_one_id_the_later_counts_and_both_are_told() {
    let mut fleet = fleet();
    fleet.register(&hello_of(1, "a"), 0);
    fleet.register(&hello_of(1, "b"), 1_000);
    assert!(fleet.stats().twins.is_empty(), "a restart is no twin");
    let (reply, _) = fleet.beat(&beat_of(1, "a", 1), 2_000);
    assert!(reply.known && reply.superseded);
    assert!(!fleet.beat(&beat_of(1, "b", 1), 2_000).0.superseded);
    assert_eq!(fleet.stats().twins, [drone(1)]);
    assert_eq!(fleet.admit(&hello_of(1, "a")).unwrap_err().code, Code::TwinDrone, "a replayed registration");
    // When the later one has gone, the earlier one may join again.
    fleet.look(2_000 + LEASE_MS);
    assert!(!fleet.beat(&beat_of(1, "a", 2), 40_000).0.known);
    fleet.admit(&hello_of(1, "a")).unwrap();
    fleet.register(&hello_of(1, "a"), 40_000);
    assert!(!fleet.beat(&beat_of(1, "a", 3), 41_000).0.superseded);
}

#[test]
fn a_beat_that_comes_late_or_twice_is_passed_over() {
    let mut fleet = fleet();
    fleet.register(&hello_of(1, "a"), 0);
    fleet.beat(&Beat { running: 7, ..beat_of(1, "a", 5) }, 1_000);
    fleet.beat(&Beat { running: 3, ..beat_of(1, "a", 4) }, 29_000);
    fleet.beat(&Beat { running: 3, ..beat_of(1, "a", 5) }, 29_000);
    let view = fleet.view(&drone(1)).unwrap();
    assert_eq!((view.running, view.stale_beats, view.last_seen_ms), (7, 2, 1_000));
    fleet.look(31_000);
    assert_eq!(fleet.view(&drone(1)).unwrap().state, DroneState::Offline, "a replayed beat keeps nobody alive");
}

#[test]
fn what_is_long_gone_is_forgotten() {
    let mut fleet = fleet();
    fleet.register(&hello(1), 0);
    fleet.register(&hello(2), 3_590_000);
    fleet.look(3_600_000);
    assert_eq!(fleet.take_forgotten(), [drone(1)]);
    assert_eq!(fleet.view(&drone(1)).unwrap_err().code, Code::UnknownDrone);
    fleet.register(&hello(1), 3_600_000);
    assert_eq!(fleet.view(&drone(1)).unwrap().registered_ms, 3_600_000);
}

#[test]
fn a_drone_that_came_back_takes_nothing_from_others_for_a_lease_time() {
    let mut fleet = fleet();
    fleet.set_profiles(profiles(0..40));
    fleet.register(&hello(1), 0);
    fleet.register(&hello(2), 0);
    let fair = assigned(&fleet, &drone(2));
    assert!(!fair.is_empty());
    fleet.beat(&beat(1), 29_000);
    fleet.look(30_000);
    fleet.beat(&beat(2), 31_000);
    fleet.look(31_500);
    assert!(assigned(&fleet, &drone(2)).is_empty());
    fleet.beat(&beat(1), 60_000);
    fleet.beat(&beat(2), 60_000);
    fleet.look(61_000);
    assert_eq!(assigned(&fleet, &drone(2)), fair, "then it gets back what was its own");
}

#[test]
fn after_a_restart_nobody_takes_what_others_had() {
    let mut fleet = fleet();
    let stored = |seen_ms| Drone::stored("1".into(), drone::offer(&hello(0)), 0, seen_ms, false);
    let drones = vec![(drone(1), stored(1_000_000)), (drone(2), stored(1_010_000)), (drone(3), stored(0))];
    fleet.restore(drones, vec![], 5_000_000);
    fleet.set_profiles(profiles(0..40));
    fleet.look(5_000_000);
    fleet.beat(&beat(1), 5_000_500);
    let mine = assigned(&fleet, &drone(1)).len();
    assert!((1..40).contains(&mine), "{mine}");
    assert_eq!(mine + assigned(&fleet, &drone(2)).len(), 40, "the third was away before");
    fleet.look(5_030_100);
    assert_eq!(assigned(&fleet, &drone(1)).len(), 40, "the second was not heard of");
}
