//! Promise 8 in real processes: what supervision and the store count is in `/metrics`, and the same as in the status.

use std::collections::BTreeMap;
use std::time::Duration;

use chartly::settings::Role;
use serde_json::Value;

use crate::layout::Layout;
use crate::scenario::yaml;
use crate::support::source::{Reply, Source};
use crate::support::{Process, get, put_profile, until};

const SOON: Duration = Duration::from_secs(20);

/// The samples at a node, by what stands before the value.
async fn samples(base: &str) -> BTreeMap<String, f64> {
    let answer = get(&format!("{base}/metrics")).await;
    assert_eq!((answer.status, answer.content_type.starts_with("text/plain; version=0.0.4")), (200, true));
    let text = answer.text();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line:?} has no number")))
        })
        .collect()
}

#[actix_web::test]
async fn the_vital_signs_of_every_part_are_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::start(|_, _| Reply::json(r#"[{"n":"a","v":1}]"#));
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let env_args = ["--drones", "0", "--profiles-dir", profiles.to_str().unwrap()];
    let node = Process::serve(&folder.path().join("node"), &env_args);
    for name in ["first", "second"] {
        let text = yaml(name, "1.0.0").replace("http://127.0.0.1:9/", &source.url());
        assert_eq!(put_profile(&node.url, &text).await.status, 201);
    }
    let drone_args = ["--id", "edge-1", "--allow-private", "127.0.0.1/32"];
    let _drone = Process::drone(&node.url, &folder.path().join("drone"), &drone_args);
    until("both ran", SOON, async || (source.count() >= 2).then_some(())).await;
    let records = "chartly_store_records_inserted_total";
    let shown = until("both are stored", SOON, async || {
        let shown = samples(&node.url).await;
        (shown[records] == 2.0).then_some(shown)
    })
    .await;
    let status = get(&format!("{}/api/status", node.url)).await.json();
    for part in status["parts"].as_array().unwrap().iter().filter(|part| part["kind"] == "actor") {
        let name = part["name"].as_str().unwrap();
        for family in ["crashes_total", "restarts_total", "queue_depth", "queue_capacity"] {
            assert!(shown.contains_key(&format!("chartly_actor_{family}{{actor=\"{name}\"}}")), "{family} of {name}");
        }
        assert_eq!(shown[&format!("chartly_actor_state{{actor=\"{name}\",state=\"running\"}}")], 1.0, "{name}");
        let answered = shown[&format!("chartly_actor_asks_total{{actor=\"{name}\",outcome=\"answered\"}}")];
        assert!(answered <= part["asks"]["answered"].as_f64().unwrap(), "{name}: the status was asked later");
        assert!(name == "reporter" || answered > 0.0, "{name} was asked");
    }
    assert_eq!((shown["chartly_store_writable"], shown["chartly_store_gave_up"]), (1.0, 0.0));
    assert_eq!(status["store"]["records_inserted"], Value::from(2));
    let named = shown.keys().find(|series| series.contains("first") || series.contains("edge-1"));
    assert_eq!(named, None, "no profile and no drone is a label");
}

#[actix_web::test]
async fn embedded_drones_are_counted_by_kind_of_part() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let args = ["--drones", "2", "--profiles-dir", profiles.to_str().unwrap()];
    let node = Process::serve(&folder.path().join("node"), &args);
    for name in ["first", "second", "third"] {
        assert_eq!(put_profile(&node.url, &yaml(name, "1.0.0")).await.status, 201);
    }
    let fetch = "chartly_actor_state{actor=\"fetch\",state=\"running\"}";
    let shown = until("three fetch actors run", SOON, async || {
        let shown = samples(&node.url).await;
        (shown.get(fetch) == Some(&3.0)).then_some(shown)
    })
    .await;
    for part in ["drone_session", "drone_scheduler", "drone_replayer", "drone_uplink"] {
        assert_eq!(shown[&format!("chartly_actor_state{{actor=\"{part}\",state=\"running\"}}")], 2.0, "{part}");
    }
    assert_eq!(shown.get("chartly_actor_crashes_total{actor=\"other\"}"), None, "every kind of part has its label");
}

#[actix_web::test]
async fn a_role_that_is_away_is_a_metric_of_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes(folder.path());
    let gateway = five.gateway().to_owned();
    let up = |shown: &BTreeMap<String, f64>, role: Role| shown[&format!("chartly_peer_up{{role=\"{role}\"}}")];
    let shown = samples(&gateway).await;
    assert_eq!(up(&shown, Role::Aggregator), 1.0);
    assert!(!shown.contains_key("chartly_store_writable"), "the gateway has no store");
    assert!(samples(five.of(Role::Aggregator).url()).await.contains_key("chartly_store_writable"));
    five.of(Role::Aggregator).kill();
    until("the gateway notices", SOON, async || {
        let shown = samples(&gateway).await;
        (up(&shown, Role::Aggregator) == 0.0 && up(&shown, Role::Registry) == 1.0).then_some(())
    })
    .await;
}
