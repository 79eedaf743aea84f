//! Durable ingest over HTTP against raw SQLite with the same records, layout and durability, in turn in one run.
//! `cargo bench --bench ingest_http [-- ROUNDS RECORDS]` prints medians and ratios: posts of 1,000 from four clients,
//! of 100 from sixteen, and one body of lines.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

mod sending;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use sending::{PER_BATCH, PROFILES, batch, connect, cpu_seconds, peak_kib, post, record, size, spread, timed};
use sha2::{Digest, Sha256};

/// How the records are sent.
#[derive(Clone, Copy)]
enum Way {
    Posts { records: usize, clients: usize },
    Lines,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(5);
    let records = numbers.get(1).copied().unwrap_or(200_000);
    let texts: Vec<String> = (0..records).map(record).collect();
    println!("{records} records of {} bytes, {rounds} rounds in turn", texts[0].len());
    let ways = [
        ("posts of 1,000, 4 clients", Way::Posts { records: 1_000, clients: 4 }),
        ("posts of 100, 16 clients", Way::Posts { records: 100, clients: 16 }),
        ("one body of lines", Way::Lines),
    ];
    let (mut base, mut raw) = (Vec::new(), Vec::new());
    let mut over_http: [Vec<Figure>; 3] = Default::default();
    for _ in 0..rounds {
        base.push(raw_rate(&texts, &BASE));
        raw.push(raw_rate(&texts, &TUNED));
        for ((_, way), figures) in ways.iter().zip(&mut over_http) {
            figures.push(http_rate(&texts, *way));
        }
    }
    let heads = ["records/s", "to raw", "to base", "CPU us/rec", "p50 ms", "p99 ms", "longest", "B/record", "peak MiB"];
    println!("{:<32}{}", "", heads.map(|head| format!("{head:>11}")).concat());
    let (base, raw) = (median(&mut base), median(&mut raw));
    let show = |name: &str, figure: &Figure| {
        let Figure { rate, cpu_us, millis: [p50, p99, longest], bytes, peak_mib } = figure;
        let (to_raw, to_base) = (rate / raw.rate, rate / base.rate);
        println!(
            "{name:<32}{rate:>11.0}{to_raw:>11.2}{to_base:>11.2}{cpu_us:>11.2}{p50:>11.1}{p99:>11.1}{longest:>11.1}{bytes:>11.0}{peak_mib:>11}"
        );
    };
    show("raw SQLite, base layout, NORMAL", &base);
    show("raw SQLite, tuned, FULL", &raw);
    for ((name, _), figures) in ways.iter().zip(&mut over_http) {
        show(name, &median(figures));
    }
}

#[derive(Clone, Copy)]
struct Figure {
    rate: f64,
    cpu_us: f64,
    /// Of the answers: the median, the 99th percentile, the longest.
    millis: [f64; 3],
    bytes: f64,
    peak_mib: u64,
}

fn median(figures: &mut [Figure]) -> Figure {
    figures.sort_by(|left, right| left.rate.total_cmp(&right.rate));
    figures[figures.len() / 2]
}

/// A layout of the limits' note.
struct Layout {
    pragmas: &'static str,
    key: &'static str,
    profile: &'static str,
}

const BASE: Layout = Layout {
    pragmas: "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=1000;",
    key: "TEXT",
    profile: "TEXT",
};
const TUNED: Layout = Layout {
    pragmas: "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;",
    key: "BLOB",
    profile: "INTEGER",
};

fn raw_rate(texts: &[String], layout: &Layout) -> Figure {
    let folder = folder();
    let path = folder.path().join("raw.db");
    let keyed: Vec<([u8; 32], &str)> = texts.iter().map(|text| (Sha256::digest(text).into(), text.as_str())).collect();
    let Layout { pragmas, key, profile } = layout;
    let mut db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch(&format!(
        "{pragmas} PRAGMA cache_size=-262144;
         CREATE TABLE runs(run_id INTEGER PRIMARY KEY, profile_id {profile} NOT NULL, ts INTEGER NOT NULL, n INTEGER NOT NULL, status TEXT NOT NULL);
         CREATE TABLE records(profile_id {profile} NOT NULL, record_id {key} NOT NULL, ts INTEGER NOT NULL, run_id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(profile_id, record_id));
         CREATE INDEX records_ts ON records(profile_id, ts)"
    ))
    .unwrap();
    let hex: Vec<String> = match *key {
        "TEXT" => keyed.iter().map(|(digest, _)| format!("sha256:{}", hex::encode(digest))).collect(),
        _ => Vec::new(),
    };
    let (begun, cpu, mut millis) = (Instant::now(), cpu_seconds(std::process::id()), Vec::new());
    for (batch, part) in (0_i64..).zip(keyed.chunks(PER_BATCH)) {
        let (started, number) = (Instant::now(), batch % PROFILES as i64);
        let name = format!("census-acs5-profile-{number:03}");
        let transaction = db.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO records VALUES(?1,?2,?3,?4,?5)").unwrap();
            for (row, (digest, text)) in (batch as usize * PER_BATCH..).zip(part) {
                match hex.get(row) {
                    Some(hex) => insert.execute((&name, hex, batch, batch, text)).unwrap(),
                    None => insert.execute((number, &digest[..16], batch, batch, text)).unwrap(),
                };
            }
            let mut run = transaction.prepare_cached("INSERT INTO runs VALUES(?,?,?,?,?)").unwrap();
            run.execute((batch, number, batch, part.len() as i64, "ok")).unwrap();
        }
        transaction.commit().unwrap();
        millis.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let rate = texts.len() as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (cpu_seconds(std::process::id()) - cpu) * 1e6 / texts.len() as f64;
    drop(db);
    Figure { rate, cpu_us, millis: spread(millis), bytes: size(&path) / texts.len() as f64, peak_mib: 0 }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn http_rate(texts: &[String], way: Way) -> Figure {
    let folder = folder();
    let mut node = sending::node(folder.path(), "");
    let (posts, clients) = match way {
        Way::Posts { records, clients } => {
            (texts.chunks(records).enumerate().map(|(n, part)| batch(n, n * records, part)).collect(), clients)
        }
        Way::Lines => (vec![lines(texts)], 1),
    };
    let (cpu, begun) = (cpu_seconds(node.id()), Instant::now());
    let millis = send_all(&node.url, &posts, clients);
    let rate = texts.len() as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (cpu_seconds(node.id()) - cpu) * 1e6 / texts.len() as f64;
    let peak_mib = peak_kib(node.id()) / 1024;
    node.terminate(std::time::Duration::from_secs(30));
    let bytes = size(&folder.path().join("results.db")) / texts.len() as f64;
    Figure { rate, cpu_us, millis: spread(millis), bytes, peak_mib }
}

/// Sends the posts, each client its share in order; gives how long each answer took, in milliseconds.
fn send_all(url: &str, posts: &[Vec<u8>], clients: usize) -> Vec<f64> {
    let one = |client: usize| {
        let mut stream = connect(url);
        let own = posts.iter().skip(client).step_by(clients);
        own.map(|post| timed(&mut stream, post)).collect::<Vec<f64>>()
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..clients).map(|client| scope.spawn(move || one(client))).collect();
        all.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

fn lines(texts: &[String]) -> Vec<u8> {
    let path = "/api/results?drone_id=d&profile_id=bench-0&run_id=lines";
    post(path, "application/x-ndjson", &texts.join("\n"))
}
