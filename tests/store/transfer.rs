//! A store that is exported and imported into the other engine, and back: everything that is told of it comes out equal,
//! a second import changes nothing, and a file that is not whole stores nothing.

use std::path::Path;

use chartly::domain::digest::Digest;
use chartly::protocol::aggregator::{RunFilter, Versions};
use chartly::protocol::registry::PutMode;
use chartly::store::{NewVersion, TenantStore, export_file, import_file};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::engines::*;
use crate::support::*;

const PROFILES: [&str; 3] = ["keyed", "plain", "paused"];

async fn put_all(tenant: &TenantStore) {
    for id in PROFILES {
        for number in 1..=3 {
            let key = if id == "keyed" { vec!["dims.geo.state".to_owned()] } else { Vec::new() };
            let put = NewVersion { key, ..version(id, number) };
            tenant.put_profile(put, PutMode::Replace, None, i64::from(number)).await.unwrap();
        }
        // The first one stands again.
        let first = Digest::of(format!("id: {id}\nversion: 1\n").as_bytes());
        tenant.roll_back(&profile_id(id), Some(first), 9).await.unwrap();
    }
    tenant.set_paused(&profile_id("paused"), true).await.unwrap();
}

/// One run: profile, start, values by state, and how it ends (unchanged runs bring nothing).
type Told = (usize, i64, Vec<(u64, u64)>, bool);

fn histories() -> impl Strategy<Value = Vec<Told>> {
    let records = prop::collection::vec((0..6_u64, 0..4_u64), 0..12);
    // Starts are in any order, hence some runs are late.
    prop::collection::vec((0..PROFILES.len(), 1_000..2_000_i64, records, any::<bool>()), 5..25)
}

async fn fill(tenant: &TenantStore, runs: &[Told]) {
    put_all(tenant).await;
    for (number, (profile, started_ms, seen, by_seq)) in runs.iter().enumerate() {
        let records: Vec<Value> = seen.iter().map(|(state, value)| record(*state, *value)).collect();
        let halves = records.split_at(records.len() / 2);
        let run = format!("r{number}");
        let report = |state: &str| {
            json!({"state": state, "started_ms": started_ms, "requests": 2, "bytes": 70, "rows": seen.len(),
                "profile_digest": format!("sha256:{profile}")})
        };
        let last = if records.is_empty() { "unchanged" } else { "succeeded" };
        let now_ms = 3_000 + number as i64;
        for (seq, (part, state)) in [(halves.0, "running"), (halves.1, last)].into_iter().enumerate() {
            let mut extra = json!({"run": report(state)});
            if *by_seq {
                extra["seq"] = json!(seq);
            }
            tenant.store_batch(batch(PROFILES[*profile], &run, part, extra), now_ms).await.unwrap();
        }
    }
}

/// All that readers are told.
async fn told(tenant: &TenantStore) -> Vec<Value> {
    let mut all = vec![json!(tenant.summary().await.unwrap())];
    all.push(json!(tenant.runs(&RunFilter::default(), &page(1_000, None)).await.unwrap().items));
    for id in PROFILES {
        all.push(json!(tenant.versions(&profile_id(id)).await.unwrap()));
        all.push(json!(tenant.profile(&profile_id(id), None).await.unwrap().summary.paused));
        all.push(json!(scanned(tenant, id).await));
        for versions in [Versions::Latest, Versions::All, Versions::AsOf(1_500)] {
            all.extend(
                all_records(tenant, &chartly::protocol::aggregator::RecordFilter { versions, ..of_profile(id) }, 50)
                    .await,
            );
        }
    }
    for run in 0..25 {
        all.extend(all_results(tenant, &of_run(&format!("r{run}")), 50).await);
    }
    for state in 0..6 {
        let dims = [("geo.state".to_owned(), format!("{state:02}"))];
        let history = tenant.history(&profile_id("keyed"), &dims, &page(1_000, None)).await.unwrap();
        all.extend(values(&history));
    }
    all
}

fn assert_same(found: &[Value], wanted: &[Value]) {
    found.iter().zip(wanted).for_each(|(found, wanted)| assert_eq!(found, wanted));
    assert_eq!(found.len(), wanted.len());
}

async fn moved_on(from: Engine, to: Engine, name: &str) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..4 {
        let runs = histories().new_tree(&mut runner).unwrap().current();
        let (source, target, again) = (Fixture::new(from).await, Fixture::new(to).await, Fixture::new(from).await);
        fill(&source.tenant(), &runs).await;
        let file = source.bed.folder.path().join(name);
        let written = export_file(&source.tenant(), &file, false).await.unwrap();
        let moved = import_file(&target.tenant(), &file).await.unwrap();
        assert!(moved.equal && moved.file == written, "{moved:?}");
        let before = told(&source.tenant()).await;
        assert_same(&told(&target.tenant()).await, &before);

        assert!(import_file(&target.tenant(), &file).await.unwrap().equal, "a second time");
        assert_same(&told(&target.tenant()).await, &before);
        let back = target.bed.folder.path().join(name);
        assert_eq!(export_file(&target.tenant(), &back, false).await.unwrap(), written);
        assert!(import_file(&again.tenant(), &back).await.unwrap().equal);
        assert_same(&told(&again.tenant()).await, &before);
        // A drone that sends again what it sent before is known.
        let resent = json!({"seq": 0, "run": {"state": "running", "started_ms": 1}});
        if let Some((number, (profile, _, seen, _))) = runs.iter().enumerate().find(|(_, run)| run.3) {
            let records: Vec<Value> = seen[..seen.len() / 2].iter().map(|(s, v)| record(*s, *v)).collect();
            let sent = batch(PROFILES[*profile], &format!("r{number}"), &records, resent);
            assert!(target.tenant().store_batch(sent, 9_000).await.unwrap().replayed);
        }
    }
}

#[tokio::test]
async fn a_store_moves_to_another_file_and_back() {
    moved_on(Engine::Sqlite, Engine::Sqlite, "moved.ndjson").await;
}

#[tokio::test]
async fn a_store_moves_from_sqlite_to_postgres_and_back() {
    if is_here("a_store_moves_from_sqlite_to_postgres_and_back") {
        moved_on(Engine::Sqlite, Engine::Postgres, "moved.ndjson.zst").await;
    }
}

#[tokio::test]
async fn a_store_moves_from_postgres_to_sqlite_and_back() {
    if is_here("a_store_moves_from_postgres_to_sqlite_and_back") {
        moved_on(Engine::Postgres, Engine::Sqlite, "moved.ndjson").await;
    }
}

async fn refusal(file: &Path) -> String {
    let target = Fixture::new(Engine::Sqlite).await;
    let error = import_file(&target.tenant(), file).await.expect_err("it is refused").to_string();
    assert_eq!(target.tenant().summary().await.unwrap().profiles.len(), 0, "nothing was stored");
    error
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_changed_stores_nothing_and_is_told_how_far_it_is_good() {
    let source = Fixture::new(Engine::Sqlite).await;
    fill(&source.tenant(), &[(0, 1_000, vec![(1, 1), (2, 2)], true)]).await;
    let file = source.bed.folder.path().join("whole.ndjson");
    export_file(&source.tenant(), &file, false).await.unwrap();
    assert!(export_file(&source.tenant(), &file, false).await.is_err(), "it takes no file's place unless told");
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();

    let bad = source.bed.folder.path().join("bad.ndjson");
    std::fs::write(&bad, lines[..11].join("\n") + "\n").unwrap();
    let error = refusal(&bad).await;
    assert!(error.contains("cut off; good as far as line 11") && error.contains("1 batches"), "{error}");
    std::fs::write(&bad, &whole[..whole.len() - 5]).unwrap();
    assert!(refusal(&bad).await.contains("good as far as line"));
    std::fs::write(&bad, whole.replacen("\"value\":1", "\"value\":7", 1)).unwrap();
    assert!(refusal(&bad).await.contains("its end tells"));
    std::fs::write(&bad, "{}\n").unwrap();
    assert!(refusal(&bad).await.contains("line 1 is not one of an export"));

    let packed = source.bed.folder.path().join("whole.ndjson.zst");
    export_file(&source.tenant(), &packed, false).await.unwrap();
    let bytes = std::fs::read(&packed).unwrap();
    let cut = source.bed.folder.path().join("cut.ndjson.zst");
    std::fs::write(&cut, &bytes[..bytes.len() - 20]).unwrap();
    assert!(refusal(&cut).await.contains("good as far as line"));
}
