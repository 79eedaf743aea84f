//! The least that must work: ask, crash, ask again at the same address.

use chartly::runtime::{AskError, Place, Root, State};

use crate::support::{Fault, Seed, Write, policy, start};

#[actix::test]
async fn an_actor_answers_again_after_a_crash() {
    let root = Root::new();
    let seed = Seed::default();
    let writer = start(&root, &Place::current(), policy(), &seed);
    assert_eq!(writer.ask(Write::well(1)).await, Ok(1));

    let poisoned = writer.ask(Write::failing(2, Fault::Handler));
    let queued = writer.ask(Write::well(3));
    let (poisoned, queued) = tokio::join!(poisoned, queued);
    assert_eq!(poisoned, Err(AskError::Crashed));
    assert_eq!(queued, Ok(2), "what was queued behind the poison is answered");

    let vitals = &root.vitals()[0];
    assert_eq!((vitals.state, vitals.crashes, vitals.restarts), (State::Running, 1, 1));
    assert_eq!(seed.log.entries(), [1, 3]);
}
