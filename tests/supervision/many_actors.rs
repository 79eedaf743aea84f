//! A drone holds thousands of guarded actors: idle, they must cost next to nothing, and leave nothing behind.

use std::{sync::Arc, time::Duration};

use chartly::runtime::{Place, Root};

use crate::{
    node::{self, Process, Scenario, say},
    support::{Seed, Write, Writer, policy},
};

const CROWD: usize = 10_000;
const MAX_BYTES_PER_ACTOR: usize = 1_536;

#[test]
fn ten_thousand_idle_actors_take_a_kilobyte_and_a_half_each() {
    if Scenario::of_this_process().is_some() {
        node::exit(crowd());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let name = "many_actors::ten_thousand_idle_actors_take_a_kilobyte_and_a_half_each";
    let (said, code, _) = Process::start(name, Scenario::Crowd, folder.path(), false).end();
    assert_eq!(code, Some(0), "{said:?}");
    let bytes: usize = said[0].parse().expect("bytes per actor");
    assert!(bytes <= MAX_BYTES_PER_ACTOR, "{bytes} bytes per actor");
}

/// Starts the crowd, says what one of them takes, and stops them all.
fn crowd() -> i32 {
    actix::System::new().block_on(async {
        let root = Root::new();
        let place = Place::current();
        let seed = Seed::default();
        let warm = root.start(&place, "warm", policy(), Writer::default);
        warm.ask(Write::well(0)).await.expect("an answer");
        let before = resident_bytes();
        let shared_policy = Arc::new(policy());
        let mut handles = Vec::with_capacity(CROWD);
        for number in 0..CROWD {
            let shared = seed.clone();
            // As a drone does, which is handed its work bit by bit: what only passes through is not held all at once.
            tokio::task::yield_now().await;
            handles.push(
                root.start(&place, format!("fetch-{number}"), Arc::clone(&shared_policy), move || Writer::new(shared)),
            );
        }
        for handle in &handles {
            handle.ask(Write::well(1)).await.expect("an answer");
        }
        say(&((resident_bytes() - before) / CROWD).to_string());
        drop(handles);
        let laggards = root.stop(Duration::from_secs(5)).await;
        let listed = root.vitals().len();
        say(&format!("{listed} listed"));
        i32::from(!laggards.is_empty() || listed > 300)
    })
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the resident size");
    let kilobytes = line.split_whitespace().nth(1).expect("a number");
    kilobytes.parse::<usize>().expect("a number") * 1_024
}
