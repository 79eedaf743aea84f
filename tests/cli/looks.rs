//! `preview` and `explain`, and the preview of the API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, Process, get, send, until};
use crate::{File, profile, told};

const PROFILE: &str = "\
id: towns
source:
  url: https://h.example/x
  query: {token: '{t}'}
  for_each: {t: [one, two]}
  auth: {secret: TOWNS, in: query, name: key}
rows: {each: $.data}
where: ['kind == town']
dims: {geo.name: name}
measures: {people: people}
";
const ANSWER: &str = r#"{"data":[{"name":"Ulm","kind":"town","people":"128,928"},{"name":"x","kind":"hill","people":1},
    {"name":"Aalen","kind":"town","people":"many"},{"name":"Ulm","kind":"town","people":128928}]}"#;

#[test]
fn a_saved_answer_is_shown_with_what_was_dropped_and_asked() {
    let (file, answer) = (File::new("towns.yaml", PROFILE), File::new("answer.json", ANSWER));
    let (code, out, err) = profile(&["preview", &file.path, "--answer", &answer.path]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("geo.name  people\n────────  ──────\nUlm       128928\n"), "{out}");
    for part in [
        "4 rows, 1 records (1 shown), 1 duplicates, 2 rows dropped",
        "1 rows dropped: where: not kind == town",
        "1 rows dropped: no measure has a value",
        "1 values left out: measures.people is not a number, such as \"many\"",
        "stopped at the limit of the saved answers",
        "GET https://h.example/x?token=one&key=[secret] → 200",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    let (_, out, _) = profile(&["preview", &file.path, "--answer", &answer.path, "--output", "ndjson"]);
    assert_eq!(out, "{\"dims\":{\"geo\":{\"name\":\"Ulm\"}},\"measures\":{\"people\":128928}}\n");
    let broken = File::new("answer.json", "{\"data\":[");
    let (code, out, err) = profile(&["preview", &file.path, "--answer", &broken.path]);
    assert_eq!(code, 1, "{out}{err}");
    assert_eq!(profile(&["preview", &broken.path]).0, 2);
}

#[test]
fn private_addresses_are_refused_unless_they_are_named() {
    let source = chartly::sample::Sample::start().unwrap();
    let weather = chartly::sample::PROFILES[2].1.replace(chartly::sample::PLACEHOLDER, &source.url());
    let file = File::new("weather.yaml", &weather);
    let (code, _, err) = profile(&["preview", &file.path]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("is not a public address"), "{err}");
    let (code, out, err) = profile(&["preview", &file.path, "--allow-private", "127.0.0.1", "--limit", "3"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.lines().count(), 5, "{out}");
    assert!(err.contains("1 requests"), "no more is asked than is shown: {err}");
}

#[test]
fn explain_tells_the_whole_and_keeps_the_secret() {
    let window = PROFILE.replace("  auth:", "  window: {from: 2020-01-01, to: 2020-02-01, step: P1D}\n  auth:");
    let window = window.replace("query: {token: '{t}'}", "query: {token: '{t}', day: '{window.start:%Y%m%d}'}");
    let file = File::new("towns.yaml", &window);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chartly"));
    let (code, out, err) = told(command.args(["profile", "explain", &file.path]).env("CHARTLY_SECRET_TOWNS", "s3cret"));
    assert_eq!(code, 0, "{err}");
    for part in [
        "people: {from: people, as: number}",
        "max_requests: 2000",
        "begins 62 lists of pages: 2 parameter sets × 31 windows",
        "GET https://h.example/x?token=one&day=20200101&key=[secret]",
        "# and 42 more",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    assert!(!out.contains("s3cret"));
}

async fn preview(url: &str, body: &Value) -> crate::support::Answer {
    let headers = [("content-type", "application/json"), ("x-api-key", KEY)];
    send("POST", &format!("{url}/api/profiles:preview"), &headers, body.to_string()).await
}

#[actix_web::test]
async fn the_api_looks_too_and_publishes_no_version_that_fails_its_own_test() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let given = preview(&node.url, &json!({ "yaml": PROFILE, "answer": ANSWER, "limit": 5 })).await.json();
    assert_eq!(given["records"], json!([{ "dims": { "geo": { "name": "Ulm" } }, "measures": { "people": 128928 } }]));
    assert_eq!(given["dropped"][0], json!({ "reason": "where: not kind == town", "rows": 1 }));
    assert_eq!(given["requests"][0]["url"], "https://h.example/x?token=one&key=[secret]");
    let base64 = json!({ "base64": "eyJkYXRhIjpbXX0=" });
    let given = preview(&node.url, &json!({ "yaml": PROFILE, "answer": base64 })).await.json();
    assert_eq!((&given["rows"], &given["state"]), (&json!(0), &json!("partial")), "{given}");

    // The guard is the drones' own, and no secret is at hand.
    let loopback = PROFILE
        .replace("https://h.example", "http://127.0.0.1:9")
        .replace("  auth: {secret: TOWNS, in: query, name: key}\n", "");
    let given = preview(&node.url, &json!({ "yaml": loopback })).await.json();
    assert!(given["error"].as_str().unwrap().contains("is not a public address"), "{given}");
    let given = preview(&node.url, &json!({ "yaml": PROFILE })).await.json();
    assert!(given["error"].as_str().unwrap().contains("the secret TOWNS is not known"), "{given}");
    for (body, status, code) in [
        (json!({ "yaml": "id: [" }), 422, "invalid_profile"),
        (json!({ "yaml": PROFILE, "drone": "d" }), 400, "malformed_json"),
        (json!({ "yaml": PROFILE, "limit": 0 }), 400, "invalid_request"),
        (json!({ "yaml": PROFILE, "answer": { "base64": "%" } }), 400, "invalid_request"),
    ] {
        let answer = preview(&node.url, &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (status, code), "{}", answer.text());
    }

    let test = "test: {answers: [{json: {data: [{name: a, v: 1}]}}], expected: [{dims: {geo: {name: a}}, measures: {v: 2}}]}\n";
    let simple = format!(
        "id: own\nsource: {{url: 'https://h.example/x'}}\nrows: {{each: $.data}}\ndims: {{geo.name: name}}\nmeasures: {{v: v}}\n{test}"
    );
    let headers = [("content-type", "application/yaml"), ("x-api-key", KEY)];
    let refused = send("POST", &format!("{}/api/profiles", node.url), &headers, simple.as_str()).await;
    assert_eq!((refused.status, refused.json()["code"].as_str().unwrap()), (422, "invalid_profile"));
    assert!(refused.text().contains("missing") && refused.text().contains("extra"), "{}", refused.text());
    let taken = send("POST", &format!("{}/api/profiles", node.url), &headers, simple.replace("v: 2}", "v: 1}")).await;
    assert_eq!(taken.status, 201, "{}", taken.text());
}

#[actix_web::test]
async fn a_profile_of_the_folder_whose_test_fails_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(profiles.join("bad.test/pages")).unwrap();
    let text = |id: &str| {
        format!(
            "id: {id}\nsource: {{url: 'https://h.example/x'}}\nrows: {{each: $.data}}\nmeasures: {{v: v}}\nschedule: {{enabled: false}}\n"
        )
    };
    let write = |name: &str, text: &str| std::fs::write(profiles.join(name), text).unwrap();
    write("good.yaml", &text("good"));
    write("bad.yaml", &text("bad"));
    write("bad.test/pages/index.json", r#"[{"request": {"url": "https://h.example/x"}, "file": "1.json"}]"#);
    write("bad.test/pages/1.json", r#"{"data":[{"v":1}]}"#);
    write("bad.test/expected.jsonl", "{\"dims\":{},\"measures\":{\"v\":2}}\n");
    let data = folder.path().join("data");
    let node = Process::serve(&data, &["--drones", "0", "--profiles-dir", profiles.to_str().unwrap()]);
    let list = get(&format!("{}/api/profiles", node.url)).await.json();
    let ids: Vec<&str> = list["items"].as_array().unwrap().iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, ["good"], "{list}");
    let status = get(&format!("{}/api/status", node.url)).await;
    assert!(status.text().contains("its own test fails: missing"), "{}", status.text());
    // The profile itself stays as it is: mending its test is enough.
    write("bad.test/expected.jsonl", "{\"dims\":{},\"measures\":{\"v\":1}}\n");
    let count = async || get(&format!("{}/api/profiles", node.url)).await.json()["items"].as_array().map(Vec::len);
    until("both are taken", Duration::from_secs(20), async || (count().await == Some(2)).then_some(())).await;
    write("bad.test/pages/1.json", r#"{"data":[{"v":3}]}"#);
    let failing =
        async || get(&format!("{}/api/status", node.url)).await.text().contains("its own test fails").then_some(());
    until("the test is played again", Duration::from_secs(20), failing).await;
    assert_eq!(count().await, Some(2), "the version that was taken stays in force");
}
