//! Promise 4: more than N crashes in T escalate; the node becomes unready, shuts down in order and exits with code 70.

use std::time::Duration;

use chartly::runtime::{AskError, Escalation, OnGiveUp, Place, Policy, Reason, Root, State};

use crate::{
    node::{self, Process, Scenario},
    support::{Fault, Seed, Write, hush_injected_panics, policy, start},
};

#[actix::test]
async fn one_crash_more_than_the_limit_escalates_and_not_one_less() {
    hush_injected_panics();
    tokio::time::pause();
    let root = Root::new();
    let limits = Policy { max_crashes: 3, ..policy() };
    let writer = start(&root, &Place::current(), limits, &Seed::default());
    for entry in 0..3 {
        assert_eq!(writer.ask(Write::failing(entry, Fault::Handler)).await, Err(AskError::Crashed));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*root.escalated().borrow(), None, "after {} crashes", entry + 1);
    }
    assert_eq!(writer.ask(Write::well(4)).await, Ok(1), "three crashes are survived");
    assert_eq!(writer.ask(Write::failing(5, Fault::BetweenAwaits)).await, Err(AskError::Crashed));
    tokio::task::yield_now().await;
    let reason = Reason::GaveUp { crashes: 4, last: "injected between two awaits".to_owned() };
    assert_eq!(*root.escalated().borrow(), Some(Escalation { name: "writer".to_owned(), reason }));
}

#[actix::test]
async fn crashes_that_lie_further_apart_than_the_window_never_escalate() {
    hush_injected_panics();
    tokio::time::pause();
    let root = Root::new();
    let limits = Policy { max_crashes: 1, window: Duration::from_secs(10), ..policy() };
    let writer = start(&root, &Place::current(), limits, &Seed::default());
    for entry in 0..20 {
        assert_eq!(writer.ask(Write::failing(entry, Fault::Handler)).await, Err(AskError::Crashed));
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    assert_eq!(writer.ask(Write::well(20)).await, Ok(1));
    assert_eq!(*root.escalated().borrow(), None);
}

#[actix::test]
async fn a_contained_actor_is_lost_alone() {
    hush_injected_panics();
    let root = Root::new();
    let contained = Policy { max_crashes: 0, on_give_up: OnGiveUp::Contain, ..policy() };
    let lost = start(&root, &Place::current(), contained, &Seed::default());
    let sibling = start(&root, &Place::current(), policy(), &Seed::default());
    assert_eq!(lost.ask(Write::failing(1, Fault::Handler)).await, Err(AskError::Crashed));
    lost.vitals().ended().await;
    assert_eq!(root.vitals()[0].state, State::GaveUp, "it stays to be seen");
    assert_eq!(sibling.ask(Write::well(1)).await, Ok(1));
    assert_eq!(*root.escalated().borrow(), None);
}

#[test]
fn a_node_whose_actor_is_given_up_ends_in_order_with_code_70() {
    if let Some(scenario) = Scenario::of_this_process() {
        node::exit(node::run(scenario));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "escalation::a_node_whose_actor_is_given_up_ends_in_order_with_code_70";
    let (said, code, _) = Process::start(name, Scenario::Poison, folder.path(), false).end();
    assert_eq!(said, ["ready", "unready", "stopped producer", "stopped storage", "laggards []"]);
    assert_eq!(code, Some(70));
}

#[test]
fn a_node_with_a_stuck_arbiter_ends_within_its_deadline_with_code_70() {
    if let Some(scenario) = Scenario::of_this_process() {
        node::exit(node::run(scenario));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "escalation::a_node_with_a_stuck_arbiter_ends_within_its_deadline_with_code_70";
    let (said, code, took) = Process::start(name, Scenario::Stuck, folder.path(), false).end();
    let expected = "gave up on producer: producer did not stop in time; 0 accepted messages got no answer";
    assert_eq!(said[..4], ["ready", "unready", "stopped storage", expected]);
    assert!(said[4].contains("\"work\""), "the laggards are named: {}", said[4]);
    assert_eq!(code, Some(70));
    assert!(took < Duration::from_secs(10), "the arbiter is blocked for a minute, the node is not: {took:?}");
}
