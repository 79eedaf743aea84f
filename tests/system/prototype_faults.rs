//! The faults of the prototype that touch these parts, each shown to be impossible here. The numbers are those of the
//! list of faults in docs/guarantees.md.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::source::{Reply, Source};
use crate::support::{KEY, Process, get, post, put_profile, records, send, until};

const SOON: Duration = Duration::from_secs(20);

fn profile(id: &str, url: &str, interval: &str) -> String {
    format!(
        "id: {id}\nname: {id}\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"{url}\", auth: none }}\n\
         schedule: {{ enabled: true, interval: {interval}, jitter: 0s }}\n\
         limits: {{ max_records: 5000, max_pages: 50, max_bytes: 1048576 }}\n\
         mapping:\n  place: dims.geo.name\n  year: dims.time.year\n  value: measures.value\n"
    )
}

fn rows(value: usize) -> Reply {
    Reply::json(json!([{"place": "CA", "year": "2020", "value": value}]).to_string())
}

async fn drones_online(base: &str, count: u64) {
    until("the drones are online", SOON, async || {
        let stats = get(&format!("{base}/api/drones/stats")).await.json();
        (stats["online"].as_u64() == Some(count)).then_some(())
    })
    .await;
}

fn loopback_drone(base: &str, data_dir: &std::path::Path, id: &str) -> Process {
    Process::drone(base, data_dir, &["--id", id, "--allow-private", "127.0.0.1/32"])
}

/// 1: every drone was given every profile, so N drones polled each source N times.
#[actix_web::test]
async fn fault_1_three_drones_fetch_each_source_once() {
    let folder = tempfile::tempdir().unwrap();
    let sources: Vec<Source> = (0..6).map(|_| Source::start(|_, _| rows(1))).collect();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let _drones: Vec<Process> =
        (0..3).map(|n| loopback_drone(&node.url, &folder.path().join(n.to_string()), &format!("d{n}"))).collect();
    drones_online(&node.url, 3).await;
    for (n, source) in sources.iter().enumerate() {
        let answer = put_profile(&node.url, &profile(&format!("p{n}"), &source.url(), "1h")).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    until("all six have records", SOON, async || {
        let summary = get(&format!("{}/api/results/summary", node.url)).await.json();
        (summary["records"].as_u64() == Some(6)).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(sources.iter().map(Source::count).collect::<Vec<_>>(), [1; 6]);
}

/// 2: after a restart of the coordinator drones never came back, and new profiles never reached running drones.
/// 8: what could not be posted was dropped.
#[actix_web::test]
async fn faults_2_and_8_a_killed_control_plane_gets_its_drones_and_all_their_data_back() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::start(|_, before| rows(before));
    let mut node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let base = node.url.clone();
    let port = base.rsplit(':').next().unwrap().to_owned();
    let _drone = loopback_drone(&base, &folder.path().join("drone"), "d1");
    drones_online(&base, 1).await;
    put_profile(&base, &profile("often", &source.url(), "1s")).await;
    until("the first record", SOON, async || (!records(&base, "often").await.is_empty()).then_some(())).await;

    node.kill();
    let at_kill = source.count();
    until("the drone goes on alone", SOON, async || (source.count() >= at_kill + 3).then_some(())).await;

    let data = folder.path().join("node");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", data.to_str().unwrap()];
    let node = Process::chartly(&args, &[("REGISTRY_API_KEY", KEY)]);
    let expected = source.count();
    let stored = until("all that was fetched is stored", Duration::from_secs(60), async || {
        let stored = records(&node.url, "often").await;
        (stored.len() >= expected).then_some(stored)
    })
    .await;
    let mut values: Vec<u64> = stored.iter().map(|row| row["measures"]["value"].as_u64().unwrap()).collect();
    values.sort_unstable();
    let every: Vec<u64> = (0..values.len() as u64).collect();
    assert_eq!(values, every, "each fetch once, none lost, none doubled");

    put_profile(&node.url, &profile("later", &source.url(), "1h")).await;
    until("a new profile reaches the drone", SOON, async || {
        (!records(&node.url, "later").await.is_empty()).then_some(())
    })
    .await;
}

/// 3: the queue of forced runs was emptied when read, queued for all drones, and unreachable through the gateway.
#[actix_web::test]
async fn fault_3_a_run_request_survives_a_crash_and_is_carried_out_once() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::start(|_, before| rows(before));
    let data = folder.path().join("node");
    let mut node = Process::serve(&data, &["--drones", "0"]);
    put_profile(&node.url, &profile("rare", &source.url(), "30d")).await;
    let asked = until("the coordinator knows the profile", SOON, async || {
        let asked = post(&format!("{}/api/profiles/rare:run", node.url), &json!({})).await;
        (asked.status == 202 || asked.status == 200).then_some(asked)
    })
    .await;
    assert_eq!(asked.json()["drone_id"], Value::Null, "nobody is there yet");
    node.kill();

    let node = Process::serve(&data, &["--drones", "0"]);
    let _drones: Vec<Process> =
        (0..2).map(|n| loopback_drone(&node.url, &folder.path().join(n.to_string()), &format!("d{n}"))).collect();
    until("the request is done", SOON, async || {
        let stats = get(&format!("{}/api/drones/stats", node.url)).await.json();
        (stats["pending_run_requests"].as_u64() == Some(0) && stats["online"].as_u64() == Some(2)).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(source.count() <= 2, "the first run of a new profile and the asked one at most: {}", source.count());
}

async fn store(base: &str, profile: &str, rows: Vec<Value>) {
    let source = Source::start(|_, _| rows_never());
    put_profile(base, &self::profile(profile, &source.url(), "30d")).await;
    for (seq, part) in rows.chunks(1_000).enumerate() {
        let batch = json!({"drone_id": "d", "profile_id": profile, "run_id": format!("run-{profile}"), "seq": seq, "data": part});
        let answer = post(&format!("{base}/api/results"), &batch).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

fn rows_never() -> Reply {
    Reply { status: 404, ..Reply::json("{}") }
}

fn correlate(left: &str, right: &str) -> Value {
    json!({"join": ["dims.geo.name"], "output": {"type": "correlation", "method": "pearson"}, "window": {"limit": 5000},
           "inputs": [{"profile_id": left, "measure": "measures.v"}, {"profile_id": right, "measure": "measures.v"}]})
}

/// 4: the report could not be reached through the gateway. 5: its square root was wrong for large numbers.
/// 6: inputs were capped at 1,000 rows in silence.
#[actix_web::test]
async fn faults_4_5_and_6_a_correlation_of_large_numbers_uses_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let row = |n: usize, v: f64| json!({"dims": {"geo": {"name": format!("n{n}")}}, "measures": {"v": v}});
    let x = |n: usize| 1e12 + (n as f64) * 1e6;
    let y = |n: usize| 3e12 - (n as f64) * 2e6 + ((n % 7) as f64) * 1e8;
    store(&node.url, "left", (0..6_000).map(|n| row(n, x(n))).collect()).await;
    store(&node.url, "right", (0..6_000).map(|n| row(n, y(n))).collect()).await;

    let answer = post(&format!("{}/api/reports", node.url), &correlate("left", "right")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let pair = &answer["result"]["pairs"][0];
    assert_eq!(pair["n"], json!(6_000), "{answer}");
    let (xs, ys): (Vec<_>, Vec<_>) = (0..6_000).map(|n| (x(n), y(n))).unzip();
    let expected = reference(&xs, &ys);
    assert!((pair["r"].as_f64().unwrap() - expected).abs() < 1e-12, "{pair} instead of {expected}");
}

/// Two-pass Pearson, straight from the textbook.
fn reference(xs: &[f64], ys: &[f64]) -> f64 {
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64;
    let (mx, my) = (mean(xs), mean(ys));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in xs.iter().zip(ys) {
        xy += (x - mx) * (y - my);
        xx += (x - mx) * (x - mx);
        yy += (y - my) * (y - my);
    }
    xy / (xx.sqrt() * yy.sqrt())
}

/// 6: join keys were glued with "|", so values that hold it collided; rows without a key vanished without a count.
#[actix_web::test]
async fn fault_6_keys_do_not_collide_and_rows_without_a_key_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let row = |a: &str, b: &str, v: u32| json!({"dims": {"a": a, "b": b}, "measures": {"v": v}});
    let lone = json!({"dims": {"a": "x"}, "measures": {"v": 9}});
    store(&node.url, "left", vec![row("x|y", "z", 1), row("x", "y|z", 2), lone.clone()]).await;
    store(&node.url, "right", vec![row("x|y", "z", 10), row("x", "y|z", 20), lone]).await;
    let report = json!({"join": ["dims.a", "dims.b"], "output": {"type": "table"},
        "inputs": [{"profile_id": "left", "measure": "measures.v"}, {"profile_id": "right", "measure": "measures.v"}]});
    let answer = post(&format!("{}/api/reports", node.url), &report).await.json();
    let result = &answer["result"];
    assert_eq!(result["matched"], json!(2), "{answer}");
    assert_eq!(result["inputs"][0]["without_key"], json!(1));
    let rows = result["rows"].as_array().unwrap();
    assert!(
        rows.iter().any(|row| row["key"] == json!(["x", "y|z"]) && row["values"] == json!([2.0, 20.0])),
        "{answer}"
    );
}

/// 8: a batch sent again gave doubled results.
#[actix_web::test]
async fn fault_8_a_batch_sent_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let data =
        vec![json!({"dims": {"a": "x"}, "measures": {"v": 1}}), json!({"dims": {"a": "y"}, "measures": {"v": 2}})];
    store(&node.url, "p", data.clone()).await;
    let batch = json!({"drone_id": "d", "profile_id": "p", "run_id": "run-p", "seq": 0, "data": data});
    let again = post(&format!("{}/api/results", node.url), &batch).await.json();
    assert_eq!((&again["replayed"], &again["inserted"]), (&json!(true), &json!(2)));
    let results = get(&format!("{}/api/results?run_id=run-p", node.url)).await.json();
    assert_eq!(results["items"].as_array().unwrap().len(), 2);
}

/// 10: the guard compared texts, so private addresses, names and redirects got through.
#[actix_web::test]
async fn fault_10_a_private_address_is_not_fetched_by_literal_name_or_redirect() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::start(|_, _| rows(1));
    let port = source.address.port();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "1"]);
    for (n, host) in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"].iter().enumerate() {
        let answer = put_profile(&node.url, &profile(&format!("p{n}"), &format!("http://{host}:{port}/"), "1h")).await;
        assert!(answer.status == 201 || answer.status == 422, "{}", answer.text());
    }
    until("the runs have failed", SOON, async || {
        let runs = get(&format!("{}/api/runs?state=failed", node.url)).await.json();
        (runs["items"].as_array()?.len() >= 3).then_some(())
    })
    .await;
    assert_eq!(source.count(), 0);
}

/// 11: results could be posted without a login, and a caller's own principal header was trusted.
#[actix_web::test]
async fn fault_11_writes_need_the_key_whatever_headers_say() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    for headers in [vec![], vec![("x-principal", "admin")], vec![("x-api-key", "wrong-key-wrong-key")]] {
        let answer = send("POST", &format!("{}/api/results", node.url), &headers, "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"));
    }
}

/// 12: intervals below five minutes were not met, and one slow source delayed all.
#[actix_web::test]
async fn fault_12_short_intervals_are_met_beside_a_slow_source() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Source::start(|_, _| rows(1).after(Duration::from_secs(30)));
    let quick = Source::start(|_, before| rows(before));
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let _drone = loopback_drone(&node.url, &folder.path().join("drone"), "d1");
    put_profile(&node.url, &profile("slow", &slow.url(), "1h")).await;
    put_profile(&node.url, &profile("quick", &quick.url(), "1s")).await;
    until("both are asked", SOON, async || (slow.count() == 1 && quick.count() >= 1).then_some(())).await;
    let before = quick.count();
    until("three more quick runs while the slow one hangs", Duration::from_secs(15), async || {
        (quick.count() >= before + 3).then_some(())
    })
    .await;
    assert_eq!(slow.count(), 1);
}
