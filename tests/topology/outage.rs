//! `kill -9` of each role in turn: the others go on, what does not work is said in one clear 503, and after a restart
//! all is well.

use std::time::{Duration, Instant};

use chartly::settings::Role;
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::scenario::{batch, report, row, yaml};
use crate::support::{Answer, KEY, get, post, put_profile, send, until};

/// A request, and the role that answers it.
const ASKED: &[(Role, &str, &str)] = &[
    (Role::Registry, "GET", "/api/profiles"),
    (Role::Registry, "GET", "/api/profiles/left/versions"),
    (Role::Registry, "POST", "/api/profiles/left:resume"),
    (Role::Coordinator, "GET", "/api/drones"),
    (Role::Coordinator, "GET", "/api/drones/d1/work"),
    (Role::Coordinator, "POST", "/api/drones/d1:drain"),
    (Role::Aggregator, "GET", "/api/records?limit=1"),
    (Role::Aggregator, "GET", "/api/runs/r-left"),
    (Role::Aggregator, "GET", "/api/results/summary"),
    (Role::Reporter, "GET", "/api/reports"),
    (Role::Reporter, "POST", "/api/reports"),
];

async fn filled(folder: &std::path::Path) -> Layout {
    let five = Layout::five_processes(folder);
    let gateway = five.gateway();
    for profile in ["left", "right"] {
        assert_eq!(put_profile(gateway, &yaml(profile, "1.0.0")).await.status, 201);
        let rows: Vec<Value> = (0..20).map(|n| row(n, n as f64)).collect();
        store(gateway, &batch(profile, &format!("r-{profile}"), 0, &rows)).await;
    }
    post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": "d1"})).await;
    five
}

async fn store(gateway: &str, batch: &Value) -> Value {
    let answer = post(&format!("{gateway}/api/results"), batch).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn ask(gateway: &str, method: &str, path: &str) -> Answer {
    let body = if path == "/api/reports" { report(&json!({"type": "table"})) } else { json!({}) };
    let body = if method == "GET" { String::new() } else { body.to_string() };
    let headers = [("content-type", "application/json"), ("x-api-key", KEY)];
    send(method, &format!("{gateway}{path}"), &headers, body).await
}

/// With `away` gone, each request is answered as its role can.
async fn answers_while(gateway: &str, away: Role) {
    for (role, method, path) in ASKED {
        let begun = Instant::now();
        let answer = ask(gateway, method, path).await;
        if *role == away {
            assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"), "{method} {path}");
            assert!(answer.retry_after.is_some(), "{method} {path} says when to come again");
            assert_eq!(answer.json()["retry"], "safe", "{method} {path}");
        } else {
            assert_eq!(answer.status, 200, "{method} {path} without the {away}: {}", answer.text());
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{method} {path} took {:?}", begun.elapsed());
    }
}

/// The gateway names who is away, in its health and in the status of the whole.
async fn says_who(gateway: &str, away: Role) {
    let named = until("the gateway notices", Duration::from_secs(15), async || {
        let health = get(&format!("{gateway}/health")).await.json();
        (health["status"] == "degraded").then_some(health)
    })
    .await;
    assert_eq!(named["away"], json!([away.as_str()]), "{named}");
    let status = get(&format!("{gateway}/api/status")).await;
    assert_eq!(status.status, 200);
    let problems = status.json()["problems"].to_string();
    let named = problems.matches(&format!("the {away} ")).count();
    assert_eq!(named, 1, "named once: {problems}");
    assert_eq!(get(&format!("{gateway}/ready")).await.status, 200, "what still works gets its traffic");
}

#[actix_web::test]
async fn what_needs_no_role_that_is_away_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = filled(folder.path()).await;
    let gateway = five.gateway().to_owned();
    five.all_well().await;
    for away in [Role::Registry, Role::Coordinator, Role::Aggregator, Role::Reporter] {
        five.of(away).kill();
        answers_while(&gateway, away).await;
        says_who(&gateway, away).await;
        five.of(away).restart();
        five.all_well().await;
        for (_, method, path) in ASKED {
            let answer = ask(&gateway, method, path).await;
            assert_eq!(answer.status, 200, "{method} {path} after the {away} came back: {}", answer.text());
        }
    }
}

#[actix_web::test]
async fn nothing_that_was_answered_is_lost_with_its_role() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = filled(folder.path()).await;
    let gateway = five.gateway().to_owned();
    let asked = post(&format!("{gateway}/api/profiles/left:run"), &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let first = batch("left", "r-more", 0, &[row(100, 1.0)]);
    store(&gateway, &first).await;
    for role in [Role::Aggregator, Role::Coordinator, Role::Registry, Role::Reporter] {
        five.of(role).kill();
    }
    let refused = post(&format!("{gateway}/api/results"), &batch("left", "r-more", 1, &[row(101, 1.0)])).await;
    assert_eq!(refused.code(), "unavailable");
    for role in [Role::Aggregator, Role::Coordinator, Role::Registry, Role::Reporter] {
        five.of(role).restart();
    }
    assert_eq!(store(&gateway, &first).await["replayed"], json!(true));
    assert_eq!(store(&gateway, &batch("left", "r-more", 1, &[row(101, 1.0)])).await["inserted"], json!(1));
    let work = get(&format!("{gateway}/api/drones/d1/work")).await.json();
    assert_eq!(work["run_now"][0]["request_id"], asked.json()["request_id"], "{work}");
    let summary = get(&format!("{gateway}/api/results/summary")).await.json();
    assert_eq!(summary["records"], json!(42), "{summary}");
}

#[actix_web::test]
async fn the_roles_outlive_their_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = filled(folder.path()).await;
    let gateway = five.gateway().to_owned();
    five.of(Role::Gateway).kill();
    for role in [Role::Registry, Role::Coordinator, Role::Aggregator, Role::Reporter] {
        let health = get(&format!("{}/health", five.of(role).url())).await;
        assert_eq!((health.status, &health.json()["status"]), (200, &json!("ok")), "{role}: {}", health.text());
    }
    five.of(Role::Gateway).restart();
    five.all_well().await;
    let records = get(&format!("{gateway}/api/results/summary")).await.json();
    assert_eq!(records["records"], json!(40), "{records}");
}
