use awc::http::{Method, StatusCode};

use crate::client::{Answer, Api, KEY, on_both};

on_both!(
    a_profile_is_created_read_changed_and_deleted,
    a_profile_may_come_inside_json,
    bad_profiles_are_refused_with_place_and_change_nothing,
    lists_are_paged,
    the_schema_is_served,
);

pub const MINIMAL: &str = r#"id: census-population
name: US Census Population Data
version: 1.0.0
source: { type: http_rest, url: "https://api.census.gov/data/2020/dec/pl?get=NAME,P1_001N&for=state:*", auth: none }
schedule: { enabled: true, interval: 6h, jitter: 30s }
limits: { max_records: 5000, max_pages: 50, max_bytes: 1048576 }
mapping:
  NAME: dims.geo.name
  P1_001N: measures.population.total
"#;
const PATH: &str = "/api/profiles/census-population";

async fn put(api: &Api, yaml: &str, if_match: &str) -> Answer {
    let headers = [("x-api-key", KEY), ("content-type", "application/yaml"), ("if-match", if_match)];
    let headers = if if_match.is_empty() { &headers[..2] } else { &headers[..] };
    api.send(Method::PUT, PATH, headers, yaml).await
}

async fn a_profile_is_created_read_changed_and_deleted(api: Api) {
    let created = api.post("/api/profiles", MINIMAL).await;
    assert_eq!((created.status, created.header("location")), (StatusCode::CREATED, PATH), "{}", created.body);
    assert_eq!(api.post("/api/profiles", MINIMAL).await.code(), "profile_exists");

    let yaml = api.get_as(PATH, "application/yaml").await;
    assert_eq!((yaml.body.as_str(), yaml.header("etag")), (MINIMAL, created.header("etag")));
    let first = created.header("etag").to_owned();
    assert_eq!(api.get(PATH).await.at("/yaml"), MINIMAL);
    let known = api.send(Method::GET, PATH, &[("if-none-match", &first)], "").await;
    assert_eq!((known.status, known.body.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let newer = MINIMAL.replace("1.0.0", "1.1.0");
    let replaced = put(&api, &newer, &first).await;
    assert_eq!(replaced.at("/version"), "1.1.0");
    assert_ne!(replaced.header("etag"), first);
    assert_eq!(put(&api, MINIMAL, &first).await.code(), "version_conflict");
    assert_eq!(api.get(&format!("{PATH}/versions")).await.at("/items").as_array().unwrap().len(), 2);
    let digest = first.trim_matches('"');
    let old = api.get_as(&format!("{PATH}?digest={digest}"), "application/yaml").await;
    assert_eq!(old.body, MINIMAL);

    let back = api.post(&format!("{PATH}:rollback"), "").await;
    assert_eq!((back.at("/version"), back.header("etag")), ("1.0.0".into(), first.as_str()));
    assert_eq!(api.post(&format!("{PATH}:pause"), "").await.at("/paused"), true);
    assert_eq!(api.get("/api/profiles?enabled=true").await.at("/items").as_array().unwrap().len(), 0);
    assert_eq!(api.post(&format!("{PATH}:resume"), "").await.at("/enabled"), true);
    assert_eq!(api.post(&format!("{PATH}:run"), "").await.status, StatusCode::ACCEPTED);

    let gone = api.send(Method::DELETE, PATH, &[("x-api-key", KEY)], "").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(api.get(PATH).await.code(), "unknown_profile");
}

async fn a_profile_may_come_inside_json(api: Api) {
    let body = serde_json::json!({ "yaml": MINIMAL }).to_string();
    let headers = [("x-api-key", KEY), ("content-type", "application/json")];
    assert_eq!(api.send(Method::POST, "/api/profiles", &headers, body).await.status, StatusCode::CREATED);
    assert_eq!(api.send(Method::POST, "/api/profiles", &headers, MINIMAL).await.code(), "malformed_json");
    let headers = [("x-api-key", KEY), ("content-type", "image/png")];
    assert_eq!(api.send(Method::POST, "/api/profiles", &headers, MINIMAL).await.code(), "unsupported_type");
}

async fn bad_profiles_are_refused_with_place_and_change_nothing(api: Api) {
    let ftp = MINIMAL.replace("https://", "ftp://");
    let twice = format!("{MINIMAL}name: again\n");
    let bomb = format!("{MINIMAL}a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]\n");
    for bad in [ftp.as_str(), &twice, &bomb, "id: [", "", "\u{0}", &MINIMAL.replace("census-population", "../etc")] {
        let refused = api.post("/api/profiles", bad).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (422, "invalid_profile"), "{bad}");
        assert!(refused.json()["errors"][0]["at"].is_string(), "{}", refused.body);
        let checked = api.post("/api/profiles:validate", bad).await;
        assert_eq!(checked.at("/valid"), false);
        assert_ne!(checked.at("/problems/0/at"), serde_json::Value::Null);
    }
    let mismatch = put(&api, &MINIMAL.replace("census-population", "other"), "").await;
    assert_eq!(mismatch.json()["errors"][0]["at"], "id", "{}", mismatch.body);
    assert_eq!(api.post("/api/profiles", b"name: \xff".to_vec()).await.json()["errors"][0]["at"], "byte 6");
    assert_eq!(api.get("/api/profiles").await.at("/items"), serde_json::json!([]));
    assert_eq!(api.post("/api/profiles:validate", MINIMAL).await.at("/valid"), true);
}

async fn lists_are_paged(api: Api) {
    for number in 0..5 {
        let yaml = MINIMAL.replace("census-population", &format!("p{number}"));
        assert_eq!(api.post("/api/profiles", yaml).await.status, StatusCode::CREATED);
    }
    let (mut path, mut seen) = ("/api/profiles?limit=2".to_owned(), Vec::new());
    loop {
        let page = api.get(&path).await;
        let items = page.at("/items").as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let link = page.header("link").to_owned();
        assert_eq!(link.is_empty(), page.json()["next"].is_null());
        let Some(next) = link.strip_prefix('<').and_then(|rest| rest.split('>').next()) else { break };
        path = next.to_owned();
    }
    assert_eq!(seen, ["p0", "p1", "p2", "p3", "p4"]);
}

async fn the_schema_is_served(api: Api) {
    let schema = api.get("/api/profiles/schema").await;
    assert_eq!(schema.header("content-type"), "application/schema+json");
    assert!(schema.at("/properties/mapping").is_object(), "{}", schema.body);
}
