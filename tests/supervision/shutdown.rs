//! Promise 7: shutdown is ordered and bounded, nothing accepted is lost, a second signal stops at once.

use std::{thread, time::Duration};

use chartly::runtime::{AskError, DrainSequence, Place, Root, State};
use futures_util::future::join_all;

use crate::{
    node::{self, Process, Scenario},
    support::{Fault, Linger, Log, Seed, Step, Write, hush_injected_panics, policy, start},
};

#[test]
fn a_terminated_node_stops_its_producer_first_and_loses_nothing() {
    if let Some(scenario) = Scenario::of_this_process() {
        node::exit(node::run(scenario));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "shutdown::a_terminated_node_stops_its_producer_first_and_loses_nothing";
    let mut process = Process::start(name, Scenario::Calm, folder.path(), false);
    assert_eq!(process.hear().as_deref(), Some("ready"));
    thread::sleep(Duration::from_millis(400));
    process.terminate();
    let (said, code, _) = process.end();
    assert_eq!(said, ["unready", "stopped producer", "stopped storage", "laggards []"]);
    assert_eq!(code, Some(0));
    let accepted = Log::read_from(&node::accepted(folder.path()));
    assert!(accepted.len() > 20, "only {} accepted", accepted.len());
    assert_eq!(Log::read_from(&node::stored(folder.path())), accepted, "each once, in order");
}

#[test]
fn a_second_signal_stops_at_once() {
    if let Some(scenario) = Scenario::of_this_process() {
        node::exit(node::run(scenario));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = Process::start("shutdown::a_second_signal_stops_at_once", Scenario::Slow, folder.path(), false);
    assert_eq!(process.hear().as_deref(), Some("ready"));
    process.terminate();
    assert_eq!(process.hear().as_deref(), Some("unready"));
    thread::sleep(Duration::from_millis(300));
    process.terminate();
    let (said, code, took) = process.end();
    assert_eq!(said, ["stopped producer", "gave up on storage", "cut short"]);
    assert_eq!(code, Some(1));
    assert!(took < Duration::from_secs(2), "not at once: {took:?}");
}

#[test]
fn a_stop_takes_no_longer_than_its_deadline() {
    if let Some(scenario) = Scenario::of_this_process() {
        node::exit(node::run(scenario));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "shutdown::a_stop_takes_no_longer_than_its_deadline";
    let mut process = Process::start(name, Scenario::Slow, folder.path(), true);
    assert_eq!(process.hear().as_deref(), Some("ready"));
    process.terminate();
    let (said, code, took) = process.end();
    assert_eq!(said[..3], ["unready", "stopped producer", "gave up on storage: out of time"]);
    assert_eq!(code, Some(1));
    assert!(took < Duration::from_secs(4), "the deadline is one second: {took:?}");
}

#[actix::test]
async fn a_stopping_actor_answers_all_it_has_accepted_and_takes_nothing_new() {
    tokio::time::pause();
    let root = Root::new();
    let seed = Seed { work_time: Duration::from_millis(20), ..Seed::default() };
    let writer = start(&root, &Place::current(), policy(), &seed);
    let lingering = writer.ask(Linger(Duration::from_secs(2)));
    let queued = join_all((0..20).map(|entry| writer.ask(Write::well(entry))));
    let stop = async {
        let stopped = writer.stop(Duration::from_secs(10)).await;
        assert_eq!(seed.log.entries().len(), 20, "stop returns after the last answer");
        stopped
    };
    let refused = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(writer.vitals().snapshot().stopping);
        writer.ask(Write::well(99)).await
    };
    let (lingering, queued, stopped, refused) = tokio::join!(lingering, queued, stop, refused);
    assert_eq!((lingering, stopped, refused), (Ok(()), Ok(()), Err(AskError::Down)));
    assert!(queued.iter().all(Result::is_ok));
    assert_eq!(writer.vitals().state(), State::Stopped);
    assert_eq!(seed.journal.times_of(Step::Stopped).len(), 1);
}

#[actix::test]
async fn a_crash_during_the_stop_costs_only_the_poison() {
    hush_injected_panics();
    let root = Root::new();
    let seed = Seed::default();
    let writer = start(&root, &Place::current(), policy(), &seed);
    let asks = [Write::well(1), Write::failing(2, Fault::Handler), Write::well(3)].map(|write| writer.ask(write));
    let (outcomes, stopped) = tokio::join!(join_all(asks), writer.stop(Duration::from_secs(5)));
    assert_eq!(outcomes, [Ok(1), Err(AskError::Crashed), Ok(2)]);
    assert_eq!(stopped, Ok(()));
    assert_eq!(seed.log.entries(), [1, 3]);
}

#[actix::test]
async fn an_actor_past_its_deadline_is_ended_and_what_it_lost_is_counted() {
    tokio::time::pause();
    let root = Root::new();
    let writer = start(&root, &Place::current(), policy(), &Seed::default());
    let lingering = writer.ask_within(Linger(Duration::from_secs(60)), Duration::from_secs(60));
    let (lingering, stopped) = tokio::join!(lingering, writer.stop(Duration::from_secs(1)));
    let unfinished = stopped.expect_err("a minute of work is left");
    assert_eq!((unfinished.name.as_str(), unfinished.lost), ("writer", 1));
    assert_eq!(lingering, Err(AskError::Crashed), "its caller learns it");
    writer.vitals().ended().await;
}

#[actix::test]
async fn steps_run_one_after_the_other_and_a_failed_one_does_not_stop_the_next() {
    let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let root = Root::new();
    let stuck = start(&root, &Place::current(), policy(), &Seed::default());
    stuck.tell(Linger(Duration::from_secs(60))).expect("accepted");
    let note = |name: &'static str| {
        let order = std::rc::Rc::clone(&order);
        move || order.borrow_mut().push(name)
    };
    let (first, second, third) = (note("first"), note("second"), note("third"));
    let sequence = DrainSequence::new()
        .then("first", async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            first();
            Ok(())
        })
        .then("second", async move {
            second();
            stuck.stop(Duration::from_millis(50)).await
        })
        .then("third", async move {
            third();
            Ok(())
        });
    let report = sequence.run(Duration::from_secs(5), std::future::pending()).await;
    assert_eq!(*order.borrow(), ["first", "second", "third"]);
    assert_eq!(report.finished, ["first", "third"]);
    assert_eq!(report.unfinished, ["second: writer did not stop in time; 1 accepted messages got no answer"]);
    assert!(!report.is_clean() && !report.cut_short);
}
