//! A body of lines that is larger than all memory it may take, through one process and through five; and one whose
//! sender dies in the middle.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chartly::settings::Role;

use crate::layout::Layout;
use crate::support::{KEY, get, put_profile, until};

const PROFILE: &str = "id: lines\nsource: {url: \"https://example.org/\"}\nrows: {each: $.rows}\ndims: {name: name}\nmeasures: {v: value}\n";
const LINES: u64 = 200_000;
/// Of a body of 200 MB a process may hold as much at a time.
const MAX_GROWTH_KIB: u64 = 48 << 10;

/// About a kilobyte.
fn line(number: u64) -> String {
    format!("{{\"dims\":{{\"name\":\"{number} {}\"}},\"measures\":{{\"v\":{number}}}}}\n", "x".repeat(970))
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends lines chunked, a thousand at a time; with `ends` false the body breaks off, and there is no answer.
fn send(base: &str, run: &str, lines: std::ops::Range<u64>, ends: bool) -> String {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "POST /api/results?drone_id=d&profile_id=lines&run_id={run} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {KEY}\r\n\
         Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for start in lines.clone().step_by(1_000) {
        let part: String = (start..(start + 1_000).min(lines.end)).map(line).collect();
        write!(stream, "{:x}\r\n{part}\r\n", part.len()).unwrap();
    }
    let mut answer = String::new();
    if ends {
        stream.write_all(b"0\r\n\r\n").unwrap();
        stream.read_to_string(&mut answer).unwrap();
    }
    answer
}

async fn takes_any_number(mut layout: Layout) {
    layout.all_well().await;
    let base = layout.gateway().to_owned();
    assert_eq!(put_profile(&base, PROFILE).await.status, 201);
    // What a process needs to work at all.
    assert!(send(&base, "first", 0..2_000, true).starts_with("HTTP/1.1 200"));
    let pids = [Role::Gateway, Role::Aggregator].map(|role| layout.of(role).process.id());
    let before = pids.map(peak_kib);
    let answer = send(&base, "large", 0..LINES, true);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(&format!("\"lines\":{LINES},\"inserted\":{},\"known\":2000,", LINES - 2_000)), "{answer}");
    for (pid, before) in pids.into_iter().zip(before) {
        let growth = peak_kib(pid) - before;
        assert!(growth < MAX_GROWTH_KIB, "process {pid} grew by {growth} KiB");
    }
    assert_eq!(get(&format!("{base}/api/results/summary")).await.json()["records"], LINES);
}

#[actix_web::test]
async fn one_process_takes_any_number_of_lines() {
    let folder = tempfile::tempdir().unwrap();
    takes_any_number(Layout::one_process(folder.path())).await;
}

#[actix_web::test]
async fn five_processes_take_any_number_of_lines() {
    let folder = tempfile::tempdir().unwrap();
    takes_any_number(Layout::five_processes(folder.path())).await;
}

#[actix_web::test]
async fn a_sender_that_dies_sends_again_and_nothing_is_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::one_process(folder.path());
    layout.all_well().await;
    let base = layout.gateway().to_owned();
    assert_eq!(put_profile(&base, PROFILE).await.status, 201);
    send(&base, "r", 0..3_500, false);
    let run = format!("{base}/api/runs/r");
    until("whole chunks are stored", Duration::from_secs(20), async || {
        let run = get(&run).await.json();
        (run["inserted"].as_u64() >= Some(3_000)).then_some(())
    })
    .await;
    let told = get(&run).await.json();
    assert_eq!((&told["state"], told["inserted"].as_u64().unwrap() % 1_000), (&"running".into(), 0), "{told}");
    let answer = send(&base, "r", 0..5_200, true);
    assert!(answer.contains("\"lines\":5200,\"inserted\":5200,\"known\":0,"), "{answer}");
    let run = get(&run).await.json();
    assert_eq!((&run["state"], &run["inserted"], &run["known"]), (&"succeeded".into(), &5_200.into(), &0.into()));
}
