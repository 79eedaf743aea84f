//! Runs that are judged by their shape: what is told of them, records that wait, and that nothing of them is lost or
//! doubled, whatever is sent again and wherever the process ends.

use std::collections::{BTreeMap, BTreeSet};

use chartly::domain::drift::{ChangeKind, Fate};
use chartly::domain::ids::TenantId;
use chartly::domain::run::RunState;
use chartly::protocol::aggregator::{Receipt, RunFilter};
use chartly::protocol::fault::{Code, Fault};
use chartly::store::{Store, StoreSettings, TenantStore};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::engines::{Bed, Engine, is_here, on_both_engines};
use crate::support::*;

on_both_engines! {
    a_run_that_drifts_is_marked_once_and_kept,
    a_new_version_of_the_profile_is_not_compared_with_the_old_one,
    records_of_a_judged_run_show_when_it_has_ended_well,
    a_last_batch_that_overtakes_others_leaves_none_of_them_held,
    a_run_that_fails_for_its_drift_leaves_nothing_and_says_why,
    a_run_in_quarantine_is_released_once_and_becomes_what_is_usual,
    a_run_in_quarantine_is_discarded_for_good,
    what_is_held_is_bounded_and_the_oldest_goes_with_a_word,
    rejected_rows_are_kept_with_their_run_and_paged,
    the_rejects_of_the_oldest_runs_go_first,
}

/// The report of a run of `rows` rows whose field `measures.value` is there or not.
fn report(then: &str, rows: u64, is_there: bool, extra: &Value) -> Value {
    let (present, missing) = if is_there { (rows, 0) } else { (0, rows) };
    let names = if is_there { json!({"value": rows}) } else { json!({"other": rows}) };
    let mut report = json!({"state": "succeeded", "started_ms": 5, "finished_ms": 9, "rows": rows,
        "drift": {"then": then, "fewer_rows": 0.5},
        "shape": {"rows": rows, "looked_at": rows, "names": names,
            "fields": [{"name": "measures.value", "present": present, "missing": missing, "types": []}]}});
    report.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    report
}

fn rows_of(run: u64, count: u64) -> Vec<Value> {
    (0..count).map(|n| record(n % 7, run * 1_000 + n)).collect()
}

async fn send(tenant: &TenantStore, run: &str, seq: u32, records: &[Value], extra: &Value) -> Receipt {
    let mut members = json!({"seq": seq});
    members.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    tenant.store_batch(batch("p", run, records, members), 1_000).await.unwrap()
}

/// A run of two batches of ten records; gives the receipt of the last.
async fn run(tenant: &TenantStore, then: &str, number: u64, is_there: bool) -> Receipt {
    let (name, records) = (format!("r{number}"), rows_of(number, 20));
    let hold = if then == "keep" { json!({}) } else { json!({"hold": true}) };
    send(tenant, &name, 0, &records[..10], &hold).await;
    send(tenant, &name, 1, &records[10..], &json!({"run": report(then, 20, is_there, &json!({}))})).await
}

async fn count(tenant: &TenantStore) -> usize {
    scanned(tenant, "p").await.len()
}

async fn a_run_that_drifts_is_marked_once_and_kept(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    assert_eq!(run(&tenant, "keep", 1, true).await.drift, None);
    let told = run(&tenant, "keep", 2, false).await.drift.unwrap();
    let kinds: Vec<_> = told.changes.iter().map(|change| (change.field.as_str(), change.kind)).collect();
    assert_eq!(
        kinds,
        [("measures.value", ChangeKind::Gone), ("rows.value", ChangeKind::Gone), ("rows.other", ChangeKind::New),]
    );
    assert!(told.drifted && told.fate.is_none() && !told.keeps_back());
    assert_eq!(run(&tenant, "keep", 3, false).await.drift, None, "told once, then it is what is usual");
    assert_eq!(count(&tenant).await, 60);
    let view = tenant.run(&run_id("r2")).await.unwrap();
    assert_eq!((view.drifted, view.changes.len(), view.quarantine), (true, 3, None));
    assert!(!tenant.run(&run_id("r3")).await.unwrap().drifted);
    assert_eq!(tenant.summary().await.unwrap().findings.drifted_runs, 1);
}

async fn a_new_version_of_the_profile_is_not_compared_with_the_old_one(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let of_version = |version: &str| json!({"profile_digest": version});
    let first = json!({"run": report("keep", 20, true, &of_version("sha256:one"))});
    send(&tenant, "r1", 0, &rows_of(1, 20), &first).await;
    let second = json!({"run": report("keep", 20, false, &of_version("sha256:two"))});
    assert_eq!(send(&tenant, "r2", 0, &rows_of(2, 20), &second).await.drift, None);
    let back = json!({"run": report("keep", 20, false, &of_version("sha256:one"))});
    assert!(send(&tenant, "r3", 0, &rows_of(3, 20), &back).await.drift.is_some());
}

async fn records_of_a_judged_run_show_when_it_has_ended_well(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let first = send(&tenant, "r1", 0, &rows_of(1, 10), &json!({"hold": true})).await;
    assert_eq!((first.held, first.inserted, count(&tenant).await), (10, 0, 0));
    assert!(tenant.summary().await.unwrap().findings.held_bytes > 0);
    assert_eq!(tenant.run(&run_id("r1")).await.unwrap().state, RunState::Running);
    let last = json!({"run": report("fail", 12, true, &json!({}))});
    let receipt = send(&tenant, "r1", 1, &rows_of(2, 2), &last).await;
    assert_eq!((receipt.inserted, receipt.drift.clone(), count(&tenant).await), (2, None, 12));
    let view = tenant.run(&run_id("r1")).await.unwrap();
    assert_eq!((view.state, view.batches, view.inserted, view.quarantine), (RunState::Succeeded, 2, 12, None));
    // Both once more: answered as before, nothing doubled.
    let again = send(&tenant, "r1", 0, &rows_of(1, 10), &json!({"hold": true})).await;
    assert_eq!((again.replayed, again.inserted), (true, 10));
    assert!(send(&tenant, "r1", 1, &rows_of(2, 2), &last).await.replayed);
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.runs, summary.findings.held_bytes), (12, 1, 0));
    assert_eq!(all_results(&tenant, &of_run("r1"), 5).await.len(), 12);
}

async fn a_last_batch_that_overtakes_others_leaves_none_of_them_held(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let (hold, judged) = (json!({"hold": true}), json!({"run": report("fail", 40, true, &json!({}))}));
    for number in 1..=40_u64 {
        let (name, records) = (format!("r{number}"), rows_of(number, 40));
        // Each a little later than the one before, by another step in each run.
        let late = async |seq: u32, extra: &Value| {
            for _ in 0..u64::from(seq) * number {
                tokio::task::yield_now().await;
            }
            let at = seq as usize * 10;
            send(&tenant, &name, seq, &records[at..at + 10], extra).await
        };
        let last = send(&tenant, &name, 4, &[], &judged);
        let (last, ..) = tokio::join!(last, late(0, &hold), late(1, &hold), late(2, &hold), late(3, &hold));
        assert_eq!(last.drift, None);
        assert_eq!(count(&tenant).await as u64, number * 40);
    }
    assert_eq!(tenant.summary().await.unwrap().findings.held_bytes, 0);
}

async fn a_run_that_fails_for_its_drift_leaves_nothing_and_says_why(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    run(&tenant, "fail", 1, true).await;
    for number in [2, 3] {
        let told = run(&tenant, "fail", number, false).await.drift.unwrap();
        assert_eq!((told.fate, told.keeps_back()), (Some(Fate::Failed), true), "the old shape stays what is usual");
    }
    let again = run(&tenant, "fail", 2, false).await;
    assert!(again.replayed && again.drift.unwrap().keeps_back(), "a drone that missed the answer hears it again");
    assert_eq!(count(&tenant).await, 20);
    let view = tenant.run(&run_id("r2")).await.unwrap();
    assert_eq!((view.state, view.inserted, view.quarantine), (RunState::Failed, 0, Some(Fate::Failed)));
    assert!(view.error.unwrap().starts_with("the source drifted: measures.value: a value in 100 % before"));
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.runs_by_state["failed"], summary.runs_by_state["running"]), (2, 0));
    assert_eq!((summary.findings.held_bytes, summary.findings.waiting_runs), (0, 0));
    let fault = Fault::from(tenant.settle_run(&run_id("r2"), true, 9).await.unwrap_err());
    assert_eq!(fault.code, Code::NotQuarantined);
}

async fn a_run_in_quarantine_is_released_once_and_becomes_what_is_usual(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    run(&tenant, "quarantine", 1, true).await;
    let told = run(&tenant, "quarantine", 2, false).await.drift.unwrap();
    assert_eq!((told.fate, told.keeps_back(), count(&tenant).await), (Some(Fate::Waiting), true, 20));
    let waiting = RunFilter { quarantine: Some(Fate::Waiting), ..RunFilter::default() };
    assert_eq!(tenant.runs(&waiting, &page(10, None)).await.unwrap().items.len(), 1);
    let view = tenant.run(&run_id("r2")).await.unwrap();
    assert_eq!((view.state, view.rows, view.inserted), (RunState::Succeeded, 20, 0));

    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    for _ in 0..2 {
        let view = tenant.settle_run(&run_id("r2"), true, 2_000).await.unwrap();
        assert_eq!((view.quarantine, view.inserted, view.batches), (Some(Fate::Released), 20, 2));
    }
    let again = run(&tenant, "quarantine", 2, false).await;
    assert!(again.replayed && !again.drift.unwrap().keeps_back());
    assert_eq!(count(&tenant).await, 40);
    assert_eq!(all_results(&tenant, &of_run("r2"), 7).await.len(), 20);
    assert_eq!(run(&tenant, "quarantine", 3, false).await.drift, None);
    assert_eq!(count(&tenant).await, 60);
    let found = tenant.summary().await.unwrap().findings;
    assert_eq!((found.waiting_runs, found.held_bytes, found.discarded_runs), (0, 0, 0));
}

async fn a_run_in_quarantine_is_discarded_for_good(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    run(&tenant, "quarantine", 1, true).await;
    run(&tenant, "quarantine", 2, false).await;
    for _ in 0..2 {
        assert_eq!(tenant.settle_run(&run_id("r2"), false, 2_000).await.unwrap().quarantine, Some(Fate::Discarded));
    }
    assert_eq!(Fault::from(tenant.settle_run(&run_id("r2"), true, 9).await.unwrap_err()).code, Code::NotQuarantined);
    assert_eq!(Fault::from(tenant.settle_run(&run_id("r9"), true, 9).await.unwrap_err()).code, Code::UnknownRun);
    let again = run(&tenant, "quarantine", 2, false).await;
    assert!(again.replayed && again.drift.unwrap().keeps_back(), "what is sent again stays discarded");
    assert_eq!(count(&tenant).await, 20);
    let found = tenant.summary().await.unwrap().findings;
    assert_eq!((found.waiting_runs, found.held_bytes, found.discarded_runs), (0, 0, 1));
    let other = fixture.store.tenant(&TenantId::parse("other").unwrap());
    assert_eq!(Fault::from(other.settle_run(&run_id("r2"), false, 9).await.unwrap_err()).code, Code::UnknownRun);
    assert_eq!(Fault::from(other.rejects(&run_id("r2"), &page(5, None)).await.unwrap_err()).code, Code::UnknownRun);
    assert_eq!(other.summary().await.unwrap().findings.discarded_runs, 0);
}

async fn what_is_held_is_bounded_and_the_oldest_goes_with_a_word(engine: Engine) {
    let bed = Bed::new(engine).await;
    let store = Store::open(&StoreSettings { max_held_bytes: 1_500, ..bed.settings() }).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    run(&tenant, "quarantine", 1, true).await;
    let mut discarded = Vec::new();
    for number in 2..10 {
        let (name, records) = (format!("r{number}"), rows_of(number, 20));
        discarded.extend(send(&tenant, &name, 0, &records[..10], &json!({"hold": true})).await.discarded);
        let last = json!({"run": report("quarantine", 20, false, &json!({}))});
        discarded.extend(send(&tenant, &name, 1, &records[10..], &last).await.discarded);
        assert!(tenant.summary().await.unwrap().findings.held_bytes <= 1_500);
    }
    let found = tenant.summary().await.unwrap().findings;
    assert_eq!(discarded.first().map(ToString::to_string).as_deref(), Some("r2"));
    assert_eq!((found.discarded_runs, found.waiting_runs + found.discarded_runs), (discarded.len() as u64, 8));
    assert_eq!(tenant.run(&run_id("r2")).await.unwrap().quarantine, Some(Fate::Discarded));

    // A run that is too large by itself fails as a whole, and says so.
    let mut failed = None;
    for seq in 0..40 {
        let extra =
            if seq < 39 { json!({"hold": true}) } else { json!({"run": report("fail", 400, true, &json!({}))}) };
        failed = send(&tenant, "large", seq, &rows_of(100 + u64::from(seq), 10), &extra).await.drift;
    }
    assert_eq!(failed.unwrap().fate, Some(Fate::Failed));
    let view = tenant.run(&run_id("large")).await.unwrap();
    assert_eq!((view.state, view.inserted), (RunState::Failed, 0));
    assert!(view.error.unwrap().contains("more of one run"));
    assert_eq!(count(&tenant).await, 20);
}

async fn rejected_rows_are_kept_with_their_run_and_paged(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let rows: Vec<Value> = (0..30).map(|n| json!({"reason": "no key", "excerpt": format!("row {n}")})).collect();
    let rejects = json!({"counts": [{"reason": "no key", "rows": 1_000}], "rows": rows});
    let with = json!({"run": report("keep", 20, true, &json!({"rejects": rejects}))});
    send(&tenant, "r1", 0, &[json!(7), record(1, 1)], &with).await;
    send(&tenant, "r1", 0, &[json!(7), record(1, 1)], &with).await;
    let first = tenant.rejects(&run_id("r1"), &page(20, None)).await.unwrap();
    let second = tenant.rejects(&run_id("r1"), &page(20, first.next.clone())).await.unwrap();
    assert_eq!((first.total, first.kept, first.items.len(), second.items.len()), (1_001, 26, 20, 6));
    assert_eq!((first.items[0].index, first.items[0].excerpt.as_str()), (Some(0), "7"), "refused at the post");
    assert_eq!((first.items[1].index, first.items[1].excerpt.as_str()), (None, "row 0"));
    let view = tenant.run(&run_id("r1")).await.unwrap();
    assert_eq!((view.failed_rows, view.rejects.as_deref()), (1_001, Some("/api/runs/r1/rejects")));
    send(&tenant, "r2", 0, &[record(1, 1)], &json!({})).await;
    let none = tenant.rejects(&run_id("r2"), &page(5, None)).await.unwrap();
    assert_eq!((none.total, none.items.len(), none.next), (0, 0, None));
    assert_eq!(tenant.summary().await.unwrap().findings.failed_rows, 1_001);
}

async fn the_rejects_of_the_oldest_runs_go_first(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    for number in 0..105 {
        let bad: Vec<Value> = (0..100).map(|n| json!(n)).collect();
        send(&tenant, &format!("r{number}"), 0, &bad, &json!({})).await;
    }
    let first = tenant.rejects(&run_id("r0"), &page(5_000, None)).await.unwrap();
    assert_eq!((first.total, first.kept, first.items.len()), (100, 100, 0), "it says that there were some");
    assert_eq!(tenant.rejects(&run_id("r104"), &page(5_000, None)).await.unwrap().items.len(), 100);
}

#[derive(Debug, Clone)]
enum Step {
    Send { run: u64, seq: u32 },
    End { run: u64, drifts: bool },
    Settle { run: u64, release: bool },
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = || 1..5_u64;
    let step = prop_oneof![
        5 => (run(), 0..4_u32).prop_map(|(run, seq)| Step::Send { run, seq }),
        3 => (run(), any::<bool>()).prop_map(|(run, drifts)| Step::End { run, drifts }),
        3 => (run(), any::<bool>()).prop_map(|(run, release)| Step::Settle { run, release }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

/// What a run should be.
#[derive(Debug, Default)]
struct Model {
    batches: BTreeSet<u32>,
    ended: Option<bool>,
    released: Option<bool>,
}

impl Model {
    /// Whether the records of its batches show.
    fn shows(&self) -> bool {
        match self.ended {
            None => false,
            Some(drifts) => !drifts || self.released == Some(true),
        }
    }
}

/// Batches come in any order and any number of times; runs end, are released and discarded again and again, and the
/// process ends in between. What shows is what the model says, once.
fn records_show_once_or_not_at_all(engine: Engine, cases: u32) {
    let config = ProptestConfig { cases, source_file: Some(file!()), ..ProptestConfig::default() };
    let holds = TestRunner::new(config).run(&steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(shows_what_the_model_says(engine, steps));
        Ok(())
    });
    holds.unwrap();
}

#[test]
fn records_show_once_or_not_at_all_on_sqlite() {
    records_show_once_or_not_at_all(Engine::Sqlite, 24);
}

#[test]
fn records_show_once_or_not_at_all_on_postgres() {
    if is_here("records_show_once_or_not_at_all_on_postgres") {
        records_show_once_or_not_at_all(Engine::Postgres, 12);
    }
}

async fn shows_what_the_model_says(engine: Engine, steps: Vec<Step>) {
    let mut fixture = Fixture::with_profiles(engine, &["p"]).await;
    let mut models: BTreeMap<u64, Model> = BTreeMap::new();
    send(&fixture.tenant(), "r0", 0, &[], &json!({"run": report("quarantine", 20, true, &json!({}))})).await;
    for step in steps {
        fixture = play(fixture, &mut models, step).await;
    }
    let mut expected: Vec<u64> = Vec::new();
    for (run, model) in models.iter().filter(|(_, model)| model.shows()) {
        expected.extend(model.batches.iter().flat_map(|seq| values_of(*run, *seq)));
    }
    let records = all_records(&fixture.tenant(), &of_profile("p"), 100).await;
    let mut found: Vec<u64> = records.iter().map(|record| record["measures"]["value"].as_u64().unwrap()).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{models:?}");
}

fn values_of(run: u64, seq: u32) -> impl Iterator<Item = u64> {
    (0..3).map(move |n| run * 1_000 + u64::from(seq) * 10 + n)
}

async fn play(fixture: Fixture, models: &mut BTreeMap<u64, Model>, step: Step) -> Fixture {
    let tenant = fixture.tenant();
    match step {
        Step::Send { run, seq } => {
            let records: Vec<Value> = values_of(run, seq).map(|value| record(1, value)).collect();
            send(&tenant, &format!("r{run}"), seq, &records, &json!({"hold": true})).await;
            let model = models.entry(run).or_default();
            // What comes after it was given up is given up too.
            model.batches.insert(seq);
        }
        Step::End { run, drifts } => {
            let model = models.entry(run).or_default();
            let drifts = *model.ended.get_or_insert(drifts);
            let last = json!({"run": report("quarantine", if drifts { 1 } else { 20 }, true, &json!({}))});
            // A released run would change what is usual, and with it what the next one should be.
            send(&tenant, &format!("r{run}"), 100, &[], &last).await;
        }
        Step::Settle { run, release } => {
            let waits = models.get(&run).is_some_and(|model| model.ended == Some(true));
            let settled = models.get(&run).and_then(|model| model.released);
            let can = waits && settled.is_none_or(|before| before == release);
            let result = tenant.settle_run(&run_id(&format!("r{run}")), release, 9).await;
            assert_eq!(result.is_ok(), can, "{result:?}");
            if can {
                models.entry(run).or_default().released = Some(release);
                let usual = json!({"run": report("keep", 20, true, &json!({}))});
                // Puts the old shape back.
                send(&tenant, &format!("usual-{run}-{}", rand::random::<u64>()), 0, &[], &usual).await;
            }
        }
        Step::Reopen => return fixture.reopened().await,
    }
    fixture
}
