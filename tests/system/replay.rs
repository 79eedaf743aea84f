//! Kept answers and replay over real processes: a profile is wrong, its source goes away, the profile is mended, and the
//! records come out as if it had been right from the start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::source::{Reply, Source};
use crate::support::{KEY, Process, get, post, put_profile, records, until};

pub const SOON: Duration = Duration::from_secs(30);

/// A keyed profile whose measure is read from `path`.
pub fn profile(id: &str, url: &str, path: &str, more: &str) -> String {
    format!(
        "id: {id}\nsource: {{url: '{url}'}}\nschedule: {{interval: 30d, jitter: 0s}}\nrows: {{each: $.rows}}\n\
         dims: {{geo.name: place}}\nmeasures: {{price: {{from: {path}}}}}\nkey: [geo.name]\n{more}\n"
    )
}

pub const KEEP: &str = "keep: {answers: true}";

/// What the source says in its `round`: some places change, some stay.
pub fn body(round: usize) -> String {
    let row = |place: usize| {
        let price = if place.is_multiple_of(3) { 100 + place } else { 1_000 * (round + 1) + place };
        json!({"place": format!("p{place}"), "open": 7, "price": {"close": price}})
    };
    json!({"rows": (0..30).map(row).collect::<Vec<_>>()}).to_string()
}

/// A source that is in a round until it is told to go on.
pub fn rounds() -> (Source, Arc<AtomicUsize>) {
    let round = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&round);
    (Source::start(move |_, _| Reply::json(body(now.load(Ordering::SeqCst)))), round)
}

pub struct Setup {
    pub folder: tempfile::TempDir,
    pub node: Process,
    pub drone: Process,
}

pub fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let drone = start_drone(&node.url, folder.path());
    Setup { folder, node, drone }
}

fn start_drone(base: &str, folder: &Path) -> Process {
    let args =
        ["--control-plane", base, "--data-dir", &drone_folder(folder), "--id", "d1", "--allow-private", "127.0.0.1/32"];
    let env = [("REGISTRY_API_KEY", KEY), ("CHARTLY_SECRET_TOKEN", SECRET)];
    Process::start(env!("CARGO_BIN_EXE_chartly-drone"), &args, &env)
}

pub fn drone_folder(folder: &Path) -> String {
    folder.join("drone").to_str().unwrap().to_owned()
}

const SECRET: &str = "hush-0123456789/abc";

/// The profile's runs, the newest first, once `count` of them have ended.
pub async fn ended_runs(base: &str, profile: &str, count: usize) -> Vec<Value> {
    until("the runs have ended", SOON, async || {
        let runs = get(&format!("{base}/api/runs?profile_id={profile}")).await.json();
        let runs = runs["items"].as_array()?.clone();
        (runs.len() >= count && runs.iter().all(|run| run["state"] != "running")).then_some(runs)
    })
    .await
}

/// Its replays, once `count` of them have ended.
async fn replays(base: &str, profile: &str, count: usize) -> Vec<Value> {
    until("the replays have ended", SOON, async || {
        let runs = get(&format!("{base}/api/runs?profile_id={profile}&limit=500")).await.json();
        let runs = runs["items"].as_array()?.iter().filter(|run| run["replay_of"].is_string());
        let runs: Vec<Value> = runs.cloned().collect();
        (runs.len() >= count && runs.iter().all(|run| run["state"] != "running")).then_some(runs)
    })
    .await
}

pub async fn run_now(base: &str, profile: &str) {
    let asked = post(&format!("{base}/api/profiles/{profile}:run"), &json!({})).await;
    assert!(asked.status < 300, "{}", asked.text());
}

async fn replay(base: &str, profile: &str, which: Value) -> Value {
    let asked = post(&format!("{base}/api/profiles/{profile}:replay"), &which).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    asked.json()
}

/// A new version of a profile that is there.
async fn publish(base: &str, id: &str, yaml: &str) {
    let url = format!("{base}/api/profiles/{id}");
    let put =
        crate::support::send("PUT", &url, &[("x-api-key", KEY), ("content-type", "application/yaml")], yaml).await;
    assert!(put.status < 300, "{}", put.text());
}

/// The whole listing, every version, in order, without what says when and by whom.
async fn listing(base: &str, profile: &str) -> Vec<Value> {
    let part = |record: &Value| json!([record["record_id"], record["dims"], record["measures"]]);
    records(base, &format!("{profile}&versions=all")).await.iter().map(part).collect()
}

pub async fn kept_runs(base: &str, count: u64) {
    until("the drone tells what it keeps", SOON, async || {
        let drone = get(&format!("{base}/api/drones/d1")).await.json();
        (drone["kept_runs"] == json!(count) && (drone["kept_bytes"].as_u64()? > 0) == (count > 0)).then_some(())
    })
    .await;
}

pub fn kept_files(folder: &Path, profile: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("drone/kept").join(profile)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "kept")).collect();
    files.sort();
    files
}

#[actix_web::test]
async fn a_mended_profile_gives_what_a_right_one_would_have_given() {
    let (source, round) = rounds();
    let Setup { node, drone: _drone, folder: _folder } = setup();
    // One mistake gives no measure, one leaves rows out, one gives wrong records; the last profile is right.
    let filtered = format!("where: ['place == p4']\n{KEEP}");
    put_profile(&node.url, &profile("misread", &source.url(), "price.clos", KEEP)).await;
    put_profile(&node.url, &profile("filtered", &source.url(), "price.close", &filtered)).await;
    put_profile(&node.url, &profile("mistaken", &source.url(), "open", KEEP)).await;
    put_profile(&node.url, &profile("control", &source.url(), "price.close", "")).await;
    for done in 1..=3 {
        for id in ["misread", "filtered", "mistaken", "control"] {
            ended_runs(&node.url, id, done).await;
        }
        round.store(done, Ordering::SeqCst);
        if done < 3 {
            for id in ["misread", "filtered", "mistaken", "control"] {
                run_now(&node.url, id).await;
            }
        }
    }
    for (id, count) in [("misread", 0), ("filtered", 3), ("mistaken", 30)] {
        assert_eq!(listing(&node.url, id).await.len(), count, "{id}");
    }
    kept_runs(&node.url, 9).await;
    source.close();
    let asked_before = source.count();

    for id in ["misread", "filtered", "mistaken"] {
        publish(&node.url, id, &profile(id, &source.url(), "price.close", KEEP)).await;
        // The new version runs at once, and the source is away.
        let run = &ended_runs(&node.url, id, 4).await[0];
        assert_eq!(run["state"], json!("failed"), "{run}");
        let requested = replay(&node.url, id, json!({})).await;
        assert_eq!(requested["requests"][0]["drone_id"], json!("d1"));
    }
    let right = listing(&node.url, "control").await;
    assert_eq!(right.len(), 10 + 3 * 20);
    for id in ["misread", "filtered", "mistaken"] {
        let runs = replays(&node.url, id, 3).await;
        assert_eq!(runs.len(), 3);
        for run in &runs {
            assert_eq!(
                (&run["state"], &run["requests"], &run["rows"]),
                (&json!("succeeded"), &json!(0), &json!(30)),
                "{run}"
            );
            let of = get(&format!("{}/api/runs/{}", node.url, run["replay_of"].as_str().unwrap())).await.json();
            let behind = run["started_ms"].as_i64().unwrap() - of["started_ms"].as_i64().unwrap();
            assert!((1..1_000).contains(&behind), "{run}");
            assert_ne!(of["profile_digest"], run["profile_digest"]);
        }
        let oldest_first: Vec<_> = runs.iter().rev().map(|run| run["started_ms"].as_i64().unwrap()).collect();
        assert!(oldest_first.is_sorted(), "{oldest_first:?}");
    }
    assert_eq!(listing(&node.url, "misread").await, right);
    assert_eq!(listing(&node.url, "mistaken").await, right, "the wrong records are gone");
    let standing = async |id: &str| {
        let all = records(&node.url, id).await;
        let mut all: Vec<String> =
            all.iter().map(|record| format!("{} {}", record["dims"], record["measures"])).collect();
        all.sort();
        all
    };
    let latest = standing("control").await;
    assert_eq!(latest.len(), 30);
    for id in ["misread", "filtered", "mistaken"] {
        assert_eq!(standing(id).await, latest, "what stands is the newest of {id}");
    }
    let sorted = |mut list: Vec<Value>| {
        list.sort_by_key(ToString::to_string);
        list
    };
    assert_eq!(sorted(listing(&node.url, "filtered").await), sorted(right.clone()), "nothing doubled, nothing lacks");
    assert_eq!(source.count(), asked_before);

    // Once more changes nothing but the list of runs.
    replay(&node.url, "misread", json!({})).await;
    let again = replays(&node.url, "misread", 6).await;
    assert!(again[..3].iter().all(|run| run["inserted"] == json!(0)), "{again:?}");
    assert_eq!(listing(&node.url, "misread").await, right);
    // One run alone.
    let of = again[0]["replay_of"].clone();
    replay(&node.url, "misread", json!({"run_id": of})).await;
    assert_eq!(replays(&node.url, "misread", 7).await[0]["replay_of"], of);
    until("the coordinator hears that all is done", SOON, async || {
        let stats = get(&format!("{}/api/drones/stats", node.url)).await.json();
        (stats["pending_replays"] == json!(0)).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn the_newest_answer_wins_although_older_ones_arrive_later() {
    let (source, round) = rounds();
    let Setup { node, drone: _drone, folder: _folder } = setup();
    let broken = profile("late", &source.url(), "price.clos", KEEP);
    put_profile(&node.url, &broken).await;
    for done in 1..=2 {
        ended_runs(&node.url, "late", done).await;
        round.store(done, Ordering::SeqCst);
        if done < 2 {
            run_now(&node.url, "late").await;
        }
    }
    // The mended version runs while the source is there: the newest prices come first.
    publish(&node.url, "late", &broken.replace("price.clos", "price.close")).await;
    ended_runs(&node.url, "late", 3).await;
    assert_eq!(records(&node.url, "late").await.len(), 30);
    replay(&node.url, "late", json!({})).await;
    replays(&node.url, "late", 3).await;
    assert_eq!(listing(&node.url, "late").await.len(), 10 + 3 * 20);
    let spec = json!({
        "join": ["dims.geo.name"],
        "inputs": [{"profile_id": "late", "measure": "measures.price"}],
        "output": {"type": "table"}
    });
    let report = post(&format!("{}/api/reports", node.url), &spec).await.json();
    let rows =
        report["rows"].as_array().or(report["result"]["rows"].as_array()).unwrap_or_else(|| panic!("{report}")).clone();
    assert_eq!(rows.len(), 30);
    for row in rows {
        let place: usize = row["key"][0].as_str().unwrap()[1..].parse().unwrap();
        let expected = if place.is_multiple_of(3) { 100 + place } else { 3_000 + place };
        assert_eq!(row["values"], json!([expected as f64]), "{row}");
    }
}

#[actix_web::test]
async fn an_unchanged_source_adds_nothing_and_the_next_run_is_still_conditional() {
    let source = Source::start(|asked, _| {
        let mut reply = Reply::json(body(0));
        reply.headers.push(("ETag".into(), "\"v1\"".into()));
        if asked.headers.iter().any(|(name, value)| name == "if-none-match" && value == "\"v1\"") {
            (reply.status, reply.body) = (304, Vec::new());
        }
        reply
    });
    let Setup { folder, node, drone: _drone } = setup();
    put_profile(&node.url, &profile("steady", &source.url(), "price.close", KEEP)).await;
    ended_runs(&node.url, "steady", 1).await;
    run_now(&node.url, "steady").await;
    assert_eq!(ended_runs(&node.url, "steady", 2).await[0]["state"], json!("unchanged"));
    assert_eq!(kept_files(folder.path(), "steady").len(), 1);
    replay(&node.url, "steady", json!({})).await;
    replays(&node.url, "steady", 1).await;
    run_now(&node.url, "steady").await;
    let runs = ended_runs(&node.url, "steady", 4).await;
    assert_eq!(runs[0]["state"], json!("unchanged"), "a replay moves no validator: {}", runs[0]);
}

#[actix_web::test]
async fn a_secret_that_the_source_gives_back_is_not_on_disk() {
    let source = Source::start(|asked, _| {
        let mut body: Value = serde_json::from_str(&body(0)).unwrap();
        body["asked"] = json!({"url": asked.target, "token": SECRET});
        let mut reply = Reply::json(body.to_string());
        reply.headers.push(("X-Echo".into(), SECRET.into()));
        reply.headers.push(("Link".into(), format!("<{}>; rel=self", asked.target)));
        reply
    });
    let Setup { folder, node, drone: _drone } = setup();
    let signed = profile("signed", &source.url(), "price.close", KEEP);
    let signed = signed.replace("'}\nschedule", "', auth: {secret: TOKEN, in: query, name: key}}\nschedule");
    assert_eq!(put_profile(&node.url, &signed).await.status, 201);
    assert_eq!(ended_runs(&node.url, "signed", 1).await[0]["state"], json!("succeeded"));
    assert!(source.asked()[0].target.contains("hush-0123456789"), "the source is given the secret");
    let files = kept_files(folder.path(), "signed");
    let mut text = String::new();
    for file in &files {
        let mut unpacked = Vec::new();
        let packed = std::fs::read(file).unwrap();
        // It ends with an error at the footer, which is no frame.
        let _ = zstd::stream::copy_decode(&packed[..], &mut unpacked);
        text.push_str(&String::from_utf8(unpacked).unwrap());
    }
    assert!(text.contains("[secret]") && text.contains("p29"), "{text}");
    assert!(!text.contains("hush-0123456789"), "{text}");
    let found = Command::new("grep").args(["-rl", "hush-0123456789"]).arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    replay(&node.url, "signed", json!({})).await;
    let run = &replays(&node.url, "signed", 1).await[0];
    assert_eq!((&run["state"], &run["known"]), (&json!("succeeded"), &json!(30)), "{run}");
}

#[actix_web::test]
async fn a_drone_killed_in_a_run_loses_that_runs_answers_and_no_record() {
    let (first, slow) = (body(0), Arc::new(AtomicUsize::new(1)));
    let delays = Arc::clone(&slow);
    let source = Source::start(move |asked, _| {
        let page = if asked.target.contains("page=2") { body(1) } else { first.clone() };
        let wait = if asked.target.contains("page=2") { delays.load(Ordering::SeqCst) as u64 * 60 } else { 0 };
        let page = if asked.target.contains("page=3") { json!({"rows": []}).to_string() } else { page };
        Reply::json(page).after(Duration::from_secs(wait))
    });
    let Setup { folder, node, mut drone } = setup();
    let paged = profile("killed", &source.url(), "price.close", KEEP);
    let paged = paged.replace("'}\nschedule", "', paging: {kind: page, param: page, until: empty}}\nschedule");
    // Without a key, pages with equal places stand beside each other.
    let put = put_profile(&node.url, &paged.replace("key: [geo.name]\n", "")).await;
    assert_eq!(put.status, 201, "{}", put.text());
    until("the second page is asked for", SOON, async || (source.count() == 2).then_some(())).await;
    let parts = || {
        std::fs::read_dir(folder.path().join("drone/kept/killed"))
            .unwrap()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "part"))
            .count()
    };
    assert_eq!((parts(), kept_files(folder.path(), "killed").len()), (1, 0));
    drone.kill();
    slow.store(0, Ordering::SeqCst);
    let _drone = start_drone(&node.url, folder.path());
    until("all records are there", SOON, async || (records(&node.url, "killed").await.len() == 50).then_some(())).await;
    until("the new run is kept", SOON, async || (kept_files(folder.path(), "killed").len() == 1).then_some(())).await;
    assert_eq!(parts(), 0);
    replay(&node.url, "killed", json!({})).await;
    let run = &replays(&node.url, "killed", 1).await[0];
    assert_eq!((&run["state"], &run["inserted"], &run["rows"]), (&json!("succeeded"), &json!(0), &json!(60)), "{run}");
}

#[actix_web::test]
async fn a_drone_killed_in_a_replay_takes_it_up_without_a_trace() {
    let (source, round) = rounds();
    let Setup { folder, node, mut drone } = setup();
    put_profile(&node.url, &profile("again", &source.url(), "price.clos", KEEP)).await;
    for done in 1..=5 {
        ended_runs(&node.url, "again", done).await;
        round.store(done, Ordering::SeqCst);
        if done < 5 {
            run_now(&node.url, "again").await;
        }
    }
    until("all are kept", SOON, async || (kept_files(folder.path(), "again").len() == 5).then_some(())).await;
    source.close();
    publish(&node.url, "again", &profile("again", &source.url(), "price.close", KEEP)).await;
    replay(&node.url, "again", json!({})).await;
    replays(&node.url, "again", 1).await;
    drone.kill();
    let _drone = start_drone(&node.url, folder.path());
    until("the drone says that it is done", SOON, async || {
        let stats = get(&format!("{}/api/drones/stats", node.url)).await.json();
        (stats["pending_replays"] == json!(0)).then_some(())
    })
    .await;
    assert_eq!(replays(&node.url, "again", 5).await.len(), 5, "none came twice");
    assert_eq!(listing(&node.url, "again").await.len(), 10 + 5 * 20);
}

#[actix_web::test]
async fn a_torn_file_is_left_out_and_a_missing_answer_is_told() {
    let (source, round) = rounds();
    let Setup { folder, node, mut drone } = setup();
    put_profile(&node.url, &profile("torn", &source.url(), "price.clos", KEEP)).await;
    ended_runs(&node.url, "torn", 1).await;
    round.store(1, Ordering::SeqCst);
    run_now(&node.url, "torn").await;
    ended_runs(&node.url, "torn", 2).await;
    until("both are kept", SOON, async || (kept_files(folder.path(), "torn").len() == 2).then_some(())).await;
    source.close();
    let first = &kept_files(folder.path(), "torn")[0];
    let whole = std::fs::read(first).unwrap();
    std::fs::write(first, &whole[..whole.len() / 2]).unwrap();

    publish(&node.url, "torn", &profile("torn", &source.url(), "price.close", KEEP)).await;
    replay(&node.url, "torn", json!({})).await;
    replays(&node.url, "torn", 1).await;
    drone.wait_for("a kept run cannot be read", SOON);
    assert_eq!(records(&node.url, "torn").await.len(), 30);

    // A version that asks for something else finds no answer to it.
    let elsewhere = profile("torn", &format!("{}/elsewhere", source.url()), "price.close", KEEP);
    publish(&node.url, "torn", &elsewhere).await;
    replay(&node.url, "torn", json!({})).await;
    let run = &replays(&node.url, "torn", 2).await[0];
    assert_eq!(run["state"], json!("partial"), "{run}");
    let error = run["error"].as_str().unwrap();
    assert!(error.starts_with("1 of its requests") && error.contains("/elsewhere"), "{error}");
}

#[actix_web::test]
async fn a_replay_and_a_run_that_is_due_do_not_disturb_each_other() {
    let (source, _) = rounds();
    let Setup { folder, node, drone: _drone } = setup();
    let often = profile("often", &source.url(), "price.close", KEEP).replace("30d", "1s");
    put_profile(&node.url, &often).await;
    ended_runs(&node.url, "often", 3).await;
    replay(&node.url, "often", json!({})).await;
    replay(&node.url, "often", json!({"since": "2020-01-01"})).await;
    let before = source.count();
    replays(&node.url, "often", 6).await;
    until("the schedule goes on", SOON, async || (source.count() >= before + 2).then_some(())).await;
    assert_eq!(records(&node.url, "often").await.len(), 30);
    assert!(kept_files(folder.path(), "often").len() >= 3);
}

#[actix_web::test]
async fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let url = format!("{}/api/profiles/p:replay", node.url);
    put_profile(&node.url, &profile("p", "http://127.0.0.1:1/", "price", "")).await;
    assert_eq!(post(&url, &json!({})).await.code(), "unavailable");
    assert_eq!(post(&url.replace("/p:", "/q:"), &json!({})).await.code(), "unknown_profile");
    for wrong in [json!({"since": "soon"}), json!({"since": 9, "until": 9}), json!({"run_id": ""}), json!({"when": 1})]
    {
        let answer = post(&url, &wrong).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
}
