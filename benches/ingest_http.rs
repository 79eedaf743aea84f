//! Durable ingest over HTTP against raw SQLite with the same records, layout and durability, in turn in one run.
//! `cargo bench --bench ingest_http [-- ROUNDS RECORDS]` prints medians and the ratio.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use sha2::{Digest, Sha256};
use support::{KEY, Process};

const PER_POST: usize = 1_000;
const CLIENTS: usize = 4;
const PROFILES: usize = 10;

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(5);
    let records = numbers.get(1).copied().unwrap_or(200_000);
    let texts: Vec<String> = (0..records).map(record).collect();
    println!(
        "{records} records of {} bytes, posts of {PER_POST}, {CLIENTS} clients, {rounds} rounds in turn",
        texts[0].len()
    );
    let (mut raw, mut http) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        raw.push(raw_rate(&texts));
        http.push(http_rate(&texts));
    }
    let (raw, http) = (median(&mut raw), median(&mut http));
    println!("raw SQLite, tuned, FULL      {:>9.0} records/s", raw.rate);
    println!(
        "over HTTP, durable, deduped  {:>9.0} records/s   server CPU {:.2} us/record   {:.0} bytes/record   peak {} MiB",
        http.rate, http.cpu_us, http.bytes, http.peak_mib
    );
    println!("ratio                        {:>9.2}", http.rate / raw.rate);
}

#[derive(Clone, Copy)]
struct Figure {
    rate: f64,
    cpu_us: f64,
    bytes: f64,
    peak_mib: u64,
}

fn median(figures: &mut [Figure]) -> Figure {
    figures.sort_by(|left, right| left.rate.total_cmp(&right.rate));
    figures[figures.len() / 2]
}

/// About 224 bytes of canonical JSON.
fn record(i: usize) -> String {
    format!(
        "{{\"dims\":{{\"county\":\"{:03}\",\"indicator\":\"B19013_{:03}E\",\"period\":\"{:04}-{:02}\",\"source\":\"profile-{:04}-survey-of-all-the-american-communities\",\
         \"state\":\"{:02}\",\"tract\":\"{:06}\"}},\"measures\":{{\"count\":{},\"moe\":{},\"value\":{},\"weight\":{}}}}}",
        i % 997,
        i % 61,
        1990 + i % 34,
        1 + i % 12,
        i / PER_POST % PROFILES,
        i % 57,
        i,
        i % 100_000,
        (i % 500) as f64 + 0.25,
        i.wrapping_mul(2_654_435_761) % 1_000_000,
        i % 1_000,
    )
}

fn raw_rate(texts: &[String]) -> Figure {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("raw.db");
    let keyed: Vec<([u8; 32], &str)> = texts.iter().map(|text| (Sha256::digest(text).into(), text.as_str())).collect();
    let mut db = rusqlite::Connection::open(&path).expect("a new database");
    db.execute_batch(
        "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;
         CREATE TABLE runs(run_id INTEGER PRIMARY KEY, profile_id INTEGER NOT NULL, ts INTEGER NOT NULL, n INTEGER NOT NULL, status TEXT NOT NULL);
         CREATE TABLE records(profile_id INTEGER NOT NULL, record_id BLOB NOT NULL, ts INTEGER NOT NULL, run_id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(profile_id, record_id));
         CREATE INDEX records_ts ON records(profile_id, ts)",
    )
    .expect("the layout of the limits' note");
    let begun = Instant::now();
    for (batch, part) in (0_i64..).zip(keyed.chunks(PER_POST)) {
        let profile = batch % PROFILES as i64;
        let transaction = db.transaction().expect("a transaction");
        {
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO records VALUES(?1,?2,?3,?4,?5)").expect("SQL");
            for (digest, text) in part {
                insert.execute((profile, &digest[..16], batch, batch, text)).expect("a row");
            }
            let mut run = transaction.prepare_cached("INSERT INTO runs VALUES(?,?,?,?,?)").expect("SQL");
            run.execute((batch, profile, batch, part.len() as i64, "ok")).expect("a row");
        }
        transaction.commit().expect("durable");
    }
    Figure { rate: texts.len() as f64 / begun.elapsed().as_secs_f64(), cpu_us: 0.0, bytes: 0.0, peak_mib: 0 }
}

fn http_rate(texts: &[String]) -> Figure {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env = [
        ("REGISTRY_API_KEY", KEY),
        ("CHARTLY__HTTP__RATE_PER_SECOND", "1000000"),
        ("CHARTLY__HTTP__RATE_BURST", "1000000"),
        ("CHARTLY_LOG", "warn"),
    ];
    let data = folder.path().to_str().expect("text");
    // The lines that say where it listens come at every log level.
    let node = Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data], &env);
    let address = node.url.trim_start_matches("http://").to_owned();
    for n in 0..PROFILES {
        let yaml = format!(
            "id: bench-{n}\nname: bench\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }}\n\
             schedule: {{ enabled: false, interval: 1h }}\nmapping:\n  a: dims.a\n  v: measures.v\n"
        );
        request(
            &mut TcpStream::connect(&address).expect("it listens"),
            &post("/api/profiles", "application/yaml", &yaml),
        );
    }
    let posts: Vec<Vec<u8>> = texts.chunks(PER_POST).enumerate().map(|(n, part)| batch(n, part)).collect();
    let (cpu, begun) = (cpu_seconds(node.id()), Instant::now());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (posts, address) = (&posts, &address);
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).expect("it listens");
                stream.set_nodelay(true).expect("a TCP socket");
                for post in posts.iter().skip(client).step_by(CLIENTS) {
                    request(&mut stream, post);
                }
            });
        }
    });
    let rate = texts.len() as f64 / begun.elapsed().as_secs_f64();
    let cpu_us = (cpu_seconds(node.id()) - cpu) * 1e6 / texts.len() as f64;
    let peak_mib = peak_kib(node.id()) / 1024;
    let mut node = node;
    node.terminate(std::time::Duration::from_secs(30));
    let bytes = size(&folder.path().join("results.db")) / texts.len() as f64;
    Figure { rate, cpu_us, bytes, peak_mib }
}

fn batch(n: usize, part: &[String]) -> Vec<u8> {
    let mut body = format!(
        "{{\"drone_id\":\"d\",\"profile_id\":\"bench-{}\",\"run_id\":\"run-{}\",\"seq\":{n},\"data\":[",
        n % PROFILES,
        n % PROFILES
    );
    for (i, text) in part.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(body, "{comma}{text}");
    }
    body.push_str("]}");
    post("/api/results", "application/json", &body)
}

fn post(path: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// Sends one request on a kept connection and reads the answer, which must be a success.
fn request(stream: &mut TcpStream, request: &[u8]) {
    stream.write_all(request).expect("it listens");
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        let read = stream.read(&mut part).expect("an answer");
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let Some(length) = length.and_then(|digits| digits.parse::<usize>().ok()) else { panic!("{head}") };
        if body.len() >= length {
            assert!(head.starts_with("http/1.1 20"), "{text}");
            return;
        }
    }
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

fn size(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |about| about.len() as f64)
}
