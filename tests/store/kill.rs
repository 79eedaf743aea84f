//! A real process that ingests is killed (SIGKILL) at random moments, many times over on the same file: the file
//! always opens, and holds everything that was acknowledged, and nothing twice.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chartly::domain::ids::TenantId;
use chartly::store::Store;
use serde_json::{Value, json};

use crate::engines::{Bed, Engine};
use crate::support::*;

const ROUNDS: u64 = 25;
const FOLDER: &str = "CHARTLY_TEST_KILL_FOLDER";
const ROUND: &str = "CHARTLY_TEST_KILL_ROUND";
const RECORDS: u64 = 50;

fn records_of(round: u64, number: u64) -> Vec<Value> {
    // Half of each batch is new, half is shared with the batch before.
    (0..RECORDS).map(|n| record(n % 5, round * 10_000_000 + number * RECORDS / 2 + n)).collect()
}

/// Not a test of its own: the body of the process that is killed. Without the variable it has nothing to do.
#[test]
fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&settings(folder.as_ref())).await.unwrap();
        let tenant = store.tenant(&TenantId::default());
        for number in 0.. {
            // Four at a time, so that a kill meets groups.
            let send = |part: u64| {
                let number = number * 4 + part;
                let run = format!("run-{round}-{}", number % 3);
                let sent = batch("p", &run, &records_of(round, number), json!({"seq": number}));
                let tenant = tenant.clone();
                async move {
                    tenant.store_batch(sent, 1_000).await.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "ack {number}").unwrap();
                    out.flush().unwrap();
                }
            };
            futures_util::future::join_all((0..4).map(send)).await;
        }
    });
}

fn start(folder: &std::path::Path, round: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::victim", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets it run until it has acknowledged something and a random while more; gives the acknowledged numbers.
fn run_and_kill(folder: &std::path::Path, round: u64) -> Vec<u64> {
    let mut child = start(folder, round);
    let out = BufReader::new(child.stdout.take().unwrap());
    let (lines, received) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let number = |line: String| line.split("ack ").nth(1).and_then(|number| number.trim().parse::<u64>().ok());
    let mut acknowledged = Vec::new();
    while acknowledged.is_empty() {
        let line = received.recv_timeout(Duration::from_secs(60)).expect("the victim acknowledges something");
        acknowledged.extend(number(line));
    }
    std::thread::sleep(Duration::from_micros(rand::random_range(0..40_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    acknowledged.extend(received.try_iter().filter_map(number));
    acknowledged
}

#[tokio::test]
async fn everything_acknowledged_survives_a_kill() {
    let fixture = Fixture::with_profiles(Engine::Sqlite, &["p"]).await;
    fixture.close().await;
    let Fixture { store, bed: Bed { folder, .. } } = fixture;
    drop(store);
    let mut expected = BTreeSet::new();
    for round in 0..ROUNDS {
        for number in run_and_kill(folder.path(), round) {
            expected.extend(records_of(round, number).iter().map(|row| row["measures"]["value"].as_u64().unwrap()));
        }
        let store = Store::open(&settings(folder.path())).await.expect("the file opens after a kill");
        let tenant = store.tenant(&TenantId::default());
        let texts = scanned(&tenant, "p").await;
        let found: BTreeSet<u64> = texts.iter().map(|text| value_of(text)).collect();
        assert_eq!(found.len(), texts.len(), "round {round}: no record twice");
        let lost = expected.difference(&found).count();
        assert_eq!(lost, 0, "round {round}: {lost} acknowledged records are gone");
        let summary = tenant.summary().await.unwrap();
        assert_eq!(summary.records as usize, texts.len(), "round {round}: the counters agree");
        store.close(Duration::from_secs(20)).await.unwrap();
    }
    assert!(expected.len() as u64 > ROUNDS * RECORDS);
}

fn value_of(text: &str) -> u64 {
    let row: Value = serde_json::from_str(text).unwrap();
    row["measures"]["value"].as_u64().unwrap()
}
