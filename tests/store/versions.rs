//! Versions of observations: with a key, a changed value is a new version beside the old one. Reads give what stands,
//! or what stood at a time, whatever the order in which runs arrive and however often a batch is sent.

use std::collections::BTreeMap;

use chartly::domain::digest::Digest;
use chartly::domain::ids::TenantId;
use chartly::protocol::aggregator::{Receipt, RecordFilter, Versions};
use chartly::protocol::registry::PutMode;
use chartly::store::{NewVersion, Store, StoreError, TenantStore};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::{Value, json};

use crate::engines::{Engine, is_here, on_both_engines};
use crate::support::{Fixture, all_records, batch, of_profile, page, profile_id, record, scanned, values, version};

const PROFILE: &str = "rates";

on_both_engines! {
    a_changed_value_is_a_new_version,
    a_value_that_comes_back_stands_again,
    a_run_that_arrives_late_takes_its_place_in_the_past,
    without_a_key_every_record_stands,
    a_history_wants_all_dims_of_the_key_and_no_other,
    another_key_links_what_is_stored_anew,
    thousands_of_changes_are_one_batch,
    several_processes_write_one_profile,
}

fn keyed(number: u32, key: &[&str]) -> NewVersion {
    NewVersion { key: key.iter().map(|dim| (*dim).to_owned()).collect(), ..version(PROFILE, number) }
}

async fn put(tenant: &TenantStore, number: u32, key: &[&str]) {
    tenant.put_profile(keyed(number, key), PutMode::Replace, None, i64::from(number)).await.unwrap();
}

async fn fixture(engine: Engine) -> (Fixture, TenantStore) {
    let fixture = Fixture::new(engine).await;
    let tenant = fixture.tenant();
    put(&tenant, 1, &["dims.geo.state"]).await;
    (fixture, tenant)
}

/// One run that began at `started_ms` and saw these pairs of state and value.
async fn run(tenant: &TenantStore, started_ms: i64, saw: &[(u64, u64)]) -> Receipt {
    let records: Vec<Value> = saw.iter().map(|(state, value)| record(*state, *value)).collect();
    let report = json!({"run": {"state": "succeeded", "started_ms": started_ms}});
    let batch = batch(PROFILE, &format!("run-{started_ms}"), &records, report);
    tenant.store_batch(batch, 1_000_000).await.unwrap()
}

async fn listed(tenant: &TenantStore, versions: Versions) -> Vec<(u64, u64)> {
    let filter = RecordFilter { versions, ..of_profile(PROFILE) };
    let mut pairs: Vec<_> = all_records(tenant, &filter, 3).await.iter().map(pair).collect();
    pairs.sort_unstable();
    pairs
}

fn pair(row: &Value) -> (u64, u64) {
    let state = row["dims"]["geo"]["state"].as_str().unwrap();
    (state.parse().unwrap(), row["measures"]["value"].as_u64().unwrap())
}

/// Value, from and until of each version.
async fn history(tenant: &TenantStore, state: u64) -> Vec<(u64, i64, Option<i64>)> {
    let dims = [("dims.geo.state".to_owned(), format!("{state:02}"))];
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let found = tenant.history(&profile_id(PROFILE), &dims, &page(2, cursor)).await.unwrap();
        let version = |row: &Value| (pair(row).1, row["from_ms"].as_i64().unwrap(), row["until_ms"].as_i64());
        all.extend(values(&found).iter().map(version));
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
}

async fn a_changed_value_is_a_new_version(engine: Engine) {
    let (_fixture, tenant) = fixture(engine).await;
    assert_eq!(run(&tenant, 10, &[(1, 5), (2, 6)]).await.revised, 0);
    let revised = run(&tenant, 20, &[(1, 7), (2, 6)]).await;
    assert_eq!((revised.inserted, revised.known, revised.revised), (1, 1, 1));
    assert_eq!(listed(&tenant, Versions::Latest).await, [(1, 7), (2, 6)]);
    assert_eq!(listed(&tenant, Versions::All).await, [(1, 5), (1, 7), (2, 6)]);
    assert_eq!(listed(&tenant, Versions::AsOf(15)).await, [(1, 5), (2, 6)]);
    assert_eq!(listed(&tenant, Versions::AsOf(9)).await, []);
    assert_eq!(scanned(&tenant, PROFILE).await.len(), 2, "reports take what stands");
    assert_eq!(history(&tenant, 1).await, [(5, 10, Some(20)), (7, 20, None)]);
    assert_eq!(history(&tenant, 2).await, [(6, 10, None)]);
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.replaced, summary.profiles[0].replaced), (3, 1, 1));
    assert_eq!(tenant.run(&crate::support::run_id("run-20")).await.unwrap().revised, 1);
}

async fn a_value_that_comes_back_stands_again(engine: Engine) {
    let (_fixture, tenant) = fixture(engine).await;
    for (started_ms, value) in [(10, 5), (20, 7), (30, 5), (40, 5)] {
        run(&tenant, started_ms, &[(1, value)]).await;
    }
    assert_eq!(listed(&tenant, Versions::Latest).await, [(1, 5)]);
    assert_eq!(history(&tenant, 1).await, [(5, 10, Some(20)), (7, 20, Some(30)), (5, 30, None)]);
    assert_eq!(tenant.summary().await.unwrap().replaced, 1);
}

async fn a_run_that_arrives_late_takes_its_place_in_the_past(engine: Engine) {
    let (_fixture, tenant) = fixture(engine).await;
    run(&tenant, 10, &[(1, 5), (2, 1)]).await;
    run(&tenant, 30, &[(1, 5), (2, 1)]).await;
    let late = run(&tenant, 20, &[(1, 7), (2, 1)]).await;
    assert_eq!((late.inserted, late.revised), (1, 1));
    assert_eq!(listed(&tenant, Versions::Latest).await, [(1, 5), (2, 1)]);
    assert_eq!(history(&tenant, 1).await, [(5, 10, Some(20)), (7, 20, Some(30)), (5, 30, None)]);
    run(&tenant, 5, &[(2, 1)]).await;
    assert_eq!(history(&tenant, 2).await, [(1, 5, None)], "known earlier than was thought");
}

async fn without_a_key_every_record_stands(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &[PROFILE]).await;
    let tenant = fixture.tenant();
    run(&tenant, 10, &[(1, 5)]).await;
    assert_eq!(run(&tenant, 20, &[(1, 7)]).await.revised, 0);
    assert_eq!(listed(&tenant, Versions::Latest).await, [(1, 5), (1, 7)]);
    assert_eq!(listed(&tenant, Versions::AsOf(15)).await, [(1, 5)]);
    let refused = tenant.history(&profile_id(PROFILE), &[], &page(5, None)).await.unwrap_err();
    assert!(matches!(refused, StoreError::NoKey(_)), "{refused}");
}

async fn a_history_wants_all_dims_of_the_key_and_no_other(engine: Engine) {
    let (_fixture, tenant) = fixture(engine).await;
    let ask = async |dims: &[(&str, &str)]| {
        let dims: Vec<_> = dims.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        tenant.history(&profile_id(PROFILE), &dims, &page(5, None)).await
    };
    let missing = ask(&[]).await.unwrap_err().to_string();
    assert!(missing.contains("dims.geo.state is missing"), "{missing}");
    let other = ask(&[("dims.geo.state", "01"), ("dims.x", "1")]).await.unwrap_err().to_string();
    assert!(other.contains("dims.x is not of the profile's key"), "{other}");
    assert!(ask(&[("dims.geo.state", "77")]).await.unwrap().items.is_empty());
}

async fn another_key_links_what_is_stored_anew(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &[PROFILE]).await;
    let tenant = fixture.tenant();
    run(&tenant, 10, &[(1, 5), (2, 6)]).await;
    run(&tenant, 20, &[(1, 7)]).await;
    put(&tenant, 2, &["dims.geo.state"]).await;
    assert_eq!(listed(&tenant, Versions::Latest).await, [(1, 7), (2, 6)]);
    assert_eq!(history(&tenant, 1).await, [(5, 10, Some(20)), (7, 20, None)]);
    run(&tenant, 30, &[(1, 8)]).await;
    assert_eq!(history(&tenant, 1).await.len(), 3, "the next run goes on by the new key");
    tenant.roll_back(&profile_id(PROFILE), None, 5).await.unwrap();
    assert_eq!(listed(&tenant, Versions::Latest).await.len(), 4, "the version before had no key");
    assert_eq!(tenant.summary().await.unwrap().replaced, 0);
}

async fn thousands_of_changes_are_one_batch(engine: Engine) {
    let (_fixture, tenant) = fixture(engine).await;
    let saw = |value: u64| (0..5_000).map(|state| (state, value + state)).collect::<Vec<_>>();
    run(&tenant, 10, &saw(1)).await;
    assert_eq!(run(&tenant, 20, &saw(2)).await.revised, 5_000);
    let expected: Vec<_> = saw(2);
    let filter = RecordFilter { versions: Versions::Latest, ..of_profile(PROFILE) };
    let found: Vec<_> = all_records(&tenant, &filter, 5_000).await.iter().map(pair).collect();
    assert_eq!(found.len(), expected.len());
}

/// One batch of a history: the run's start names the run.
#[derive(Debug, Clone)]
struct Sent {
    started_ms: i64,
    seq: u32,
    saw: Vec<(u64, u64)>,
}

fn histories() -> impl Strategy<Value = Vec<Sent>> {
    let sent = (1_i64..8, prop::collection::vec((0_u64..4, 0_u64..4), 1..8));
    prop::collection::vec(sent, 1..16).prop_map(|runs| {
        let numbered = (0_u32..).zip(runs);
        numbered.map(|(seq, (started_ms, saw))| Sent { started_ms, seq, saw }).collect()
    })
}

fn digest(state: u64, value: u64) -> Digest {
    let one = batch(PROFILE, "r", &[record(state, value)], json!({}));
    *one.records.digest(0)
}

/// The turns of each state: of what was seen at one time the greatest digest counts; of these only the changes.
fn model(history: &[Sent]) -> BTreeMap<u64, Vec<(i64, u64)>> {
    let mut seen: BTreeMap<u64, BTreeMap<i64, u64>> = BTreeMap::new();
    for sent in history {
        for &(state, value) in &sent.saw {
            let winner = seen.entry(state).or_default().entry(sent.started_ms).or_insert(value);
            if digest(state, value) > digest(state, *winner) {
                *winner = value;
            }
        }
    }
    let turns = |winners: BTreeMap<i64, u64>| {
        let mut turns: Vec<_> = winners.into_iter().collect();
        turns.dedup_by_key(|(_, value)| *value);
        turns
    };
    seen.into_iter().map(|(state, winners)| (state, turns(winners))).collect()
}

async fn send(tenant: &TenantStore, sent: &Sent) {
    let records: Vec<Value> = sent.saw.iter().map(|(state, value)| record(*state, *value)).collect();
    let extra = json!({"seq": sent.seq, "run": {"state": "running", "started_ms": sent.started_ms}});
    let batch = batch(PROFILE, &format!("run-{}", sent.started_ms), &records, extra);
    tenant.store_batch(batch, 1_000).await.unwrap();
}

async fn compare(tenant: &TenantStore, history_sent: &[Sent]) -> Result<(), TestCaseError> {
    let turns = model(history_sent);
    for time_ms in 0..9 {
        let stood = turns.iter().filter_map(|(state, turns)| {
            turns.iter().rev().find(|(from_ms, _)| *from_ms <= time_ms).map(|(_, value)| (*state, *value))
        });
        prop_assert_eq!(listed(tenant, Versions::AsOf(time_ms)).await, stood.collect::<Vec<_>>(), "as of {}", time_ms);
    }
    let latest = turns.iter().map(|(state, turns)| (*state, turns.last().unwrap().1)).collect::<Vec<_>>();
    prop_assert_eq!(listed(tenant, Versions::Latest).await, latest.clone());
    for (state, turns) in &turns {
        let found: Vec<_> = history(tenant, *state).await.into_iter().map(|(value, from, _)| (from, value)).collect();
        prop_assert_eq!(&found, turns, "history of {}", state);
    }
    let summary = tenant.summary().await.unwrap();
    prop_assert_eq!(summary.records - summary.replaced, latest.len() as u64);
    Ok(())
}

/// Any order of runs, whatever is sent again, and however many batches share a transaction, gives the same versions.
fn any_order_of_runs_gives_the_same_versions(engine: Engine, cases: u32, at_once: bool) {
    let config =
        ProptestConfig { cases, max_shrink_iters: 400, source_file: Some(file!()), ..ProptestConfig::default() };
    let resent = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let holds = TestRunner::new(config).run(&(histories(), resent), |(history, resent)| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_fixture, tenant) = fixture(engine).await;
            if at_once {
                futures_util::future::join_all(history.iter().map(|sent| send(&tenant, sent))).await;
            } else {
                for sent in &history {
                    send(&tenant, sent).await;
                }
            }
            for index in resent {
                send(&tenant, &history[index.index(history.len())]).await;
            }
            compare(&tenant, &history).await
        })
    });
    holds.unwrap();
}

#[test]
fn any_order_of_runs_gives_the_same_versions_on_sqlite() {
    any_order_of_runs_gives_the_same_versions(Engine::Sqlite, 96, false);
}

#[test]
fn any_order_of_runs_gives_the_same_versions_on_postgres() {
    if is_here("any_order_of_runs_gives_the_same_versions_on_postgres") {
        any_order_of_runs_gives_the_same_versions(Engine::Postgres, 24, false);
    }
}

#[test]
fn batches_of_one_transaction_give_the_same_versions_on_sqlite() {
    any_order_of_runs_gives_the_same_versions(Engine::Sqlite, 32, true);
}

#[test]
fn batches_of_one_transaction_give_the_same_versions_on_postgres() {
    if is_here("batches_of_one_transaction_give_the_same_versions_on_postgres") {
        any_order_of_runs_gives_the_same_versions(Engine::Postgres, 24, true);
    }
}

/// As three aggregators would, or an old and a new one.
async fn several_processes_write_one_profile(engine: Engine) {
    let (fixture, tenant) = fixture(engine).await;
    let mut tenants = vec![tenant];
    for _ in 0..2 {
        let other = Store::open(&fixture.bed.settings()).await.unwrap();
        tenants.push(other.tenant(&TenantId::default()));
    }
    let history: Vec<Sent> = (0_u32..60)
        .map(|seq| {
            let number = u64::from(seq);
            let saw = (0..8).map(|state| (state, (number * 7 + state * 3) % 11)).collect();
            Sent { started_ms: i64::from(seq % 9) + 1, seq, saw }
        })
        .collect();
    let each = history.iter().enumerate().map(|(index, sent)| send(&tenants[index % 3], sent));
    futures_util::future::join_all(each).await;
    compare(&tenants[0], &history).await.unwrap();
}
