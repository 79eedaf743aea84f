//! The gateway in split mode against nginx as a reverse proxy, before the same registry process, in turn in one run; and
//! what five processes cost: memory when idle, start to ready, the others' answers while a role is away.
//! `cargo bench --bench gateway [-- ROUNDS SECONDS]`. Without nginx the first part is left out, aloud.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod load;
mod nginx;
mod split;

use std::time::Duration;

use load::{Target, closed, paced};
use nginx::Nginx;
use split::Split;

const CLIENTS: usize = 16;
const PACE: u32 = 1_000;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(5);
    let each = Duration::from_secs(numbers.get(1).map_or(4, |seconds| *seconds as u64));
    let folder = tempfile::tempdir().unwrap();
    let mut split = Split::start(folder.path());
    split.tell_start();
    split.tell_memory();
    match Nginx::start(folder.path(), split.registry()) {
        Some(nginx) => compare(&split, &nginx, rounds, each),
        None => println!("skipped the comparison: nginx is not installed (apt-get install nginx-light)"),
    }
    split.tell_outage();
}

fn compare(split: &Split, nginx: &Nginx, rounds: usize, each: Duration) {
    // The same work behind both: the registry reads one profile from its store.
    let ours = Target::get(split.gateway(), "/api/profiles/bench");
    let theirs = Target::post(nginx.address(), "/internal/registry/get-profile", split::GET_PROFILE);
    let direct = Target::post(split.registry(), "/internal/registry/get-profile", split::GET_PROFILE);
    let (mut rates, mut waits) = ([Vec::new(), Vec::new(), Vec::new()], [Vec::new(), Vec::new(), Vec::new()]);
    for round in 0..rounds {
        for turn in 0..3 {
            let which = (turn + round) % 3;
            let target = [&ours, &theirs, &direct][which];
            rates[which].push(closed(target, CLIENTS, each));
            waits[which].push(paced(target, PACE, each));
        }
    }
    println!("registry behind each, {CLIENTS} connections, {rounds} rounds of {} s in turn", each.as_secs());
    for (which, name) in ["gateway", "nginx", "no proxy"].into_iter().enumerate() {
        let (p50, p99) = median_waits(&waits[which]);
        let rate = median(rates[which].clone());
        println!("{name:<9} {rate:>8.0} requests/s   at {PACE}/s: p50 {p50:.3} ms, p99 {p99:.3} ms");
    }
    let ratio = median(rates[0].clone()) / median(rates[1].clone());
    let ((our_p50, our_p99), (their_p50, their_p99)) = (median_waits(&waits[0]), median_waits(&waits[1]));
    println!(
        "gateway against nginx: {ratio:.2} of the rate, p50 {:+.3} ms, p99 {:+.3} ms",
        our_p50 - their_p50,
        our_p99 - their_p99
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn median_waits(rounds: &[(f64, f64)]) -> (f64, f64) {
    (median(rounds.iter().map(|round| round.0).collect()), median(rounds.iter().map(|round| round.1).collect()))
}
