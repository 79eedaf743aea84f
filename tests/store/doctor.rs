//! The doctor finds what was broken behind the store's back, on both engines, says where, and changes nothing.

use std::path::Path;

use chartly::store::{Check, Diagnosis, Place, Store, StoreError, StoreSettings};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::engines::{Bed, Engine, command, on_both_engines};
use crate::support::*;

on_both_engines! {
    a_store_in_use_is_found_well,
    a_record_that_was_changed_is_found_though_the_file_is_whole,
    counts_that_are_wrong_and_rows_of_nothing_are_found,
    a_sample_finds_what_is_everywhere_and_all_finds_one_in_thousands,
    where_there_is_no_store_nothing_is_made,
}

/// A store of two profiles, one with runs in every state, closed.
async fn filled(engine: Engine, records: u64) -> Bed {
    let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
    let tenant = fixture.tenant();
    for (number, state) in ["succeeded", "unchanged", "partial", "failed"].into_iter().enumerate() {
        let run = json!({"state": state, "started_ms": number});
        tenant.store_batch(batch("q", state, &[record(1, number as u64)], json!({"run": run})), 1).await.unwrap();
    }
    for seq in 0..records / 500 {
        let rows: Vec<_> = (0..500).map(|n| record(n % 50, seq * 500 + n)).collect();
        store(&tenant, "p", "r", u32::try_from(seq).unwrap(), &rows).await;
    }
    fixture.close().await;
    fixture.bed
}

async fn look(bed: &Bed, all: bool) -> Diagnosis {
    Diagnosis::of(&bed.settings(), all).await.unwrap()
}

/// Says something to the database behind the store's back.
async fn change(bed: &Bed, sql: &str) {
    match &bed.place {
        Place::Server(server) => command(server.url.expose_secret(), sql.to_owned()).await,
        Place::File(file) => change_file(file, sql).await,
    }
}

async fn change_file(file: &Path, sql: &str) {
    use sqlx::{ConnectOptions, Connection};
    let mut db = sqlx::sqlite::SqliteConnectOptions::new().filename(file).foreign_keys(false).connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

fn check<'a>(found: &'a Diagnosis, name: &str) -> &'a Check {
    found.checks.iter().find(|check| check.name == name).unwrap()
}

async fn a_store_in_use_is_found_well(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    for seq in 0..4 {
        let rows = [record(1, u64::from(seq)), record(2, 1)];
        let posting = store(&tenant, "p", "r", seq, &rows);
        let (_, found) = futures_util::future::join(posting, look(&fixture.bed, true)).await;
        assert!(found.good, "{found:?}");
    }
    let found = look(&fixture.bed, true).await;
    assert_eq!(check(&found, "records").looked_at, 5, "{found:?}");
    assert!(found.checks.len() >= 7 && found.engine.contains(['.']), "{found:?}");
}

async fn a_record_that_was_changed_is_found_though_the_file_is_whole(engine: Engine) {
    let bed = filled(engine, 1_000).await;
    assert!(look(&bed, true).await.good);
    change(&bed, "UPDATE records SET body = replace(body, '\"value\":777}', '\"value\":778}')").await;
    let found = look(&bed, true).await;
    assert!(!found.good);
    let records = check(&found, "records");
    assert_eq!((records.looked_at, records.faults), (1_004, 1), "{found:?}");
    assert!(records.told[0].contains("of p") && records.told[0].contains("digest"), "{found:?}");
    assert_eq!(check(&found, "file").faults, 0, "{found:?}");
    change(&bed, "UPDATE profile_versions SET yaml = 'id: other'").await;
    assert_eq!(check(&look(&bed, true).await, "versions").faults, 2);
}

async fn counts_that_are_wrong_and_rows_of_nothing_are_found(engine: Engine) {
    for (sql, name, said) in [
        ("UPDATE counters SET records = records + 1 WHERE results > 100", "counts", "number of records"),
        ("UPDATE counters SET succeeded = 7 WHERE failed = 1", "counts", "succeeded"),
        ("DELETE FROM batches WHERE id = (SELECT min(id) FROM batches)", "orphans", "record of no batch"),
        ("DELETE FROM record_sets WHERE id = (SELECT min(id) FROM record_sets)", "orphans", "set of records is gone"),
        ("DELETE FROM runs WHERE run_id = 'partial'", "orphans", "batch of no run"),
        ("UPDATE profiles SET version = 999 WHERE profile_id = 'p'", "orphans", "without its current version"),
        ("UPDATE record_sets SET ids = digest", "sets", "does not read back"),
    ] {
        let bed = filled(engine, 500).await;
        change(&bed, sql).await;
        let found = look(&bed, false).await;
        let told = check(&found, name);
        assert!(told.faults > 0 && told.told.iter().any(|line| line.contains(said)), "{sql}: {found:?}");
    }
}

async fn a_sample_finds_what_is_everywhere_and_all_finds_one_in_thousands(engine: Engine) {
    let bed = filled(engine, 14_000).await;
    let sampled = look(&bed, false).await;
    let read = check(&sampled, "records").looked_at;
    assert!(sampled.good && !sampled.all && (1_000..14_000).contains(&read), "{read} read");
    assert_eq!(check(&look(&bed, true).await, "records").looked_at, 14_004);
    change(&bed, "UPDATE records SET body = replace(body, '\"value\":13777}', '\"value\":0}')").await;
    assert_eq!(check(&look(&bed, true).await, "records").faults, 1);
    change(&bed, "UPDATE records SET body = replace(body, 'state', 'stare')").await;
    let found = look(&bed, false).await;
    let records = check(&found, "records");
    assert!(records.faults > 500 && records.told.len() == 10, "{found:?}");
}

async fn where_there_is_no_store_nothing_is_made(engine: Engine) {
    let bed = Bed::new(engine).await;
    let refused = Diagnosis::of(&bed.settings(), false).await;
    assert!(matches!(refused, Err(StoreError::NoDatabase { .. })), "{refused:?}");
    assert_eq!(std::fs::read_dir(bed.folder.path()).unwrap().count(), 0);
    Store::open(&bed.settings()).await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_told_as_a_fault_and_left_as_it_is() {
    let bed = filled(Engine::Sqlite, 3_000).await;
    let file = bed.folder.path().join("results.db");
    let whole = std::fs::read(&file).unwrap();
    let mut holes = whole.clone();
    let middle = holes.len() / 2;
    holes[middle..middle + 60_000].fill(0xaa);
    for bytes in [
        &whole[..whole.len() - 16_384],
        &whole[..50],
        &holes[..],
        b"not a database, but long enough to be one. \
        not a database, but long enough to be one, as far as its length goes.",
    ] {
        std::fs::write(&file, bytes).unwrap();
        let found = Diagnosis::of(&StoreSettings::new(&file), false).await.unwrap();
        assert!(!found.good && check(&found, "file").faults > 0, "{found:?}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_copy_beside_no_node_can_be_looked_at_and_is_left_as_it_is() {
    let bed = filled(Engine::Sqlite, 500).await;
    let file = bed.folder.path().join("results.db");
    let backup = bed.folder.path().join("apart").join("copy.db");
    std::fs::create_dir(backup.parent().unwrap()).unwrap();
    std::fs::copy(&file, &backup).unwrap();
    let before = std::fs::read(&backup).unwrap();
    let found = Diagnosis::of(&StoreSettings::new(&backup), true).await.unwrap();
    assert!(found.good, "{found:?}");
    assert_eq!(std::fs::read(&backup).unwrap(), before);
}
