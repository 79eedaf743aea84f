//! Databases that earlier releases wrote: each opens, shows what it held, and takes what comes next. The files lie in
//! `tests/fixtures/store`, one of every release for each engine; CONTRIBUTING.md says how one is made.

use chartly::domain::ids::TenantId;
use chartly::domain::run::RunState;
use chartly::protocol::aggregator::{RecordFilter, Versions};
use chartly::store::{Place, Store, StoreSettings, TenantStore};
use serde_json::{Value, json};

use crate::engines::{Bed, Engine, command, is_here, new_database, on_server};
use crate::support::*;

const FIRST_FILE: &[u8] = include_bytes!("../fixtures/store/0.1.0.db.zst");
const FIRST_DUMP: &str = include_str!("../fixtures/store/0.1.0.sql");

/// A database as the first release left it.
async fn first_release(engine: Engine) -> (Store, Bed) {
    let folder = tempfile::tempdir().unwrap();
    let place = match engine {
        Engine::Sqlite => {
            let file = folder.path().join("results.db");
            std::fs::write(&file, zstd::decode_all(FIRST_FILE).unwrap()).unwrap();
            Place::File(file)
        }
        Engine::Postgres => {
            let url = new_database().await;
            command(&url, FIRST_DUMP.to_owned()).await;
            on_server(&url)
        }
    };
    let store = Store::open(&StoreSettings::at(place.clone())).await.expect("what the first release wrote opens");
    (store, Bed { place, folder })
}

fn row(state: &str, value: f64) -> Value {
    json!({"dims": {"geo": {"state": state}, "time": {"year": "2020"}}, "measures": {"value": value}})
}

async fn pairs(tenant: &TenantStore, filter: &RecordFilter) -> Vec<(String, f64)> {
    let pair = |row: &Value| {
        let state = row["dims"]["geo"]["state"].as_str().unwrap();
        (state.to_owned(), row["measures"]["value"].as_f64().unwrap())
    };
    let mut all: Vec<_> = all_records(tenant, filter, 3).await.iter().map(pair).collect();
    all.sort_by(|left, right| left.partial_cmp(right).unwrap());
    all
}

fn owned(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
    pairs.iter().map(|(state, value)| ((*state).to_owned(), *value)).collect()
}

async fn shows_what_it_held(engine: Engine) {
    let (store, _bed) = first_release(engine).await;
    let tenant = store.tenant(&TenantId::default());
    let plain = pairs(&tenant, &of_profile("plain")).await;
    assert_eq!(plain, owned(&[("01", 5.0), ("02", 6.0), ("03", 7.5), ("04", 8.0)]));
    let all = RecordFilter { versions: Versions::All, ..of_profile("rates") };
    assert_eq!(pairs(&tenant, &all).await, owned(&[("01", 5.0), ("01", 50.0), ("02", 6.0)]));
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.results), (7, 11));
    let run = tenant.run(&run_id("plain-2")).await.unwrap();
    assert_eq!((run.state, run.inserted, run.known), (RunState::Succeeded, 0, 3));
    assert_eq!(all_results(&tenant, &of_run("plain-2"), 2).await.len(), 3, "what a run yielded is listed");
    assert!(tenant.profile(&profile_id("rates"), None).await.unwrap().yaml.contains("key: [geo.state, time.year]"));
}

async fn goes_on_where_it_was_left(engine: Engine) {
    let (store, bed) = first_release(engine).await;
    let tenant = store.tenant(&TenantId::default());
    let report = json!({"seq": 0, "run": {"state": "succeeded", "started_ms": 1_700_000_000_000_i64}});
    let mut again = batch("plain", "plain-1", &[row("01", 5.0), row("02", 6.0), row("03", 7.5)], report);
    again.drone_id = chartly::domain::ids::DroneId::parse("edge-1").unwrap();
    assert!(tenant.store_batch(again, 1).await.unwrap().replayed, "what was sent to the release before is known");
    let next = store_one(&tenant, "plain-9", &[row("01", 5.0), row("09", 1.0)]).await;
    assert_eq!(next, (1, 1));
    store.close(std::time::Duration::from_secs(20)).await.unwrap();
    let store = Store::open(&bed.settings()).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    assert_eq!(tenant.summary().await.unwrap().records, 8);
    assert_eq!(pairs(&tenant, &of_profile("plain")).await.len(), 5);
}

async fn store_one(tenant: &TenantStore, run: &str, rows: &[Value]) -> (u32, u32) {
    let receipt = tenant.store_batch(batch("plain", run, rows, json!({"seq": 0})), 1_795_700_000_000).await.unwrap();
    (receipt.inserted, receipt.known)
}

crate::engines::on_both_engines! {
    shows_what_it_held,
    goes_on_where_it_was_left,
}

/// Records that were held when the first release stopped.
#[tokio::test]
async fn what_was_held_is_released_after_the_upgrade() {
    let (store, _bed) = first_release(Engine::Sqlite).await;
    let tenant = store.tenant(&TenantId::default());
    let run = tenant.run(&run_id("plain-4")).await.unwrap();
    assert_eq!((run.state, run.inserted), (RunState::Running, 0));
    let last = json!({"seq": 1, "run": {"state": "succeeded", "started_ms": 1_795_700_000_000_i64}, "hold": true});
    let mut end = batch("plain", "plain-4", &[row("06", 2.0)], last);
    end.drone_id = chartly::domain::ids::DroneId::parse("edge-1").unwrap();
    tenant.store_batch(end, 1_795_700_000_001).await.unwrap();
    let found = pairs(&tenant, &of_profile("plain")).await;
    assert_eq!(found[4..], owned(&[("05", 9.0), ("06", 2.0)]));
}

/// Versions are kept of what the release before stored.
#[tokio::test]
async fn versions_go_on_after_the_upgrade() {
    let (store, _bed) = first_release(Engine::Sqlite).await;
    let tenant = store.tenant(&TenantId::default());
    assert_eq!(pairs(&tenant, &of_profile("rates")).await, owned(&[("01", 50.0), ("02", 6.0)]));
    let report = json!({"seq": 0, "run": {"state": "succeeded", "started_ms": 1_795_700_000_000_i64}});
    let receipt = tenant.store_batch(batch("rates", "rates-3", &[row("02", 7.0)], report), 1_795_700_000_001).await;
    assert_eq!(receipt.unwrap().revised, 1);
    assert_eq!(pairs(&tenant, &of_profile("rates")).await, owned(&[("01", 50.0), ("02", 7.0)]));
}

/// During a rolling upgrade the release before and the one after have the same database open.
#[tokio::test]
async fn the_dump_of_the_release_before_is_opened_by_two_at_once() {
    if !is_here("the_dump_of_the_release_before_is_opened_by_two_at_once") {
        return;
    }
    let url = new_database().await;
    command(&url, FIRST_DUMP.to_owned()).await;
    let settings = StoreSettings::at(on_server(&url));
    let (one, other) = tokio::join!(Store::open(&settings), Store::open(&settings));
    let (one, other) = (one.unwrap(), other.unwrap());
    let (left, right) = (one.tenant(&TenantId::default()), other.tenant(&TenantId::default()));
    let (some, others) = ([row("10", 1.0), row("11", 1.0)], [row("10", 1.0), row("12", 1.0)]);
    let (first, second) = tokio::join!(store_one(&left, "plain-9", &some), store_one(&right, "plain-10", &others));
    assert_eq!((first.0 + second.0, first.1 + second.1), (3, 1), "the record that both saw is stored once");
    assert_eq!(left.summary().await.unwrap().records, 10);
}
