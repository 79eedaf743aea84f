use awc::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Api, KEY, on_both};
use crate::profiles::MINIMAL;

on_both!(
    a_batch_is_stored_once,
    the_minimal_batch_is_accepted,
    one_bad_record_is_named_and_the_others_are_stored,
    a_batch_of_bad_records_only_is_answered,
    packed_bodies_are_taken,
    an_unknown_profile_is_refused,
    records_can_be_filtered_and_read_as_lines,
    a_changed_value_is_a_new_version,
);

fn batch(run_id: &str, seq: u32, from: u32, records: u32) -> Value {
    let data: Vec<_> = (from..from + records)
        .map(|number| json!({"dims": {"geo": {"name": format!("n{number}")}}, "measures": {"v": number}}))
        .collect();
    json!({"drone_id": "d1", "profile_id": "census-population", "run_id": run_id, "seq": seq, "data": data})
}

/// A node that knows the profile and holds five records.
async fn with_records(api: Api) -> Api {
    assert_eq!(api.post("/api/profiles", MINIMAL).await.status, StatusCode::CREATED);
    let receipt = api.post_json("/api/results", &batch("r1", 0, 0, 5)).await;
    assert_eq!(receipt.at("/inserted"), 5, "{}", receipt.body);
    api
}

fn count(answer: &Answer) -> usize {
    answer.at("/items").as_array().unwrap().len()
}

async fn a_batch_is_stored_once(api: Api) {
    let api = with_records(api).await;
    let again = api.post_json("/api/results", &batch("r1", 0, 0, 5)).await;
    assert_eq!((again.at("/inserted"), again.at("/replayed")), (5.into(), true.into()), "{}", again.body);
    let overlap = api.post_json("/api/results", &batch("r2", 0, 3, 4)).await;
    assert_eq!((overlap.at("/inserted"), overlap.at("/known")), (2.into(), 2.into()));
    let other = api.post_json("/api/results", &batch("r1", 0, 50, 1)).await;
    assert_eq!(other.code(), "batch_conflict");
    assert_eq!(count(&api.get("/api/records").await), 7);
    assert_eq!(count(&api.get("/api/results?run_id=r2").await), 4);
    assert_eq!(count(&api.get("/api/runs").await), 2);
    assert_eq!(api.get("/api/results/summary").await.at("/records"), 7);
    assert_eq!(api.get("/api/runs/r2").await.at("/known"), 2);
    assert_eq!(api.get("/api/runs/r9").await.code(), "unknown_run");
}

async fn the_minimal_batch_is_accepted(api: Api) {
    api.post("/api/profiles", MINIMAL).await;
    let body = r#"{"drone_id":"d1","profile_id":"census-population","run_id":"r1","data":[{"dims":{"geo":{"name":"CA"}},"measures":{"population":{"total":39538223}}}]}"#;
    assert_eq!(api.post("/api/results", body).await.at("/inserted"), 1);
    let row = api.get("/api/records").await;
    assert_eq!(row.at("/items/0/measures/population/total"), 39_538_223);
}

async fn one_bad_record_is_named_and_the_others_are_stored(api: Api) {
    let api = with_records(api).await;
    let mut posted = batch("r2", 0, 10, 3);
    posted["data"][1]["measures"] = json!({"v": "text"});
    let receipt = api.post_json("/api/results", &posted).await;
    assert_eq!((receipt.at("/inserted"), receipt.at("/rejected")), (2.into(), 1.into()));
    assert_eq!(receipt.at("/rejects/0/index"), 1);
}

async fn a_batch_of_bad_records_only_is_answered(api: Api) {
    let api = with_records(api).await;
    let mut posted = batch("r2", 0, 10, 1);
    posted["data"][0]["measures"] = json!({});
    let receipt = api.post_json("/api/results", &posted).await;
    assert_eq!((receipt.at("/inserted"), receipt.at("/rejected")), (0.into(), 1.into()), "{}", receipt.body);
}

async fn packed_bodies_are_taken(api: Api) {
    let api = with_records(api).await;
    let plain = batch("r2", 0, 10, 1_000).to_string();
    let packed = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    let headers = [("x-api-key", KEY), ("content-encoding", "zstd"), ("content-type", "application/json")];
    let receipt = api.send(Method::POST, "/api/results", &headers, packed).await;
    assert_eq!(receipt.at("/inserted"), 1_000, "{}", receipt.body);
}

async fn an_unknown_profile_is_refused(api: Api) {
    let refused = api.post_json("/api/results", &batch("r1", 0, 0, 1)).await;
    assert_eq!(refused.code(), "unknown_profile");
    assert_eq!(count(&api.get("/api/runs").await), 0);
}

async fn a_changed_value_is_a_new_version(api: Api) {
    let keyed = "id: census-population\nsource: {url: \"https://example.org/\"}\nrows: {each: $.rows}\n\
        dims: {geo.name: name}\nmeasures: {v: value}\nkey: [geo.name]\n";
    assert_eq!(api.post("/api/profiles", keyed).await.status, StatusCode::CREATED);
    for (run_id, started_ms, value) in [("r1", 1_000, 5), ("r2", 2_000, 7)] {
        let mut posted = batch(run_id, 0, 3, 1);
        posted["data"][0]["measures"]["v"] = value.into();
        posted["run"] = json!({"state": "succeeded", "started_ms": started_ms});
        assert_eq!(api.post_json("/api/results", &posted).await.status, StatusCode::OK);
    }
    assert_eq!(api.get("/api/runs/r2").await.at("/revised"), 1);
    let latest = api.get("/api/records").await;
    assert_eq!((count(&latest), latest.at("/items/0/measures/v")), (1, 7.into()), "{}", latest.body);
    assert_eq!(count(&api.get("/api/records?versions=all").await), 2);
    assert_eq!(api.get("/api/records?as_of=1970-01-01T00:00:01.5Z").await.at("/items/0/measures/v"), 5);
    assert_eq!(count(&api.get("/api/records?as_of=0").await), 0);
    assert_eq!(api.get("/api/records?as_of=0&versions=all").await.code(), "invalid_request");
    let history = api.get("/api/records/history?profile_id=census-population&dims.geo.name=n3").await;
    assert_eq!((count(&history), history.at("/items/0/until_ms")), (2, 2_000.into()), "{}", history.body);
    assert_eq!(api.get("/api/records/history?dims.geo.name=n3").await.code(), "invalid_request");
}

async fn records_can_be_filtered_and_read_as_lines(api: Api) {
    let api = with_records(api).await;
    assert_eq!(count(&api.get("/api/records?dims.geo.name=n3").await), 1);
    assert_eq!(count(&api.get("/api/records?dims.geo.name=n3&profile_id=other").await), 0);
    assert_eq!(count(&api.get("/api/records?since=2999-01-01T00:00:00Z").await), 0);
    let lines = api.get_as("/api/records?limit=2", "application/x-ndjson").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let rows: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    let next = lines.header("link").strip_prefix('<').unwrap().split('>').next().unwrap();
    assert!(next.starts_with("/api/records?limit=2&cursor="), "{next}");
    let rest = api.get_as(next, "application/x-ndjson").await;
    assert_ne!(rest.body.lines().next(), lines.body.lines().next());
}
