//! Tickers: never two steps at once, armed exactly once per incarnation, and on the clock that tests pause.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actix::prelude::*;
use chartly::runtime::{Periodic, Place, Root};
use tokio::time::Instant;

use crate::support::{hush_injected_panics, policy};

#[actix::test]
async fn a_slow_step_delays_the_next_and_never_overlaps_it() {
    tokio::time::pause();
    let (running, steps) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let step = || {
        let (running, steps) = (Rc::clone(&running), Rc::clone(&steps));
        async move {
            assert!(!running.replace(true), "two steps at once");
            tokio::time::sleep(Duration::from_secs(25)).await;
            steps.set(steps.get() + 1);
            running.set(false);
        }
    };
    let ticker = Periodic::every(Duration::from_secs(10)).run(step);
    let _ = tokio::time::timeout(Duration::from_secs(10 + 35 * 4), ticker).await;
    assert_eq!(steps.get(), 4);
}

#[actix::test]
async fn jitter_lengthens_each_pause_within_its_bound() {
    tokio::time::pause();
    let times = Rc::new(RefCell::new(vec![Instant::now()]));
    let step = || {
        times.borrow_mut().push(Instant::now());
        std::future::ready(())
    };
    let ticker = Periodic::every(Duration::from_secs(10)).jitter(Duration::from_secs(5)).run(step);
    let _ = tokio::time::timeout(Duration::from_secs(2_000), ticker).await;
    let gaps: Vec<Duration> = times.borrow().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > 100);
    let (shortest, longest) = (gaps.iter().min().expect("gaps"), gaps.iter().max().expect("gaps"));
    assert!(
        *shortest >= Duration::from_secs(10) && *longest <= Duration::from_millis(15_002),
        "{shortest:?} {longest:?}"
    );
    assert!(*longest - *shortest > Duration::from_secs(2), "no jitter: {shortest:?} {longest:?}");
}

/// Counts its ticks, also over restarts; a step takes a while.
struct Ticking {
    ticks: Arc<AtomicU32>,
}

impl Actor for Ticking {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Periodic::every(Duration::from_secs(1)).at_once().run_in(context, |ticking, _| {
            ticking.ticks.fetch_add(1, Ordering::SeqCst);
            Box::pin(tokio::time::sleep(Duration::from_secs(1)).into_actor(ticking))
        });
    }
}

impl Supervised for Ticking {}

#[derive(Message)]
#[rtype(result = "()")]
struct Crash;

impl Handler<Crash> for Ticking {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Self::Context) {
        panic!("injected between ticks");
    }
}

#[actix::test]
async fn an_actor_ticks_once_per_incarnation_also_after_crashes() {
    hush_injected_panics();
    tokio::time::pause();
    let root = Root::new();
    let ticks = Arc::default();
    let shared = Arc::clone(&ticks);
    let ticking = root.start(&Place::current(), "ticking", policy(), move || Ticking { ticks: shared });
    for _ in 0..3 {
        ticking.ask(Crash).await.expect_err("it crashes");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let before = ticks.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(100)).await;
    let during = ticks.load(Ordering::SeqCst) - before;
    assert!((49..=51).contains(&during), "{during} ticks in 100 s at one tick in 2 s");
    let vitals = Arc::clone(ticking.vitals());
    drop(ticking);
    tokio::time::timeout(Duration::from_secs(1), vitals.ended()).await.expect("a ticker does not keep its actor alive");
}
