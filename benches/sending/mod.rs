//! What the benches that send over HTTP share: records, posts, and the figures of a process.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use crate::support::{KEY, Process};

pub const PER_BATCH: usize = 1_000;
pub const PROFILES: usize = 10;

/// A node without drones that limits no rate, with its data in `folder` and the profiles of the records; `key` is a line
/// of them.
pub fn node(folder: &Path, key: &str) -> Process {
    let env = [
        ("REGISTRY_API_KEY", KEY),
        ("CHARTLY__HTTP__RATE_PER_SECOND", "1000000"),
        ("CHARTLY__HTTP__RATE_BURST", "1000000"),
        ("CHARTLY_LOG", "warn"),
    ];
    let data = folder.to_str().unwrap();
    // The lines that say where it listens come at every log level.
    let node = Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data], &env);
    for n in 0..PROFILES {
        request(&mut connect(&node.url), &put(n, key));
    }
    node
}

/// Puts the profile of that number.
pub fn put(n: usize, key: &str) -> Vec<u8> {
    let yaml = format!(
        "id: bench-{n}\nsource: {{url: \"http://127.0.0.1:9/\"}}\nschedule: {{enabled: false, interval: 1h}}\nrows: {{each: $}}\n\
         dims: {{tract: tract, state: state}}\nmeasures: {{value: value}}\n{key}"
    );
    ask("PUT", &format!("/api/profiles/bench-{n}"), "application/yaml", &yaml)
}

/// About 224 bytes of canonical JSON.
pub fn record(i: usize) -> String {
    format!(
        "{{\"dims\":{{\"county\":\"{:03}\",\"indicator\":\"B19013_{:03}E\",\"period\":\"{:04}-{:02}\",\"source\":\"profile-{:04}-survey-of-all-the-american-communities\",\
         \"state\":\"{:02}\",\"tract\":\"{:06}\"}},\"measures\":{{\"count\":{},\"moe\":{},\"value\":{},\"weight\":{}}}}}",
        i % 997,
        i % 61,
        1990 + i % 34,
        1 + i % 12,
        i / PER_BATCH % PROFILES,
        i % 57,
        i,
        i % 100_000,
        (i % 500) as f64 + 0.25,
        i.wrapping_mul(2_654_435_761) % 1_000_000,
        i % 1_000,
    )
}

/// A post of records, the first of which has that number.
pub fn batch(n: usize, first: usize, part: &[String]) -> Vec<u8> {
    let profile = first / PER_BATCH % PROFILES;
    let mut body = format!(
        "{{\"drone_id\":\"d\",\"profile_id\":\"bench-{profile}\",\"run_id\":\"run-{profile}\",\"seq\":{n},\"data\":["
    );
    for (i, text) in part.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(body, "{comma}{text}");
    }
    body.push_str("]}");
    post("/api/results", "application/json", &body)
}

pub fn post(path: &str, kind: &str, body: &str) -> Vec<u8> {
    ask("POST", path, kind, body)
}

fn ask(method: &str, path: &str, kind: &str, body: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// Sends one request on a kept connection and reads the answer, which must be a success.
pub fn request(stream: &mut TcpStream, request: &[u8]) {
    stream.write_all(request).unwrap();
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

pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
    ticks / 100.0
}

pub fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

pub fn size(path: &Path) -> f64 {
    std::fs::metadata(path).map_or(0.0, |about| about.len() as f64)
}

/// Kept open for many requests.
pub fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a post; gives how long its answer took, in milliseconds.
pub fn timed(stream: &mut TcpStream, post: &[u8]) -> f64 {
    let started = Instant::now();
    request(stream, post);
    started.elapsed().as_secs_f64() * 1e3
}

/// The median, the 99th percentile, and the longest.
pub fn spread(mut millis: Vec<f64>) -> [f64; 3] {
    millis.sort_by(f64::total_cmp);
    [millis[millis.len() / 2], millis[millis.len() * 99 / 100], millis[millis.len() - 1]]
}
