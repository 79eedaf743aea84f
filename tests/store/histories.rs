//! Random histories: batches of several drones, resent, reordered and overlapping, between crashes of two kinds (the
//! store dropped without a close; a panic in the writer), against the model.

use std::collections::BTreeSet;

use chartly::domain::ids::TenantId;
use chartly::domain::run::RunState;
use chartly::protocol::batch::Batch;
use chartly::runtime::{Breakpoints, Policy};
use chartly::store::{Store, StoreError, StoreSettings, TenantStore};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};

use crate::engines::{Bed, Engine, is_here};
use crate::model::{Answer, Model, ModelBatch};
use crate::support::{all_records, all_results, batch, of_profile, of_run, put, record, run_id};

const PROFILES: [&str; 2] = ["p0", "p1"];

#[derive(Debug, Clone)]
enum Step {
    Store(ModelBatch),
    /// Sends an earlier batch of the history again.
    Resend(prop::sample::Index),
    /// Several drones at once: the batches meet in one transaction.
    Together(Vec<ModelBatch>),
    /// The process is gone, the file stays.
    Crash,
    /// The next write panics inside the writer, or at the commit.
    Panic {
        at_commit: bool,
        batch: ModelBatch,
    },
}

fn batches() -> impl Strategy<Value = ModelBatch> {
    let seq = prop_oneof![Just(None), (0_u32..4).prop_map(Some)];
    let records = prop::collection::vec(0_u64..40, 0..30);
    (0_usize..2, 0_usize..5, seq, records, any::<bool>()).prop_map(|(profile, run, seq, records, is_final)| {
        // A batch must say something.
        let is_final = is_final || records.is_empty();
        ModelBatch { profile, run, seq, records, is_final }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => batches().prop_map(Step::Store),
        3 => any::<prop::sample::Index>().prop_map(Step::Resend),
        3 => prop::collection::vec(batches(), 2..6).prop_map(Step::Together),
        1 => Just(Step::Crash),
        1 => (any::<bool>(), batches()).prop_map(|(at_commit, batch)| Step::Panic { at_commit, batch }),
    ]
}

fn wire(model: &ModelBatch) -> Batch {
    let records: Vec<Value> = model.records.iter().map(|number| record(number % 7, *number)).collect();
    let mut extra = json!({"drone_id": format!("d{}", model.run % 3)});
    if let Some(seq) = model.seq {
        extra["seq"] = seq.into();
    }
    if model.is_final {
        extra["run"] = json!({"state": "succeeded", "started_ms": 1});
    }
    batch(PROFILES[model.profile], &format!("run{}", model.run), &records, extra)
}

fn answer_of(outcome: Result<chartly::protocol::aggregator::Receipt, StoreError>) -> Answer {
    match outcome {
        Ok(receipt) if receipt.replayed => Answer::Replayed { inserted: receipt.inserted, known: receipt.known },
        Ok(receipt) => Answer::Stored { inserted: receipt.inserted, known: receipt.known },
        Err(StoreError::RunConflict { .. }) => Answer::RunConflict,
        Err(StoreError::BatchConflict { .. }) => Answer::BatchConflict,
        Err(error) => panic!("unexpected: {error}"),
    }
}

struct Play {
    settings: StoreSettings,
    store: Store,
    tenant: TenantStore,
    model: Model,
    sent: Vec<ModelBatch>,
    _bed: Bed,
}

impl Play {
    async fn new(engine: Engine) -> Self {
        let bed = Bed::new(engine).await;
        let quick = Policy { min_backoff: std::time::Duration::ZERO, max_crashes: 1_000, ..Policy::default() };
        let settings = StoreSettings { breakpoints: Breakpoints::armable(), policy: quick, ..bed.settings() };
        let store = Store::open(&settings).await.unwrap();
        let tenant = store.tenant(&TenantId::default());
        for profile in PROFILES {
            put(&tenant, profile, 1).await;
        }
        Self { settings, store, tenant, model: Model::default(), sent: Vec::new(), _bed: bed }
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Store(batch) => self.send(batch.clone()).await?,
            Step::Resend(index) if !self.sent.is_empty() => {
                let batch = self.sent[index.index(self.sent.len())].clone();
                self.send(batch).await?;
            }
            Step::Resend(_) => {}
            Step::Together(batches) => self.together(batches).await?,
            Step::Crash => self.crash().await,
            Step::Panic { at_commit, batch } => self.panic(*at_commit, batch).await?,
        }
        Ok(())
    }

    async fn send(&mut self, batch: ModelBatch) -> Result<(), TestCaseError> {
        let found = answer_of(self.tenant.store_batch(wire(&batch), 1_000).await);
        prop_assert_eq!(found, self.model.store(&batch), "{:?}", batch);
        self.sent.push(batch);
        Ok(())
    }

    /// Polled in order, they queue in order: the model may take them one after another.
    async fn together(&mut self, batches: &[ModelBatch]) -> Result<(), TestCaseError> {
        let sending = batches.iter().map(|batch| self.tenant.store_batch(wire(batch), 1_000));
        let outcomes = futures_util::future::join_all(sending).await;
        for (batch, outcome) in batches.iter().zip(outcomes) {
            prop_assert_eq!(answer_of(outcome), self.model.store(batch), "{:?}", batch);
            self.sent.push(batch.clone());
        }
        Ok(())
    }

    async fn crash(&mut self) {
        self.store = Store::open(&self.settings).await.unwrap();
        self.tenant = self.store.tenant(&TenantId::default());
        // The first call looks the tenant up; batches sent together after it queue in the order they were sent.
        self.tenant.profiles_revision().await.unwrap();
    }

    /// A panic stores nothing and says so; sending again then stores it.
    async fn panic(&mut self, at_commit: bool, batch: &ModelBatch) -> Result<(), TestCaseError> {
        self.settings.breakpoints.arm(if at_commit { "store.commit" } else { "store.job" }, 1);
        let outcome = self.tenant.store_batch(wire(batch), 1_000).await;
        let refused = matches!(self.model.clone().store(batch), Answer::RunConflict | Answer::BatchConflict);
        match outcome {
            Err(StoreError::Crashed(_)) if !at_commit => {}
            // A refusal holds whatever becomes of the transaction.
            Err(StoreError::RunConflict { .. } | StoreError::BatchConflict { .. }) if at_commit && refused => {}
            Err(StoreError::OutcomeUnknown(_)) if at_commit && !refused => {}
            other => prop_assert!(false, "the armed panic gave {:?}", other),
        }
        self.send(batch.clone()).await
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        for (index, profile) in PROFILES.iter().enumerate() {
            let expected = self.model.records.get(&index).cloned().unwrap_or_default();
            let found = values_of(&all_records(&self.tenant, &of_profile(profile), 7).await);
            prop_assert_eq!(found.len(), expected.len(), "records of {} are there once", profile);
            prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
        }
        for (name, run) in &self.model.runs {
            let id = format!("run{name}");
            let view = self.tenant.run(&run_id(&id)).await.unwrap();
            prop_assert_eq!((view.batches, view.inserted, view.known), (run.batches, run.inserted, run.known));
            prop_assert_eq!(view.state == RunState::Succeeded, run.is_final);
            let saw = values_of(&all_results(&self.tenant, &of_run(&id), 5).await);
            prop_assert_eq!(saw.len(), run.saw.len(), "{} saw each record once", id);
            prop_assert_eq!(saw.into_iter().collect::<BTreeSet<_>>(), run.saw.clone());
        }
        let summary = self.tenant.summary().await.unwrap();
        let records: usize = self.model.records.values().map(BTreeSet::len).sum();
        let expected = (records as u64, self.model.results(), self.model.runs.len() as u64);
        prop_assert_eq!((summary.records, summary.results, summary.runs), expected);
        let running = self.model.runs.values().filter(|run| !run.is_final).count() as u64;
        prop_assert_eq!(summary.runs_by_state["running"], running);
        Ok(())
    }
}

fn values_of(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["measures"]["value"].as_u64().unwrap()).collect()
}

fn steps_of_a_history() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(steps(), 1..40)
}

fn play(engine: Engine, history: &[Step]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut play = Play::new(engine).await;
        for step in history {
            play.step(step).await?;
        }
        play.compare().await?;
        play.crash().await;
        play.compare().await
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_what_the_model_gives(history in steps_of_a_history()) {
        play(Engine::Sqlite, &history)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_history_on_postgres_gives_what_the_model_gives(history in steps_of_a_history()) {
        if is_here("any_history_on_postgres_gives_what_the_model_gives") {
            play(Engine::Postgres, &history)?;
        }
    }
}
