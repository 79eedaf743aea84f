//! A small HTTP client that costs little beside what it measures: as fast as it goes, or at a steady pace.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::KEY;

/// One request to one address.
pub struct Target {
    address: String,
    request: Vec<u8>,
}

impl Target {
    pub fn get(address: &str, path: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n").into_bytes();
        Self { address: address.to_owned(), request }
    }

    pub fn post(address: &str, path: &str, body: &str) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { address: address.to_owned(), request: request.into_bytes() }
    }

    pub fn connect(&self) -> Connection<'_> {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Connection { target: self, stream, answer: vec![0; 64 << 10] }
    }
}

pub struct Connection<'t> {
    target: &'t Target,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection<'_> {
    /// Asks once; the answer's status.
    pub fn ask(&mut self) -> u16 {
        self.stream.write_all(&self.target.request).unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).unwrap();
            assert!(read > 0, "closed: {}", String::from_utf8_lossy(&self.answer[..filled]));
            filled += read;
            if let Some(status) = status_if_whole(&self.answer[..filled]) {
                return status;
            }
        }
    }
}

fn status_if_whole(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let length = length.unwrap_or_else(|| panic!("no length: {head}"));
    (answer.len() >= end + length).then(|| head[9..12].parse().unwrap())
}

/// Answers per second of connections that ask without a pause.
pub fn closed(target: &Target, clients: usize, each: Duration) -> f64 {
    let begun = Instant::now();
    let total: usize = std::thread::scope(|scope| {
        let run = || {
            let (mut connection, mut count) = (target.connect(), 0);
            while begun.elapsed() < each {
                assert_eq!(connection.ask(), 200);
                count += 1;
            }
            count
        };
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(run)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    total as f64 / begun.elapsed().as_secs_f64()
}

/// Connections of a paced load.
const PACED: u32 = 4;

/// p50 and p99 in milliseconds at so many requests a second, on four connections. Each wait counts from the moment
/// when the request was due.
pub fn paced(target: &Target, per_second: u32, each: Duration) -> (f64, f64) {
    let gap = Duration::from_secs(1) * PACED / per_second;
    let begun = Instant::now() + Duration::from_millis(20);
    let mut waits: Vec<f64> = std::thread::scope(|scope| {
        let start = |client: u32| scope.spawn(move || waits(target, begun + gap * client / PACED, gap, begun + each));
        let clients: Vec<_> = (0..PACED).map(start).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    waits.sort_by(f64::total_cmp);
    (waits[waits.len() / 2], waits[waits.len() * 99 / 100])
}

fn waits(target: &Target, first: Instant, gap: Duration, end: Instant) -> Vec<f64> {
    let (mut connection, mut waits, mut due) = (target.connect(), Vec::new(), first);
    while due < end {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        assert_eq!(connection.ask(), 200);
        waits.push(due.elapsed().as_secs_f64() * 1e3);
        due += gap;
    }
    waits
}
