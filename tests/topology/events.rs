//! A watcher at the gateway hears of every role, wherever it runs, and again after it was away.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chartly::settings::Role;
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::scenario::{batch, row, yaml};
use crate::support::{post, put_profile, until};

const SOON: Duration = Duration::from_secs(15);

/// A gateway's live events, on a connection of its own.
struct Watch {
    events: Receiver<Value>,
    seen: Vec<Value>,
}

impl Watch {
    /// Connects, and returns once the stream has begun.
    fn begin(base: &str) -> Self {
        let address = base.strip_prefix("http://").expect("it is one of ours");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /api/events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        assert!(lines.by_ref().any(|line| line.starts_with(": watching")), "the stream begins with a greeting");
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in lines {
                let Some(data) = line.strip_prefix("data: ") else { continue };
                let event = serde_json::from_str(data).expect("an event is JSON");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { events, seen: Vec::new() }
    }

    /// Whether an event with these members comes in time.
    fn sees(&mut self, members: &Value, most: Duration) -> bool {
        let members = members.as_object().expect("an object");
        let until = Instant::now() + most;
        while let Ok(event) = self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(event);
            let event = &self.seen[self.seen.len() - 1];
            if members.iter().all(|(name, value)| event.get(name) == Some(value)) {
                return true;
            }
        }
        false
    }

    fn must_see(&mut self, members: &Value) {
        assert!(self.sees(members, SOON), "{members} is not among {:#?}", self.seen);
    }
}

/// Does small things until the watcher hears of each role: what happened before it listened is not told.
async fn hears_all(gateway: &str, watch: &mut Watch) {
    let mut number = 0;
    for kind in ["profile", "drone", "run"] {
        until(kind, SOON, async || {
            number += 1;
            let draining = number % 2 == 1;
            let action = if draining { "pause" } else { "resume" };
            post(&format!("{gateway}/api/profiles/warm:{action}"), &json!({})).await;
            post(&format!("{gateway}/api/drones/warm:drain"), &json!({"draining": draining})).await;
            let run = batch("warm", &format!("warm-{number}"), 0, &[row(0, 0.0)]);
            post(&format!("{gateway}/api/results"), &run).await;
            watch.sees(&json!({"kind": kind}), Duration::from_millis(300)).then_some(())
        })
        .await;
    }
}

async fn warm_up(gateway: &str) -> Watch {
    assert_eq!(put_profile(gateway, &yaml("warm", "1.0.0")).await.status, 201);
    post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": "warm"})).await;
    let mut watch = Watch::begin(gateway);
    hears_all(gateway, &mut watch).await;
    watch
}

/// What operators and drones do is told, with the same words in each layout.
async fn is_told(layout: &Layout) {
    let gateway = layout.gateway();
    let mut watch = warm_up(gateway).await;
    put_profile(gateway, &yaml("p", "1.0.0")).await;
    watch.must_see(&json!({"kind": "profile", "profile_id": "p", "change": "put"}));
    for (action, change) in [("pause", "paused"), ("resume", "resumed")] {
        post(&format!("{gateway}/api/profiles/p:{action}"), &json!({})).await;
        watch.must_see(&json!({"kind": "profile", "profile_id": "p", "change": change}));
    }
    post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": "d1"})).await;
    watch.must_see(&json!({"kind": "drone", "drone_id": "d1", "state": "online"}));
    let mut run = batch("p", "r1", 0, &[row(1, 1.0), row(2, 2.0), row(1, 1.0)]);
    run["run"] = json!({"state": "succeeded", "started_ms": 1, "finished_ms": 2});
    post(&format!("{gateway}/api/results"), &run).await;
    watch.must_see(&json!({"kind": "run", "run_id": "r1", "profile_id": "p", "drone_id": "d1",
                           "state": "succeeded", "inserted": 2, "known": 1}));
    let told = watch.seen.iter().filter(|event| event["run_id"] == "r1").count();
    assert_eq!(told, 1, "once each");
}

#[actix_web::test]
async fn events_are_told_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    is_told(&Layout::one_process(folder.path())).await;
}

#[actix_web::test]
async fn events_of_other_processes_are_told_at_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    is_told(&Layout::five_processes(folder.path())).await;
}

#[actix_web::test]
async fn a_watcher_hears_of_a_role_again_after_it_was_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes(folder.path());
    let gateway = five.gateway().to_owned();
    let mut watch = warm_up(&gateway).await;
    for role in [Role::Aggregator, Role::Coordinator, Role::Registry] {
        five.of(role).kill();
        five.of(role).restart();
    }
    five.all_well().await;
    hears_all(&gateway, &mut watch).await;
}
