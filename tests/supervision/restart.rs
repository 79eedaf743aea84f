//! Promise 3: restart with exponential backoff at the same address, state rebuilt from the store, queue kept, poison
//! not replayed.

use std::time::Duration;

use chartly::runtime::{AskError, Breakpoints, Place, Policy, Root, State};

use crate::support::{Fault, Seed, Step, Write, eventually, hush_injected_panics, policy, start};

#[actix::test]
async fn what_was_queued_behind_the_poison_is_answered_and_the_poison_is_not_replayed() {
    hush_injected_panics();
    let root = Root::new();
    let place = Place::current();
    for fault in [Fault::Handler, Fault::BetweenAwaits, Fault::AfterWrite] {
        let seed = Seed::default();
        let writer = start(&root, &place, policy(), &seed);
        let copy = writer.clone();
        assert_eq!(writer.ask(Write::well(1)).await, Ok(1));

        let poison = writer.ask(Write::failing(2, fault));
        let (poison, third, fourth) = tokio::join!(poison, writer.ask(Write::well(3)), writer.ask(Write::well(4)));
        assert_eq!(poison, Err(AskError::Crashed), "{fault:?}");
        // The count is loaded from the log: it includes what was written before the panic, whoever was told of it.
        let written = if fault == Fault::AfterWrite { vec![1, 2, 3, 4] } else { vec![1, 3, 4] };
        assert_eq!((third, fourth), (Ok(written.len() as u64 - 1), Ok(written.len() as u64)), "{fault:?}");
        assert_eq!(copy.ask(Write::well(5)).await, Ok(written.len() as u64 + 1), "an old handle still works");
        assert_eq!(seed.log.entries()[..written.len()], written);
        assert_eq!(seed.journal.times_of(Step::Started).len(), 2);
    }
}

#[actix::test]
async fn the_pause_doubles_with_every_crash_up_to_its_maximum() {
    hush_injected_panics();
    tokio::time::pause();
    let root = Root::new();
    let seed = Seed::default();
    let limits = Policy { max_crashes: 6, ..policy() };
    let writer = start(&root, &Place::current(), limits, &seed);
    for entry in 0..6 {
        assert_eq!(writer.ask(Write::failing(entry, Fault::Handler)).await, Err(AskError::Crashed));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let crashed = seed.journal.times_of(Step::Reset);
    let back = seed.journal.times_of(Step::Started);
    let pauses: Vec<u128> = crashed.iter().zip(&back[1..]).map(|(from, to)| (*to - *from).as_millis()).collect();
    let expected = [10, 20, 40, 80, 80, 80];
    assert!(pauses.iter().zip(expected).all(|(pause, wanted)| (wanted..=wanted + 2).contains(pause)), "{pauses:?}");
}

#[actix::test]
async fn the_queue_waits_while_the_state_is_loaded() {
    hush_injected_panics();
    tokio::time::pause();
    let root = Root::new();
    let seed = Seed { load_time: Duration::from_millis(300), ..Seed::default() };
    seed.log.append(7);
    let writer = start(&root, &Place::current(), policy(), &seed);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(writer.vitals().state(), State::Starting, "it is not running before it is loaded");
    assert_eq!(writer.ask(Write::well(8)).await, Ok(2), "the first message sees the loaded state");
    assert_eq!(writer.vitals().state(), State::Running);

    let loading = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(writer.vitals().state(), State::Starting, "nor before it is loaded again");
    };
    let (_, queued, ()) =
        tokio::join!(writer.ask(Write::failing(9, Fault::Handler)), writer.ask(Write::well(10)), loading);
    assert_eq!(queued, Ok(3), "so does what waited through a restart");
    let steps: Vec<Step> = seed.journal.steps().into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps, [Step::Started, Step::Loaded, Step::Reset, Step::Started, Step::Loaded]);
}

#[actix::test]
async fn a_panic_of_the_load_is_a_crash_like_any_other() {
    hush_injected_panics();
    let root = Root::new();
    let seed = Seed { breakpoints: Breakpoints::armable(), ..Seed::default() };
    seed.breakpoints.arm("load", 2);
    let writer = start(&root, &Place::current(), policy(), &seed);
    assert_eq!(writer.ask(Write::well(1)).await, Ok(1), "it waits until the third load works");
    let vitals = writer.vitals().snapshot();
    assert_eq!((vitals.crashes, vitals.restarts, vitals.state), (2, 2, State::Running));
    assert_eq!(vitals.last_crash.as_deref(), Some("injected at load"));
}

#[actix::test]
async fn a_panic_of_the_reset_delays_the_restart_and_does_not_end_it() {
    hush_injected_panics();
    let root = Root::new();
    let seed = Seed { breakpoints: Breakpoints::armable(), ..Seed::default() };
    let writer = start(&root, &Place::current(), policy(), &seed);
    seed.breakpoints.arm("restarting", 2);
    let (_, queued) = tokio::join!(writer.ask(Write::failing(1, Fault::Handler)), writer.ask(Write::well(2)));
    assert_eq!(queued, Ok(1));
    assert_eq!(writer.vitals().crashes(), 2, "the panic itself, and the reset that failed again after the pause");
}

#[actix::test]
async fn what_was_accepted_is_handled_though_the_last_handle_is_gone() {
    hush_injected_panics();
    let root = Root::new();
    let seed = Seed { work_time: Duration::from_millis(1), ..Seed::default() };
    let writer = start(&root, &Place::current(), policy(), &seed);
    writer.tell(Write::failing(1, Fault::Handler)).expect("accepted");
    writer.tell(Write::well(2)).expect("accepted");
    writer.tell(Write::well(3)).expect("accepted");
    let vitals = std::sync::Arc::clone(writer.vitals());
    drop(writer);
    eventually("it ends by itself", || vitals.state() == State::Stopped).await;
    assert_eq!(seed.log.entries(), [2, 3]);
    let rebuilt = (seed.journal.times_of(Step::Reset).len(), seed.journal.times_of(Step::Started).len());
    assert_eq!(rebuilt, (1, 2), "by a rebuilt actor");
}
