//! A source that changes its shape under a real drone: the run is marked, put aside or failed, as its profile says, and
//! nothing is lost or doubled by it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::postgres::PostgresServer;
use crate::support::source::{Asked, Reply, Source};
use crate::support::{KEY, Process, get, post, put_profile, records, send, until};

const SOON: Duration = Duration::from_secs(30);

/// Thirty rows; once `changed` is set, `value` is called `val`.
fn changing(changed: &Arc<AtomicBool>) -> Source {
    let changed = Arc::clone(changed);
    Source::start(move |asked, _| {
        let (name, tag) = if changed.load(Ordering::SeqCst) { ("val", "\"v2\"") } else { ("value", "\"v1\"") };
        let header = |asked: &Asked| asked.headers.iter().any(|(key, held)| key == "if-none-match" && held == tag);
        let rows: Vec<Value> = (0..30).map(|n| json!({"place": format!("{name}{n}"), name: n, "area": 7})).collect();
        let mut reply = Reply::json(Value::from(rows).to_string());
        reply.headers.push(("ETag".into(), tag.into()));
        if header(asked) {
            (reply.status, reply.body) = (304, Vec::new());
        }
        reply
    })
}

fn profile(id: &str, url: &str, then: &str) -> String {
    format!(
        "id: {id}\nsource: {{url: '{url}'}}\nrows: {{each: $}}\nschedule: {{every: 30d, jitter: 0s}}\n\
         dims: {{geo.name: place}}\nmeasures: {{value: value, area: area}}\ndrift: {{then: {then}}}\n"
    )
}

#[derive(Debug, Clone, Copy)]
enum Engine {
    Sqlite,
    Postgres,
}

/// Runs each of these tests with the store on either engine.
macro_rules! on_both_engines {
    ($($test:ident,)+) => {
        mod on_sqlite {
            $(#[actix_web::test]
            async fn $test() {
                super::$test(super::Engine::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[actix_web::test]
            async fn $test() {
                match super::server() {
                    Ok(_) => super::$test(super::Engine::Postgres).await,
                    Err(missing) => crate::support::skip(stringify!($test), missing),
                }
            })+
        }
    };
}

on_both_engines! {
    a_drift_that_is_kept_is_told_once,
    a_run_that_fails_for_its_drift_is_asked_for_again,
    a_run_in_quarantine_is_released_and_stored_once,
    a_run_that_is_discarded_is_asked_for_again,
    a_drone_that_is_killed_while_its_run_is_held_loses_and_doubles_nothing,
    failed_rows_are_told_with_their_run,
}

/// One server for all tests here; the error says what is missing.
fn server() -> Result<&'static PostgresServer, &'static str> {
    static SERVER: OnceLock<Result<PostgresServer, String>> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::for_the_program).as_ref().map_err(String::as_str)
}

/// A node without drones, its store new.
async fn start_node(engine: Engine, folder: &Path) -> Process {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let data = folder.join("node");
    let Engine::Postgres = engine else { return Process::serve(&data, &["--drones", "0"]) };
    let (server, name) = (server().unwrap(), format!("drift{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
    let mut db = sqlx::postgres::PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut db).await.unwrap();
    let args = ["serve", "--port", "0", "--data-dir", data.to_str().unwrap(), "--drones", "0"];
    Process::chartly(&args, &[("REGISTRY_API_KEY", KEY), ("CHARTLY__STORE__URL", &server.url(&name))])
}

struct Setup {
    changed: Arc<AtomicBool>,
    source: Source,
    node: Process,
    _drone: Process,
    _folder: tempfile::TempDir,
    id: &'static str,
}

impl Setup {
    /// A profile that has run once, with thirty records.
    async fn new(engine: Engine, id: &'static str, then: &str) -> Self {
        let changed = Arc::new(AtomicBool::new(false));
        let source = changing(&changed);
        let folder = tempfile::tempdir().unwrap();
        let node = start_node(engine, folder.path()).await;
        let drone = start_drone(&node.url, folder.path());
        put_profile(&node.url, &profile(id, &source.url(), then)).await;
        let setup = Self { changed, source, node, _drone: drone, _folder: folder, id };
        setup.runs(1).await;
        assert_eq!(records(&setup.node.url, id).await.len(), 30);
        setup
    }

    fn change(&self) {
        self.changed.store(true, Ordering::SeqCst);
    }

    /// The runs, the newest first, once so many have ended.
    async fn runs(&self, count: usize) -> Vec<Value> {
        until("the runs have ended", SOON, async || {
            let runs = get(&format!("{}/api/runs?profile_id={}", self.node.url, self.id)).await.json();
            let runs = runs["items"].as_array()?.clone();
            (runs.len() >= count && runs.iter().all(|run| run["state"] != "running")).then_some(runs)
        })
        .await
    }

    /// Runs once more; gives the run.
    async fn run(&self, count: usize) -> Value {
        let asked = post(&format!("{}/api/profiles/{}:run", self.node.url, self.id), &json!({})).await;
        assert!(asked.status < 300, "{}", asked.text());
        self.runs(count).await[0].clone()
    }

    async fn settle(&self, run: &Value, verb: &str) -> Value {
        let url = format!("{}/api/runs/{}:{verb}", self.node.url, run["run_id"].as_str().unwrap());
        let answer = post(&url, &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn stored(&self) -> usize {
        records(&self.node.url, self.id).await.len()
    }
}

fn start_drone(base: &str, folder: &Path) -> Process {
    Process::drone(base, &folder.join("drone"), &["--id", "d1", "--allow-private", "127.0.0.1/32"])
}

fn fields(run: &Value) -> Vec<&str> {
    run["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect()
}

async fn a_drift_that_is_kept_is_told_once(engine: Engine) {
    let setup = Setup::new(engine, "kept", "keep").await;
    setup.change();
    let run = setup.run(2).await;
    assert_eq!((&run["drifted"], &run["state"]), (&json!(true), &json!("succeeded")), "{run}");
    assert_eq!(fields(&run), ["measures.value", "rows.value", "rows.val"], "{run}");
    assert_eq!(setup.stored().await, 60);
    let run = setup.run(3).await;
    assert_eq!((&run["drifted"], &run["state"]), (&json!(false), &json!("unchanged")), "the validators moved: {run}");
    let status = get(&format!("{}/api/status", setup.node.url)).await.json();
    assert_eq!(status["results"]["findings"]["drifted_runs"], json!(1), "{status}");
    let metrics = get(&format!("{}/metrics", setup.node.url)).await.text();
    assert!(metrics.contains("chartly_runs_drifted_total{fate=\"kept\"} 1"), "{metrics}");
}

async fn a_run_that_fails_for_its_drift_is_asked_for_again(engine: Engine) {
    let setup = Setup::new(engine, "strict", "fail").await;
    assert_eq!(setup.run(2).await["state"], json!("unchanged"));
    setup.change();
    for count in [3, 4] {
        let run = setup.run(count).await;
        assert_eq!((&run["state"], &run["quarantine"]), (&json!("failed"), &json!("failed")), "{run}");
        assert!(run["error"].as_str().unwrap().contains("measures.value"), "{run}");
    }
    assert_eq!(setup.stored().await, 30);
    setup.changed.store(false, Ordering::SeqCst);
    let run = setup.run(5).await;
    assert_eq!(run["state"], json!("unchanged"), "what the last good run learnt still holds: {run}");
    assert_eq!(setup.source.count(), 5);

    // A mended profile is a new version: it is compared with nothing, and takes what is there.
    setup.change();
    let mended = profile("strict", &setup.source.url(), "fail").replace("value: value", "value: val");
    let url = format!("{}/api/profiles/strict", setup.node.url);
    let headers = [("content-type", "application/yaml"), ("x-api-key", KEY)];
    assert!(send("PUT", &url, &headers, mended).await.status < 300);
    until("the drone runs the mended profile", SOON, async || {
        post(&format!("{}/api/profiles/strict:run", setup.node.url), &json!({})).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        (setup.stored().await == 60).then_some(())
    })
    .await;
}

async fn a_run_in_quarantine_is_released_and_stored_once(engine: Engine) {
    let setup = Setup::new(engine, "careful", "quarantine").await;
    setup.change();
    let run = setup.run(2).await;
    assert_eq!((&run["quarantine"], &run["drifted"]), (&json!("waiting"), &json!(true)), "{run}");
    assert_eq!(setup.stored().await, 30);
    let status = get(&format!("{}/api/status", setup.node.url)).await.json();
    assert!(status["problems"].to_string().contains("wait in quarantine"), "{status}");
    for _ in 0..2 {
        let released = setup.settle(&run, "release").await;
        assert_eq!((&released["quarantine"], &released["inserted"]), (&json!("released"), &json!(30)), "{released}");
    }
    assert_eq!(setup.stored().await, 60);
    // What was released is asked for once more, since the drone did not know; it is known then, and usual.
    let run = setup.run(3).await;
    assert_eq!((&run["drifted"], &run["known"], &run["inserted"]), (&json!(false), &json!(30), &json!(0)), "{run}");
    assert_eq!(setup.run(4).await["state"], json!("unchanged"));
    assert_eq!(setup.stored().await, 60);
}

async fn a_run_that_is_discarded_is_asked_for_again(engine: Engine) {
    let setup = Setup::new(engine, "careful", "quarantine").await;
    setup.change();
    let run = setup.run(2).await;
    assert_eq!(setup.settle(&run, "discard").await["quarantine"], json!("discarded"));
    let url = format!("{}/api/runs/{}:release", setup.node.url, run["run_id"].as_str().unwrap());
    assert_eq!(post(&url, &json!({})).await.status, 409);
    let second = setup.run(3).await;
    assert_eq!((&second["quarantine"], &second["rows"]), (&json!("waiting"), &json!(30)), "{second}");
    setup.settle(&second, "release").await;
    assert_eq!(setup.stored().await, 60);
}

async fn a_drone_that_is_killed_while_its_run_is_held_loses_and_doubles_nothing(engine: Engine) {
    let slow = Arc::new(AtomicBool::new(true));
    let hold = Arc::clone(&slow);
    // Pages of 1,200 rows: the first is a whole batch and more, the second does not come.
    let source = Source::start(move |asked, _| {
        let page: usize = asked.target.split("page=").nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
        let rows: Vec<Value> =
            (0..1_200).map(|n| json!({"place": format!("p{}", page * 10_000 + n), "value": n})).collect();
        let reply = Reply::json(if page > 2 { "[]".into() } else { Value::from(rows).to_string() });
        if page == 2 && hold.load(Ordering::SeqCst) { reply.after(Duration::from_secs(600)) } else { reply }
    });
    let folder = tempfile::tempdir().unwrap();
    let node = start_node(engine, folder.path()).await;
    let mut drone = start_drone(&node.url, folder.path());
    let text = format!(
        "id: held\nsource: {{url: '{}/', paging: {{kind: page, param: page, until: empty}}}}\nrows: {{each: $}}\n\
         schedule: {{every: 30d, jitter: 0s}}\nlimits: {{timeout: 20m}}\ndims: {{geo.name: place}}\n\
         measures: {{value: value}}\ndrift: {{then: quarantine}}\n",
        source.url()
    );
    put_profile(&node.url, &text).await;
    until("the second page is asked for", SOON, async || (source.count() >= 2).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drone.kill();
    assert_eq!(records(&node.url, "held").await.len(), 0, "nothing shows of a run that did not end");
    slow.store(false, Ordering::SeqCst);
    let _drone = start_drone(&node.url, folder.path());
    until("the run after the kill is stored", SOON, async || {
        (records(&node.url, "held").await.len() == 2_400).then_some(())
    })
    .await;
    let runs = get(&format!("{}/api/runs?profile_id=held", node.url)).await.json();
    let inserted: u64 = runs["items"].as_array().unwrap().iter().map(|run| run["inserted"].as_u64().unwrap()).sum();
    assert_eq!(inserted, 2_400, "{runs}");
}

async fn failed_rows_are_told_with_their_run(engine: Engine) {
    let source = Source::start(|_, _| Reply::json(r#"[{"place": "a", "value": 1}, {"place": "b", "value": "?"}]"#));
    let folder = tempfile::tempdir().unwrap();
    let node = start_node(engine, folder.path()).await;
    let _drone = start_drone(&node.url, folder.path());
    put_profile(&node.url, &profile("rows", &source.url(), "keep")).await;
    let run = until("the run has ended", SOON, async || {
        let runs = get(&format!("{}/api/runs?profile_id=rows", node.url)).await.json();
        runs["items"].as_array()?.first().filter(|run| run["state"] == "succeeded").cloned()
    })
    .await;
    assert_eq!(run["failed_rows"], json!(2), "{run}");
    let rejects = get(&format!("{}{}", node.url, run["rejects"].as_str().unwrap())).await.json();
    assert_eq!(rejects["total"], json!(2), "{rejects}");
    assert_eq!(rejects["items"][0]["excerpt"], json!(r#"{"place": "b", "value": "?"}"#), "{rejects}");
    assert_eq!(rejects["items"][0]["reason"], json!("measures.value is not a number"), "{rejects}");
}
