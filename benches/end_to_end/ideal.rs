//! The job done by hand: one kept connection, a struct for the rows, one prepared insert, a transaction a page.
//! It does less: no runs, no mapping, no second process, and its commits are not synced.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{Figure, RECORDS};

#[derive(Deserialize)]
struct Geo<'a> {
    state: &'a str,
    county: &'a str,
    tract: &'a str,
}

#[derive(Deserialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(borrow)]
    geo: Geo<'a>,
    period: &'a str,
    estimate: f64,
    moe: f64,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Row<'a>>,
}

pub fn run(source: SocketAddr) -> Figure {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (begun, cpu) = (Instant::now(), own_cpu_seconds());
    let mut db = rusqlite::Connection::open(folder.path().join("ideal.db")).unwrap();
    db.execute_batch(
        "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;
         CREATE TABLE records (profile_id INTEGER NOT NULL, record_id BLOB NOT NULL, ts INTEGER NOT NULL,
            run_id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (profile_id, record_id));
         CREATE INDEX records_ts ON records (profile_id, ts);",
    )
    .unwrap();
    let mut stream = TcpStream::connect(source).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut buffer, mut text, mut stored) = (vec![0; 1 << 20], Vec::new(), 0);
    for page in 1..=100_i64 {
        write!(stream, "GET /data?page={page} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let body = read(&mut stream, &mut buffer);
        let page_of: Page<'_> = serde_json::from_slice(body).unwrap();
        let transaction = db.transaction().unwrap();
        {
            let insert = "INSERT OR IGNORE INTO records VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut insert = transaction.prepare_cached(insert).unwrap();
            for row in &page_of.data {
                text.clear();
                let Geo { state, county, tract } = &row.geo;
                write!(
                    text,
                    "{{\"dims\":{{\"county\":\"{county}\",\"name\":\"{}\",\"period\":\"{}\",\"state\":\"{state}\",\
                     \"tract\":\"{tract}\"}},\"measures\":{{\"estimate\":{},\"moe\":{}}}}}",
                    row.name, row.period, row.estimate, row.moe
                )
                .unwrap();
                let digest = Sha256::digest(&text);
                let body = std::str::from_utf8(&text).unwrap();
                stored += insert.execute((1_i64, &digest[..16], 1_i64, page, body)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    assert_eq!(stored, RECORDS);
    Figure { seconds: begun.elapsed().as_secs_f64(), cpu_seconds: own_cpu_seconds() - cpu }
}

fn read<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> &'b [u8] {
    let (mut got, mut body) = (0, None);
    loop {
        let read = stream.read(&mut buffer[got..]).unwrap();
        assert!(read > 0, "the source ended");
        got += read;
        if body.is_none()
            && let Some(end) = buffer[..got].windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).unwrap().split("\r\n").next().unwrap();
            body = Some((end + 4, end + 4 + length.trim().parse::<usize>().unwrap()));
        }
        if let Some((start, end)) = body
            && got >= end
        {
            return &buffer[start..end];
        }
    }
}

/// Of the thread that runs this; the source is another thread of this process.
fn own_cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
