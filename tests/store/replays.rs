//! Replays in the store: which records stand, in which order they were observed, and what is asked of drones; random
//! histories against a model.

use std::collections::BTreeSet;

use chartly::domain::ids::DroneId;
use chartly::protocol::coordinator::ReplayOf;
use chartly::store::TenantStore;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::engines::{Engine, is_here, on_both_engines};
use crate::support::{
    Fixture, all_records, all_results, batch, of_profile, of_run, profile_id, record, run_id, scanned, version,
};

#[derive(Debug, Clone)]
enum Step {
    /// A run of the source that saw these records.
    Run(BTreeSet<u64>),
    /// A replay of an earlier run.
    Replay { of: prop::sample::Index, records: BTreeSet<u64>, succeeds: bool },
}

#[derive(Debug, Clone)]
struct Ran {
    name: String,
    records: BTreeSet<u64>,
    replay_of: Option<usize>,
    succeeded: bool,
    started_ms: i64,
}

#[derive(Default)]
struct Model(Vec<Ran>);

impl Model {
    /// Replaced by a later replay of the same run that ended well.
    fn stands(&self, index: usize) -> bool {
        let original = self.0[index].replay_of.unwrap_or(index);
        let later = self.0[index + 1..].iter();
        !later.into_iter().any(|ran| ran.replay_of == Some(original) && ran.succeeded)
    }

    fn standing(&self) -> BTreeSet<u64> {
        let runs = self.0.iter().enumerate().filter(|(index, _)| self.stands(*index));
        runs.flat_map(|(_, ran)| ran.records.clone()).collect()
    }

    /// Standing records by the start of the run that saw them first, then by arrival.
    fn as_observed(&self) -> Vec<u64> {
        let mut seen = BTreeSet::new();
        let mut all: Vec<(i64, usize, u64)> = Vec::new();
        for ran in &self.0 {
            let fresh: Vec<u64> = ran.records.iter().copied().filter(|number| seen.insert(*number)).collect();
            for number in fresh {
                all.push((ran.started_ms, all.len(), number));
            }
        }
        let standing = self.standing();
        all.sort_unstable();
        all.into_iter().map(|(_, _, number)| number).filter(|number| standing.contains(number)).collect()
    }
}

fn steps() -> impl Strategy<Value = Step> {
    let records = || prop::collection::btree_set(0_u64..12, 0..8);
    prop_oneof![
        2 => records().prop_map(Step::Run),
        3 => (any::<prop::sample::Index>(), records(), prop::bool::weighted(0.8))
            .prop_map(|(of, records, succeeds)| Step::Replay { of, records, succeeds }),
    ]
}

async fn send(tenant: &TenantStore, ran: &Ran, now_ms: i64, of: Option<&str>) {
    let records: Vec<Value> = ran.records.iter().map(|value| record(*value, *value)).collect();
    let state = if ran.succeeded { "succeeded" } else { "partial" };
    let mut run = json!({"state": state, "started_ms": ran.started_ms});
    if let Some(of) = of {
        run["replay_of"] = of.into();
    }
    let whole = batch("p", &ran.name, &records, json!({"seq": 0, "run": run}));
    tenant.store_batch(whole.clone(), now_ms).await.unwrap();
    assert!(tenant.store_batch(whole, now_ms).await.unwrap().replayed, "sent again, it changes nothing");
}

fn value(record: &Value) -> u64 {
    record["measures"]["value"].as_f64().unwrap() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_stands_is_what_the_latest_replays_gave(history in prop::collection::vec(steps(), 1..14)) {
        what_stands(Engine::Sqlite, history);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_stands_on_postgres_is_what_the_latest_replays_gave(history in prop::collection::vec(steps(), 1..14)) {
        if is_here("replays") {
            what_stands(Engine::Postgres, history);
        }
    }
}

fn what_stands(engine: Engine, history: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fixture = Fixture::with_profiles(engine, &["p", "q"]).await;
        let tenant = fixture.tenant();
        tenant.store_batch(batch("q", "other", &[record(50, 50)], json!({"seq": 0})), 1).await.unwrap();
        let mut model = Model::default();
        for (number, step) in history.into_iter().enumerate() {
            let now_ms = 10 * i64::try_from(number).unwrap();
            let originals: Vec<usize> =
                (0..model.0.len()).filter(|index| model.0[*index].replay_of.is_none()).collect();
            let (records, replay_of, succeeded) = match step {
                Step::Run(records) => (records, None, true),
                Step::Replay { of, records, succeeds } if !originals.is_empty() => {
                    (records, Some(originals[of.index(originals.len())]), succeeds)
                }
                Step::Replay { .. } => continue,
            };
            let started_ms = replay_of.map_or(now_ms, |of| model.0[of].started_ms + 1);
            let of = replay_of.map(|of| model.0[of].name.clone());
            let ran = Ran { name: format!("r{number}"), records, replay_of, succeeded, started_ms };
            send(&tenant, &ran, now_ms, of.as_deref()).await;
            let view = tenant.run(&run_id(&ran.name)).await.unwrap();
            assert_eq!(view.replay_of.map(|of| of.to_string()), of);
            model.0.push(ran);

            let listed: Vec<u64> = all_records(&tenant, &of_profile("p"), 3).await.iter().map(value).collect();
            assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), model.standing());
            assert_eq!(listed.len(), model.standing().len(), "none comes twice");
            let everything = all_records(&tenant, &chartly::protocol::aggregator::RecordFilter::default(), 2).await;
            assert_eq!(everything.len(), listed.len() + 1, "another profile's stay");
            let texts = scanned(&tenant, "p").await;
            let scanned: Vec<u64> = texts.iter().map(|text| value(&serde_json::from_str(text).unwrap())).collect();
            assert_eq!(scanned, model.as_observed());
        }
        let sightings: usize = model.0.iter().map(|ran| ran.records.len()).sum();
        assert_eq!(all_results(&tenant, &of_profile("p"), 100).await.len(), sightings, "what runs saw stays told");
        if let Some(first) = model.0.first() {
            assert_eq!(all_records(&tenant, &of_run(&first.name), 100).await.len(), first.records.len());
        }
    });
}

on_both_engines!(replay_requests_survive_a_restart_and_name_the_version_of_then,);

async fn replay_requests_survive_a_restart_and_name_the_version_of_then(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let drones: Vec<DroneId> = ["a", "b"].iter().map(|id| DroneId::parse(id).unwrap()).collect();
    let of = ReplayOf { since_ms: Some(3), until_ms: Some(9), run_id: Some(run_id("r")) };
    let asked = tenant.add_replay_requests(&profile_id("p"), &of, drones.clone(), 5).await.unwrap();
    assert_eq!(asked.iter().map(|(drone, _)| drone.clone()).collect::<Vec<_>>(), drones);
    assert!(asked.iter().all(|(_, request)| request.digest == version("p", 1).digest && request.of == of));
    crate::support::put(&tenant, "p", 2).await;
    drop(tenant);
    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    assert_eq!(tenant.replay_requests().await.unwrap(), asked);
    tenant.finish_replay_requests(&[asked[0].1.request_id, 99]).await.unwrap();
    assert_eq!(tenant.replay_requests().await.unwrap(), asked[1..]);
    // A drone that has not come back for a week is waited for no more.
    let later = tenant.add_replay_requests(&profile_id("p"), &of, drones[..1].to_vec(), 8 * 86_400_000).await.unwrap();
    assert_eq!(tenant.replay_requests().await.unwrap(), later);
    assert_eq!(later[0].1.digest, version("p", 2).digest);
    assert!(later[0].1.request_id > asked[1].1.request_id, "ids are never used twice");
    let other = fixture.store.tenant(&chartly::domain::ids::TenantId::parse("acme").unwrap());
    assert!(other.replay_requests().await.unwrap().is_empty());
}
