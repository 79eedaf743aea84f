//! What the coordinator's decisions cost on one core: placing a million profiles on ten thousand drones, taking over a
//! lost drone's work, a drone that joins, and heartbeats of a hundred thousand drones. `cargo bench --bench fleet`.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends by panicking")]

use std::time::{Duration, Instant};

use chartly::actors::coordinator::fleet::{Fleet, Patience};
use chartly::domain::digest::Digest;
use chartly::domain::ids::{DroneId, ProfileId};
use chartly::domain::needs::Needs;
use chartly::protocol::coordinator::{Beat, DroneHello};
use chartly::store::EnabledProfile;

const LEASE_MS: i64 = 30_000;
const PROFILES: u32 = 1_000_000;
const DRONES: u32 = 10_000;
const BEATING: u32 = 100_000;

fn main() {
    placing();
    beating();
}

fn fleet() -> Fleet {
    Fleet::new(Patience { lease_ms: LEASE_MS, forget_ms: i64::MAX }, 1)
}

fn id(number: u32) -> DroneId {
    DroneId::parse(&format!("drone-{number}")).unwrap()
}

fn hello(number: u32) -> DroneHello {
    let labels = [("region".to_owned(), ["eu", "us", "ap"][number as usize % 3].to_owned())].into();
    let (version, instance) = ("1.0.0".to_owned(), Some("first".to_owned()));
    let (secrets, capacity, weight) = (None, None, None);
    DroneHello { drone_id: id(number), version, labels, clock_ms: None, instance, secrets, capacity, weight }
}

fn beat(number: u32, count: u64) -> Beat {
    Beat {
        drone_id: id(number),
        clock_ms: Some(0),
        profiles: 10,
        running: 1,
        spooled: 0,
        spool_dropped: 0,
        done_requests: Vec::new(),
        done_replays: Vec::new(),
        kept_runs: 0,
        kept_bytes: 0,
        instance: Some("first".to_owned()),
        number: count,
    }
}

/// A third of the profiles wants a region.
fn profiles() -> Vec<EnabledProfile> {
    let needs = |number: u32| {
        let mut needs = Needs::default();
        if number.is_multiple_of(3) {
            let region = ["eu", "us", "ap"][number as usize / 3 % 3].to_owned();
            needs.labels.insert("region".to_owned(), [region].into());
        }
        needs
    };
    let profile = |number: u32| EnabledProfile {
        id: ProfileId::parse(&format!("profile-{number}")).unwrap(),
        digest: Digest::of(&number.to_be_bytes()),
        needs: needs(number),
    };
    (0..PROFILES).map(profile).collect()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed())
}

fn placing() {
    let mut fleet = fleet();
    for number in 0..DRONES {
        fleet.register(&hello(number), 0);
    }
    let profiles = profiles();
    let (_, took) = timed(|| fleet.set_profiles(profiles));
    println!("{PROFILES} profiles on {DRONES} drones from nothing: {took:?}");
    let most = fleet.views(None, usize::MAX).iter().map(|view| view.assigned).max().unwrap();
    println!("the fullest drone has {most}, the mean is {}", PROFILES / DRONES);

    for number in 1..DRONES {
        fleet.beat(&beat(number, 1), LEASE_MS - 1);
    }
    let (changes, loss) = timed(|| fleet.look(LEASE_MS));
    println!("one drone's loss: {loss:?} ({} drone went)", changes.len());

    let (_, join) = timed(|| fleet.register(&hello(DRONES), LEASE_MS));
    println!("a drone joins: {join:?}");
    let (mut longest, mut looks) = (Duration::ZERO, 0);
    let mut has = u32::MAX;
    while fleet.view(&id(DRONES)).unwrap().assigned != has || looks < 60 {
        has = fleet.view(&id(DRONES)).unwrap().assigned;
        let (_, look) = timed(|| fleet.look(LEASE_MS));
        longest = longest.max(look);
        looks += 1;
    }
    println!("it has its share of {has} after {looks} looks, the longest of which took {longest:?}");
}

fn beating() {
    let mut fleet = fleet();
    for number in 0..BEATING {
        fleet.register(&hello(number), 0);
    }
    fleet.look(0);
    let mut times = Vec::with_capacity(10 * BEATING as usize);
    let begun = Instant::now();
    for round in 1..=10_u64 {
        for number in 0..BEATING {
            let now_ms = i64::try_from(round).unwrap() * 5_000 + i64::from(number / 20);
            let beat = beat(number, round);
            let one = Instant::now();
            // Twice a second the coordinator looks at all leases: whoever beats then waits for it.
            if number.is_multiple_of(10_000) {
                fleet.look(now_ms);
                fleet.take_unsaved();
            }
            fleet.beat(&beat, now_ms);
            times.push(one.elapsed());
        }
    }
    let took = begun.elapsed();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let rate = times.len() as f64 / took.as_secs_f64();
    println!("{BEATING} drones: {rate:.0} beats/s, median {:?}, p99 {:?}, longest {:?}", at(0.5), at(0.99), at(1.0));
}
