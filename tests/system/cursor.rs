//! A profile with a cursor over several runs of a real drone, which is killed between them: only what is new is asked
//! for, and nothing is lost or doubled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::source::{Reply, Source};
use crate::support::{Process, get, post, put_profile, records, until};

const PROFILE: &str = "
id: events
version: 1.0.0
source:
  url: URL
  cursor: {field: updated, param: since, start: 2024-01-01}
rows: {each: $}
dims:
  entity.event: id
  time.at: updated
measures: {value: v}
key: [entity.event]
schedule: {every: 30d, jitter: 0s}
";

/// Events that the source holds: id, time of the last change, value.
type Events = Arc<Mutex<Vec<(u32, String, u32)>>>;

/// Answers with what was changed at the time `since` or later, as sources with such a parameter do.
fn source(events: &Events) -> Source {
    let events = Arc::clone(events);
    Source::start(move |asked, _| {
        let since = since(&asked.target);
        let held = events.lock().unwrap();
        let new = held.iter().filter(|(_, updated, _)| *updated >= since);
        let rows: Vec<Value> =
            new.map(|(id, updated, v)| json!({"id": format!("e{id}"), "updated": updated, "v": v})).collect();
        Reply::json(Value::from(rows).to_string())
    })
}

fn since(target: &str) -> String {
    let url = url::Url::parse(&format!("http://h{target}")).unwrap();
    let found = url.query_pairs().find(|(name, _)| name == "since").map(|(_, value)| value.into_owned());
    found.unwrap_or_else(|| panic!("no since in {target}"))
}

fn at(hour: u32) -> String {
    format!("2024-01-02T{hour:02}:00:00Z")
}

async fn run_and_wait(base: &str, count: usize, asks: bool) -> Value {
    if asks {
        let asked = post(&format!("{base}/api/profiles/events:run"), &json!({})).await;
        assert!(asked.status < 300, "{}", asked.text());
    }
    until("the run has ended", Duration::from_secs(60), async || {
        let runs = get(&format!("{base}/api/runs?profile_id=events")).await.json();
        let runs = runs["items"].as_array()?.clone();
        (runs.len() >= count && runs.iter().all(|run| run["state"] != "running")).then(|| runs[0].clone())
    })
    .await
}

async fn values(base: &str) -> Vec<(String, u64)> {
    let mut all: Vec<(String, u64)> = records(base, "events")
        .await
        .iter()
        .map(|row| {
            let event = row["dims"]["entity"]["event"].as_str().unwrap().to_owned();
            (event, row["measures"]["value"].as_f64().unwrap() as u64)
        })
        .collect();
    all.sort();
    all
}

#[actix_web::test]
async fn only_what_is_new_is_asked_for_also_by_a_drone_that_was_killed() {
    let events: Events = Arc::new(Mutex::new((1..=5).map(|id| (id, at(id), id)).collect()));
    let source = source(&events);
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let drone =
        || Process::drone(&node.url, &folder.path().join("drone"), &["--id", "d1", "--allow-private", "127.0.0.1/32"]);
    let mut first = drone();
    let answer = put_profile(&node.url, &PROFILE.replace("URL", &source.url())).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let run = run_and_wait(&node.url, 1, false).await;
    assert_eq!((&run["state"], &run["inserted"]), (&json!("succeeded"), &json!(5)), "{run}");
    assert!(since(&source.asked()[0].target).starts_with("2024-01-01"));

    // Killed while it idles; meanwhile two events are new, and one of old is changed.
    first.kill();
    events.lock().unwrap().extend([(6, at(6), 6), (7, at(7), 7)]);
    events.lock().unwrap()[1] = (2, at(8), 20);
    let mut second = drone();
    let run = run_and_wait(&node.url, 2, true).await;
    assert_eq!((&run["state"], &run["inserted"]), (&json!("succeeded"), &json!(3)), "{run}");
    let asked = source.asked();
    assert_eq!(asked.len(), 2, "one request for each run");
    assert!(since(&asked[1].target).starts_with("2024-01-02T05:00:00"), "{}", asked[1].target);

    // Killed at once after it was asked to run: whatever was sent until then, the next drone completes it.
    events.lock().unwrap().push((8, at(9), 8));
    post(&format!("{}/api/profiles/events:run", node.url), &json!({})).await;
    second.kill();
    let _third = drone();
    until("the last event is stored", Duration::from_secs(60), async || {
        values(&node.url).await.iter().any(|(event, _)| event == "e8").then_some(())
    })
    .await;
    let run = run_and_wait(&node.url, 4, true).await;
    assert_eq!(run["inserted"], json!(0), "{run}");
    let last = source.asked().pop().unwrap();
    assert!(since(&last.target).starts_with("2024-01-02T09:00:00"), "{}", last.target);

    let stored = values(&node.url).await;
    for (id, value) in [(1, 1), (2, 20), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)] {
        let same = stored.iter().filter(|(event, own)| *event == format!("e{id}") && *own == value).count();
        assert_eq!(same, 1, "e{id}: {stored:?}");
    }
    // The changed event is there once, with its newest value.
    assert_eq!(stored.len(), 8, "{stored:?}");
}
