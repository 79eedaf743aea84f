//! Registry, aggregator, reporter and gateway twice on one PostgreSQL: what is told to one is true at the other at once,
//! and what both are told at the same moment happens once.

use chartly::settings::Role;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::layout::Member;
use crate::scenario::{batch, report, row, yaml};
use crate::support::postgres::PostgresServer;
use crate::support::{Answer, KEY, get, post, put_profile, records, send, skip, until};

const RUNS: u64 = 4;
const BATCHES: u64 = 10;
const ROWS: u64 = 50;

/// The second has all roles but the coordinator, of which there is one.
fn two_on(folder: &std::path::Path, store_url: &str) -> [Member; 2] {
    std::fs::create_dir_all(folder.join("profiles")).unwrap();
    let store = || vec![("CHARTLY__STORE__URL".to_owned(), store_url.to_owned())];
    let first = Member::start_in(&Role::ALL, folder, "one", store());
    let others: Vec<Role> = Role::ALL.into_iter().filter(|role| *role != Role::Coordinator).collect();
    let mut env = store();
    env.push(("CHARTLY__PEERS__COORDINATOR_URL".into(), first.url().to_owned()));
    let second = Member::start_in(&others, folder, "two", env);
    [first, second]
}

async fn replace(base: &str, id: &str, text: String, seen: &str) -> Answer {
    let headers = [("content-type", "application/yaml"), ("x-api-key", KEY), ("if-match", seen)];
    send("PUT", &format!("{base}/api/profiles/{id}"), &headers, text).await
}

async fn create(base: &str, number: usize) -> Answer {
    put_profile(base, &yaml_of(number)).await
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Profiles: read where they were not written, and changed at both at once.
async fn profiles_are_one(bases: [&str; 2]) {
    let created = join_all((0..6).map(|n| create(bases[n % 2], n))).await;
    assert_eq!((count(&created, 201), count(&created, 409)), (1, 5), "one creates it");
    let seen = get(&format!("{}/api/profiles/left", bases[0])).await;
    let etag = seen.etag.clone().unwrap();
    assert_eq!(get(&format!("{}/api/profiles/left", bases[1])).await.etag.as_deref(), Some(&etag[..]));
    let replaced = join_all((10..16).map(|n| replace(bases[n % 2], "left", yaml_of(n), &etag))).await;
    assert_eq!(count(&replaced, 200), 1, "one replaces what all had seen");
    let now = get(&format!("{}/api/profiles/left", bases[0])).await.etag;
    assert_eq!(now, get(&format!("{}/api/profiles/left", bases[1])).await.etag);
    assert_ne!(now, Some(etag));
    assert_eq!(post(&format!("{}/api/profiles/left:pause", bases[1]), &json!({})).await.status, 200);
    let paused = get(&format!("{}/api/profiles/left", bases[0])).await.json();
    assert_eq!(paused["paused"], json!(true), "{paused}");
    post(&format!("{}/api/profiles/left:resume", bases[0]), &json!({})).await;
}

fn yaml_of(number: usize) -> String {
    yaml("left", &format!("1.0.{number}"))
}

/// Every batch goes to both at once, as one is sent again whose answer was lost.
async fn batches_are_stored_once(bases: [&str; 2]) {
    let all = (0..RUNS).flat_map(|run| (0..BATCHES).map(move |seq| (run, seq)));
    let posted = all.map(|(run, seq)| {
        let rows: Vec<Value> = (0..ROWS).map(|n| row(((run * BATCHES + seq) * ROWS + n) as usize, 1.0)).collect();
        let body = batch("left", &format!("run-{run}"), seq as u32, &rows);
        async move {
            let each = bases.map(|base| {
                let (url, body) = (format!("{base}/api/results"), body.clone());
                async move { post(&url, &body).await }
            });
            join_all(each).await
        }
    });
    for answers in join_all(posted).await {
        let replayed = answers.iter().filter(|answer| answer.json()["replayed"] == json!(true)).count();
        assert_eq!((count(&answers, 200), replayed), (2, 1), "{}", answers[0].text());
    }
    let total = (RUNS * BATCHES * ROWS) as usize;
    for base in bases {
        assert_eq!(records(base, "left").await.len(), total);
        let summary = get(&format!("{base}/api/results/summary")).await.json();
        assert_eq!((&summary["records"], &summary["results"]), (&json!(total), &json!(total)), "{summary}");
    }
}

#[actix_web::test]
async fn what_is_told_to_one_replica_is_true_at_the_other() {
    let server = match PostgresServer::own(&["-c", "fsync=off"]) {
        Ok(server) => server,
        Err(missing) => return skip("what_is_told_to_one_replica_is_true_at_the_other", &missing),
    };
    let folder = tempfile::tempdir().unwrap();
    let both = two_on(folder.path(), &server.url("postgres"));
    let bases = [both[0].url(), both[1].url()];
    profiles_are_one(bases).await;
    assert_eq!(put_profile(bases[1], &yaml("right", "1.0.0")).await.status, 201);
    batches_are_stored_once(bases).await;

    // Both look at the folder; the file is one version.
    std::fs::write(folder.path().join("profiles/filed.yaml"), yaml("filed", "1.0.0")).unwrap();
    for base in bases {
        until("the file is a profile", std::time::Duration::from_secs(20), async || {
            (get(&format!("{base}/api/profiles/filed")).await.status == 200).then_some(())
        })
        .await;
    }
    let versions = get(&format!("{}/api/profiles/filed/versions", bases[0])).await.json();
    let listed = versions["items"].as_array().or_else(|| versions.as_array()).map(Vec::len);
    assert_eq!(listed, Some(1), "{versions}");

    let made = post(&format!("{}/api/reports", bases[0]), &report(&json!({"type": "table"}))).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let id = made.json()["report_id"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("{}/api/reports/{id}", bases[1])).await.json()["result"], made.json()["result"]);
}
