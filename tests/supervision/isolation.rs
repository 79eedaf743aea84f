//! Promise 1: a panic of one actor never takes down a sibling, nor the process.

use std::time::Duration;

use chartly::runtime::{AskError, Place, Policy, Root, State};

use crate::support::{FailOutside, Fault, Seed, Write, eventually, hush_injected_panics, policy, start};

const FAULTS: [Fault; 5] = [Fault::Handler, Fault::Spawned, Fault::Timer, Fault::BetweenAwaits, Fault::AfterWrite];

#[actix::test]
async fn siblings_on_the_same_and_on_another_arbiter_go_on_with_their_state() {
    hush_injected_panics();
    let root = Root::new();
    let shared = root.place("shared").expect("an arbiter");
    let other = root.place("other").expect("an arbiter");
    let patient = Policy { max_crashes: 100, ..policy() };
    let failing = start(&root, &shared, patient, &Seed::default());
    let neighbours =
        [start(&root, &shared, patient, &Seed::default()), start(&root, &other, patient, &Seed::default())];

    for (round, fault) in (1_u64..).zip(FAULTS) {
        let _ = failing.ask(Write::failing(round, fault)).await;
        eventually("the crash is counted", || u64::from(failing.vitals().crashes()) == round).await;
        for neighbour in &neighbours {
            assert_eq!(neighbour.ask(Write::well(round)).await, Ok(round), "after {fault:?}");
        }
        eventually("the actor is back", || failing.vitals().state() == State::Running).await;
    }
    for neighbour in &neighbours {
        let vitals = neighbour.vitals().snapshot();
        assert_eq!((vitals.crashes, vitals.restarts, vitals.state), (0, 0, State::Running));
    }
    assert_eq!(*root.escalated().borrow(), None);
    assert_eq!(root.stop(Duration::from_secs(2)).await, Vec::<String>::new());
}

#[actix::test]
async fn a_panic_outside_the_actor_hits_its_caller_alone() {
    hush_injected_panics();
    let root = Root::new();
    let writer = start(&root, &Place::current(), policy(), &Seed::default());
    assert_eq!(writer.ask(Write::well(1)).await, Ok(1));
    assert_eq!(writer.ask(FailOutside).await, Err(AskError::Crashed));
    assert_eq!(writer.ask(Write::well(2)).await, Ok(2), "the state is untouched");
    assert_eq!(writer.vitals().snapshot().crashes, 0);
}

#[actix::test]
async fn a_panic_while_the_actor_is_made_is_contained() {
    hush_injected_panics();
    let root = Root::new();
    let place = root.place("place").expect("an arbiter");
    let sibling = start(&root, &place, policy(), &Seed::default());
    let stillborn =
        root.start(&place, "stillborn", policy(), || -> crate::support::Writer { panic!("injected in the factory") });
    eventually("it is given up", || stillborn.vitals().state() == State::GaveUp).await;
    assert_eq!(stillborn.ask(Write::well(1)).await, Err(AskError::Down));
    assert_eq!(sibling.ask(Write::well(1)).await, Ok(1));
    root.stop(Duration::from_secs(2)).await;
}
