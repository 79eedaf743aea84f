//! Drones that join with a token: each gets a key of its own, which opens what a drone needs and can be taken back.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::source::{Reply, Source};
use crate::support::{Answer, KEY, Process, get, post, put_profile, records, send, until};

const SOON: Duration = Duration::from_secs(20);
const JSON: (&str, &str) = ("content-type", "application/json");

fn profile(id: &str, url: &str) -> String {
    format!(
        "id: {id}\nname: {id}\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"{url}\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 1s, jitter: 0s }}\nlimits: {{ max_records: 100 }}\n\
         mapping:\n  place: dims.geo.name\n  value: measures.value\n"
    )
}

fn serve(folder: &Path) -> Process {
    serve_with(folder, &[])
}

fn serve_with(folder: &Path, more: &[(&str, &str)]) -> Process {
    let data = folder.join("node");
    let args = ["serve", "--port", "0", "--drones", "0", "--data-dir", data.to_str().unwrap()];
    Process::chartly(&args, &[&[("REGISTRY_API_KEY", KEY)], more].concat())
}

async fn invite(base: &str, spec: Value) -> (String, i64) {
    let answer = post(&format!("{base}/api/drones/invites"), &spec).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let told = answer.json();
    (told["token"].as_str().unwrap().to_owned(), told["invite_id"].as_i64().unwrap())
}

/// A drone with a token and without the shared key.
fn drone(base: &str, folder: &Path, token: &str, args: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartly-drone"));
    command.args(["--control-plane", base, "--allow-private", "127.0.0.1/32", "--data-dir"]).arg(folder).args(args);
    command.env("ENROL_TOKEN", token).env_remove("REGISTRY_API_KEY").env("CHARTLY_LOG", "info");
    Process::run(command)
}

async fn seen(base: &str, drone: &str) -> Value {
    until("the drone is known", SOON, async || {
        let answer = get(&format!("{base}/api/drones/{drone}")).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

fn key_in(folder: &Path) -> String {
    let file = folder.join("drone-key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::read_to_string(file).unwrap().trim().to_owned()
}

async fn as_drone(method: &str, url: &str, key: &str, body: &Value) -> Answer {
    send(method, url, &[JSON, ("x-api-key", key)], body.to_string()).await
}

async fn beat(base: &str, key: &str, drone: &str) -> Answer {
    as_drone("POST", &format!("{base}/api/drones/heartbeat"), key, &json!({"drone_id": drone})).await
}

#[actix_web::test]
async fn drones_join_with_one_token_and_each_has_its_own_key_and_id() {
    let source = Source::start(|_, _| Reply::json("[{\"place\":\"a\",\"value\":1}]"));
    let folder = tempfile::tempdir().unwrap();
    let node = serve(folder.path());
    let (token, invite_id) = invite(&node.url, json!({"uses": 3, "note": "hall 2"})).await;
    let shared = folder.path().join("drones");
    // As `--scale drone=3` does: one volume for all.
    let mut drones: Vec<_> = (0..3).map(|_| drone(&node.url, &shared, &token, &["--share-data-dir"])).collect();
    for one in &mut drones {
        one.wait_for("joined", SOON);
    }
    put_profile(&node.url, &profile("p", &source.url())).await;
    until("its records arrive", SOON, async || (records(&node.url, "p").await.len() == 1).then_some(())).await;

    let all = until("all three are known", SOON, async || {
        let all = get(&format!("{}/api/drones", node.url)).await.json();
        all["items"].as_array().filter(|all| all.len() == 3).cloned()
    })
    .await;
    assert!(all.iter().all(|one| one["key"]["invite_id"] == json!(invite_id)), "{all:?}");
    let mut keys: Vec<_> = (1..=3).map(|number| key_in(&shared.join(number.to_string()))).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
    let database = std::fs::read(folder.path().join("node/results.db")).unwrap();
    let log = std::fs::read(folder.path().join("node/results.db-wal")).unwrap_or_default();
    for secret in keys.iter().chain([&token]) {
        let is_in = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_in(&database) && !is_in(&log), "the store keeps digests only");
        assert!(!drones.iter_mut().any(|one| one.output().contains(secret.as_str())), "no log tells a secret");
    }
    let mut fourth = drone(&node.url, &folder.path().join("fourth"), &token, &[]);
    fourth.wait_for("used up", SOON);
    assert_eq!(fourth.wait(SOON).code(), Some(77));

    // Its key is enough from now on: it starts again without the token.
    assert_eq!(drones[0].terminate(SOON).code(), Some(0));
    let mut again = drone(&node.url, &shared, "", &["--share-data-dir"]);
    again.wait_for("joined", SOON);
}

#[actix_web::test]
async fn a_drones_key_opens_what_a_drone_needs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve_with(folder.path(), &[("CHARTLY__HTTP__REQUIRE_KEY_FOR_READS", "true")]);
    let base = &node.url;
    let (token, _) = invite(base, json!({"uses": 2})).await;
    let homes = [folder.path().join("d1"), folder.path().join("d2")];
    let mut drones = [drone(base, &homes[0], &token, &["--id", "d1"]), drone(base, &homes[1], &token, &["--id", "d2"])];
    for one in &mut drones {
        one.wait_for("joined", SOON);
    }
    put_profile(base, &profile("p", "http://127.0.0.1:9/")).await;
    let key = key_in(&homes[0]);
    assert_eq!(beat(base, &key, "d1").await.status, 200);
    assert_eq!(beat(base, &key, "d2").await.code(), "forbidden");
    let batch = |drone: &str| {
        json!({"drone_id": drone, "profile_id": "p", "run_id": format!("r-{drone}"), "seq": 0,
            "data": [{"dims": {"place": "a"}, "measures": {"value": 1}}]})
    };
    assert_eq!(as_drone("POST", &format!("{base}/api/results"), &key, &batch("d1")).await.status, 200);
    assert_eq!(as_drone("POST", &format!("{base}/api/results"), &key, &batch("d2")).await.code(), "forbidden");
    let mut foreign = batch("d1");
    foreign["run_id"] = json!("of-the-operator");
    foreign["drone_id"] = json!("d2");
    let of_d2 = as_drone("POST", &format!("{base}/api/results"), &key_in(&homes[1]), &foreign).await;
    assert_eq!(of_d2.status, 200, "{}", of_d2.text());
    (foreign["drone_id"], foreign["seq"]) = (json!("d1"), json!(1));
    let answer = as_drone("POST", &format!("{base}/api/results"), &key, &foreign).await;
    assert!(answer.code() == "forbidden" && answer.text().contains("another drone"), "{}", answer.text());
    let lines = [("content-type", "application/x-ndjson"), ("x-api-key", key.as_str())];
    let url = format!("{base}/api/results?drone_id=d2&profile_id=p&run_id=r-lines");
    let line = "{\"dims\":{\"place\":\"a\"},\"measures\":{\"value\":1}}\n";
    assert_eq!(send("POST", &url, &lines, line).await.code(), "forbidden");
    assert_eq!(as_drone("GET", &format!("{base}/api/drones/d2/work"), &key, &json!({})).await.code(), "forbidden");
    for (method, path) in [
        ("POST", "/api/profiles"),
        ("DELETE", "/api/profiles/p"),
        ("POST", "/api/profiles/p:run"),
        ("POST", "/api/profiles/p:pause"),
        ("POST", "/api/drones/d2:drain"),
        ("POST", "/api/drones/d2:revoke-key"),
        ("POST", "/api/drones/invites"),
        ("POST", "/api/drones/d2/key"),
        ("POST", "/api/reports"),
        ("GET", "/api/drones/invites"),
        ("GET", "/api/records"),
        ("GET", "/api/drones"),
        ("POST", "/internal/registry/list-profiles"),
    ] {
        let answer = as_drone(method, &format!("{base}{path}"), &key, &json!({})).await;
        let refused = matches!(answer.status, 401 | 403);
        assert!(refused, "{method} {path}: {} {}", answer.status, answer.text());
    }
    let forged = format!("chartly-drone_{}", "0".repeat(48));
    assert_eq!(beat(base, &forged, "d1").await.code(), "unauthenticated");
    let metrics = get(&format!("{base}/metrics")).await.text();
    assert!(metrics.contains("chartly_drone_keys_refused_total{why=\"other drone\"}"), "{metrics}");
    assert!(metrics.contains("chartly_drone_keys_refused_total{why=\"unknown\"}"), "{metrics}");
}

#[actix_web::test]
async fn the_shared_key_does_not_speak_for_a_drone_that_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve(folder.path());
    let base = &node.url;
    let (token, _) = invite(base, json!({"uses": 1})).await;
    let mut own = drone(base, &folder.path().join("d1"), &token, &["--id", "d1"]);
    own.wait_for("joined", SOON);
    put_profile(base, &profile("p", "http://127.0.0.1:9/")).await;
    let batch = |drone: &str| {
        json!({"drone_id": drone, "profile_id": "p", "run_id": format!("r-{drone}"), "seq": 0,
            "data": [{"dims": {"place": "a"}, "measures": {"value": 1}}]})
    };
    let refused = [
        beat(base, KEY, "d1").await,
        post(&format!("{base}/api/drones/register"), &json!({"drone_id": "d1"})).await,
        post(&format!("{base}/api/results"), &batch("d1")).await,
        as_drone("GET", &format!("{base}/api/drones/d1/work"), KEY, &json!({})).await,
        as_drone(
            "POST",
            &format!("{base}/api/drones/d1/key"),
            KEY,
            &json!({"key": format!("sha256:{}", "0".repeat(64))}),
        )
        .await,
    ];
    for answer in refused {
        assert!(answer.code() == "forbidden" && answer.text().contains("drone revoke d1"), "{}", answer.text());
    }
    let lines = [("content-type", "application/x-ndjson"), ("x-api-key", KEY)];
    let url = format!("{base}/api/results?drone_id=d1&profile_id=p&run_id=r-lines");
    let line = "{\"dims\":{\"place\":\"a\"},\"measures\":{\"value\":1}}\n";
    assert_eq!(send("POST", &url, &lines, line).await.code(), "forbidden");
    assert_eq!(records(base, "p").await.len(), 0);
    let metrics = get(&format!("{base}/metrics")).await.text();
    assert!(metrics.contains("chartly_drone_keys_refused_total{why=\"shared\"}"), "{metrics}");
    // A drone without a key of its own is as free as before.
    assert_eq!(beat(base, KEY, "d7").await.status, 200);
    assert_eq!(post(&format!("{base}/api/results"), &batch("d7")).await.status, 200);
}

#[actix_web::test]
async fn nobody_joins_without_a_good_token_or_in_the_place_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve(folder.path());
    let (base, enrol) = (&node.url, format!("{}/api/drones/enrol", node.url));
    let (token, _) = invite(base, json!({"uses": 2})).await;
    let mut first = drone(base, &folder.path().join("d1"), &token, &["--id", "d1"]);
    first.wait_for("joined", SOON);
    let mut twin = drone(base, &folder.path().join("twin"), &token, &["--id", "d1"]);
    twin.wait_for("has joined already", SOON);
    assert_eq!(twin.wait(SOON).code(), Some(77));
    for (headers, code) in [
        (vec![JSON], "unauthenticated"),
        (vec![JSON, ("x-api-key", KEY)], "unauthenticated"),
        (vec![JSON, ("x-api-key", "chartly-join_000000000000000000000000000000000000000000000000")], "token_refused"),
    ] {
        let body = json!({"drone_id": "d9", "key": format!("sha256:{}", "0".repeat(64))}).to_string();
        assert_eq!(send("POST", &enrol, &headers, body).await.code(), code);
    }
    let answer = send("POST", &enrol, &[JSON, ("x-api-key", token.as_str())], vec![b' '; 5_000]).await;
    assert_eq!(answer.code(), "body_too_large");
}

#[actix_web::test]
async fn one_drone_that_sends_too_much_is_told_and_the_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let rate = [("CHARTLY__HTTP__DRONE_RATE_PER_SECOND", "5"), ("CHARTLY__HTTP__DRONE_RATE_BURST", "50")];
    let node = serve_with(folder.path(), &rate);
    let base = &node.url;
    let (token, _) = invite(base, json!({"uses": 2})).await;
    let homes = [folder.path().join("d1"), folder.path().join("d2")];
    let mut drones = [drone(base, &homes[0], &token, &["--id", "d1"]), drone(base, &homes[1], &token, &["--id", "d2"])];
    for one in &mut drones {
        one.wait_for("joined", SOON);
    }
    let key = key_in(&homes[0]);
    let told = until("a drone meets its rate", SOON, async || {
        let answers = join_all((0..20).map(|_| beat(base, &key, "d1"))).await;
        answers.into_iter().find(|answer| answer.status != 200)
    })
    .await;
    assert!(told.code() == "too_many_requests" && told.retry_after.is_some(), "{}", told.text());
    assert_eq!(beat(base, &key_in(&homes[1]), "d2").await.status, 200);
}

#[actix_web::test]
async fn a_key_is_renewed_while_the_drone_works_and_the_old_one_is_worth_nothing_then() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve_with(folder.path(), &[("CHARTLY__FLEET__HEARTBEAT_MS", "200")]);
    let (token, _) = invite(&node.url, json!({})).await;
    let home = folder.path().join("d1");
    let mut one = drone(&node.url, &home, &token, &["--id", "d1"]);
    one.wait_for("joined", SOON);
    seen(&node.url, "d1").await;
    let old = key_in(&home);
    let asked = post(&format!("{}/api/drones/d1:rotate-key", node.url), &json!({})).await;
    assert!(asked.status == 200 && asked.json()["rotation_asked"] == json!(true), "{}", asked.text());
    one.wait_for("has a new key", Duration::from_secs(30));
    let drone = until("the new key is in force", SOON, async || {
        let drone = seen(&node.url, "d1").await;
        drone["key"]["rotated_ms"].is_i64().then_some(drone)
    })
    .await;
    assert_eq!(drone["key"]["rotation_asked"], json!(false), "{drone}");
    assert_ne!(key_in(&home), old);
    until("the old key is refused", SOON, async || (beat(&node.url, &old, "d1").await.status == 401).then_some(()))
        .await;
    assert_eq!(beat(&node.url, &key_in(&home), "d1").await.status, 200);
}

#[actix_web::test]
async fn a_revoked_drone_says_so_once_and_ends_and_its_records_wait_for_its_return() {
    let source = Source::start(|_, before| Reply::json(format!("[{{\"place\":\"p{before}\",\"value\":1}}]")));
    let folder = tempfile::tempdir().unwrap();
    let mut node = serve(folder.path());
    let base = node.url.clone();
    let (token, invite_id) = invite(&base, json!({"uses": 5})).await;
    let home = folder.path().join("d1");
    let mut one = drone(&base, &home, &token, &["--id", "d1"]);
    one.wait_for("joined", SOON);
    put_profile(&base, &profile("p", &source.url())).await;
    until("records arrive", SOON, async || (!records(&base, "p").await.is_empty()).then_some(())).await;

    let revoked = post(&format!("{base}/api/drones/d1:revoke-key"), &json!({})).await;
    assert!(revoked.status == 200 && revoked.json()["revoked_ms"].is_i64(), "{}", revoked.text());
    one.wait_for("the drone ends;", Duration::from_secs(60));
    assert_eq!(one.wait(Duration::from_secs(60)).code(), Some(67));
    assert_eq!(one.output().matches("the drone ends;").count(), 1, "{}", one.output());
    let drone_view = seen(&base, "d1").await;
    assert!(drone_view["key"]["refused"].as_u64().unwrap() > 0, "{drone_view}");
    node.wait_for("a revoked key was shown and refused", SOON);

    // The token it had does not undo it; a new one does, and what waited in its spool arrives.
    let mut same = drone(&base, &home, &token, &["--id", "d1"]);
    same.wait_for("this very token", SOON);
    assert_eq!(same.wait(SOON).code(), Some(77));
    let mut alone = drone(&base, &home, "", &["--id", "d1"]);
    assert_eq!(alone.wait(SOON).code(), Some(67));
    let withdrawn = send("DELETE", &format!("{base}/api/drones/invites/{invite_id}"), &[("x-api-key", KEY)], "").await;
    assert!(withdrawn.json()["withdrawn_ms"].is_i64(), "{}", withdrawn.text());
    let asked = source.count();
    let (another, _) = invite(&base, json!({})).await;
    let mut back = drone(&base, &home, &another, &["--id", "d1"]);
    back.wait_for("joined", SOON);
    until("every answer of the source is stored", SOON, async || {
        (source.count() > asked && records(&base, "p").await.len() >= asked).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_drone_waits_for_its_control_plane_before_it_joins_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = serve(folder.path());
    let (token, _) = invite(&node.url, json!({})).await;
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    node.terminate(SOON);
    let home = folder.path().join("d1");
    let mut one = drone(&node.url, &home, &token, &["--id", "d1"]);
    one.wait_for("cannot be joined yet", SOON);
    assert_eq!(one.terminate(SOON).code(), Some(0));
    let mut one = drone(&node.url, &home, &token, &["--id", "d1"]);
    one.wait_for("cannot be joined yet", SOON);
    let data = folder.path().join("node");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", data.to_str().unwrap()];
    let node = Process::chartly(&args, &[("REGISTRY_API_KEY", KEY)]);
    one.wait_for("joined", Duration::from_secs(40));
    assert_eq!(seen(&node.url, "d1").await["state"], json!("online"));
}

#[actix_web::test]
async fn the_tool_invites_lists_and_revokes() {
    let folder = tempfile::tempdir().unwrap();
    let node = serve(folder.path());
    let tool = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chartly"));
        command.arg("drone").args(args).args(["--control-plane", &node.url]).env("REGISTRY_API_KEY", KEY);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, token, told) = tool(&["invite", "--uses", "2", "--life", "2h", "--note", "hall 2"]);
    assert_eq!((code, token.trim().len()), (Some(0), 61), "{token}{told}");
    assert!(told.contains("good for 2 drones"), "{told}");
    let mut one = drone(&node.url, &folder.path().join("d1"), token.trim(), &["--id", "d1"]);
    one.wait_for("joined", SOON);
    seen(&node.url, "d1").await;
    let (_, listed, _) = tool(&["invites"]);
    assert!(listed.contains("1 of 2 used") && listed.contains("hall 2"), "{listed}");
    let (_, drones, _) = tool(&["list"]);
    assert!(drones.contains("d1  online") && drones.contains("own key"), "{drones}");
    assert!(tool(&["rotate", "d1"]).1.contains("a new one is asked for"));
    let (code, revoked, told) = tool(&["revoke", "d1"]);
    assert!(code == Some(0) && revoked.contains("key revoked") && told.contains("withdraw"), "{revoked}{told}");
    assert!(tool(&["withdraw", "1"]).1.contains("withdrawn"));
    let (code, _, told) = tool(&["revoke", "nobody"]);
    assert!(code == Some(1) && told.contains("no key of its own"), "{told}");
    assert_eq!(one.wait(Duration::from_secs(60)).code(), Some(67));
}
