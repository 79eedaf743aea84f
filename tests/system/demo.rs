//! `chartly demo`: within ten seconds of its start it has fetched everything, and a joined table and a correlation
//! come back.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Process, get, send, until};

fn demo(data_dir: &std::path::Path) -> (Process, String) {
    let data = data_dir.to_str().unwrap();
    let mut demo = Process::start(env!("CARGO_BIN_EXE_chartly"), &["demo", "--port", "0", "--data-dir", data], &[]);
    let line = demo.wait_for("Chartly is up: ", Duration::from_secs(20));
    demo.url = line.split("is up: ").nth(1).unwrap().trim().to_owned();
    let key = std::fs::read_to_string(data_dir.join("api-key")).unwrap();
    (demo, key.trim().to_owned())
}

async fn report(url: &str, key: &str, text: &str, accept: &str) -> crate::support::Answer {
    let headers = [("content-type", "application/json"), ("accept", accept), ("x-api-key", key)];
    send("POST", &format!("{url}/api/reports"), &headers, text).await
}

#[actix_web::test]
async fn everything_is_there_within_ten_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let (mut demo, key) = demo(folder.path());
    let base = demo.url.clone();

    let summary = until("three runs have ended and left records", Duration::from_secs(10), async || {
        let summary = get(&format!("{base}/api/results/summary")).await.json();
        let profiles = summary["profiles"].as_array()?.clone();
        let filled = profiles.iter().filter(|profile| profile["records"].as_u64() > Some(0)).count();
        (filled == 3 && summary["runs_by_state"]["succeeded"] == json!(3)).then_some(summary)
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    assert_eq!(summary["runs_by_state"]["failed"].as_u64().unwrap_or(0), 0, "{summary}");

    let table = report(&base, &key, chartly::sample::TABLE, "application/json").await;
    assert_eq!(table.status, 200, "{}", table.text());
    let table = table.json();
    assert!(table["result"]["matched"].as_u64().unwrap() >= 10, "{table}");
    let again = get(&format!("{base}/api/reports/{}", table["report_id"].as_str().unwrap())).await.json();
    assert_eq!(again["result"], table["result"]);

    let correlation = report(&base, &key, chartly::sample::CORRELATION, "application/json").await.json();
    let r = correlation["result"]["pairs"][0]["r"].as_f64().unwrap();
    assert!(r.abs() > 0.2 && r.abs() < 1.0, "{correlation}");

    let csv = report(&base, &key, chartly::sample::TABLE, "text/csv").await;
    assert_eq!((csv.status, csv.text().lines().count() > 10), (200, true), "{}", csv.text());

    demo.signal("INT");
    assert_eq!(demo.wait(Duration::from_secs(20)).code(), Some(0), "{}", demo.output());
}

#[actix_web::test]
async fn a_write_without_the_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (demo, _) = demo(folder.path());
    let refused = send("POST", &format!("{}/api/reports", demo.url), &[], json!({}).to_string()).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "unauthenticated"));
}
