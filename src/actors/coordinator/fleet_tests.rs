//! The fleet against a small model: whatever happens, each enabled profile is on exactly one live drone, or on none
//! because there is none.

use proptest::prelude::*;

use super::*;

const LEASE_MS: i64 = 30_000;

fn drone(n: u8) -> DroneId {
    DroneId::parse(&format!("d{n}")).unwrap()
}

fn profile(n: u8) -> ProfileId {
    ProfileId::parse(&format!("p{n}")).unwrap()
}

fn hello(n: u8) -> DroneHello {
    DroneHello { drone_id: drone(n), version: "1".into(), labels: Labels::new(), clock_ms: None }
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
    }
}

fn profiles(numbers: impl IntoIterator<Item = u8>) -> Vec<(ProfileId, Digest)> {
    numbers.into_iter().map(|n| (profile(n), Digest::of(&[n]))).collect()
}

#[test]
fn a_drone_that_falls_silent_loses_its_work_within_the_lease() {
    let mut fleet = Fleet::new(LEASE_MS, 1);
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
    let mut fleet = Fleet::new(LEASE_MS, 1);
    assert!(!fleet.beat(&beat(1), 0).0.known);
    assert_eq!(fleet.work(&drone(1), None).unwrap_err().code, Code::UnknownDrone);
}

#[test]
fn a_clock_a_day_off_is_seen_and_does_no_harm() {
    let mut fleet = Fleet::new(LEASE_MS, 1);
    fleet.register(&DroneHello { clock_ms: Some(86_400_000), ..hello(1) }, 0);
    assert_eq!(fleet.view(&drone(1)).unwrap().clock_skew_ms, Some(86_400_000));
    assert!(fleet.look(1_000).is_empty());
    fleet.beat(&Beat { clock_ms: Some(i64::MIN), ..beat(1) }, 2_000);
    assert_eq!(fleet.view(&drone(1)).unwrap().state, DroneState::Online);
}

#[test]
fn a_run_request_stays_until_it_was_carried_out() {
    let mut fleet = Fleet::new(LEASE_MS, 1);
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
    let mut fleet = Fleet::new(LEASE_MS, 1);
    fleet.set_profiles(profiles([1, 2]));
    fleet.add_request(7, &profile(1));
    fleet.add_request(8, &profile(2));
    assert_eq!(fleet.set_profiles(profiles([2])), [7]);
}

#[test]
fn asking_again_for_what_was_seen_costs_no_list() {
    let mut fleet = Fleet::new(LEASE_MS, 1);
    fleet.set_profiles(profiles(0..10));
    fleet.register(&hello(1), 0);
    let work = fleet.work(&drone(1), None).unwrap();
    assert_eq!(work.assignments.len(), 10);
    assert!(fleet.work(&drone(1), Some(work.revision)).unwrap().assignments.is_empty());
    assert_eq!(fleet.work(&drone(1), Some(work.revision - 1)).unwrap(), work);
}

#[test]
fn a_draining_drone_gets_nothing_new() {
    let mut fleet = Fleet::new(LEASE_MS, 1);
    fleet.set_profiles(profiles(0..10));
    fleet.register(&hello(1), 0);
    fleet.register(&hello(2), 0);
    fleet.set_draining(&drone(1), true).unwrap();
    assert!(fleet.work(&drone(1), None).unwrap().assignments.is_empty());
    assert_eq!(fleet.work(&drone(2), None).unwrap().assignments.len(), 10);
}

#[test]
fn labels_of_a_megabyte_are_refused() {
    let fleet = Fleet::new(LEASE_MS, 1);
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

fn check(fleet: &Fleet) -> Result<(), TestCaseError> {
    let online = fleet.drones.values().filter(|drone| drone.state() == DroneState::Online).count();
    for id in fleet.profiles.keys() {
        let holds = |drone: &&DroneId| {
            fleet.work(drone, None).is_ok_and(|work| work.assignments.iter().any(|mine| mine.profile_id == *id))
        };
        let holders: Vec<_> = fleet.drones.keys().filter(holds).collect();
        prop_assert_eq!(holders.len(), usize::from(online > 0), "{} is on {:?}", id, holders);
        for holder in holders {
            prop_assert_eq!(fleet.drones[holder].state(), DroneState::Online);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn each_profile_is_on_exactly_one_live_drone(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut fleet, mut now_ms) = (Fleet::new(LEASE_MS, 1), 0);
        for step in steps {
            let revision = fleet.revision;
            let placed = fleet.placed.clone();
            take(&mut fleet, step, &mut now_ms);
            check(&fleet)?;
            prop_assert!(fleet.revision > revision || fleet.placed == placed, "work moved unseen");
        }
    }
}
