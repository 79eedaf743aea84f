//! Random lives of a profile with a key: runs that end well, unchanged or badly, batches sent again, passes of retention
//! under changing rules, the store dropped and opened again. Against a small model that remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use chartly::domain::retention::Retention;
use chartly::protocol::aggregator::{RecordFilter, RunFilter, Versions};
use chartly::protocol::registry::PutMode;
use chartly::store::{NewVersion, TenantStore};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::engines::{Engine, is_here};
use crate::support::*;

/// A record: its state, which is its observation, and its value.
type Pair = (u64, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Unchanged,
    Badly,
}

#[derive(Debug, Clone)]
enum Step {
    /// Sees one value of each of some states.
    Run(Ended, BTreeMap<u64, u64>),
    Resend(prop::sample::Index),
    Pass(Retention),
    Reopen,
}

fn steps() -> impl Strategy<Value = Step> {
    let ended = prop_oneof![4 => Just(Ended::Well), 2 => Just(Ended::Unchanged), 1 => Just(Ended::Badly)];
    let saw = prop::collection::btree_map(0_u64..4, 0_u64..4, 0..4);
    let age = || prop::option::weighted(0.5, 1_u64..120);
    let count = |range| prop::option::weighted(0.4, range);
    let rule = (age(), count(1_u64..4), count(1_u64..10), age());
    let rule = rule.prop_map(|(records_ms, versions, max_records, runs_ms)| Retention {
        records_ms,
        versions: versions.map(|most| most as u32),
        max_records,
        runs_ms,
    });
    prop_oneof![
        6 => (ended, saw).prop_map(|(ended, saw)| Step::Run(ended, saw)),
        1 => any::<prop::sample::Index>().prop_map(Step::Resend),
        3 => rule.prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ]
}

/// One run as it was; what an unchanged one saw is what the one before it saw.
#[derive(Debug, Clone)]
struct Seen {
    at_ms: i64,
    ended: Ended,
    sent: Vec<Pair>,
    saw: BTreeSet<Pair>,
}

#[derive(Debug, Default)]
struct Model {
    runs: Vec<Seen>,
    /// What is kept, in the order of arrival.
    records: Vec<Pair>,
    /// Turns of each state that are kept.
    turns: BTreeMap<u64, Vec<(i64, u64)>>,
    expired: usize,
}

impl Model {
    fn run(&mut self, at_ms: i64, ended: Ended, sent: Vec<Pair>) -> u32 {
        let before = self.runs.iter().rev().find(|run| run.ended == Ended::Well || !run.sent.is_empty());
        let saw = match (ended, sent.is_empty(), before) {
            (Ended::Unchanged, true, Some(run)) => run.saw.clone(),
            _ => sent.iter().copied().collect(),
        };
        let mut inserted = 0;
        for &(state, value) in &sent {
            if !self.records.contains(&(state, value)) {
                self.records.push((state, value));
                inserted += 1;
            }
            let turns = self.turns.entry(state).or_default();
            if turns.last().is_none_or(|(_, stands)| *stands != value) {
                turns.push((at_ms, value));
            }
        }
        self.runs.push(Seen { at_ms, ended, sent, saw });
        inserted
    }

    fn given(&self) -> BTreeSet<Pair> {
        let latest = self.runs.iter().rposition(|run| run.ended == Ended::Well).unwrap_or(0);
        self.runs[latest..].iter().flat_map(|run| &run.saw).copied().collect()
    }

    fn last_seen(&self, pair: &Pair) -> Option<i64> {
        self.runs.iter().rev().find(|run| run.saw.contains(pair)).map(|run| run.at_ms)
    }

    fn pass(&mut self, rule: &Retention, now_ms: i64) -> usize {
        let before = self.records.len();
        let given = self.given();
        if let Some(age_ms) = rule.records_ms {
            let cutoff_ms = now_ms - age_ms.cast_signed();
            let old = |pair: &&Pair| self.last_seen(pair).is_none_or(|seen_ms| seen_ms < cutoff_ms);
            let may_go = self.records.iter().filter(old).filter(|pair| !given.contains(pair)).copied().collect();
            self.let_go(&may_go, 0);
        }
        if let Some(most) = rule.versions {
            let early = self.turns.iter().flat_map(|(state, turns)| {
                turns[..turns.len().saturating_sub(most as usize)].iter().map(|(_, value)| (*state, *value))
            });
            let may_go = early.filter(|pair| !given.contains(pair)).collect();
            self.let_go(&may_go, most as usize);
        }
        if let Some(most) = rule.max_records {
            let over = self.records.len().saturating_sub(usize::try_from(most).unwrap());
            let may_go = self.records.iter().filter(|pair| !given.contains(pair)).take(over).copied().collect();
            self.let_go(&may_go, 0);
        }
        self.expired += before - self.records.len();
        before - self.records.len()
    }

    /// Versions from the earliest on, as long as they may go.
    fn let_go(&mut self, may_go: &BTreeSet<Pair>, leave: usize) {
        let states: BTreeSet<u64> = may_go.iter().map(|(state, _)| *state).collect();
        for state in states {
            let turns = self.turns.entry(state).or_default();
            while turns.len() > leave {
                let (_, value) = turns[0];
                let comes_back = turns[1..].iter().any(|(_, later)| *later == value);
                if !comes_back && !may_go.contains(&(state, value)) {
                    break;
                }
                turns.remove(0);
            }
            let left: BTreeSet<u64> = turns.iter().map(|(_, value)| *value).collect();
            self.records.retain(|pair| pair.0 != state || !may_go.contains(pair) || left.contains(&pair.1));
        }
    }

    fn stands(&self) -> BTreeSet<Pair> {
        self.turns.iter().filter_map(|(state, turns)| turns.last().map(|(_, value)| (*state, *value))).collect()
    }
}

/// One life under way.
struct Life {
    fixture: Option<Fixture>,
    tenant: TenantStore,
    model: Model,
    now_ms: i64,
}

impl Life {
    async fn new(engine: Engine) -> Self {
        let fixture = Fixture::new(engine).await;
        let tenant = fixture.tenant();
        let version = NewVersion { key: vec!["dims.geo.state".into()], ..version("p", 1) };
        tenant.put_profile(version, PutMode::Replace, None, 1).await.unwrap();
        Self { fixture: Some(fixture), tenant, model: Model::default(), now_ms: 1_000 }
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.now_ms += 10;
        match step {
            Step::Run(ended, saw) => {
                let unchanged = *ended == Ended::Unchanged;
                let sent: Vec<Pair> = if unchanged { Vec::new() } else { saw.clone().into_iter().collect() };
                let receipt = self.tenant.store_batch(wire(self.now_ms, *ended, &sent), self.now_ms).await.unwrap();
                let expected = self.model.run(self.now_ms, *ended, sent);
                prop_assert_eq!(receipt.inserted, expected);
            }
            Step::Resend(index) if !self.model.runs.is_empty() => {
                let run = self.model.runs[index.index(self.model.runs.len())].clone();
                if self.tenant.run(&run_id(&format!("run-{}", run.at_ms))).await.is_ok() {
                    let again = wire(run.at_ms, run.ended, &run.sent);
                    prop_assert!(self.tenant.store_batch(again, self.now_ms).await.unwrap().replayed);
                }
            }
            Step::Resend(_) => {}
            Step::Pass(rule) => self.pass(*rule).await?,
            Step::Reopen => {
                let fixture = self.fixture.take().unwrap().reopened().await;
                self.tenant = fixture.tenant();
                self.fixture = Some(fixture);
            }
        }
        Ok(())
    }

    async fn pass(&mut self, rule: Retention) -> Result<(), TestCaseError> {
        let mut pass = self.tenant.begin_retention(&profile_id("p"), rule, self.now_ms).await.unwrap();
        let mut removed = 0;
        while let Some(step) = pass.step(10_000).await.unwrap() {
            removed += step.records;
        }
        prop_assert_eq!(removed, self.model.pass(&rule, self.now_ms) as u64, "{:?}", rule);
        self.compare().await
    }

    async fn listed(&self, versions: Versions) -> Vec<Pair> {
        let filter = RecordFilter { versions, ..of_profile("p") };
        all_records(&self.tenant, &filter, 7).await.iter().map(pair).collect()
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let sorted = |mut pairs: Vec<Pair>| {
            pairs.sort_unstable();
            pairs
        };
        let all = self.listed(Versions::All).await;
        prop_assert_eq!(sorted(all.clone()), sorted(self.model.records.clone()));
        let latest = self.listed(Versions::Latest).await;
        prop_assert_eq!(sorted(latest.clone()), self.model.stands().into_iter().collect::<Vec<_>>());
        let summary = self.tenant.summary().await.unwrap();
        let counts = (summary.records, summary.replaced, summary.expired);
        let expected = (all.len() as u64, (all.len() - latest.len()) as u64, self.model.expired as u64);
        prop_assert_eq!(counts, expected);
        let runs = self.tenant.runs(&RunFilter::default(), &page(5_000, None)).await.unwrap().items;
        prop_assert_eq!(summary.runs, runs.len() as u64);
        for run in &self.model.runs {
            let id = run_id(&format!("run-{}", run.at_ms));
            let Some(view) = runs.iter().find(|view| view.run_id == id) else { continue };
            let shown = all_results(&self.tenant, &of_run(id.as_str()), 2).await.len() as u64;
            let gone = self.tenant.run(&id).await.unwrap().expired.unwrap_or(0);
            prop_assert_eq!(shown + gone, run.sent.len() as u64, "what it saw is there, or told to be gone");
            prop_assert_eq!(view.inserted + view.known, run.sent.len() as u64);
        }
        let horizon_ms = summary.profiles.iter().find_map(|counts| counts.horizon_ms);
        self.compare_the_past(horizon_ms).await
    }

    /// From the horizon on nothing is missing that a run saw since; before it nothing is answered.
    async fn compare_the_past(&self, horizon_ms: Option<i64>) -> Result<(), TestCaseError> {
        let from_ms = horizon_ms.unwrap_or(0);
        for at_ms in (1_000..=self.now_ms).step_by(15) {
            let filter = RecordFilter { versions: Versions::AsOf(at_ms), ..of_profile("p") };
            if at_ms < from_ms {
                prop_assert!(self.tenant.records(&filter, &page(1, None)).await.is_err(), "as of {}", at_ms);
                continue;
            }
            let listed: BTreeSet<Pair> = self.listed(Versions::AsOf(at_ms)).await.into_iter().collect();
            let mut stood = BTreeMap::new();
            for run in self.model.runs.iter().filter(|run| run.at_ms <= at_ms) {
                stood.extend(run.sent.iter().map(|(state, value)| (*state, (run.at_ms, *value))));
            }
            for (state, (seen_ms, value)) in stood {
                let is_there = listed.contains(&(state, value));
                prop_assert!(is_there || seen_ms < from_ms, "{state} was {value} as of {at_ms}, whole from {from_ms}");
            }
        }
        Ok(())
    }
}

fn wire(at_ms: i64, ended: Ended, sent: &[Pair]) -> chartly::protocol::batch::Batch {
    let records: Vec<Value> = sent.iter().map(|(state, value)| record(*state, *value)).collect();
    let state = match ended {
        Ended::Well => "succeeded",
        Ended::Unchanged => "unchanged",
        Ended::Badly => "failed",
    };
    batch("p", &format!("run-{at_ms}"), &records, json!({"seq": 0, "run": {"state": state, "started_ms": at_ms}}))
}

fn pair(row: &Value) -> Pair {
    let state = row["dims"]["geo"]["state"].as_str().unwrap();
    (state.parse().unwrap(), row["measures"]["value"].as_u64().unwrap())
}

fn play(engine: Engine, life: &[Step]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut play = Life::new(engine).await;
        for step in life {
            play.step(step).await?;
        }
        play.compare().await
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_life_gives_what_the_model_gives(life in prop::collection::vec(steps(), 1..40)) {
        play(Engine::Sqlite, &life)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_life_on_postgres_gives_what_the_model_gives(life in prop::collection::vec(steps(), 1..30)) {
        if is_here("any_life_on_postgres_gives_what_the_model_gives") {
            play(Engine::Postgres, &life)?;
        }
    }
}
