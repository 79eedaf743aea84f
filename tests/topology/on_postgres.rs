//! The system on PostgreSQL: the same answers as on SQLite; and each role killed, the server killed and held up, in the
//! middle of the work, with nothing that was acknowledged lost and nothing there twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chartly::settings::Role;
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::scenario::{batch, play, row, yaml};
use crate::support::postgres::PostgresServer;
use crate::support::{KEY, get, post, put_profile, records, skip, until};

const ROWS: u64 = 50;
const PATIENCE: Duration = Duration::from_secs(60);

#[actix_web::test]
async fn both_engines_give_the_same_answers() {
    let server = match PostgresServer::own(&["-c", "fsync=off"]) {
        Ok(server) => server,
        Err(missing) => return skip("both_engines_give_the_same_answers", &missing),
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let on_file = Layout::one_process(one.path());
    let on_server = Layout::one_process_on(two.path(), &server.url("postgres"));
    let (left, right) = (play(on_file.gateway()).await, play(on_server.gateway()).await);
    assert_eq!(left.len(), right.len());
    for ((step, left), (_, right)) in left.into_iter().zip(right) {
        assert_eq!(comparable(left), comparable(right), "{step}");
    }
    assert!(!two.path().join("data/results.db").exists(), "no file beside the server");
}

/// A cursor is the engine's own; that there is one is not.
fn comparable(mut answer: Value) -> Value {
    if let Some(next) = answer.pointer_mut("/body/next").filter(|next| next.is_string()) {
        *next = json!("a cursor");
    }
    answer
}

/// Batches that are sent until they are acknowledged, as a drone does it.
struct Sender<'a> {
    gateway: &'a str,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    enough: AtomicBool,
}

impl Sender<'_> {
    async fn work(&self, client: u64) {
        let http = awc::Client::builder().timeout(Duration::from_secs(20)).finish();
        for number in 0.. {
            if self.enough.load(Ordering::SeqCst) {
                return;
            }
            let rows: Vec<Value> =
                (0..ROWS).map(|n| row(((client * 100_000 + number) * ROWS + n) as usize, 1.0)).collect();
            let body = batch("left", &format!("run-{client}-{}", number / 20), (number % 20) as u32, &rows);
            let begun = Instant::now();
            while !self.send(&http, &body).await {
                assert!(begun.elapsed() < PATIENCE, "batch {number} of client {client} is never taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Whether it was acknowledged. Everything else may be sent again: a batch happens once.
    async fn send(&self, http: &awc::Client, body: &Value) -> bool {
        let request = http.post(format!("{}/api/results", self.gateway)).insert_header(("x-api-key", KEY));
        let Ok(mut answer) = request.send_json(body).await else { return false };
        match answer.status().as_u16() {
            200 => return answer.body().await.is_ok(),
            500 | 502 | 503 | 504 => self.refused.fetch_add(1, Ordering::SeqCst),
            other => panic!("{other}: {:?}", answer.body().await),
        };
        false
    }

    /// Waits until so many more batches went through.
    async fn goes_on(&self, what: &str) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        until(&format!("batches go through after {what}"), PATIENCE, async || {
            (self.acknowledged.load(Ordering::SeqCst) >= before + 20).then_some(())
        })
        .await;
    }
}

/// Kills one after another; each time the work goes on.
async fn havoc(five: &mut Layout, server: &mut PostgresServer, sender: &Sender<'_>) {
    sender.goes_on("the start").await;
    for role in [Role::Aggregator, Role::Registry, Role::Coordinator, Role::Reporter, Role::Gateway, Role::Aggregator] {
        five.of(role).kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        five.of(role).restart();
        sender.goes_on(&format!("the {role} was killed")).await;
    }
    for round in 0..2 {
        server.crash();
        let aggregator = five.of(Role::Aggregator).url().to_owned();
        until("the aggregator is unready", Duration::from_secs(20), async || {
            (get(&format!("{aggregator}/ready")).await.status == 503).then_some(())
        })
        .await;
        server.start_again();
        sender.goes_on(&format!("crash {round} of the server")).await;
        assert_eq!(get(&format!("{aggregator}/ready")).await.status, 200);
    }
    server.signal("STOP");
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.signal("CONT");
    sender.goes_on("the server was held up").await;
}

#[actix_web::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled() {
    let mut server = match PostgresServer::own(&[]) {
        Ok(server) => server,
        Err(missing) => return skip("nothing_acknowledged_is_lost_and_nothing_is_doubled", &missing),
    };
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes_on(folder.path(), &server.url("postgres"));
    let gateway = five.gateway().to_owned();
    assert_eq!(put_profile(&gateway, &yaml("left", "1.0.0")).await.status, 201);
    post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": "d1"})).await;
    let asked = post(&format!("{gateway}/api/profiles/left:run"), &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    let sender =
        Sender { gateway: &gateway, acknowledged: 0.into(), refused: 0.into(), enough: AtomicBool::new(false) };
    let work = async {
        futures_util::future::join_all((0..3).map(|client| sender.work(client))).await;
    };
    let trouble = async {
        havoc(&mut five, &mut server, &sender).await;
        sender.enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(work, trouble);
    let batches = sender.acknowledged.load(Ordering::SeqCst);
    eprintln!("{batches} batches acknowledged, {} refused", sender.refused.load(Ordering::SeqCst));
    five.all_well().await;
    let all = records(&gateway, "left").await;
    let distinct: BTreeSet<String> = all.iter().map(|record| record["record_id"].to_string()).collect();
    assert_eq!((all.len() as u64, distinct.len() as u64), (batches * ROWS, batches * ROWS));
    let summary = get(&format!("{gateway}/api/results/summary")).await.json();
    assert_eq!(
        (&summary["records"], &summary["results"]),
        (&json!(batches * ROWS), &json!(batches * ROWS)),
        "{summary}"
    );
    // All this took longer than a lease: the drone comes back for its work.
    post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": "d1"})).await;
    let work = get(&format!("{gateway}/api/drones/d1/work")).await.json();
    assert_eq!(work["run_now"][0]["request_id"], asked.json()["request_id"], "asked once, kept once: {work}");
    assert_eq!(work["run_now"].as_array().unwrap().len(), 1, "{work}");
}
