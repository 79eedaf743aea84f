use serde_json::json;

use crate::client::{Api, Topology};

#[actix_web::test]
async fn the_status_says_what_is_wrong_and_what_to_do() {
    let api = Api::start(Topology::Together).await;
    ready(&api).await;
    assert_eq!(api.get("/health").await.at("/status"), "ok");
    let status = api.get("/api/status").await;
    let problems = status.at("/problems").to_string();
    assert!(
        problems.contains("no drone is online") && problems.contains("chartly-drone --control-plane"),
        "{problems}"
    );
    let local = status.at("/roles").as_array().unwrap().iter().filter(|role| role["place"] == "local").count();
    assert_eq!(local, 5, "{}", status.body);
    let names = status.at("/parts").to_string();
    for part in ["registry", "coordinator", "aggregator", "reporter"] {
        assert!(names.contains(part), "{names}");
    }
    assert_eq!(status.at("/store/writable"), true);
    api.post_json("/api/drones/register", &json!({"drone_id": "d"})).await;
    assert_eq!(api.get("/api/status").await.at("/problems"), json!([]));
}

#[actix_web::test]
async fn metrics_count_routes_not_urls() {
    let api = Api::start(Topology::Together).await;
    api.get("/api/profiles/secret-name").await;
    let metrics = api.get("/metrics").await.body;
    assert!(metrics.contains(r#"route="/api/profiles/{id}",status="404""#), "{metrics}");
    assert!(!metrics.contains("secret-name"), "{metrics}");
    assert!(metrics.contains("chartly_http_request_seconds_bucket"), "{metrics}");
}

/// Ready comes a moment after the port: every role answers first.
async fn ready(api: &Api) {
    for _ in 0..100 {
        if api.get("/ready").await.status.is_success() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not ready within five seconds");
}
