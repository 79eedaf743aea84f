//! The property behind promises 1 to 5: whatever mix of messages and panics, siblings answer, no acknowledged write is
//! lost or doubled, a panic hits only the callers it may hit, restarts respect backoff and limit.
//!
//! Each case runs in virtual time on one arbiter, so that pauses can be compared to the millisecond.

use std::time::Duration;

use chartly::runtime::{
    AskError, Breakpoints, CrashLog, Handle, OnGiveUp, Place, Policy, Root, State, Verdict, VitalsSnapshot,
};
use futures_util::future::join_all;
use proptest::prelude::*;

use crate::support::{FailOutside, Fault, Linger, Seed, Step, Write, Writer, hush_injected_panics, policy, start};

const ACTORS: usize = 3;

/// One message of the mix.
#[derive(Debug, Clone, Copy)]
enum Send {
    Write(Option<Fault>),
    Linger,
    Outside,
    /// Arms the state load: after the next crash it fails this often too.
    FailLoads(u32),
}

/// Messages that are under way together, each to one actor, and the pause after them.
#[derive(Debug, Clone)]
struct Burst {
    sends: Vec<(usize, Send)>,
    pause_ms: u64,
}

#[derive(Debug)]
struct Outcome {
    actor: usize,
    entry: u64,
    send: Send,
    result: Result<(), AskError>,
}

fn sends() -> impl Strategy<Value = Send> {
    let faults = [Fault::Handler, Fault::Spawned, Fault::Timer, Fault::BetweenAwaits, Fault::AfterWrite];
    prop_oneof![
        10 => Just(Send::Write(None)),
        3 => prop::sample::select(faults.to_vec()).prop_map(|fault| Send::Write(Some(fault))),
        1 => Just(Send::Linger),
        1 => Just(Send::Outside),
        1 => (1_u32..3).prop_map(Send::FailLoads),
    ]
}

/// The last actor is the sibling: it never gets a fault.
fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    let send = (0..ACTORS, sends()).prop_map(|(actor, send)| match send {
        Send::Write(_) | Send::FailLoads(_) | Send::Outside if actor == ACTORS - 1 => (actor, Send::Write(None)),
        other => (actor, other),
    });
    let burst =
        (prop::collection::vec(send, 1..10), 0_u64..150).prop_map(|(sends, pause_ms)| Burst { sends, pause_ms });
    prop::collection::vec(burst, 1..12)
}

fn limits(max_crashes: usize) -> Policy {
    Policy { max_crashes, window: Duration::from_millis(400), on_give_up: OnGiveUp::Contain, mailbox: 8, ..policy() }
}

async fn send(actor: usize, handle: &Handle<Writer>, seed: &Seed, entry: u64, send: Send) -> Outcome {
    let result = match send {
        Send::Write(fault) => handle.ask(Write { entry, fault }).await.map(|_| ()),
        Send::Linger => handle.ask(Linger(Duration::from_millis(30))).await,
        Send::Outside => handle.ask(FailOutside).await,
        Send::FailLoads(times) => {
            seed.breakpoints.arm("load", times);
            Ok(())
        }
    };
    Outcome { actor, entry, send, result }
}

/// Plays the bursts and returns all outcomes, with what the actors left behind.
async fn play(bursts: Vec<Burst>, max_crashes: usize) -> (Vec<Outcome>, Vec<Seed>, Vec<VitalsSnapshot>) {
    tokio::time::pause();
    let root = Root::new();
    let seeds: Vec<Seed> =
        (0..ACTORS).map(|_| Seed { breakpoints: Breakpoints::armable(), ..Seed::default() }).collect();
    let handles: Vec<_> = seeds.iter().map(|seed| start(&root, &Place::current(), limits(max_crashes), seed)).collect();
    let mut outcomes = Vec::new();
    let mut entry = 0;
    for burst in bursts {
        let under_way = burst.sends.into_iter().map(|(actor, message)| {
            entry += 1;
            send(actor, &handles[actor], &seeds[actor], entry, message)
        });
        outcomes.extend(join_all(under_way).await);
        tokio::time::sleep(Duration::from_millis(burst.pause_ms)).await;
    }
    // Long enough for every timer and every restart that is still due.
    tokio::time::sleep(Duration::from_secs(5)).await;
    (outcomes, seeds, root.vitals())
}

fn check(outcomes: &[Outcome], seeds: &[Seed], vitals: &[VitalsSnapshot], max_crashes: usize) {
    for (actor, (seed, seen)) in seeds.iter().zip(vitals).enumerate() {
        let mine: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.actor == actor).collect();
        check_writes(&mine, &seed.log.entries());
        check_callers(&mine, seen);
        check_restarts(seed, seen, max_crashes);
        assert_eq!(seen.queue_depth, 0, "permits are given back");
    }
    let sibling = &vitals[ACTORS - 1];
    assert_eq!((sibling.crashes, sibling.restarts, sibling.state), (0, 0, State::Running));
}

fn check_writes(mine: &[&Outcome], log: &[u64]) {
    for outcome in mine {
        let Send::Write(fault) = outcome.send else { continue };
        let times = log.iter().filter(|entry| **entry == outcome.entry).count();
        match outcome.result {
            Ok(()) => assert_eq!(times, 1, "acknowledged, and not there once: {outcome:?}"),
            Err(error) if error.safe_to_retry() => assert_eq!(times, 0, "refused, and handled: {outcome:?}"),
            Err(_) => {
                let before_the_write = matches!(fault, Some(Fault::Handler | Fault::BetweenAwaits));
                assert!(times <= usize::from(!before_the_write), "{outcome:?}");
            }
        }
    }
}

/// A message is lost to a crash only if it panicked itself, was at work beside the panic, or waited for an actor that
/// was given up. Of the writes, which are handled one by one, each panic beside them can hit no more than one.
fn check_callers(mine: &[&Outcome], seen: &VitalsSnapshot) {
    let mut hit_by_others = 0;
    for outcome in mine {
        match outcome.result {
            Ok(()) => assert!(!panics_itself(outcome.send), "answered by a panic: {outcome:?}"),
            Err(AskError::Crashed) if panics_itself(outcome.send) || seen.state == State::GaveUp => {}
            Err(AskError::Crashed) if matches!(outcome.send, Send::Linger) => assert!(seen.crashes > 0, "{outcome:?}"),
            Err(AskError::Crashed) => hit_by_others += 1,
            Err(AskError::Deadline) => panic!("the pauses are far shorter than the deadline: {outcome:?}"),
            Err(AskError::Down) => assert_eq!(seen.state, State::GaveUp, "{outcome:?}"),
            Err(AskError::Overloaded | AskError::Restarting) => {}
        }
    }
    let beside = mine.iter().filter(|outcome| panics_beside(outcome.send)).count();
    assert!(hit_by_others <= beside, "{hit_by_others} callers hit by {beside} panics of others");
}

const fn panics_itself(send: Send) -> bool {
    matches!(send, Send::Outside | Send::Write(Some(Fault::Handler | Fault::BetweenAwaits | Fault::AfterWrite)))
}

const fn panics_beside(send: Send) -> bool {
    matches!(send, Send::Write(Some(Fault::Spawned | Fault::Timer)))
}

/// Every pause is the one that the policy names for its crash, and the end comes with the crash that it names.
fn check_restarts(seed: &Seed, seen: &VitalsSnapshot, max_crashes: usize) {
    let crashed = seed.journal.times_of(Step::Reset);
    let started = seed.journal.times_of(Step::Started);
    let mut log = CrashLog::new(limits(max_crashes));
    for (at, back) in crashed.iter().zip(&started[1..]) {
        let Verdict::RestartAfter(pause) = log.record(*at) else { panic!("restarted beyond the limit") };
        let took = *back - *at;
        assert!(took >= pause && took <= pause + Duration::from_millis(2), "paused {took:?} instead of {pause:?}");
    }
    let gave_up = seen.state == State::GaveUp;
    assert_eq!(seen.crashes as usize, crashed.len() + usize::from(gave_up));
    assert_eq!(seen.restarts as usize, started.len() - 1);
    assert!(gave_up || seen.state == State::Running, "neither back nor given up: {seen:?}");
    assert!(!gave_up || crashed.len() >= max_crashes, "given up too early");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn panics_at_random_points_keep_every_promise(bursts in bursts(), max_crashes in 0_usize..6) {
        hush_injected_panics();
        actix::System::new().block_on(async move {
            let (outcomes, seeds, vitals) = play(bursts, max_crashes).await;
            check(&outcomes, &seeds, &vitals, max_crashes);
        });
    }
}
