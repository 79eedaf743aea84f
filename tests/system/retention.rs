//! Retention in a running node: what a profile lets go goes by itself, is seen to go, and a kill in the middle leaves
//! counts that are true.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, Process, get, post, put_profile, records, send, until};

const SOON: Duration = Duration::from_secs(20);

fn yaml(retention: &str) -> String {
    format!(
        "id: kept\nname: kept\nversion: 1.0.0\nsource: {{url: \"http://127.0.0.1:9/\"}}\nrows: {{each: $.d}}\n\
         schedule: {{enabled: false}}\ndims: {{n: n}}\nmeasures: {{v: v}}\n{retention}\n"
    )
}

/// A node that looks for what may go all the time.
fn serve(folder: &std::path::Path) -> Process {
    let folder = folder.to_str().unwrap();
    let args = ["serve", "--data-dir", folder, "--port", "0", "--drones", "0"];
    let env = [
        ("REGISTRY_API_KEY", KEY),
        ("CHARTLY__RETENTION__EVERY_MS", "100"),
        ("CHARTLY__RETENTION__STEP_ROWS", "50"),
        ("CHARTLY__RETENTION__STEP_PAUSE_MS", "1"),
    ];
    Process::chartly(&args, &env)
}

fn run(name: &str, numbers: std::ops::Range<u32>) -> Value {
    let data: Vec<Value> = numbers.map(|n| json!({"dims": {"n": n.to_string()}, "measures": {"v": n}})).collect();
    json!({"drone_id": "d", "profile_id": "kept", "run_id": name, "seq": 0, "data": data,
        "run": {"state": "succeeded", "started_ms": 1_700_000_000_000_i64}})
}

#[actix_web::test]
async fn what_a_profile_lets_go_goes_and_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve(folder.path());
    let url = &node.url;
    assert_eq!(put_profile(url, &yaml("")).await.status, 201);
    for (name, numbers) in [("first", 0..5), ("second", 5..6)] {
        assert_eq!(post(&format!("{url}/api/results"), &run(name, numbers)).await.status, 200);
    }
    let route = format!("{url}/api/profiles/kept/retention");
    let plan = get(&route).await.json();
    assert_eq!((&plan["rule"], &plan["would_remove"]["records"]), (&json!({}), &json!(0)), "nothing goes unasked");
    let tried = get(&format!("{route}?max_records=3")).await.json();
    assert_eq!(tried["would_remove"]["records"], 3);
    assert_eq!(get(&format!("{route}?max_record=3")).await.status, 400);
    assert_eq!(get(&format!("{route}?records=soon")).await.status, 400);
    assert_eq!(records(url, "kept").await.len(), 6, "asking removes nothing");

    let told = put_profile(url, &yaml("retention: {max_records: 3, versions: 2}")).await;
    assert_eq!(told.status, 422, "{}", told.text());
    assert!(told.text().contains("no key"));
    let headers = [("content-type", "application/yaml"), ("x-api-key", KEY)];
    let new = send("PUT", &format!("{url}/api/profiles/kept"), &headers, yaml("retention: {max_records: 3}")).await;
    assert_eq!(new.status, 200, "{}", new.text());
    let left = until("three are left", SOON, async || {
        let left = records(url, "kept").await;
        (left.len() == 3).then_some(left)
    })
    .await;
    let numbers: Vec<&str> = left.iter().map(|row| row["dims"]["n"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["3", "4", "5"]);
    let status = until("it is told", SOON, async || {
        let status = get(&format!("{url}/api/status")).await.json();
        (status["store"]["retention"]["records_removed"] == 3).then_some(status)
    })
    .await;
    assert!(status["store"]["retention"]["passes"].as_u64().unwrap() > 0);
    assert_eq!((&status["results"]["records"], &status["results"]["expired"]), (&json!(3), &json!(3)));
    let metrics = get(&format!("{url}/metrics")).await.text();
    assert!(metrics.contains("chartly_store_retention_records_removed_total 3"), "{metrics}");
    let first = get(&format!("{url}/api/runs/first")).await.json();
    assert_eq!((&first["inserted"], &first["expired"]), (&json!(5), &json!(3)));
    let past = get(&format!("{url}/api/records?profile_id=kept&as_of=2024-01-01")).await;
    assert_eq!((past.status, past.code().as_str()), (410, "expired"), "{}", past.text());
    let plan = get(&route).await.json();
    assert_eq!((&plan["would_remove"]["records"], &plan["expired"]), (&json!(0), &json!(3)));
}

#[actix_web::test]
async fn a_kill_in_the_middle_leaves_true_counts() {
    const ROUNDS: u32 = 6;
    let folder = tempfile::tempdir().unwrap();
    let mut last = None;
    for round in 0..ROUNDS {
        let mut node = serve(folder.path());
        put_profile(&node.url, &yaml("retention: {max_records: 100}")).await;
        let begun = std::time::Instant::now();
        let most = Duration::from_millis(300 + u64::from(round) * 120);
        for number in (round * 10_000..).step_by(40) {
            if begun.elapsed() > most {
                break;
            }
            let name = format!("run-{number}");
            assert_eq!(post(&format!("{}/api/results", node.url), &run(&name, number..number + 60)).await.status, 200);
            last = Some(number);
        }
        node.kill();
    }
    let node = serve(folder.path());
    until("it has caught up", SOON, async || (records(&node.url, "kept").await.len() == 100).then_some(())).await;
    let summary = get(&format!("{}/api/results/summary", node.url)).await.json();
    assert_eq!(summary["records"], 100);
    assert!(summary["expired"].as_u64().unwrap() > 100);
    let numbers: Vec<u32> =
        records(&node.url, "kept").await.iter().map(|row| row["measures"]["v"].as_u64().unwrap() as u32).collect();
    let last = last.unwrap();
    assert!((last..last + 60).all(|number| numbers.contains(&number)), "what the latest run saw is there");
}
