use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Api, on_both};
use crate::profiles::MINIMAL;

on_both!(
    a_drone_joins_beats_gets_work_and_drains,
    a_question_for_work_waits_for_news_and_no_longer_than_asked,
    a_clock_that_is_a_day_off_is_taken_and_shown,
);

const DAY_MS: i64 = 86_400_000;

async fn a_drone_joins_beats_gets_work_and_drains(api: Api) {
    let unknown = api.post_json("/api/drones/heartbeat", &json!({"drone_id": "edge-1"})).await;
    assert_eq!(unknown.at("/known"), false);
    let joined =
        api.post_json("/api/drones/register", &json!({"drone_id": "edge-1", "labels": {"region": "eu"}})).await;
    assert!(joined.at("/heartbeat_ms").as_u64().unwrap() > 0, "{}", joined.body);
    api.post("/api/profiles", MINIMAL).await;
    let mut work = api.get("/api/drones/edge-1/work").await;
    while work.at("/assignments").as_array().unwrap().is_empty() {
        let revision = work.at("/revision");
        work = api.get(&format!("/api/drones/edge-1/work?revision={revision}&wait_ms=5000")).await;
    }
    assert_eq!(work.at("/assignments/0/profile_id"), "census-population");
    let beat = api.post_json("/api/drones/heartbeat", &json!({"drone_id": "edge-1", "profiles": 1})).await;
    assert_eq!((beat.at("/known"), beat.at("/revision")), (true.into(), work.at("/revision")));
    assert_eq!(api.get("/api/drones/stats").await.at("/online"), 1);
    assert_eq!(api.get("/api/drones/edge-1").await.at("/labels/region"), "eu");
    assert_eq!(api.post("/api/drones/edge-1:drain", "").await.at("/state"), "draining");
    assert_eq!(api.post("/api/drones/edge-1:drain", "{}").await.at("/state"), "draining");
    assert_eq!(api.post("/api/drones/edge-1:drain", r#"{"draining":false}"#).await.at("/state"), "online");
    assert_eq!(api.get("/api/drones/edge-2").await.code(), "unknown_drone");
    assert_eq!(api.get("/api/drones").await.at("/items").as_array().unwrap().len(), 1);
}

async fn a_question_for_work_waits_for_news_and_no_longer_than_asked(api: Api) {
    api.post_json("/api/drones/register", &json!({"drone_id": "d"})).await;
    let revision = api.get("/api/drones/d/work").await.at("/revision");
    let started = Instant::now();
    let same = api.get(&format!("/api/drones/d/work?revision={revision}&wait_ms=700")).await;
    assert_eq!(same.at("/revision"), revision);
    assert!(started.elapsed() >= Duration::from_millis(700), "it did not wait");
    let path = format!("/api/drones/d/work?revision={revision}&wait_ms=20000");
    let (news, _) = tokio::join!(api.get(&path), api.post("/api/profiles", MINIMAL));
    assert_ne!(news.at("/revision"), revision);
    assert!(started.elapsed() < Duration::from_secs(10), "it did not hear of the news");
}

async fn a_clock_that_is_a_day_off_is_taken_and_shown(api: Api) {
    let now_ms = api.post_json("/api/drones/register", &json!({"drone_id": "d"})).await.at("/server_ms");
    let yesterday = now_ms.as_i64().unwrap() - DAY_MS;
    let joined = api.post_json("/api/drones/register", &json!({"drone_id": "d", "clock_ms": yesterday})).await;
    assert!(joined.status.is_success(), "{}", joined.body);
    let skew = api.get("/api/drones/d").await.at("/clock_skew_ms").as_i64().unwrap();
    assert!((skew + DAY_MS).abs() < 60_000, "{skew}");
}
