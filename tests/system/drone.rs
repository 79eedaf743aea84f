//! One drone against one source: what it asks, how often, and what becomes of the answers.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::source::{Asked, Reply, Source};
use crate::support::{KEY, Process, get, post, put_profile, records, until};

const SOON: Duration = Duration::from_secs(20);

fn profile(id: &str, url: &str, limits: &str) -> String {
    format!(
        "id: {id}\nname: {id}\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"{url}\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 30d, jitter: 0s }}\nlimits: {{ {limits} }}\n\
         mapping:\n  place: dims.geo.name\n  value: measures.value\n"
    )
}

fn rows(count: usize) -> String {
    let rows: Vec<Value> = (0..count).map(|n| json!({"place": format!("p{n}"), "value": n})).collect();
    Value::from(rows).to_string()
}

struct Setup {
    folder: tempfile::TempDir,
    node: Process,
    drone: Process,
}

async fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let drone = start_drone(&node.url, folder.path());
    Setup { folder, node, drone }
}

fn start_drone(base: &str, folder: &std::path::Path) -> Process {
    Process::drone(base, &folder.join("drone"), &["--id", "d1", "--allow-private", "127.0.0.1/32"])
}

/// The profile's runs, the newest first, once there are `count` that have ended.
async fn ended_runs(base: &str, profile: &str, count: usize) -> Vec<Value> {
    until("the runs have ended", SOON, async || {
        let runs = get(&format!("{base}/api/runs?profile_id={profile}")).await.json();
        let runs = runs["items"].as_array()?.clone();
        (runs.len() >= count && runs.iter().all(|run| run["state"] != "running")).then_some(runs)
    })
    .await
}

async fn run_now(base: &str, profile: &str) {
    let asked = post(&format!("{base}/api/profiles/{profile}:run"), &json!({})).await;
    assert!(asked.status < 300, "{}", asked.text());
}

fn header<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[actix_web::test]
async fn an_unchanged_source_costs_one_conditional_request_also_after_a_restart() {
    let source = Source::start(|asked, _| {
        let mut reply = Reply::json(rows(50));
        reply.headers.push(("ETag".into(), "\"v1\"".into()));
        if header(asked, "if-none-match") == Some("\"v1\"") {
            (reply.status, reply.body) = (304, Vec::new());
        }
        reply
    });
    let Setup { folder, node, mut drone } = setup().await;
    put_profile(&node.url, &profile("steady", &source.url(), "max_records: 100")).await;
    ended_runs(&node.url, "steady", 1).await;
    run_now(&node.url, "steady").await;
    let runs = ended_runs(&node.url, "steady", 2).await;
    assert_eq!((&runs[0]["state"], &runs[0]["requests"]), (&json!("unchanged"), &json!(1)), "{}", runs[0]);
    assert_eq!(records(&node.url, "steady").await.len(), 50);

    drone.terminate(Duration::from_secs(20));
    let _drone = start_drone(&node.url, folder.path());
    run_now(&node.url, "steady").await;
    let runs = ended_runs(&node.url, "steady", 3).await;
    assert_eq!(runs[0]["state"], json!("unchanged"));
    assert_eq!(source.count(), 3, "one request for each run, none for the restart");
    assert!(header(&source.asked()[0], "user-agent").unwrap().contains("chartly"));
}

#[actix_web::test]
async fn limits_are_visible_and_never_silent() {
    let source = Source::start(|_, _| Reply::json(rows(500)));
    let Setup { node, drone: _drone, folder: _folder } = setup().await;
    put_profile(&node.url, &profile("few", &source.url(), "max_records: 100")).await;
    put_profile(&node.url, &profile("small", &source.url(), "max_bytes: 1000")).await;
    let few = &ended_runs(&node.url, "few", 1).await[0];
    assert_eq!((&few["state"], &few["inserted"]), (&json!("partial"), &json!(100)), "{few}");
    assert!(few["error"].as_str().unwrap().contains("max_records"), "{few}");
    let small = &ended_runs(&node.url, "small", 1).await[0];
    assert!(small["error"].as_str().unwrap().contains("max_bytes"), "{small}");
    assert_ne!(small["state"], json!("succeeded"));
}

#[actix_web::test]
async fn a_busy_source_is_asked_again_after_the_time_it_names() {
    let source = Source::start(|_, before| {
        if before > 0 {
            return Reply::json(rows(3));
        }
        let mut busy = Reply { status: 429, ..Reply::json("{}") };
        busy.headers.push(("Retry-After".into(), "2".into()));
        busy
    });
    let Setup { node, drone: _drone, folder: _folder } = setup().await;
    let begun = std::time::Instant::now();
    put_profile(&node.url, &profile("busy", &source.url(), "max_records: 100")).await;
    let run = &ended_runs(&node.url, "busy", 1).await[0];
    assert_eq!((&run["state"], &run["requests"]), (&json!("succeeded"), &json!(2)), "{run}");
    assert!(begun.elapsed() >= Duration::from_secs(2));
}

#[actix_web::test]
async fn a_failing_source_says_why_and_holds_up_no_other() {
    let broken = Source::start(|_, _| Reply { status: 404, ..Reply::json("{\"error\":\"moved\"}") });
    let page = Source::start(|_, _| {
        let mut reply = Reply::json("<!doctype html><title>Maintenance</title>");
        reply.headers[0].1 = "text/html".into();
        reply
    });
    let good = Source::start(|_, _| Reply::json(rows(1)));
    let Setup { node, drone: _drone, folder: _folder } = setup().await;
    for (id, source) in [("broken", &broken), ("page", &page), ("good", &good)] {
        put_profile(&node.url, &profile(id, &source.url(), "max_records: 100")).await;
    }
    let run = &ended_runs(&node.url, "broken", 1).await[0];
    assert!(run["state"] == "failed" && run["error"].as_str().unwrap().contains("404"), "{run}");
    let run = &ended_runs(&node.url, "page", 1).await[0];
    assert!(run["state"] == "failed" && run["error"].as_str().unwrap().contains("doctype"), "{run}");
    assert_eq!(ended_runs(&node.url, "good", 1).await[0]["state"], json!("succeeded"));
}

#[actix_web::test]
async fn a_new_store_gets_what_an_old_one_had() {
    let source = Source::start(|asked, _| {
        let mut reply = Reply::json(rows(7));
        reply.headers.push(("ETag".into(), "\"v1\"".into()));
        if header(asked, "if-none-match") == Some("\"v1\"") {
            (reply.status, reply.body) = (304, Vec::new());
        }
        reply
    });
    let Setup { folder, mut node, drone: _drone } = setup().await;
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    put_profile(&node.url, &profile("kept", &source.url(), "max_records: 100")).await;
    ended_runs(&node.url, "kept", 1).await;
    node.terminate(Duration::from_secs(20));

    let data = folder.path().join("another");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", data.to_str().unwrap()];
    let node = Process::chartly(&args, &[("REGISTRY_API_KEY", crate::support::KEY)]);
    put_profile(&node.url, &profile("kept", &source.url(), "max_records: 100")).await;
    until("the coordinator knows the drone and the profile", SOON, async || {
        let stats = get(&format!("{}/api/drones/stats", node.url)).await.json();
        (stats["online"] == json!(1) && stats["assigned_profiles"] == json!(1)).then_some(())
    })
    .await;
    run_now(&node.url, "kept").await;
    until("the records are in the new store", SOON, async || {
        (records(&node.url, "kept").await.len() == 7).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn batches_of_a_profile_that_is_away_wait_for_it() {
    let source = Source::start(|_, _| Reply::json(rows(5)));
    let Setup { folder, mut node, drone: _drone } = setup().await;
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    put_profile(&node.url, &profile("warm", &source.url(), "max_records: 100")).await;
    ended_runs(&node.url, "warm", 1).await;
    let often = profile("away", &source.url(), "max_records: 100").replace("30d", "1s");
    put_profile(&node.url, &often).await;
    ended_runs(&node.url, "away", 1).await;
    node.terminate(Duration::from_secs(20));
    let at_stop = source.count();
    until("the drone goes on alone", SOON, async || (source.count() >= at_stop + 2).then_some(())).await;

    // A control plane that does not know the profile yet, as when its folder is not mounted.
    let data = folder.path().join("empty");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", data.to_str().unwrap()];
    let node = Process::chartly(&args, &[("REGISTRY_API_KEY", crate::support::KEY)]);
    until("the drone is back, its batches wait", SOON, async || {
        let drone = get(&format!("{}/api/drones/d1", node.url)).await.json();
        (drone["spooled"].as_u64()? >= 2).then_some(())
    })
    .await;
    put_profile(&node.url, &often).await;
    until("what waited is stored", Duration::from_secs(60), async || {
        (records(&node.url, "away").await.len() == 5).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_pause_during_a_run_starts_no_second_one_beside_it() {
    let source = Source::start(|_, _| Reply::json(rows(1)).after(Duration::from_secs(4)));
    let Setup { node, drone: _drone, folder: _folder } = setup().await;
    put_profile(&node.url, &profile("slow", &source.url(), "max_records: 100")).await;
    until("the run has begun", SOON, async || (source.count() == 1).then_some(())).await;
    let pause = |verb: &'static str| {
        let url = format!("{}/api/profiles/slow:{verb}", node.url);
        async move { assert_eq!(post(&url, &json!({})).await.status, 200) }
    };
    pause("pause").await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    pause("resume").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(source.count(), 1, "the first run is still on");
    ended_runs(&node.url, "slow", 1).await;
}

#[actix_web::test]
async fn a_drone_that_is_told_to_go_slower_takes_on_all_its_profiles() {
    let source = Source::start(|_, _| Reply::json(rows(1)));
    let folder = tempfile::tempdir().unwrap();
    let (profiles, data) = (folder.path().join("profiles"), folder.path().join("node"));
    std::fs::create_dir(&profiles).unwrap();
    for number in 0..60 {
        let text = profile(&format!("p{number}"), &format!("{}/{number}", source.url()), "max_pages: 1");
        std::fs::write(profiles.join(format!("{number}.yaml")), text).unwrap();
    }
    let rate =
        [("REGISTRY_API_KEY", KEY), ("CHARTLY__HTTP__RATE_PER_SECOND", "20"), ("CHARTLY__HTTP__RATE_BURST", "20")];
    let (profiles, data) = (profiles.to_str().unwrap(), data.to_str().unwrap());
    let args = ["serve", "--port", "0", "--drones", "0", "--data-dir", data, "--profiles-dir", profiles];
    let node = Process::chartly(&args, &rate);
    let _drone = start_drone(&node.url, folder.path());
    until("all have run", Duration::from_secs(40), async || {
        let asked: HashSet<String> = source.asked().into_iter().map(|asked| asked.target).collect();
        (asked.len() == 60).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_drone_tells_its_status_to_who_stands_before_its_box() {
    let (good, bad) =
        (Source::start(|_, _| Reply::json(rows(3))), Source::start(|_, _| Reply { status: 404, ..Reply::json("{}") }));
    let Setup { folder, mut node, drone: _drone } = setup().await;
    put_profile(&node.url, &profile("good", &good.url(), "max_records: 100")).await;
    put_profile(&node.url, &profile("bad", &bad.url(), "max_records: 100")).await;
    ended_runs(&node.url, "good", 1).await;
    ended_runs(&node.url, "bad", 1).await;
    let ask = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chartly-drone"));
        let output =
            command.arg("status").args(args).arg("--data-dir").arg(folder.path().join("drone")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told, errors) = ask(&["--output", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    let status: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&status["drone_id"], &status["control_plane"]["joined"]), (&json!("d1"), &json!(true)), "{told}");
    let states: Vec<_> = status["profiles"].as_array().unwrap().iter().map(|one| &one["last"]["state"]).collect();
    assert_eq!(states, [&json!("failed"), &json!("succeeded")], "{told}");

    node.kill();
    until("it is told that nobody answers", SOON, async || {
        let (code, told, _) = ask(&["--failing"]);
        assert_eq!(code, Some(0));
        let failing = told.contains("bad") && told.contains("404") && !told.contains("good  ");
        (failing && told.contains("cannot reach")).then_some(())
    })
    .await;
    assert_eq!(
        std::fs::metadata(folder.path().join("drone/drone.sock")).map(|it| it.permissions().mode() & 0o777).unwrap(),
        0o600
    );
}

#[test]
fn where_no_drone_runs_its_status_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chartly-drone"));
    let output = command.args(["status", "--data-dir"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no drone has run on"));
}
