//! What a drone holds while it reads: peak resident memory of a real drone that takes 100, then 1,000 pages of a
//! megabyte from a source on loopback and delivers them to a real node. `cargo bench --bench memory [-- PAGES...]`.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use support::source::{Asked, Reply, Source};
use support::{KEY, Process, get, put_profile, until};

const PAGE_BYTES: usize = 1 << 20;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let pages = if numbers.is_empty() { vec![100, 1_000] } else { numbers };
    println!("pages of {PAGE_BYTES} bytes; goal 12 MB at the peak, however many pages");
    for pages in pages {
        actix_web::rt::System::new().block_on(read(pages));
    }
}

async fn read(pages: usize) {
    let source = Source::start(page);
    let folder = tempfile::tempdir().unwrap();
    let env = [("REGISTRY_API_KEY", KEY)];
    let data = folder.path().join("node");
    let node = Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data.to_str().unwrap()], &env);
    assert_eq!(put_profile(&node.url, &profile(&source.url(), pages)).await.status, 201);
    let drone =
        Process::drone(&node.url, &folder.path().join("drone"), &["--id", "reader", "--allow-private", "127.0.0.0/8"]);
    let begun = Instant::now();
    let run = until("the run is stored", Duration::from_secs(900), async || {
        let runs = get(&format!("{}/api/runs?profile_id=pages", node.url)).await.json();
        runs["items"].as_array()?.iter().find(|run| run["state"] != "running").cloned()
    })
    .await;
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(source.count(), pages + 1);
    println!(
        "{pages:>5} pages: peak {:>5.1} MB, {:.1} s, {} rows",
        peak_kib(drone.id()) as f64 / 1e3 * 1.024,
        begun.elapsed().as_secs_f64(),
        run["rows"]
    );
}

fn profile(url: &str, pages: usize) -> String {
    format!(
        "id: pages
source:
  url: {url}/data
  query: {{pages: \"{pages}\"}}
  paging: {{kind: page, param: page, until: empty}}
rows: {{each: $.data}}
dims: {{county: geo.county, name: name, period: period, state: geo.state, tract: geo.tract}}
measures: {{estimate: estimate, moe: moe}}
schedule: {{enabled: true, interval: 30d}}
limits: {{max_bytes: 4000000000, max_records: 100000000, max_pages: 10000, max_requests: 10000}}
"
    )
}

/// A page of a megabyte, no two alike; an empty one behind the last.
fn page(asked: &Asked, _: usize) -> Reply {
    let number = |name: &str| {
        let value = asked.target.split(['?', '&']).find_map(|pair| pair.strip_prefix(name));
        value.unwrap().parse::<usize>().unwrap()
    };
    let (page, pages) = (number("page="), number("pages="));
    let mut body = String::with_capacity(PAGE_BYTES + 300);
    body.push_str("{\"data\":[");
    for row in (0..).take_while(|_| page <= pages) {
        if body.len() > PAGE_BYTES {
            break;
        }
        let (i, comma) = (page * 10_000 + row, if row > 0 { "," } else { "" });
        let _ = write!(
            body,
            "{comma}{{\"id\":{i},\"name\":\"Census Tract {row}, Los Angeles County, California\",\"geo\":{{\"state\":\"06\",\
             \"county\":\"{:03}\",\"tract\":\"{i:08}\"}},\"period\":\"20{:02}-{:02}\",\"estimate\":{i}.5,\"moe\":{}.25,\
             \"flags\":[\"a\",\"b\"],\"url\":\"https://example.org/series/{i}\"}}",
            i % 300,
            i % 24,
            1 + i % 12,
            i % 900
        );
    }
    body.push_str("]}");
    Reply::json(body)
}

/// The most that was ever resident.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
