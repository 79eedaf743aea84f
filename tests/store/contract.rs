//! What every engine must do, told through the public store alone.

use chartly::domain::digest::Digest;
use chartly::domain::ids::{DroneId, TenantId};
use chartly::domain::needs::{Needs, Offer};
use chartly::domain::run::RunState;
use chartly::protocol::aggregator::{RecordFilter, RunFilter};
use chartly::protocol::paging::PageRequest;
use chartly::protocol::registry::PutMode;
use chartly::store::{Enrolment, KeyChange, NewInvite, NewVersion, SavedDrone, Store, StoreError};
use serde_json::json;

use crate::engines::{Bed, Engine, on_both_engines};
use crate::support::*;

on_both_engines! {
    a_batch_is_stored_once_however_often_it_comes,
    without_seq_the_content_stands_for_it,
    contradictions_are_refused_and_change_nothing,
    results_list_what_a_run_saw_also_when_nothing_was_new,
    records_are_shown_whole_and_filtered_exactly,
    a_run_follows_its_reports,
    runs_are_listed_newest_first_and_filtered,
    every_version_of_a_profile_is_kept,
    pausing_survives_versions_and_deleting_hides,
    drones_and_run_requests_survive_a_restart,
    drones_join_with_tokens_and_have_keys,
    of_many_that_join_at_once_no_more_get_in_than_a_token_allows,
    needs_and_pins_survive_a_restart,
    reports_are_kept_up_to_their_bound,
    tenants_see_nothing_of_each_other,
    a_foreign_cursor_and_a_large_limit_are_refused,
}

#[tokio::test]
async fn the_engine_is_recent_enough() {
    let fixture = Fixture::new(Engine::Sqlite).await;
    let version = fixture.store.engine_version().await.unwrap();
    let numbers: Vec<u32> =
        version.trim_start_matches("SQLite ").split('.').map(|part| part.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "{version} can corrupt its write-ahead log");
}

async fn a_batch_is_stored_once_however_often_it_comes(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let records = [record(1, 10), record(2, 20), record(1, 10)];
    let first = store(&tenant, "p", "r1", 0, &records).await;
    assert_eq!((first.inserted, first.known, first.rejected, first.replayed), (2, 1, 0, false));
    let again = store(&tenant, "p", "r1", 0, &records).await;
    assert_eq!((again.inserted, again.known, again.replayed), (2, 1, true));
    let next = store(&tenant, "p", "r2", 0, &records).await;
    assert_eq!((next.inserted, next.known, next.replayed), (0, 3, false));
    assert_eq!(all_records(&tenant, &of_profile("p"), 10).await.len(), 2);
    let run = tenant.run(&run_id("r1")).await.unwrap();
    assert_eq!((run.batches, run.inserted, run.known), (1, 2, 1));
}

async fn without_seq_the_content_stands_for_it(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let post = |records: Vec<serde_json::Value>| tenant.store_batch(batch("p", "r", &records, json!({})), 5);
    assert!(!post(vec![record(1, 1)]).await.unwrap().replayed);
    assert!(post(vec![record(1, 1)]).await.unwrap().replayed);
    assert!(!post(vec![record(2, 2)]).await.unwrap().replayed);
    assert_eq!(tenant.run(&run_id("r")).await.unwrap().batches, 2);
}

async fn contradictions_are_refused_and_change_nothing(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
    let tenant = fixture.tenant();
    store(&tenant, "p", "r", 0, &[record(1, 1)]).await;
    let before = tenant.summary().await.unwrap();
    let post = |profile: &'static str, value| {
        tenant.store_batch(batch(profile, "r", &[record(9, value)], json!({"seq": 0})), 5)
    };
    assert!(matches!(post("p", 2).await, Err(StoreError::BatchConflict { .. })));
    assert!(matches!(post("q", 2).await, Err(StoreError::RunConflict { owner, .. }) if owner == profile_id("p")));
    let unknown = tenant.store_batch(batch("none", "r", &[record(9, 2)], json!({})), 5).await;
    assert!(matches!(unknown, Err(StoreError::UnknownProfile(id)) if id == profile_id("none")));
    assert_eq!(tenant.summary().await.unwrap(), before);
}

async fn results_list_what_a_run_saw_also_when_nothing_was_new(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let records: Vec<_> = (0..25).map(|n| record(n, n)).collect();
    store(&tenant, "p", "r1", 0, &records).await;
    store(&tenant, "p", "r2", 0, &records[..15]).await;
    store(&tenant, "p", "r2", 1, &records[10..]).await;
    for limit in [1, 7, 25, 100] {
        let seen = all_results(&tenant, &of_run("r2"), limit).await;
        let values: Vec<u64> = seen.iter().map(|row| row["measures"]["value"].as_u64().unwrap()).collect();
        assert_eq!(values, (0..25).collect::<Vec<_>>(), "limit {limit}: a run sees a record once");
        assert!(seen.iter().all(|row| row["run_id"] == "r2" && row["drone_id"] == "d1" && row["seen_ms"] == 1_000));
    }
    assert_eq!(all_results(&tenant, &of_profile("p"), 8).await.len(), 50);
    assert_eq!(all_results(&tenant, &RecordFilter::default(), 8).await.len(), 50);
    assert_eq!(all_records(&tenant, &of_run("r2"), 8).await.len(), 0, "r1 had brought them all");
    assert_eq!(all_records(&tenant, &of_run("r1"), 8).await.len(), 25);
    assert_eq!(all_results(&tenant, &of_run("nobody"), 8).await.len(), 0);
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.records, summary.results, summary.runs), (25, 50, 2));
}

async fn records_are_shown_whole_and_filtered_exactly(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
    let tenant = fixture.tenant();
    let records: Vec<_> = (0..30).map(|n| record(n % 3, n)).collect();
    store(&tenant, "p", "r1", 0, &records).await;
    store(&tenant, "q", "r2", 0, &records[..5]).await;
    let all = all_records(&tenant, &of_profile("p"), 4).await;
    let values: Vec<u64> = all.iter().map(|row| row["measures"]["value"].as_u64().unwrap()).collect();
    assert_eq!(values, (0..30).collect::<Vec<_>>(), "in the order of arrival");
    let content = r#"{"dims":{"geo":{"state":"00"}},"measures":{"value":0}}"#;
    let id = chartly::domain::digest::Digest::of(content.as_bytes()).to_string();
    assert_eq!(
        (&all[0]["record_id"], &all[0]["profile_id"], &all[0]["first_seen_ms"]),
        (&id.into(), &"p".into(), &1_000.into())
    );
    let dims = vec![("dims.geo.state".to_owned(), "01".to_owned())];
    let filter = RecordFilter { dims, ..of_profile("p") };
    assert_eq!(all_records(&tenant, &filter, 3).await.len(), 10);
    assert_eq!(all_results(&tenant, &filter, 3).await.len(), 10);
    assert_eq!(all_records(&tenant, &RecordFilter::default(), 9).await.len(), 35);
    let late = RecordFilter { since_ms: Some(1_001), ..RecordFilter::default() };
    assert!(all_records(&tenant, &late, 9).await.is_empty());
    let drone = RecordFilter { drone_id: Some(DroneId::parse("d2").unwrap()), ..RecordFilter::default() };
    assert!(all_records(&tenant, &drone, 9).await.is_empty());
    assert_eq!(scanned(&tenant, "p").await.len(), 30);
    assert_eq!(scanned(&tenant, "p").await[0], content);
}

async fn a_run_follows_its_reports(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let digest = version("p", 1).digest.to_string();
    let report = |state: &str, requests: u64| json!({"state": state, "started_ms": 50, "requests": requests, "profile_digest": digest});
    let post = |seq: u32, run: serde_json::Value| {
        tenant.store_batch(
            batch("p", "r", &[record(u64::from(seq), 1)], json!({"seq": seq, "run": run})),
            100 + i64::from(seq),
        )
    };
    post(0, report("running", 1)).await.unwrap();
    assert_eq!(tenant.summary().await.unwrap().runs_by_state["running"], 1);
    post(2, report("succeeded", 3)).await.unwrap();
    post(1, report("running", 2)).await.unwrap();
    let run = tenant.run(&run_id("r")).await.unwrap();
    assert_eq!((run.state, run.requests, run.batches, run.inserted), (RunState::Succeeded, 3, 3, 3));
    assert_eq!((run.started_ms, run.received_ms, run.profile_digest), (50, 102, Some(digest.clone())));
    let summary = tenant.summary().await.unwrap();
    assert_eq!((summary.runs_by_state["running"], summary.runs_by_state["succeeded"], summary.runs), (0, 1, 1));
    assert_eq!(summary.profiles[0].last_run_state, Some(RunState::Succeeded));
    assert!(matches!(tenant.run(&run_id("x")).await, Err(StoreError::UnknownRun(_))));
}

async fn runs_are_listed_newest_first_and_filtered(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
    let tenant = fixture.tenant();
    for number in 0..10 {
        let state = if number % 5 == 0 { "failed" } else { "unchanged" };
        let profile = if number % 2 == 0 { "p" } else { "q" };
        let run = json!({"run": {"state": state, "started_ms": number}});
        tenant.store_batch(batch(profile, &format!("r{number}"), &[], run), number).await.unwrap();
    }
    let list = async |filter: RunFilter, limit| {
        let (mut names, mut cursor) = (Vec::new(), None);
        loop {
            let found = tenant.runs(&filter, &page(limit, cursor)).await.unwrap();
            names.extend(found.items.into_iter().map(|run| run.run_id.to_string()));
            cursor = found.next;
            if cursor.is_none() {
                return names;
            }
        }
    };
    assert_eq!(list(RunFilter::default(), 3).await, (0..10).rev().map(|n| format!("r{n}")).collect::<Vec<_>>());
    let failed = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
    assert_eq!(list(failed, 1).await, ["r5", "r0"]);
    let of_q = RunFilter { profile_id: Some(profile_id("q")), ..RunFilter::default() };
    assert_eq!(list(of_q, 2).await, ["r9", "r7", "r5", "r3", "r1"]);
}

async fn every_version_of_a_profile_is_kept(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let tenant = fixture.tenant();
    let replace =
        |number, if_match| tenant.put_profile(version("p", number), PutMode::Replace, if_match, i64::from(number));
    let first = replace(1, None).await.unwrap().summary.digest;
    let revision = tenant.profiles_revision().await.unwrap();
    replace(1, None).await.unwrap();
    assert_eq!(tenant.profiles_revision().await.unwrap(), revision, "the same digest changes nothing");
    assert!(
        matches!(replace(2, Some(version("p", 9).digest)).await, Err(StoreError::VersionConflict { current, .. }) if current == Some(first))
    );
    let second = replace(2, Some(first)).await.unwrap().summary.digest;
    replace(3, None).await.unwrap();
    assert!(tenant.profiles_revision().await.unwrap() > revision);
    assert_eq!(tenant.roll_back(&profile_id("p"), None, 10).await.unwrap().summary.digest, second);
    assert_eq!(tenant.roll_back(&profile_id("p"), None, 11).await.unwrap().summary.digest, first);
    assert!(matches!(tenant.roll_back(&profile_id("p"), None, 12).await, Err(StoreError::NoEarlierVersion(_))));
    assert_eq!(tenant.roll_back(&profile_id("p"), Some(second), 13).await.unwrap().summary.version, "2");
    let versions = tenant.versions(&profile_id("p")).await.unwrap();
    assert_eq!(
        versions.iter().map(|v| (v.version.as_str(), v.current)).collect::<Vec<_>>(),
        [("3", false), ("2", true), ("1", false)]
    );
    assert_eq!(tenant.profile(&profile_id("p"), Some(&first)).await.unwrap().yaml, version("p", 1).yaml);
    let create = tenant.put_profile(version("p", 4), PutMode::Create, None, 14).await;
    assert!(matches!(create, Err(StoreError::ProfileExists(_))));
}

async fn pausing_survives_versions_and_deleting_hides(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["a", "b", "c"]).await;
    let tenant = fixture.tenant();
    let enabled = async || {
        let profiles = tenant.enabled_profiles().await.unwrap();
        profiles.into_iter().map(|one| one.id.to_string()).collect::<Vec<_>>()
    };
    assert!(tenant.set_paused(&profile_id("b"), true).await.unwrap().paused);
    put(&tenant, "b", 2).await;
    assert_eq!(enabled().await, ["a", "c"]);
    let paused = tenant.profiles(Some(false), &PageRequest::default()).await.unwrap();
    assert_eq!(
        paused.items.iter().map(|p| (p.id.as_str(), p.enabled, p.paused)).collect::<Vec<_>>(),
        [("b", false, true)]
    );
    store(&tenant, "c", "r", 0, &[record(1, 1)]).await;
    tenant.delete_profile(&profile_id("c"), 5).await.unwrap();
    assert_eq!(enabled().await, ["a"]);
    assert!(matches!(tenant.profile(&profile_id("c"), None).await, Err(StoreError::UnknownProfile(_))));
    assert!(matches!(tenant.delete_profile(&profile_id("c"), 6).await, Err(StoreError::UnknownProfile(_))));
    assert_eq!(all_records(&tenant, &of_profile("c"), 10).await.len(), 1, "records stay");
    let late = tenant.store_batch(batch("c", "r2", &[record(1, 2)], json!({})), 7).await;
    assert!(matches!(late, Err(StoreError::UnknownProfile(_))));
    put(&tenant, "c", 1).await;
    assert_eq!(enabled().await, ["a", "c"]);
    let first = tenant.profiles(None, &page(2, None)).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("b"));
    let rest = tenant.profiles(None, &page(2, first.next)).await.unwrap();
    assert_eq!((rest.items[0].id.as_str(), rest.next), ("c", None));
}

async fn drones_and_run_requests_survive_a_restart(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let id = DroneId::parse("edge-1").unwrap();
    let drone = SavedDrone {
        drone_id: id.clone(),
        version: "1".into(),
        offer: Offer {
            labels: [("region".to_owned(), "eu".to_owned())].into(),
            secrets: Some(["KEY".to_owned()].into()),
            capacity: Some(7),
            weight: 3,
        },
        registered_ms: 10,
        last_seen_ms: 10,
        draining: false,
    };
    tenant.save_drone(drone.clone()).await.unwrap();
    tenant
        .save_drone(SavedDrone { version: "2".into(), registered_ms: 20, last_seen_ms: 20, ..drone.clone() })
        .await
        .unwrap();
    tenant.touch_drones(&[(id.clone(), 30), (DroneId::parse("unknown").unwrap(), 30)]).await.unwrap();
    tenant.set_draining(&id, true).await.unwrap();
    assert!(matches!(tenant.set_draining(&DroneId::parse("x").unwrap(), true).await, Err(StoreError::UnknownDrone(_))));
    let first = tenant.add_run_request(&profile_id("p"), 1).await.unwrap();
    let second = tenant.add_run_request(&profile_id("p"), 2).await.unwrap();
    tenant.finish_run_requests(&[first]).await.unwrap();
    drop(tenant);
    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    let expected = SavedDrone { version: "2".into(), last_seen_ms: 30, draining: true, ..drone };
    assert_eq!(tenant.drones().await.unwrap(), [expected]);
    let waiting = tenant.run_requests().await.unwrap();
    assert_eq!(waiting.iter().map(|request| request.request_id).collect::<Vec<_>>(), [second]);
    let third = tenant.add_run_request(&profile_id("p"), 3).await.unwrap();
    assert!(third > second, "ids are never used twice");
}

fn enrolment(token: &str, drone: &str, key: &str) -> Enrolment {
    let digest = |text: &str| Digest::of(text.as_bytes());
    Enrolment { token: digest(token), drone_id: DroneId::parse(drone).unwrap(), key: digest(key) }
}

fn invite(token: &str, uses: u32) -> NewInvite {
    let token = Digest::of(token.as_bytes());
    NewInvite { token, note: "a\0b".into(), uses, created_ms: 10, expires_ms: 1_000 }
}

async fn drones_join_with_tokens_and_have_keys(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let tenant = fixture.tenant();
    let id = tenant.add_invite(invite("t", 2)).await.unwrap();
    tenant.enrol(enrolment("t", "d1", "k1"), 20).await.unwrap();
    tenant.enrol(enrolment("t", "d2", "k2"), 30).await.unwrap();
    assert!(matches!(tenant.enrol(enrolment("t", "d3", "k3"), 30).await, Err(StoreError::TokenRefused(_))));
    let (d1, d2) = (DroneId::parse("d1").unwrap(), DroneId::parse("d2").unwrap());
    tenant.change_key(&d1, KeyChange::AskRotation(40)).await.unwrap();
    tenant.change_key(&d2, KeyChange::Revoke(50)).await.unwrap();
    tenant.change_key(&d2, KeyChange::Refused(60)).await.unwrap();

    drop(tenant);
    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    let invites = tenant.invites().await.unwrap();
    assert_eq!((invites[0].invite_id, invites[0].used, invites[0].expires_ms), (id, 2, 1_000));
    let keys = tenant.drone_keys(&d1, &d2).await.unwrap();
    let key = |name: &DroneId| keys.iter().find(|(id, _)| id == name).unwrap().1.clone();
    assert_eq!((key(&d1).invite_id, key(&d1).enrolled_ms, key(&d1).rotation_asked), (id, 20, true));
    assert_eq!((key(&d2).revoked_ms, key(&d2).refused, key(&d2).refused_ms), (Some(50), 1, Some(60)));
    let known = tenant.known_key(&Digest::of(b"k1")).await.unwrap().unwrap();
    assert_eq!((known.drone_id.as_str(), known.is_revoked, known.is_next, known.rotate), ("d1", false, false, true));
    assert!(tenant.known_key(&Digest::of(b"k3")).await.unwrap().is_none());

    tenant.change_key(&d1, KeyChange::SetNext(Digest::of(b"k9"))).await.unwrap();
    let next = tenant.known_key(&Digest::of(b"k9")).await.unwrap().unwrap();
    assert!(next.is_next && !next.rotate, "{next:?}");
    tenant.change_key(&d1, KeyChange::UseNext(Digest::of(b"k9"), 70)).await.unwrap();
    assert!(tenant.known_key(&Digest::of(b"k1")).await.unwrap().is_none(), "the old key is gone");
    assert_eq!(tenant.drone_keys(&d1, &d1).await.unwrap()[0].1.rotated_ms, Some(70));

    let other = fixture.store.tenant(&TenantId::parse("other").unwrap());
    assert!(other.known_key(&Digest::of(b"k9")).await.unwrap().is_none(), "a key is of one tenant");
}

async fn of_many_that_join_at_once_no_more_get_in_than_a_token_allows(engine: Engine) {
    let fixture = Fixture::new(engine).await;
    let tenant = fixture.tenant();
    tenant.add_invite(invite("t", 5)).await.unwrap();
    let names: Vec<String> = (0..20).map(|number| format!("d{number}")).collect();
    let joins = names.iter().map(|name| tenant.enrol(enrolment("t", name, name), 20));
    let outcomes = futures_util::future::join_all(joins).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5, "{outcomes:?}");
    assert_eq!(tenant.invites().await.unwrap()[0].used, 5);
}

async fn needs_and_pins_survive_a_restart(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
    let tenant = fixture.tenant();
    let needs = Needs { replicas: 2, secrets: ["KEY".to_owned()].into(), ..Needs::default() };
    let new = NewVersion { needs: needs.clone(), ..version("q", 9) };
    tenant.put_profile(new, PutMode::Replace, None, 9).await.unwrap();
    let drones = ["d1", "d2"].map(|id| DroneId::parse(id).unwrap());
    tenant.set_pin(&profile_id("p"), Some(&drones[0])).await.unwrap();
    tenant.set_pin(&profile_id("p"), Some(&drones[1])).await.unwrap();
    tenant.set_pin(&profile_id("q"), Some(&drones[1])).await.unwrap();
    tenant.set_pin(&profile_id("q"), None).await.unwrap();
    let unknown = tenant.set_pin(&profile_id("x"), Some(&drones[1])).await;
    assert!(matches!(unknown, Err(StoreError::UnknownProfile(_))));
    for id in &drones {
        let (version, offer) = (String::new(), Offer::default());
        let drone =
            SavedDrone { drone_id: id.clone(), version, offer, registered_ms: 1, last_seen_ms: 1, draining: false };
        tenant.save_drone(drone).await.unwrap();
    }
    tenant.forget_drones(&drones[..1]).await.unwrap();
    drop(tenant);
    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    assert_eq!(tenant.pins().await.unwrap(), [(profile_id("p"), drones[1].clone())]);
    let enabled = tenant.enabled_profiles().await.unwrap();
    assert_eq!(enabled.iter().map(|one| one.needs.clone()).collect::<Vec<_>>(), [Needs::default(), needs]);
    let left = tenant.drones().await.unwrap();
    assert_eq!(left.iter().map(|drone| drone.drone_id.clone()).collect::<Vec<_>>(), drones[1..]);
}

async fn reports_are_kept_up_to_their_bound(engine: Engine) {
    let bed = Bed::new(engine).await;
    let bounded = chartly::store::StoreSettings { max_reports: 3, ..bed.settings() };
    let store = Store::open(&bounded).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    let spec = json!({"join": ["dims.a"], "inputs": [], "output": {"type": "table"}}).to_string();
    let tables = tenant.reports(&PageRequest::default()).await.unwrap();
    assert!(tables.items.is_empty());
    for number in 0..5 {
        tenant.save_report(&format!("rep{number}"), number, &spec, "{}").await.unwrap();
    }
    let page_one = tenant.reports(&page(2, None)).await.unwrap();
    let names: Vec<_> = page_one.items.iter().map(|report| report.report_id.as_str()).collect();
    assert_eq!(names, ["rep4", "rep3"]);
    let page_two = tenant.reports(&page(2, page_one.next)).await.unwrap();
    assert_eq!((page_two.items.len(), page_two.next), (1, None));
    assert!(matches!(tenant.report("rep0").await, Err(StoreError::UnknownReport(_))));
}

async fn tenants_see_nothing_of_each_other(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let one = fixture.tenant();
    let two = fixture.store.tenant(&TenantId::parse("acme").unwrap());
    assert!(two.enabled_profiles().await.unwrap().is_empty());
    put(&two, "p", 7).await;
    store(&one, "p", "r", 0, &[record(1, 1), record(2, 2)]).await;
    let receipt = store(&two, "p", "r", 0, &[record(1, 1)]).await;
    assert_eq!((receipt.inserted, receipt.replayed), (1, false), "the same run and record, of another tenant");
    for filter in [RecordFilter::default(), of_profile("p"), of_run("r")] {
        assert_eq!(all_records(&two, &filter, 1).await.len(), 1, "{filter:?}");
        assert_eq!(all_results(&two, &filter, 1).await.len(), 1, "{filter:?}");
        assert_eq!(all_records(&one, &filter, 1).await.len(), 2, "{filter:?}");
    }
    assert_eq!(two.summary().await.unwrap().records, 1);
    assert_eq!(one.profile(&profile_id("p"), None).await.unwrap().summary.version, "1");
    assert_eq!(two.profile(&profile_id("p"), None).await.unwrap().summary.version, "7");
    assert_eq!(two.runs(&RunFilter::default(), &PageRequest::default()).await.unwrap().items.len(), 1);
}

async fn a_foreign_cursor_and_a_large_limit_are_refused(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let cursor = page(10, Some("1; drop table records".into()));
    assert!(matches!(tenant.records(&RecordFilter::default(), &cursor).await, Err(StoreError::Page(_))));
    assert!(matches!(tenant.results(&RecordFilter::default(), &page(9_999, None)).await, Err(StoreError::Page(_))));
}
