//! All promises under load, over real threads: many callers, a panic every so often, nothing lost and nothing doubled.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chartly::runtime::{AskError, Handle, Policy, Root};
use futures_util::future::join_all;

use crate::support::{Fault, Seed, Write, Writer, hush_injected_panics, policy, start};

const CALLERS: u64 = 64;
const ASKS: u64 = 200;
const POISON_EVERY: u64 = 97;

#[derive(Debug, Default)]
struct Tally {
    acknowledged: Vec<u64>,
    crashed: u64,
    retried: u64,
    unexpected: BTreeMap<String, u64>,
}

#[actix::test]
async fn under_load_each_panic_hits_one_caller_and_each_acknowledged_write_is_there_once() {
    hush_injected_panics();
    let root = Root::new();
    let place = root.place("writer").expect("an arbiter");
    let seed = Seed::default();
    let quick = Duration::from_millis(2);
    let limits = Policy { min_backoff: quick, max_backoff: quick, max_crashes: 10_000, mailbox: 128, ..policy() };
    let writer = start(&root, &place, limits, &seed);
    let began = Instant::now();
    let tallies = join_all((0..CALLERS).map(|caller| call(&writer, caller))).await;

    let mut written = seed.log.entries();
    let mut acknowledged: Vec<u64> = tallies.iter().flat_map(|tally| tally.acknowledged.clone()).collect();
    written.sort_unstable();
    acknowledged.sort_unstable();
    assert_eq!(written, acknowledged);
    let crashed: u64 = tallies.iter().map(|tally| tally.crashed).sum();
    let poisons = (0..CALLERS * ASKS).filter(|entry| entry % POISON_EVERY == 0).count() as u64;
    assert_eq!((crashed, u64::from(writer.vitals().crashes())), (poisons, poisons));
    assert!(tallies.iter().all(|tally| tally.unexpected.is_empty()), "{tallies:?}");
    assert!(tallies.iter().any(|tally| tally.retried > 0), "no caller ever met a restart");
    assert!(began.elapsed() < Duration::from_secs(15));
    root.stop(Duration::from_secs(2)).await;
}

/// Asks one after the other and repeats what is safe to retry.
async fn call(writer: &Handle<Writer>, caller: u64) -> Tally {
    let mut tally = Tally::default();
    for entry in caller * ASKS..(caller + 1) * ASKS {
        let poison = entry % POISON_EVERY == 0;
        let message = || if poison { Write::failing(entry, Fault::Handler) } else { Write::well(entry) };
        loop {
            match writer.ask(message()).await {
                Ok(_) => tally.acknowledged.push(entry),
                Err(AskError::Crashed) if poison => tally.crashed += 1,
                Err(error) if error.safe_to_retry() => {
                    tally.retried += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                }
                Err(error) => *tally.unexpected.entry(error.to_string()).or_default() += 1,
            }
            break;
        }
    }
    tally
}
