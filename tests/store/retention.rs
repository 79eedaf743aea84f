//! Retention: what goes, that what the source gives never does, that nothing which went comes back, and that every
//! count, listing and read says the truth afterwards.

use chartly::domain::ids::TenantId;
use chartly::domain::retention::Retention;
use chartly::protocol::aggregator::{RecordFilter, Versions};
use chartly::protocol::fault::{Code, Fault};
use chartly::protocol::registry::PutMode;
use chartly::store::{NewVersion, Removed, TenantStore};
use serde_json::{Value, json};

use crate::engines::Engine;
use crate::support::*;

const ALL: Retention = Retention { records_ms: None, versions: None, max_records: None, runs_ms: None };

/// Carries a pass out, in small steps.
pub(crate) async fn pass(tenant: &TenantStore, rule: Retention, now_ms: i64) -> Removed {
    let mut all = Removed::default();
    let mut pass = tenant.begin_retention(&profile_id("p"), rule, now_ms).await.unwrap();
    while let Some(removed) = pass.step(3).await.unwrap() {
        assert!(removed.records <= 3 || rule.versions.is_some(), "a step is small");
        all.add(removed);
    }
    all
}

/// One run that arrived at `at_ms` and saw these values, each of the state of the same number.
async fn run(tenant: &TenantStore, at_ms: i64, saw: &[u64]) -> (u32, u32) {
    let pairs: Vec<(u64, u64)> = saw.iter().map(|value| (*value, *value)).collect();
    run_of(tenant, at_ms, &pairs).await
}

async fn run_of(tenant: &TenantStore, at_ms: i64, saw: &[(u64, u64)]) -> (u32, u32) {
    let records: Vec<Value> = saw.iter().map(|(state, value)| record(*state, *value)).collect();
    let state = if saw.is_empty() { "unchanged" } else { "succeeded" };
    let report = json!({"seq": 0, "run": {"state": state, "started_ms": at_ms}});
    let batch = batch("p", &format!("run-{at_ms}"), &records, report);
    let receipt = tenant.store_batch(batch, at_ms).await.unwrap();
    (receipt.inserted, receipt.known)
}

async fn kept(tenant: &TenantStore, versions: Versions) -> Vec<u64> {
    let filter = RecordFilter { versions, ..of_profile("p") };
    let value = |row: &Value| row["measures"]["value"].as_u64().unwrap();
    let mut all: Vec<u64> = all_records(tenant, &filter, 3).await.iter().map(value).collect();
    all.sort_unstable();
    all
}

/// The counters say what is there.
async fn counts_agree(tenant: &TenantStore) {
    let summary = tenant.summary().await.unwrap();
    let counts = summary.profiles.iter().find(|counts| counts.profile_id == profile_id("p")).unwrap();
    let all = kept(tenant, Versions::All).await.len() as u64;
    let latest = kept(tenant, Versions::Latest).await.len() as u64;
    assert_eq!((counts.records, counts.replaced), (all, all - latest));
    let runs = tenant.runs(&chartly::protocol::aggregator::RunFilter::default(), &page(5_000, None)).await.unwrap();
    assert_eq!(summary.runs, runs.items.len() as u64);
    assert_eq!(summary.runs_by_state.values().sum::<u64>(), summary.runs);
}

async fn plain(engine: Engine) -> (Fixture, TenantStore) {
    let fixture = Fixture::with_profiles(engine, &["p", "other"]).await;
    let tenant = fixture.tenant();
    (fixture, tenant)
}

async fn keyed(engine: Engine) -> (Fixture, TenantStore) {
    let fixture = Fixture::new(engine).await;
    let tenant = fixture.tenant();
    let version = NewVersion { key: vec!["dims.geo.state".into()], ..version("p", 1) };
    tenant.put_profile(version, PutMode::Replace, None, 1).await.unwrap();
    (fixture, tenant)
}

async fn what_was_not_seen_for_long_goes_and_all_else_stays(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    store(&tenant, "other", "elsewhere", 0, &[record(1, 1)]).await;
    run(&tenant, 100, &[1, 2, 3]).await;
    run(&tenant, 200, &[2, 3, 4]).await;
    run(&tenant, 300, &[3, 4, 5]).await;
    let rule = Retention { records_ms: Some(50), ..ALL };
    assert_eq!(pass(&tenant, rule, 240).await.records, 1, "2 was seen at 200");
    assert_eq!(kept(&tenant, Versions::Latest).await, [2, 3, 4, 5]);
    assert_eq!(pass(&tenant, rule, 10_000).await.records, 1);
    assert_eq!(kept(&tenant, Versions::Latest).await, [3, 4, 5], "the source gives them, however old");
    assert_eq!(pass(&tenant, rule, 10_000).await, Removed::default());
    counts_agree(&tenant).await;
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.expired, summary.profiles.len()), (2, 2));
    assert_eq!(all_records(&tenant, &of_profile("other"), 5).await.len(), 1);
}

async fn what_the_source_gives_is_not_removed_and_stored_again_by_turns(engine: Engine) {
    let (fixture, mut tenant) = plain(engine).await;
    let whole: Vec<u64> = (0..10).collect();
    let rules = [
        Retention { max_records: Some(4), ..ALL },
        Retention { records_ms: Some(1), ..ALL },
        Retention { records_ms: Some(1), max_records: Some(1), runs_ms: Some(1), ..ALL },
    ];
    let mut fixture = fixture;
    assert_eq!(run(&tenant, 1_000, &whole).await, (10, 0));
    for (round, rule) in (2..).zip(rules.into_iter().cycle().take(6)) {
        assert_eq!(pass(&tenant, rule, round * 1_000 - 1).await.records, 0, "round {round}");
        assert_eq!(run(&tenant, round * 1_000, &whole).await, (0, 10), "round {round}");
        fixture = fixture.reopened().await;
        tenant = fixture.tenant();
    }
    counts_agree(&tenant).await;
}

async fn an_unchanged_source_keeps_its_records(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    run(&tenant, 100, &[1, 2]).await;
    for at_ms in [200, 300, 400] {
        run(&tenant, at_ms, &[]).await;
    }
    let rule = Retention { records_ms: Some(150), runs_ms: Some(150), ..ALL };
    assert_eq!(pass(&tenant, rule, 500).await, Removed { records: 0, runs: 2 });
    run(&tenant, 500, &[3]).await;
    assert_eq!(pass(&tenant, rule, 540).await.records, 0, "the unchanged run at 400 says that they were there");
    assert_eq!(pass(&tenant, rule, 560).await.records, 2);
    assert_eq!(kept(&tenant, Versions::Latest).await, [3]);
    counts_agree(&tenant).await;
}

async fn a_record_that_comes_back_is_new_and_stays(engine: Engine) {
    let (fixture, tenant) = plain(engine).await;
    run(&tenant, 100, &[1, 2]).await;
    run(&tenant, 200, &[2]).await;
    let rule = Retention { records_ms: Some(50), ..ALL };
    assert_eq!(pass(&tenant, rule, 300).await.records, 1);
    // The very batch of before, which the writer remembers.
    assert_eq!(run(&tenant, 400, &[1, 2]).await, (1, 1));
    assert_eq!(pass(&tenant, rule, 420).await.records, 0);
    assert_eq!(kept(&tenant, Versions::Latest).await, [1, 2]);
    let fixture = fixture.reopened().await;
    counts_agree(&fixture.tenant()).await;
}

async fn at_most_so_many_are_kept_and_the_first_go_first(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    for at in 1..=10 {
        run(&tenant, at * 100, &[at.unsigned_abs() * 2, at.unsigned_abs() * 2 + 1]).await;
    }
    let rule = Retention { max_records: Some(7), ..ALL };
    let plan = tenant.retention(&profile_id("p"), rule, 2_000).await.unwrap().would_remove;
    assert_eq!((plan.records, plan.by_count), (13, 13));
    assert_eq!(pass(&tenant, rule, 2_000).await.records, 13);
    assert_eq!(kept(&tenant, Versions::Latest).await, [15, 16, 17, 18, 19, 20, 21]);
    counts_agree(&tenant).await;
    let refused = tenant.records(&as_of(650), &page(10, None)).await.unwrap_err();
    assert_eq!(Fault::from(refused).code, Code::Expired, "15 was seen first with 14, which is gone");
    assert_eq!(all_records(&tenant, &as_of(750), 10).await.len(), 1);
}

fn as_of(time_ms: i64) -> RecordFilter {
    RecordFilter { versions: Versions::AsOf(time_ms), ..of_profile("p") }
}

async fn earlier_versions_go_and_the_latest_stay(engine: Engine) {
    let (_fixture, tenant) = keyed(engine).await;
    for at in 1..=6_i64 {
        run_of(&tenant, at * 100, &[(1, at.unsigned_abs()), (2, 50)]).await;
    }
    let rule = Retention { versions: Some(3), ..ALL };
    assert_eq!(tenant.retention(&profile_id("p"), rule, 1_000).await.unwrap().would_remove.by_versions, 3);
    assert_eq!(pass(&tenant, rule, 1_000).await.records, 3);
    assert_eq!(kept(&tenant, Versions::All).await, [4, 5, 6, 50]);
    counts_agree(&tenant).await;
    let refused = tenant.records(&as_of(399), &page(10, None)).await.unwrap_err();
    let fault = Fault::from(refused);
    assert_eq!((fault.code, fault.places[0].at.as_str()), (Code::Expired, "as_of"));
    assert!(fault.detail.contains("1970-01-01T00:00:00.4Z"), "it says from when on: {}", fault.detail);
    assert_eq!(kept(&tenant, Versions::AsOf(450)).await, [4, 50]);
    // A version that went comes back as the newest one.
    assert_eq!(run_of(&tenant, 700, &[(1, 2), (2, 50)]).await, (1, 1));
    assert_eq!(kept(&tenant, Versions::Latest).await, [2, 50]);
    assert_eq!(pass(&tenant, rule, 1_000).await.records, 1);
    assert_eq!(kept(&tenant, Versions::All).await, [2, 5, 6, 50]);
    counts_agree(&tenant).await;
}

async fn versions_of_an_observation_go_from_the_earliest_on(engine: Engine) {
    let (_fixture, tenant) = keyed(engine).await;
    run_of(&tenant, 100, &[(1, 10), (2, 20)]).await;
    run_of(&tenant, 200, &[(1, 11), (2, 20)]).await;
    run_of(&tenant, 300, &[(2, 20)]).await;
    let rule = Retention { records_ms: Some(150), ..ALL };
    assert_eq!(pass(&tenant, rule, 340).await.records, 1, "10 was replaced long ago");
    assert_eq!(kept(&tenant, Versions::All).await, [11, 20]);
    assert_eq!(pass(&tenant, rule, 1_000).await.records, 1);
    assert_eq!(kept(&tenant, Versions::All).await, [20], "the whole observation is gone from the source");
    counts_agree(&tenant).await;
    run_of(&tenant, 1_100, &[(1, 10), (2, 21)]).await;
    assert_eq!(kept(&tenant, Versions::Latest).await, [10, 21]);
    counts_agree(&tenant).await;
}

async fn runs_that_say_nothing_new_go_and_listings_stay_true(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    for at in 1..=8_i64 {
        let saw: &[u64] = if at < 5 { &[1, 2] } else { &[2, 3] };
        run(&tenant, at * 100, saw).await;
    }
    let rule = Retention { runs_ms: Some(150), ..ALL };
    let plan = tenant.retention(&profile_id("p"), rule, 900).await.unwrap();
    assert_eq!((plan.would_remove.runs, plan.would_remove.records), (4, 0));
    assert_eq!(pass(&tenant, rule, 900).await, Removed { records: 0, runs: 4 });
    let filter = chartly::protocol::aggregator::RunFilter::default();
    let runs = tenant.runs(&filter, &page(50, None)).await.unwrap();
    let names: Vec<&str> = runs.items.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(names, ["run-800", "run-500", "run-400", "run-100"], "first and last to see a record, and the latest");
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.results), (3, 8));
    assert_eq!(all_results(&tenant, &of_profile("p"), 3).await.len(), 8);
    counts_agree(&tenant).await;
    assert_eq!(pass(&tenant, rule, 900).await, Removed::default());
    // A batch of a run that went is taken for new, and finds its records.
    assert_eq!(run(&tenant, 200, &[1, 2]).await, (0, 2));
}

async fn runs_of_which_nothing_is_left_go_too(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    for at in 1..=5_i64 {
        run(&tenant, at * 100, &[at.unsigned_abs()]).await;
    }
    let rule = Retention { records_ms: Some(250), runs_ms: Some(250), ..ALL };
    assert_eq!(pass(&tenant, rule, 600).await, Removed { records: 3, runs: 0 }, "their runs said what went");
    assert_eq!(pass(&tenant, rule, 600).await, Removed { records: 0, runs: 3 });
    assert_eq!(kept(&tenant, Versions::Latest).await, [4, 5]);
    counts_agree(&tenant).await;
}

async fn a_run_says_how_many_of_its_records_went(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    run(&tenant, 100, &[1, 2, 3]).await;
    run(&tenant, 200, &[3]).await;
    pass(&tenant, Retention { records_ms: Some(50), ..ALL }, 1_000).await;
    let run = tenant.run(&run_id("run-100")).await.unwrap();
    assert_eq!((run.inserted, run.expired), (3, Some(2)), "what it did stays told");
    assert_eq!(all_results(&tenant, &of_run("run-100"), 1).await.len(), 1);
    assert_eq!(tenant.run(&run_id("run-200")).await.unwrap().expired, None);
    let again = batch(
        "p",
        "run-100",
        &[record(1, 1), record(2, 2), record(3, 3)],
        json!({"seq": 0,
        "run": {"state": "succeeded", "started_ms": 100}}),
    );
    let receipt = tenant.store_batch(again, 2_000).await.unwrap();
    assert_eq!((receipt.replayed, receipt.inserted), (true, 3), "a resend is answered as before");
}

async fn what_arrives_during_a_pass_stays(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    run(&tenant, 100, &[1, 2, 3, 4, 5, 6]).await;
    run(&tenant, 200, &[6]).await;
    let rule = Retention { records_ms: Some(50), ..ALL };
    let mut pass = tenant.begin_retention(&profile_id("p"), rule, 1_000).await.unwrap();
    assert_eq!(pass.step(2).await.unwrap(), Some(Removed { records: 2, runs: 0 }));
    // The source gives two of the others again.
    assert_eq!(run(&tenant, 1_001, &[4, 5, 6]).await, (0, 3));
    let mut all = Removed::default();
    while let Some(removed) = pass.step(2).await.unwrap() {
        all.add(removed);
    }
    assert_eq!(all.records, 1);
    assert_eq!(kept(&tenant, Versions::Latest).await, [4, 5, 6]);
    counts_agree(&tenant).await;
}

async fn runs_with_held_records_stay(engine: Engine) {
    let (_fixture, tenant) = plain(engine).await;
    let held = batch("p", "held", &[record(9, 9)], json!({"seq": 0, "hold": true}));
    assert_eq!(tenant.store_batch(held, 100).await.unwrap().held, 1);
    run(&tenant, 200, &[1]).await;
    run(&tenant, 300, &[1]).await;
    assert_eq!(pass(&tenant, Retention { runs_ms: Some(50), ..ALL }, 10_000).await.runs, 0);
    assert!(tenant.run(&run_id("held")).await.is_ok());
}

crate::engines::on_both_engines! {
    what_was_not_seen_for_long_goes_and_all_else_stays,
    what_the_source_gives_is_not_removed_and_stored_again_by_turns,
    an_unchanged_source_keeps_its_records,
    a_record_that_comes_back_is_new_and_stays,
    at_most_so_many_are_kept_and_the_first_go_first,
    earlier_versions_go_and_the_latest_stay,
    versions_of_an_observation_go_from_the_earliest_on,
    runs_that_say_nothing_new_go_and_listings_stay_true,
    runs_of_which_nothing_is_left_go_too,
    a_run_says_how_many_of_its_records_went,
    what_arrives_during_a_pass_stays,
    runs_with_held_records_stay,
    what_another_process_removed_is_stored_again_when_it_comes,
}

/// What one process remembers is not believed after another has removed something.
async fn what_another_process_removed_is_stored_again_when_it_comes(engine: Engine) {
    let (fixture, tenant) = plain(engine).await;
    let other = chartly::store::Store::open(&fixture.bed.settings()).await.unwrap();
    let elsewhere = other.tenant(&TenantId::default());
    run(&tenant, 100, &[1, 2]).await;
    run(&tenant, 101, &[1, 2]).await;
    run(&elsewhere, 200, &[2]).await;
    assert_eq!(pass(&elsewhere, Retention { records_ms: Some(50), ..ALL }, 1_000).await.records, 1);
    assert_eq!(run(&tenant, 1_100, &[1, 2]).await, (1, 1));
    assert_eq!(kept(&tenant, Versions::Latest).await, [1, 2]);
    counts_agree(&tenant).await;
}
