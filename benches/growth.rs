//! What it costs as it grows: the rate of each million of records over HTTP, with and without a key, and the time of a
//! page of records at the beginning, in the middle and at the end. `cargo bench --bench growth [-- MILLIONS keyed]`
//! takes 320 MB of disk for each million, and gives it back.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

mod sending;
#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sending::{PER_BATCH, batch, connect, cpu_seconds, peak_kib, put, record, size, spread, timed};
use support::{Process, get};

const MILLION: usize = 1_000_000;
const CLIENTS: usize = 4;
const KEY_LINE: &str = "key: [tract, state]\n";

fn main() {
    let millions = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(2_usize);
    let keyed = std::env::args().any(|word| word == "keyed");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let node = sending::node(folder.path(), if keyed { KEY_LINE } else { "" });
    println!("{}posts of {PER_BATCH} from {CLIENTS} clients", if keyed { "with a key, " } else { "" });
    let heads = ["records/s", "CPU us/rec", "p50 ms", "p99 ms", "longest", "B/record", "peak MiB"];
    println!("{:<12}{}", "million", heads.map(|head| format!("{head:>11}")).concat());
    for million in 0..millions {
        let (begun, cpu) = (Instant::now(), cpu_seconds(node.id()));
        let [p50, p99, longest] = spread(send(&node.url, million * MILLION));
        let rate = MILLION as f64 / begun.elapsed().as_secs_f64();
        let cpu_us = (cpu_seconds(node.id()) - cpu) * 1e6 / MILLION as f64;
        let bytes = size(&folder.path().join("results.db")) / ((million + 1) * MILLION) as f64;
        let peak = peak_kib(node.id()) / 1024;
        println!(
            "{:<12}{rate:>11.0}{cpu_us:>11.2}{p50:>11.1}{p99:>11.1}{longest:>11.1}{bytes:>11.0}{peak:>11}",
            million + 1
        );
    }
    actix_web::rt::System::new().block_on(read(&node));
    rekey(&node.url, keyed);
}

/// A million records from `first` on; each answer's time.
fn send(url: &str, first: usize) -> Vec<f64> {
    let next = AtomicUsize::new(first);
    let client = || {
        let (mut stream, mut millis) = (connect(url), Vec::new());
        loop {
            let from = next.fetch_add(PER_BATCH, Ordering::Relaxed);
            if from >= first + MILLION {
                return millis;
            }
            let texts: Vec<String> = (from..from + PER_BATCH).map(record).collect();
            millis.push(timed(&mut stream, &batch(from / PER_BATCH, from, &texts)));
        }
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Pages of a thousand by cursor, from the first to the last; the median time of the first, middle and last tenth.
async fn read(node: &Process) {
    let (mut millis, mut cursor) = (Vec::new(), String::new());
    loop {
        let started = Instant::now();
        let page = get(&format!("{}/api/records?profile_id=bench-0&limit=1000{cursor}", node.url)).await.json();
        millis.push(started.elapsed().as_secs_f64() * 1e3);
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let tenth = (millis.len() / 10).max(1);
    let part = |from: usize| spread(millis[from..(from + tenth).min(millis.len())].to_vec())[0];
    let (first, middle, last) = (part(0), part(millis.len() / 2), part(millis.len() - tenth));
    println!(
        "{} pages of 1,000 records by cursor: first {first:.1} ms, middle {middle:.1} ms, last {last:.1} ms",
        millis.len()
    );
}

/// Gives a profile another key, or its first: how long that takes, and how long a post beside it waits.
fn rekey(url: &str, keyed: bool) {
    let key = if keyed { "key: [tract]\n" } else { KEY_LINE };
    let begun = Instant::now();
    let waited = std::thread::scope(|scope| {
        let put = scope.spawn(|| timed(&mut connect(url), &put(0, key)));
        let (mut stream, mut millis) = (connect(url), Vec::new());
        let mut n = 1_000_000_000;
        while !put.is_finished() {
            let texts: Vec<String> = (n..n + 10).map(record).collect();
            millis.push(timed(&mut stream, &batch(n, PER_BATCH, &texts)));
            n += 10;
        }
        put.join().unwrap();
        millis
    });
    let longest = waited.iter().copied().fold(0.0, f64::max);
    println!(
        "a profile's new key: {:.2} s, a post of another profile waited {longest:.0} ms at most",
        begun.elapsed().as_secs_f64()
    );
}
