//! The schedule by example, and against random histories.

use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::profiles::plan::{CatchUp, Rhythm, Timing};
use crate::profiles::timetable::Timetable;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

fn every(interval_ms: u64, jitter_ms: u64) -> Pace {
    paced(Rhythm::Every(Duration::from_millis(interval_ms)), jitter_ms, CatchUp::Once)
}

fn at(cron: &str, catch_up: CatchUp) -> Pace {
    paced(Rhythm::At(Box::new(Timetable::parse(cron, TimeZone::UTC).unwrap())), 0, catch_up)
}

fn paced(rhythm: Rhythm, jitter_ms: u64, catch_up: CatchUp) -> Pace {
    Pace::new(&Timing { enabled: true, rhythm, jitter: Duration::from_millis(jitter_ms), catch_up }, 0)
}

fn hourly() -> Pace {
    every(3_600_000, 60_000)
}

fn schedule() -> Schedule {
    Schedule::new(8)
}

fn id(n: u8) -> ProfileId {
    ProfileId::parse(&format!("p{n}")).unwrap()
}

fn due(schedule: &mut Schedule, now_ms: i64) -> Vec<ProfileId> {
    schedule.take_due(now_ms, 8, 0.0).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_new_profile_starts_soon_and_then_by_its_interval() {
    let mut schedule = schedule();
    schedule.put(&id(1), hourly(), "a.example", None, 0, 0.5);
    assert!(due(&mut schedule, 499).is_empty());
    assert_eq!(due(&mut schedule, 500), [id(1)]);
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 2_000, 0.0);
    assert!(due(&mut schedule, 3_600_499).is_empty());
    assert_eq!(due(&mut schedule, 3_600_500), [id(1)]);
}

#[test]
fn a_restart_does_not_run_early_and_a_clock_that_jumped_back_does_not_run_late() {
    let mut schedule = schedule();
    schedule.put(&id(1), hourly(), "a.example", Some(1_000), 10_000, 0.0);
    assert!(due(&mut schedule, 3_600_999).is_empty());
    assert_eq!(due(&mut schedule, 3_601_000), [id(1)]);
    schedule.put(&id(2), hourly(), "a.example", Some(86_400_000_000), 10_000, 0.0);
    assert_eq!(due(&mut schedule, 10_000), [id(2)]);
}

#[test]
fn an_interval_shorter_than_a_run_follows_on_without_overlap() {
    let mut schedule = schedule();
    schedule.put(&id(1), every(1_000, 0), "a.example", None, 0, 0.0);
    assert_eq!(due(&mut schedule, 0), [id(1)]);
    assert!(due(&mut schedule, 5_000).is_empty(), "it runs still");
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 5_000, 0.0);
    assert_eq!(due(&mut schedule, 5_000), [id(1)]);
}

#[test]
fn a_failing_profile_backs_off_and_one_success_mends_it() {
    let mut schedule = schedule();
    schedule.put(&id(1), hourly(), "a.example", None, 0, 0.0);
    let mut now_ms = 0;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        assert_eq!(due(&mut schedule, now_ms), [id(1)]);
        schedule.ended(&id(1), Ended::Badly, Reached::Yes, now_ms, 1.0);
        let next_ms = schedule.entries[&id(1)].due_ms;
        pauses.push(next_ms - now_ms);
        now_ms = next_ms;
    }
    assert_eq!(pauses, [15_000, 30_000, 60_000, 120_000]);
    due(&mut schedule, now_ms);
    schedule.ended(&id(1), Ended::Well, Reached::Yes, now_ms, 0.0);
    assert_eq!(schedule.entries[&id(1)].failures, 0);
}

#[test]
fn a_request_runs_now_and_one_during_a_run_runs_after_it() {
    let mut schedule = schedule();
    schedule.put(&id(1), hourly(), "a.example", Some(0), 0, 0.0);
    schedule.request(&id(1), 7, 100);
    schedule.request(&id(1), 7, 100);
    assert_eq!(schedule.take_due(100, 8, 0.0), [(id(1), vec![7])]);
    schedule.request(&id(1), 8, 150);
    assert!(schedule.take_due(150, 8, 0.0).is_empty());
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 200, 0.0);
    assert_eq!(schedule.take_due(200, 8, 0.0), [(id(1), vec![8])]);
}

#[test]
fn a_pause_that_the_source_asks_for_is_kept() {
    let mut schedule = schedule();
    schedule.put(&id(1), every(1_000, 0), "a.example", None, 0, 0.0);
    due(&mut schedule, 0);
    schedule.ended(&id(1), Ended::NotBefore(60_000), Reached::Yes, 10, 0.0);
    assert!(due(&mut schedule, 59_999).is_empty());
    assert_eq!(due(&mut schedule, 60_000), [id(1)]);
}

#[test]
fn a_profile_by_the_wall_clock_waits_for_its_time_and_keeps_it() {
    let mut schedule = schedule();
    schedule.put(&id(1), at("30 8 * * *", CatchUp::Once), "a.example", None, 10 * HOUR_MS, 0.0);
    let tomorrow_ms = DAY_MS + 8 * HOUR_MS + 30 * MINUTE_MS;
    assert!(due(&mut schedule, tomorrow_ms - 1).is_empty());
    assert_eq!(due(&mut schedule, tomorrow_ms + 7), [id(1)]);
    schedule.ended(&id(1), Ended::Badly, Reached::Yes, tomorrow_ms + 1_000, 1.0);
    assert_eq!(due(&mut schedule, tomorrow_ms + 16_000), [id(1)], "what failed is tried again before the next time");
    schedule.ended(&id(1), Ended::Well, Reached::Yes, tomorrow_ms + 17_000, 0.0);
    assert_eq!(schedule.entries[&id(1)].due_ms, tomorrow_ms + DAY_MS);
}

#[test]
fn what_was_missed_while_off_is_made_up_for_once_or_left_out() {
    let (last_ms, now_ms) = (8 * HOUR_MS, 3 * DAY_MS + 10 * HOUR_MS);
    for (pace, first_ms) in [
        (at("0 8 * * *", CatchUp::Once), now_ms),
        (at("0 8 * * *", CatchUp::Skip), 4 * DAY_MS + 8 * HOUR_MS),
        (paced(Rhythm::Every(Duration::from_hours(7)), 0, CatchUp::Once), now_ms),
        (paced(Rhythm::Every(Duration::from_hours(7)), 0, CatchUp::Skip), 85 * HOUR_MS),
    ] {
        let mut schedule = schedule();
        schedule.put(&id(1), pace, "a.example", Some(last_ms), now_ms, 0.0);
        assert_eq!(schedule.entries[&id(1)].due_ms, first_ms);
    }
}

#[test]
fn after_a_sleep_of_the_machine_the_same_holds() {
    let mut schedule = schedule();
    schedule.put(&id(1), at("0 8 * * *", CatchUp::Once), "a.example", None, 0, 0.0);
    schedule.put(&id(2), at("0 8 * * *", CatchUp::Skip), "a.example", None, 0, 0.0);
    assert!(due(&mut schedule, HOUR_MS).is_empty());
    assert_eq!(due(&mut schedule, 30 * HOUR_MS), [id(1)]);
    assert_eq!(due(&mut schedule, 32 * HOUR_MS), [id(2)]);
}

#[test]
fn what_waits_for_a_free_place_has_not_been_missed() {
    let mut schedule = schedule();
    let skips = paced(Rhythm::Every(Duration::from_hours(1)), 0, CatchUp::Skip);
    schedule.put(&id(1), skips.clone(), "a.example", None, 0, 0.0);
    schedule.put(&id(2), skips, "b.example", None, 0, 0.0);
    assert_eq!(schedule.take_due(0, 1, 0.0).len(), 1);
    assert!(schedule.take_due(10 * MINUTE_MS, 1, 0.0).is_empty());
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 10 * MINUTE_MS, 0.0);
    assert_eq!(due(&mut schedule, 10 * MINUTE_MS), [id(2)]);
}

#[test]
fn a_clock_set_back_by_a_day_takes_the_schedule_with_it() {
    let mut schedule = schedule();
    schedule.put(&id(1), every(3_600_000, 0), "a.example", None, 10 * DAY_MS, 0.0);
    schedule.put(&id(2), at("0 * * * *", CatchUp::Once), "a.example", None, 10 * DAY_MS, 0.0);
    assert_eq!(due(&mut schedule, 10 * DAY_MS), [id(1)]);
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 10 * DAY_MS + 1_000, 0.0);
    assert!(due(&mut schedule, 9 * DAY_MS + 30 * MINUTE_MS).is_empty());
    assert_eq!(due(&mut schedule, 9 * DAY_MS + 90 * MINUTE_MS).len(), 2, "not a day later");
}

#[test]
fn a_slow_host_holds_up_only_its_own() {
    let mut schedule = Schedule::new(2);
    for n in 1..=5 {
        schedule.put(&id(n), every(1_000, 0), "slow.example", None, 0, 0.0);
    }
    schedule.put(&id(9), every(1_000, 0), "quick.example", None, 10, 0.0);
    assert_eq!(due(&mut schedule, 10), [id(1), id(2), id(9)]);
    schedule.ended(&id(2), Ended::Well, Reached::Yes, 20, 0.0);
    assert_eq!(due(&mut schedule, 20), [id(3)], "the one that waits longest");
    schedule.remove(&id(4), 30);
    schedule.ended(&id(1), Ended::Well, Reached::Yes, 40, 0.0);
    assert_eq!(due(&mut schedule, 40), [id(5)]);
}

#[test]
fn a_host_that_is_down_is_asked_by_one_run_at_a_time_until_it_is_back() {
    let mut schedule = schedule();
    for n in 1..=9 {
        schedule.put(&id(n), every(1_000, 0), "down.example", None, 0, 0.0);
    }
    let begun = due(&mut schedule, 0);
    assert_eq!(begun.len(), 8);
    for id in &begun {
        schedule.ended(id, Ended::Badly, Reached::No, 100, 0.0);
    }
    assert_eq!(schedule.hosts_shut(100), 1);
    assert!(due(&mut schedule, 100).is_empty(), "the ninth is spared the try");
    assert!(due(&mut schedule, 30_099).is_empty());
    schedule.request(&id(3), 7, 200);
    assert_eq!(due(&mut schedule, 200), [id(3)], "who asks by hand is answered");
    schedule.ended(&id(3), Ended::Badly, Reached::No, 300, 0.0);
    let probes = due(&mut schedule, 600_300);
    assert_eq!(probes.len(), 1);
    schedule.ended(&probes[0], Ended::Well, Reached::Yes, 600_400, 0.0);
    assert_eq!((schedule.hosts_shut(600_400), due(&mut schedule, 600_400).len()), (0, 8));
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, u64),
    Remove(u8),
    Request(u8, i64),
    Pass(i64),
    End(u8, bool, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..7, 1_000u64..100_000).prop_map(|(n, ms)| Step::Put(n, ms)),
        1 => (0u8..7).prop_map(Step::Remove),
        1 => (0u8..7, 0i64..50).prop_map(|(n, request)| Step::Request(n, request)),
        // Sleeps, and a clock that is set back.
        3 => prop_oneof![0i64..50_000, 60_000i64..1_000_000, -500_000i64..0].prop_map(Step::Pass),
        5 => (0u8..7, any::<bool>(), any::<bool>()).prop_map(|(n, well, reached)| Step::End(n, well, reached)),
    ]
}

/// Two hosts, one of which is asked by most.
fn host(n: u8) -> &'static str {
    if n < 5 { "a.example" } else { "b.example" }
}

proptest! {
    #[test]
    fn no_profile_runs_twice_at_once_and_none_is_forgotten(steps in proptest::collection::vec(step(), 1..120), chance in 0.0..1.0f64) {
        let (mut schedule, mut now_ms) = (Schedule::new(2), DAY_MS);
        let mut running = BTreeSet::new();
        for step in steps {
            match step {
                Step::Put(n, ms) => {
                    let catch_up = if n % 2 == 0 { CatchUp::Once } else { CatchUp::Skip };
                    let pace = paced(Rhythm::Every(Duration::from_millis(ms)), 500, catch_up);
                    schedule.put(&id(n), pace, host(n), None, now_ms, chance);
                }
                Step::Remove(n) => { schedule.remove(&id(n), now_ms); running.remove(&n); }
                Step::Request(n, request) => schedule.request(&id(n), request, now_ms),
                Step::Pass(ms) => now_ms += ms,
                Step::End(n, well, reached) => {
                    let how = if well { Ended::Well } else { Ended::Badly };
                    let reached = if reached || well { Reached::Yes } else { Reached::No };
                    schedule.ended(&id(n), how, reached, now_ms, chance);
                    running.remove(&n);
                }
            }
            for started in due_numbers(&mut schedule, now_ms, chance) {
                prop_assert!(running.insert(started), "started while it ran");
            }
            prop_assert!(running.len() <= 3);
            prop_assert!(running.iter().filter(|n| host(**n) == "a.example").count() <= 2, "the host is asked too much");
            prop_assert_eq!(schedule.running(), running.len());
            let waiting = schedule.waiting.len() + schedule.hosts.held();
            prop_assert_eq!(waiting + running.len(), schedule.entries.len());
        }
        // From now on all goes well: each comes to its turn.
        let mut ran = BTreeSet::new();
        for _ in 0..3_000 {
            for n in std::mem::take(&mut running) {
                schedule.ended(&id(n), Ended::Well, Reached::Yes, now_ms, chance);
            }
            now_ms += 1_000;
            running.extend(due_numbers(&mut schedule, now_ms, chance));
            ran.extend(running.iter().copied());
        }
        prop_assert_eq!(ran.len(), schedule.entries.len());
    }
}

fn due_numbers(schedule: &mut Schedule, now_ms: i64, chance: f64) -> Vec<u8> {
    let due = schedule.take_due(now_ms, 3, chance);
    due.iter().map(|(id, _)| id.as_str()[1..].parse().unwrap()).collect()
}
