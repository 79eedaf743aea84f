//! Promise 2: the caller gets a typed error at once, and knows whether the message may have been handled.

use std::time::Duration;

use chartly::runtime::{AskError, OnGiveUp, Place, Policy, Root, State};
use tokio::time::Instant;

use crate::support::{Fault, Linger, Seed, Step, Write, eventually, hush_injected_panics, policy, start};

/// A pause after the crash that is far longer than "at once".
fn long_pause() -> Policy {
    let pause = Duration::from_secs(3_600);
    Policy { min_backoff: pause, max_backoff: pause, ..policy() }
}

#[actix::test]
async fn callers_of_a_crashing_actor_learn_it_before_it_is_rebuilt() {
    hush_injected_panics();
    let root = Root::new();
    let seed = Seed::default();
    let writer = start(&root, &Place::current(), long_pause(), &seed);
    let began = Instant::now();
    // The first message is in work, spawned by the actor, when the second one panics.
    let (in_work, poison) =
        tokio::join!(writer.ask(Linger(Duration::from_secs(60))), writer.ask(Write::failing(1, Fault::Handler)));
    assert_eq!((in_work, poison), (Err(AskError::Crashed), Err(AskError::Crashed)));
    assert_eq!(writer.ask(Write::well(2)).await, Err(AskError::Restarting));
    assert_eq!(writer.tell(Write::well(3)), Err(AskError::Restarting));
    assert!(began.elapsed() < Duration::from_secs(2), "not at once: {:?}", began.elapsed());
    assert_eq!(seed.log.entries(), [0; 0], "what was refused was never handled");
}

#[actix::test]
async fn a_full_mailbox_is_overloaded_and_leaves_no_trace() {
    let root = Root::new();
    let seed = Seed { work_time: Duration::from_millis(20), ..Seed::default() };
    let writer = start(&root, &Place::current(), Policy { mailbox: 1, ..policy() }, &seed);
    let (first, second) = tokio::join!(writer.ask(Write::well(1)), writer.ask(Write::well(2)));
    assert_eq!((first, second), (Ok(1), Err(AskError::Overloaded)));
    assert_eq!(seed.log.entries(), [1]);
}

#[actix::test]
async fn a_deadline_leaves_the_outcome_open() {
    tokio::time::pause();
    let root = Root::new();
    let seed = Seed { work_time: Duration::from_secs(60), ..Seed::default() };
    let writer = start(&root, &Place::current(), policy(), &seed);
    let began = Instant::now();
    let outcome = writer.ask_within(Write::well(1), Duration::from_millis(500)).await;
    assert_eq!(outcome, Err(AskError::Deadline));
    assert!(began.elapsed() < Duration::from_millis(600), "late: {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(seed.log.entries(), [1], "it was handled all the same");
}

#[actix::test]
async fn every_ask_has_a_deadline_without_being_given_one() {
    tokio::time::pause();
    let root = Root::new();
    let writer = start(&root, &Place::current(), policy(), &Seed::default());
    let began = Instant::now();
    assert_eq!(writer.ask(Linger(Duration::from_secs(3_600))).await, Err(AskError::Deadline));
    assert!(began.elapsed() < policy().deadline + Duration::from_millis(100));
}

#[actix::test]
async fn an_actor_that_stopped_or_was_given_up_is_down() {
    hush_injected_panics();
    let root = Root::new();
    let contained = Policy { max_crashes: 0, on_give_up: OnGiveUp::Contain, ..policy() };
    let seed = Seed::default();
    let lost = start(&root, &Place::current(), contained, &seed);
    let queued = lost.ask(Write::well(2));
    let (poison, queued) = tokio::join!(lost.ask(Write::failing(1, Fault::Handler)), queued);
    assert_eq!(poison, Err(AskError::Crashed));
    assert_eq!(queued, Err(AskError::Crashed), "what waits in the queue of a lost actor is told so");
    eventually("it is given up", || lost.vitals().state() == State::GaveUp).await;
    assert_eq!(lost.ask(Write::well(3)).await, Err(AskError::Down));
    assert!(seed.journal.times_of(Step::Stopped).is_empty(), "nothing runs on a broken state, not even stopped()");
    assert_eq!(seed.log.entries(), [0; 0]);

    let stopped = start(&root, &Place::current(), policy(), &Seed::default());
    assert_eq!(stopped.stop(Duration::from_secs(1)).await, Ok(()));
    assert_eq!(stopped.ask(Write::well(1)).await, Err(AskError::Down));
    assert_eq!(stopped.tell(Write::well(1)), Err(AskError::Down));
}
