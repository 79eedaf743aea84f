use serde_json::json;

use crate::client::{Api, on_both};

on_both!(the_status_says_what_is_wrong_and_what_to_do, metrics_count_routes_not_urls,);

async fn the_status_says_what_is_wrong_and_what_to_do(api: Api) {
    api.all_well().await;
    let status = api.get("/api/status").await;
    let problems = status.at("/problems").to_string();
    assert!(
        problems.contains("no drone is online") && problems.contains("chartly-drone --control-plane"),
        "{problems}"
    );
    let (roles, names) = (status.at("/roles"), status.at("/parts").to_string());
    let roles = roles.as_array().unwrap();
    assert_eq!(roles.len(), 5, "{}", status.body);
    for role in roles.iter().skip(1) {
        // A role elsewhere is named with its address; its parts and its store are told by that process.
        let is_local = role["place"] == "local";
        assert!(is_local || role["place"].as_str().unwrap().starts_with("http://"), "{role}");
        assert_eq!(names.contains(role["role"].as_str().unwrap()), is_local, "{names}");
        assert_eq!(status.at("/store/writable") == true, is_local);
    }
    api.post_json("/api/drones/register", &json!({"drone_id": "d"})).await;
    assert_eq!(api.get("/api/status").await.at("/problems"), json!([]));
}

async fn metrics_count_routes_not_urls(api: Api) {
    api.get("/api/profiles/secret-name").await;
    let metrics = api.get("/metrics").await.body;
    assert!(metrics.contains(r#"route="/api/profiles/{id}",status="404""#), "{metrics}");
    assert!(!metrics.contains("secret-name"), "{metrics}");
    assert!(metrics.contains("chartly_http_request_seconds_bucket"), "{metrics}");
}
