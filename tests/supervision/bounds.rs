//! Promise 5: every mailbox is bounded by permits taken before sending, kept until the message is done.

use std::time::Duration;

use actix::clock::sleep;
use chartly::runtime::{AskError, Place, Policy, Root};
use futures_util::future::join_all;

use crate::support::{Fault, Linger, Seed, Write, eventually, hush_injected_panics, policy, start};

fn eight_permits() -> Policy {
    Policy { mailbox: 8, ..policy() }
}

#[actix::test]
async fn no_more_messages_are_accepted_than_there_are_permits() {
    let root = Root::new();
    let seed = Seed { work_time: Duration::from_millis(5), ..Seed::default() };
    let writer = start(&root, &Place::current(), eight_permits(), &seed);
    let outcomes = join_all((0..12).map(|entry| writer.ask(Write::well(entry)))).await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| **outcome == Err(AskError::Overloaded)).count();
    assert_eq!((accepted, refused), (8, 4));
    assert_eq!(writer.vitals().queue_depth(), 0, "every permit came back");
    assert_eq!(writer.ask(Write::well(12)).await, Ok(9));
}

#[actix::test]
async fn clones_and_threads_share_one_bound() {
    let root = Root::new();
    let place = root.place("writer").expect("an arbiter");
    let seed = Seed { work_time: Duration::from_millis(200), ..Seed::default() };
    let writer = start(&root, &place, eight_permits(), &seed);
    let accepted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| (0..1_000).filter(|n| writer.clone().tell(Write::well(*n)).is_ok()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(accepted, 8, "4,000 messages were offered within the time of the first");
    assert_eq!(writer.vitals().queue_depth(), 8);
    assert_eq!(writer.vitals().snapshot().asks.overloaded, 3_992);
    root.stop(Duration::ZERO).await;
}

#[actix::test]
async fn a_permit_is_kept_when_the_deadline_has_passed_or_the_caller_is_gone() {
    let root = Root::new();
    let writer = start(&root, &Place::current(), eight_permits(), &Seed::default());
    let long = || Linger(Duration::from_millis(300));
    let late = writer.ask_within(long(), Duration::from_millis(10)).await;
    assert_eq!(late, Err(AskError::Deadline));
    let gone = tokio::time::timeout(Duration::from_millis(10), writer.ask(long())).await;
    gone.expect_err("the caller went away first");
    writer.tell(long()).expect("accepted");
    assert_eq!(writer.vitals().queue_depth(), 3, "all three are still in work");
    eventually("the permits come back with the answers", || writer.vitals().queue_depth() == 0).await;
}

#[actix::test]
async fn a_crash_gives_back_the_permits_of_what_it_lost_and_of_nothing_else() {
    hush_injected_panics();
    let root = Root::new();
    let slow_restart = Policy { min_backoff: Duration::from_millis(100), ..eight_permits() };
    let writer = start(
        &root,
        &Place::current(),
        Policy { max_backoff: slow_restart.min_backoff, ..slow_restart },
        &Seed::default(),
    );
    writer.tell(Linger(Duration::from_secs(60))).expect("accepted");
    writer.tell(Write::failing(1, Fault::Handler)).expect("accepted");
    writer.tell(Write::well(2)).expect("accepted");
    sleep(Duration::from_millis(50)).await;
    assert_eq!(writer.vitals().queue_depth(), 1, "in the pause, only the queued message is left");
    eventually("the queued message is handled", || writer.vitals().queue_depth() == 0).await;
}
