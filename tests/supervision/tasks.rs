//! Background tasks: no panic goes unnoticed, and what it means is declared.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chartly::runtime::{Escalation, OnGiveUp, Place, Reason, Root, State};

use crate::support::{eventually, hush_injected_panics};

#[actix::test]
async fn a_contained_panic_is_seen_and_an_escalating_one_is_heard() {
    hush_injected_panics();
    let root = Root::new();
    let place = root.place("tasks").expect("an arbiter");
    let contained = root.spawn(&place, "contained", OnGiveUp::Contain, || async { panic!("injected once") });
    eventually("the panic is caught", || contained.vitals().state() == State::GaveUp).await;
    assert_eq!(*root.escalated().borrow(), None);
    assert_eq!(root.vitals()[0].last_crash.as_deref(), Some("injected once"));

    root.spawn(&place, "vital", OnGiveUp::Escalate, || async { panic!("injected again") });
    let mut escalated = root.escalated();
    let heard = escalated.wait_for(Option::is_some).await.expect("the root lives").clone();
    let reason = Reason::GaveUp { crashes: 1, last: "injected again".to_owned() };
    assert_eq!(heard, Some(Escalation { name: "vital".to_owned(), reason }));
    root.stop(Duration::from_secs(2)).await;
}

#[actix::test]
async fn a_task_that_ends_well_leaves_the_list() {
    let root = Root::new();
    let task = root.spawn(&Place::current(), "short", OnGiveUp::Escalate, || async {});
    assert_eq!(root.vitals().len(), 1);
    task.vitals().ended().await;
    assert!(root.vitals().is_empty());
    assert_eq!(*root.escalated().borrow(), None);
}

#[actix::test]
async fn a_stopped_task_has_dropped_what_it_held() {
    let root = Root::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let held = SetOnDrop(Arc::clone(&dropped));
    let task = root.spawn(&Place::current(), "endless", OnGiveUp::Escalate, || async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    eventually("it runs", || task.vitals().state() == State::Running).await;
    assert!(!dropped.load(Ordering::SeqCst));
    task.stop(Duration::from_secs(1)).await.expect("stopped in time");
    assert!(dropped.load(Ordering::SeqCst));
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
