//! Promise 6: an arbiter that stopped answering is detected and escalated.

use std::time::Duration;

use chartly::runtime::{AskError, Escalation, OnGiveUp, Place, Reason, Root, WatchPolicy};

use crate::support::{Block, Seed, Write, eventually, policy, start};

fn impatient_root() -> Root {
    Root::with_watch(WatchPolicy { interval: Duration::from_millis(20), max_misses: 9 })
}

async fn escalation(root: &Root) -> Escalation {
    let mut escalated = root.escalated();
    let seen = tokio::time::timeout(Duration::from_secs(5), escalated.wait_for(Option::is_some)).await;
    seen.expect("escalated in time").expect("the root lives").clone().expect("some")
}

#[actix::test]
async fn a_blocked_arbiter_is_escalated_while_the_others_answer() {
    let root = impatient_root();
    let (good, bad) = (root.place("good").expect("an arbiter"), root.place("bad").expect("an arbiter"));
    let healthy = start(&root, &good, policy(), &Seed::default());
    let blocked = start(&root, &bad, policy(), &Seed::default());
    blocked.tell(Block(Duration::from_millis(800))).expect("accepted");
    let unanswered = blocked.ask_within(Write::well(1), Duration::from_millis(50)).await;
    assert_eq!(unanswered, Err(AskError::Deadline), "its callers are not held up");
    let expected = Escalation { name: "bad".to_owned(), reason: Reason::ArbiterStuck { missed: 10 } };
    assert_eq!(escalation(&root).await, expected);
    assert_eq!(healthy.ask(Write::well(1)).await, Ok(1));
    let missed =
        |name: &str| root.places().into_iter().find(|place| place.name == name).map(|place| place.missed_pings);
    assert!(missed("bad") >= Some(10));
    assert!(missed("good") <= Some(9));
    root.stop(Duration::from_secs(2)).await;
}

#[actix::test]
async fn a_pause_within_the_patience_is_forgiven() {
    let root = impatient_root();
    let place = root.place("busy").expect("an arbiter");
    let writer = start(&root, &place, policy(), &Seed::default());
    for _ in 0..3 {
        assert_eq!(writer.ask(Block(Duration::from_millis(60))).await, Ok(()));
    }
    eventually("the misses are forgotten", || root.places()[0].missed_pings == 0).await;
    assert_eq!(*root.escalated().borrow(), None);
    root.stop(Duration::from_secs(2)).await;
}

#[actix::test]
async fn an_actor_whose_arbiter_ends_is_down_and_says_so() {
    let root = Root::new();
    let place = root.place("doomed").expect("an arbiter");
    let writer = start(&root, &place, policy(), &Seed::default());
    assert_eq!(writer.ask(Write::well(1)).await, Ok(1));
    end_arbiter(&root, &place);
    let expected = Escalation { name: "writer".to_owned(), reason: Reason::ArbiterLost };
    assert_eq!(escalation(&root).await, expected, "heard from the actor, before the watchdog looks");
    eventually("the actor is known to be lost", || writer.vitals().state().has_ended()).await;
    assert_eq!(writer.ask(Write::well(2)).await, Err(AskError::Down));
    let late = start(&root, &place, policy(), &Seed::default());
    assert_eq!(late.ask(Write::well(3)).await, Err(AskError::Down), "nothing can be started there any more");
}

#[actix::test]
async fn an_arbiter_that_ends_is_escalated_though_nothing_ran_on_it() {
    let root = impatient_root();
    let place = root.place("doomed").expect("an arbiter");
    end_arbiter(&root, &place);
    let expected = Escalation { name: "doomed".to_owned(), reason: Reason::ArbiterLost };
    assert_eq!(escalation(&root).await, expected);
}

#[actix::test]
async fn the_arbiter_of_the_main_thread_is_watched_on_demand() {
    let root = impatient_root();
    root.watch(&Place::current()).expect("a watchdog");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(*root.escalated().borrow(), None);
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(escalation(&root).await.reason, Reason::ArbiterStuck { missed: 10 });
}

#[actix::test]
async fn an_orderly_stop_is_no_escalation() {
    let root = impatient_root();
    let place = root.place("place").expect("an arbiter");
    let writer = start(&root, &place, policy(), &Seed::default());
    assert_eq!(writer.ask(Write::well(1)).await, Ok(1));
    assert_eq!(root.stop(Duration::from_secs(2)).await, Vec::<String>::new());
    let late = start(&root, &place, policy(), &Seed::default());
    assert_eq!(late.ask(Write::well(2)).await, Err(AskError::Down));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(*root.escalated().borrow(), None);
}

fn end_arbiter(root: &Root, place: &Place) {
    root.spawn(place, "saboteur", OnGiveUp::Contain, || async {
        actix::Arbiter::current().stop();
    });
}
