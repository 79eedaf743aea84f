//! The whole job: fetch 100 pages, normalise, deduplicate, store 100,000 records, with a drone and a node as two real
//! processes. Next to it, in turn in the same run: the plainest program that does the same by hand, and curl, jq and
//! sqlite3 where they are installed. `cargo bench --bench end_to_end [-- ROUNDS]` prints medians and ratios.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../../tests/support/mod.rs"]
mod support;

mod chartly_pair;
mod ideal;
mod shell;
mod source;

use source::Pages;

pub const RECORDS: usize = 100_000;

/// One way of doing the job, once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figure {
    pub seconds: f64,
    /// User and system time of the processes that did it, the source's not included.
    pub cpu_seconds: f64,
}

fn main() {
    let rounds = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(5_usize);
    let pages = Pages::start(100, RECORDS / 100);
    let (mut straight, mut first, mut again, mut shell) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut peaks = (0, 0);
    for round in 0..rounds {
        eprintln!("round {round}");
        straight.push(ideal::run(pages.address));
        let pair = chartly_pair::run(pages.address);
        first.push(pair.first);
        again.push(pair.again);
        peaks = (peaks.0.max(pair.drone_peak_kib), peaks.1.max(pair.node_peak_kib));
        shell.extend(shell::run(pages.address));
    }
    println!("{RECORDS} records in 100 pages, {rounds} rounds in turn");
    println!("{:<46}{:>11}{:>11}{:>15}", "", "records/s", "to ideal", "CPU us/record");
    let ideal = show("ideal: by hand, one process, NORMAL", &mut straight, None);
    let ours = show("drone and node, FULL, all new", &mut first, Some(ideal));
    show("drone and node, the same again", &mut again, Some(ideal));
    println!("peak resident: drone {} KiB, node {} KiB", peaks.0, peaks.1);
    if shell.is_empty() {
        println!("curl, jq and sqlite3: not installed");
        return;
    }
    let rival = show("curl | jq | sqlite3, no hash, no runs", &mut shell, Some(ideal));
    println!("ours to curl | jq | sqlite3: {:.2}", ours / rival);
}

fn show(name: &str, figures: &mut [Figure], ideal: Option<f64>) -> f64 {
    figures.sort_by(|left, right| left.seconds.total_cmp(&right.seconds));
    let rate = RECORDS as f64 / figures[figures.len() / 2].seconds;
    figures.sort_by(|left, right| left.cpu_seconds.total_cmp(&right.cpu_seconds));
    let cpu_us = figures[figures.len() / 2].cpu_seconds * 1e6 / RECORDS as f64;
    println!("{name:<46}{rate:>11.0}{:>11.2}{cpu_us:>15.2}", rate / ideal.unwrap_or(rate));
    rate
}

/// User and system time of a process and of its children that have ended; the kernel counts in hundredths of a second.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(4);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
