//! What a record costs on disk, and what it costs to see it again.

use std::fmt::Write;

use chartly::protocol::batch::Batch;
use chartly::store::Place;
use secrecy::ExposeSecret;
use sqlx::Connection;

use crate::engines::Engine;
use crate::support::*;

/// The record that the limits were measured with: 224 bytes of canonical JSON.
fn body(n: u64) -> String {
    format!(
        r#"{{"dims":{{"county":"{:03}","indicator":"B19013_{:03}E","note":"synthetic","period":"{:04}-{:02}","source":"profile-{:04}-survey-of-communities","state":"{:02}","tract":"{:07}"}},"measures":{{"count":{},"moe":{}.{:02},"value":{}.{:03}}}}}"#,
        n % 997,
        n % 61,
        1990 + n % 34,
        1 + n % 12,
        (n / 1000) % 10,
        n % 57,
        n,
        n % 100_000,
        n % 500,
        n % 99 + 1,
        n.wrapping_mul(2_654_435_761) % 1_000_000,
        n % 999 + 1
    )
}

fn post(profile: &str, run: &str, seq: u32, numbers: std::ops::Range<u64>) -> Batch {
    let mut text = format!(r#"{{"drone_id":"edge-1","profile_id":"{profile}","run_id":"{run}","seq":{seq},"data":["#);
    for n in numbers.clone() {
        let comma = if n == numbers.start { "" } else { "," };
        write!(text, "{comma}{}", body(n)).unwrap();
    }
    text.push_str("]}");
    Batch::from_json(text.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_record_costs_little_more_than_itself() {
    const RECORDS: u64 = 200_000;
    let names: Vec<String> = (0..10).map(|n| format!("profile-{n}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let fixture = Fixture::with_profiles(Engine::Sqlite, &ids).await;
    let tenant = fixture.tenant();
    let mut text_bytes = 0;
    for number in 0..RECORDS / 1_000 {
        let profile = &names[(number % 10) as usize];
        let batch = post(profile, &uuid::Uuid::now_v7().to_string(), 0, number * 1_000..(number + 1) * 1_000);
        text_bytes += batch.records.byte_len();
        assert_eq!(tenant.store_batch(batch, 1_700_000_000_000).await.unwrap().inserted, 1_000);
    }
    fixture.close().await;
    let mean = text_bytes as f64 / RECORDS as f64;
    let cost = bytes_on_disk(fixture.bed.folder.path()) as f64 / RECORDS as f64;
    println!("{cost:.1} bytes on disk for a record of {mean:.1}");
    assert!((220.0..228.0).contains(&mean), "the record measured has {mean} bytes");
    assert!(cost <= 330.0, "{cost:.1} bytes on disk for a record of {mean:.1}");
}

async fn a_source_that_never_changes_hardly_grows_the_store(engine: Engine) {
    const POLLS: u32 = 1_000;
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let again = post("p", "x", 0, 0..5_000);
    let poll = |number: u32| {
        let (tenant, mut batch) = (tenant.clone(), again.clone());
        batch.run_id = run_id(&uuid::Uuid::now_v7().to_string());
        async move { tenant.store_batch(batch, i64::from(number)).await.unwrap() }
    };
    let empty = bytes_of(&fixture).await;
    assert_eq!(poll(0).await.inserted, 5_000);
    let with_one = bytes_of(&fixture).await;
    for number in 1..=POLLS {
        let receipt = poll(number).await;
        assert_eq!((receipt.inserted, receipt.known), (0, 5_000));
    }
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.results), (5_000, 5_000 * u64::from(POLLS + 1)));
    let (growth, copies) = (bytes_of(&fixture).await - with_one, (with_one - empty) * u64::from(POLLS));
    println!("{} bytes for a poll that saw nothing new", growth / u64::from(POLLS));
    assert!(growth * 100 < copies, "{growth} bytes for {POLLS} polls; copies would take {copies}");
    assert!(growth / u64::from(POLLS) < 1_000, "{} bytes a poll", growth / u64::from(POLLS));
}

crate::engines::on_both_engines! {
    a_source_that_never_changes_hardly_grows_the_store,
}

/// What the store takes, its log emptied.
async fn bytes_of(fixture: &Fixture) -> u64 {
    let Place::Server(server) = &fixture.bed.place else {
        let file = fixture.bed.folder.path().join("results.db");
        let mut db = sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        return bytes_on_disk(fixture.bed.folder.path());
    };
    let mut db = sqlx::PgConnection::connect(server.url.expose_secret()).await.unwrap();
    let size = sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&mut db).await;
    let size: i64 = size.unwrap();
    db.close().await.unwrap();
    size.cast_unsigned()
}
