//! Promise 8: restarts, crashes, queue depth and state can be seen, in the shape that status and metrics show.

use std::time::Duration;

use chartly::runtime::{AskCounts, Kind, OnGiveUp, Place, Policy, Root, State};

use crate::support::{Fault, Linger, Seed, Write, eventually, hush_injected_panics, policy, start};

#[actix::test]
async fn every_part_of_a_life_can_be_seen() {
    hush_injected_panics();
    let root = Root::new();
    let limits = Policy {
        min_backoff: Duration::from_millis(150),
        max_crashes: 1,
        mailbox: 2,
        on_give_up: OnGiveUp::Contain,
        ..policy()
    };
    let limits = Policy { max_backoff: limits.min_backoff, ..limits };
    let writer = start(&root, &Place::current(), limits, &Seed::default());
    let seen = || root.vitals().into_iter().next().expect("one actor");
    assert_eq!((seen().state, seen().kind, seen().queue_capacity), (State::Starting, Kind::Actor, 2));

    writer.ask(Write::well(1)).await.expect("an answer");
    assert_eq!((seen().state, seen().queue_depth), (State::Running, 0));
    writer.ask_within(Linger(Duration::from_secs(60)), Duration::from_millis(1)).await.expect_err("too late");
    assert_eq!(seen().queue_depth, 1);
    let (_, _) = tokio::join!(writer.ask(Write::failing(2, Fault::Handler)), writer.ask(Write::well(3)));
    writer.ask(Write::well(4)).await.expect_err("it restarts");
    assert_eq!((seen().state, seen().crashes, seen().restarts), (State::Restarting, 1, 0));
    assert_eq!(seen().last_crash.as_deref(), Some("injected in the handler"));
    eventually("it is back", || seen().state == State::Running).await;
    assert_eq!((seen().crashes, seen().restarts, seen().queue_depth), (1, 1, 0));

    writer.tell(Write::failing(5, Fault::BetweenAwaits)).expect("accepted");
    eventually("it is given up", || seen().state == State::GaveUp).await;
    writer.ask(Write::well(6)).await.expect_err("it is down");
    let asks = AskCounts { answered: 1, told: 1, overloaded: 1, restarting: 1, crashed: 1, deadline: 1, down: 1 };
    assert_eq!(seen().asks, asks);
}

#[actix::test]
async fn a_snapshot_has_the_documented_shape() {
    let root = Root::new();
    let writer = start(&root, &Place::current(), policy(), &Seed::default());
    writer.ask(Write::well(1)).await.expect("an answer");
    let shown = serde_json::to_value(root.vitals()).expect("plain data");
    let expected = serde_json::json!([{
        "id": 1, "name": "writer", "kind": "actor", "state": "running", "stopping": false,
        "crashes": 0, "restarts": 0, "queue_depth": 0, "queue_capacity": 64, "last_crash": null,
        "asks": {"answered": 1, "told": 0, "overloaded": 0, "restarting": 0, "crashed": 0, "deadline": 0, "down": 0},
    }]);
    assert_eq!(shown, expected);
}

#[actix::test]
async fn what_ended_is_listed_until_it_is_forgotten_and_never_without_bound() {
    let root = Root::new();
    let place = Place::current();
    let kept = start(&root, &place, policy(), &Seed::default());
    let writer = start(&root, &place, policy(), &Seed::default());
    writer.stop(Duration::from_secs(1)).await.expect("nothing to do");
    assert_eq!(root.vitals()[1].state, State::Stopped);
    root.forget(writer.vitals().id());
    root.forget(kept.vitals().id());
    assert_eq!(root.vitals().len(), 1, "only what has ended is forgotten");

    for _ in 0..400 {
        let passing = start(&root, &place, policy(), &Seed::default());
        passing.stop(Duration::from_secs(1)).await.expect("nothing to do");
    }
    assert_eq!(root.vitals().len(), 1 + 256);
    assert_eq!(root.vitals()[0].state, State::Running, "the living are never pushed off the list");
}
