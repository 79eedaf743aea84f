use awc::http::{Method, StatusCode};
use serde_json::json;

use crate::client::{Api, KEY, on_both};
use crate::profiles::MINIMAL;

on_both!(a_correlation_is_computed_and_kept, a_table_comes_as_csv_when_asked, a_report_that_makes_no_sense_is_refused,);

/// Two profiles with a measure each, that rise together over five states.
async fn with_two_profiles(api: Api) -> Api {
    for (profile, factor) in [("a", 1), ("b", 2)] {
        let yaml = MINIMAL.replace("census-population", profile);
        assert_eq!(api.post("/api/profiles", yaml).await.status, StatusCode::CREATED);
        let data: Vec<_> = (0..5)
            .map(|number| json!({"dims": {"geo": {"state": format!("s{number}")}}, "measures": {"x": number * factor}}))
            .collect();
        let batch = json!({"drone_id": "d", "profile_id": profile, "run_id": profile, "data": data});
        assert_eq!(api.post_json("/api/results", &batch).await.at("/inserted"), 5);
    }
    api
}

fn spec(output: &serde_json::Value) -> serde_json::Value {
    let inputs = ["a", "b"].map(|id| json!({"profile_id": id, "measure": "measures.x"}));
    json!({"join": ["dims.geo.state"], "inputs": inputs, "window": {"limit": 5000}, "output": output})
}

async fn a_correlation_is_computed_and_kept(api: Api) {
    let api = with_two_profiles(api).await;
    let report = api.post_json("/api/reports", &spec(&json!({"type": "correlation", "method": "pearson"}))).await;
    assert_eq!(report.at("/result/pairs/0/n"), 5, "{}", report.body);
    let r = report.at("/result/pairs/0/r").as_f64().unwrap();
    assert!((r - 1.0).abs() < 1e-12, "{r}");
    let kept = api.get(report.header("location")).await;
    assert_eq!(kept.at("/result"), report.at("/result"));
    assert_eq!(api.get("/api/reports").await.at("/items/0/report_id"), report.at("/report_id"));
    assert_eq!(api.get("/api/reports/999999").await.code(), "unknown_report");
}

async fn a_table_comes_as_csv_when_asked(api: Api) {
    let api = with_two_profiles(api).await;
    let headers = [("x-api-key", KEY), ("accept", "text/csv"), ("content-type", "application/json")];
    let body = spec(&json!({"type": "table"})).to_string();
    let table = api.send(Method::POST, "/api/reports", &headers, body).await;
    assert!(table.header("content-type").starts_with("text/csv"), "{table:?}");
    let lines: Vec<_> = table.body.lines().collect();
    assert_eq!((lines.len(), lines[2]), (6, "s1,1,2"), "{}", table.body);
    let parquet = api.get_as(table.header("location"), "application/vnd.apache.parquet").await;
    assert_eq!(parquet.code(), "not_acceptable");
}

async fn a_report_that_makes_no_sense_is_refused(api: Api) {
    let api = with_two_profiles(api).await;
    let mut bad = spec(&json!({"type": "table"}));
    bad["inputs"][0]["measure"] = "dims.geo.state".into();
    assert_eq!(api.post_json("/api/reports", &bad).await.code(), "invalid_report");
    bad["inputs"][0]["profile_id"] = "../etc".into();
    assert_eq!(api.post_json("/api/reports", &bad).await.code(), "malformed_json");
}
