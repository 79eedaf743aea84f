//! The schedule by example, and against random histories.

use proptest::prelude::*;

use super::*;

const HOUR: Rhythm = Rhythm { interval_ms: 3_600_000, jitter_ms: 60_000 };

fn id(n: u8) -> ProfileId {
    ProfileId::parse(&format!("p{n}")).unwrap()
}

fn due(schedule: &mut Schedule, now_ms: i64) -> Vec<ProfileId> {
    schedule.take_due(now_ms, 8).into_iter().map(|(id, _)| id).collect()
}

#[test]
fn a_new_profile_starts_soon_and_then_by_its_interval() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), HOUR, None, 0, 0.5);
    assert!(due(&mut schedule, 499).is_empty());
    assert_eq!(due(&mut schedule, 500), [id(1)]);
    schedule.ended(&id(1), Ended::Well, 2_000, 0.0);
    assert!(due(&mut schedule, 3_600_499).is_empty());
    assert_eq!(due(&mut schedule, 3_600_500), [id(1)]);
}

#[test]
fn a_restart_does_not_run_early_and_a_clock_that_jumped_back_does_not_run_late() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), HOUR, Some(1_000), 10_000, 0.0);
    assert!(due(&mut schedule, 3_600_999).is_empty());
    assert_eq!(due(&mut schedule, 3_601_000), [id(1)]);
    schedule.put(&id(2), HOUR, Some(86_400_000_000), 10_000, 0.0);
    assert_eq!(due(&mut schedule, 10_000), [id(2)]);
}

#[test]
fn an_interval_shorter_than_a_run_follows_on_without_overlap() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), Rhythm { interval_ms: 1_000, jitter_ms: 0 }, None, 0, 0.0);
    assert_eq!(due(&mut schedule, 0), [id(1)]);
    assert!(due(&mut schedule, 5_000).is_empty(), "it runs still");
    schedule.ended(&id(1), Ended::Well, 5_000, 0.0);
    assert_eq!(due(&mut schedule, 5_000), [id(1)]);
}

#[test]
fn a_failing_profile_backs_off_and_one_success_mends_it() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), HOUR, None, 0, 0.0);
    let mut now_ms = 0;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        assert_eq!(due(&mut schedule, now_ms), [id(1)]);
        schedule.ended(&id(1), Ended::Badly, now_ms, 1.0);
        let next_ms = schedule.entries[&id(1)].due_ms;
        pauses.push(next_ms - now_ms);
        now_ms = next_ms;
    }
    assert_eq!(pauses, [15_000, 30_000, 60_000, 120_000]);
    due(&mut schedule, now_ms);
    schedule.ended(&id(1), Ended::Well, now_ms, 0.0);
    assert_eq!(schedule.entries[&id(1)].failures, 0);
}

#[test]
fn a_request_runs_now_and_one_during_a_run_runs_after_it() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), HOUR, Some(0), 0, 0.0);
    schedule.request(&id(1), 7, 100);
    schedule.request(&id(1), 7, 100);
    assert_eq!(schedule.take_due(100, 8), [(id(1), vec![7])]);
    schedule.request(&id(1), 8, 150);
    assert!(schedule.take_due(150, 8).is_empty());
    schedule.ended(&id(1), Ended::Well, 200, 0.0);
    assert_eq!(schedule.take_due(200, 8), [(id(1), vec![8])]);
}

#[test]
fn a_pause_that_the_source_asks_for_is_kept() {
    let mut schedule = Schedule::default();
    schedule.put(&id(1), Rhythm { interval_ms: 1_000, jitter_ms: 0 }, None, 0, 0.0);
    due(&mut schedule, 0);
    schedule.ended(&id(1), Ended::NotBefore(60_000), 10, 0.0);
    assert!(due(&mut schedule, 59_999).is_empty());
    assert_eq!(due(&mut schedule, 60_000), [id(1)]);
}

#[derive(Debug, Clone)]
enum Step {
    Put(u8, i64),
    Remove(u8),
    Request(u8, i64),
    Pass(i64),
    End(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..5, 1_000i64..100_000).prop_map(|(n, ms)| Step::Put(n, ms)),
        (0u8..5).prop_map(Step::Remove),
        (0u8..5, 0i64..50).prop_map(|(n, request)| Step::Request(n, request)),
        (0i64..50_000).prop_map(Step::Pass),
        (0u8..5, any::<bool>()).prop_map(|(n, well)| Step::End(n, well)),
    ]
}

proptest! {
    #[test]
    fn no_profile_runs_twice_at_once_and_none_is_forgotten(steps in proptest::collection::vec(step(), 1..80), chance in 0.0..1.0f64) {
        let (mut schedule, mut now_ms) = (Schedule::default(), 0i64);
        let mut running = BTreeSet::new();
        for step in steps {
            match step {
                Step::Put(n, interval_ms) => schedule.put(&id(n), Rhythm { interval_ms, jitter_ms: 500 }, None, now_ms, chance),
                Step::Remove(n) => { schedule.remove(&id(n)); running.remove(&id(n)); }
                Step::Request(n, request) => schedule.request(&id(n), request, now_ms),
                Step::Pass(ms) => now_ms += ms,
                Step::End(n, well) => {
                    schedule.ended(&id(n), if well { Ended::Well } else { Ended::Badly }, now_ms, chance);
                    running.remove(&id(n));
                }
            }
            for (started, _) in schedule.take_due(now_ms, 3) {
                prop_assert!(running.insert(started), "started while it ran");
            }
            prop_assert!(running.len() <= 3);
            prop_assert_eq!(schedule.running(), running.len());
            prop_assert_eq!(schedule.waiting.len() + running.len(), schedule.entries.len());
        }
    }
}
