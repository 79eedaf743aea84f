//! `kill -9` at any moment: what was acknowledged is there afterwards, once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{KEY, Process, get, put_profile, records};

const PROFILE: &str = "id: kept\nname: kept\nversion: 1.0.0\n\
    source: { type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }\n\
    schedule: { enabled: true, interval: 30d, jitter: 0s }\nmapping:\n  n: dims.n\n  v: measures.v\n";

fn batch(round: u32, seq: u32) -> Value {
    let data: Vec<Value> =
        (0..50).map(|n| json!({"dims": {"n": format!("{round}-{seq}-{n}")}, "measures": {"v": n}})).collect();
    json!({"drone_id": "d", "profile_id": "kept", "run_id": format!("r{round}"), "seq": seq, "data": data})
}

/// Posts until the server dies; returns the acknowledged batches.
async fn post_until_dead(url: &str, round: u32) -> BTreeSet<(u32, u32)> {
    let http = awc::Client::builder().timeout(Duration::from_secs(5)).finish();
    let mut acknowledged = BTreeSet::new();
    for seq in 0.. {
        let request = http.post(format!("{url}/api/results")).insert_header(("x-api-key", KEY));
        match request.send_json(&batch(round, seq)).await {
            Ok(answer) if answer.status().is_success() => acknowledged.insert((round, seq)),
            _ => break,
        };
    }
    acknowledged
}

#[actix_web::test]
async fn what_was_acknowledged_survives_kill_9_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6 {
        let mut node = Process::serve(folder.path(), &["--drones", "0"]);
        put_profile(&node.url, PROFILE).await;
        let url = node.url.clone();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(120 + u64::from(round) * 70));
            node.kill();
        });
        acknowledged.extend(post_until_dead(&url, round).await);
        killer.join().unwrap();
    }
    assert!(acknowledged.len() > 10, "only {} batches in all rounds", acknowledged.len());

    let begun = Instant::now();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    eprintln!("{} acknowledged batches; started again in {:?}", acknowledged.len(), begun.elapsed());
    let stored: Vec<String> =
        records(&node.url, "kept").await.iter().map(|row| row["dims"]["n"].as_str().unwrap().to_owned()).collect();
    let distinct: BTreeSet<&str> = stored.iter().map(String::as_str).collect();
    assert_eq!(distinct.len(), stored.len(), "a record is there twice");
    for (round, seq) in &acknowledged {
        for n in 0..50 {
            assert!(distinct.contains(format!("{round}-{seq}-{n}").as_str()), "{round}-{seq}-{n} is lost");
        }
    }
    // A batch is there as a whole or not at all, acknowledged or not.
    assert_eq!(stored.len() % 50, 0);
}

#[actix_web::test]
async fn a_second_node_on_the_same_port_says_so_and_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("a"), &["--drones", "0"]);
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    let other = folder.path().join("b");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", other.to_str().unwrap()];
    let mut second = Process::start(env!("CARGO_BIN_EXE_chartly"), &args, &[("REGISTRY_API_KEY", KEY)]);
    second.wait_for("cannot be listened on", Duration::from_secs(10));
    assert_eq!(second.wait(Duration::from_secs(10)).code(), Some(69));
    assert_eq!(get(&format!("{}/health", node.url)).await.status, 200);
}

#[actix_web::test]
async fn a_stop_under_load_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Process::serve(folder.path(), &["--drones", "0"]);
    put_profile(&node.url, PROFILE).await;
    let url = node.url.clone();
    let stopper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let code = node.terminate(Duration::from_secs(25)).code();
        (code, node.output())
    });
    let acknowledged = post_until_dead(&url, 0).await;
    let (code, output) = stopper.join().unwrap();
    assert_eq!(code, Some(0), "{output}");
    assert!(!acknowledged.is_empty());
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    assert!(records(&node.url, "kept").await.len() >= acknowledged.len() * 50);
}
