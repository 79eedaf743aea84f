//! The aggregator: batches in, exactly once; records, results, runs and the summary out. It holds nothing that the
//! store does not: group commit, counts and idempotency are the store's.

mod retention;

use actix::{Actor, Context, Supervised};

use super::answers;
use super::events::{Event, Events};
use crate::domain::drift::Fate;
use crate::domain::retention::Retention;
use crate::protocol::aggregator::{
    GetHistory, GetRetention, GetRun, GetSummary, ListRecords, ListRejects, ListResults, ListRuns, Receipt, RecordRow,
    RejectsPage, RetentionView, RunView, SettleRun, StoreBatch, Summary,
};
use crate::protocol::fault::Fault;
use crate::protocol::paging::Page;
use crate::runtime::Clock;
use crate::store::Store;
use retention::rule_of;
pub use retention::{Pace, Retainer};

/// What the aggregator is rebuilt from.
#[derive(Debug, Clone)]
pub struct Seed {
    pub store: Store,
    pub clock: Clock,
    pub events: Events,
    /// What is let go where a profile says nothing.
    pub usual_retention: Retention,
}

#[derive(Debug)]
pub struct Aggregator {
    seed: Seed,
}

impl Aggregator {
    pub fn new(seed: Seed) -> Self {
        Self { seed }
    }

    async fn store_batch(seed: Seed, message: StoreBatch) -> Result<Receipt, Fault> {
        let StoreBatch { tenant, batch } = message;
        let (profile, drone) = (batch.profile_id.clone(), batch.drone_id.clone());
        let state = batch.run.as_ref().map_or("running", |run| run.state.as_str());
        let receipt = seed.store.tenant(&tenant).store_batch(batch, seed.clock.now_ms()).await?;
        metrics::counter!("chartly_records_inserted_total").increment(u64::from(receipt.inserted));
        metrics::counter!("chartly_records_known_total").increment(u64::from(receipt.known));
        metrics::counter!("chartly_observations_revised_total").increment(u64::from(receipt.revised));
        metrics::counter!("chartly_records_rejected_total").increment(u64::from(receipt.rejected));
        tell_drift(&seed.events, &receipt, profile.as_str(), drone.as_str());
        if !receipt.replayed {
            seed.events.publish(Event::Run {
                run_id: receipt.run_id.to_string(),
                profile_id: profile.to_string(),
                drone_id: drone.to_string(),
                state: state.into(),
                inserted: receipt.inserted,
                known: receipt.known,
                revised: receipt.revised,
            });
        }
        Ok(receipt)
    }

    async fn list_records(seed: Seed, message: ListRecords) -> Result<Page<RecordRow>, Fault> {
        Ok(seed.store.tenant(&message.tenant).records(&message.filter, &message.page).await?)
    }

    async fn list_results(seed: Seed, message: ListResults) -> Result<Page<RecordRow>, Fault> {
        Ok(seed.store.tenant(&message.tenant).results(&message.filter, &message.page).await?)
    }

    async fn get_history(seed: Seed, message: GetHistory) -> Result<Page<RecordRow>, Fault> {
        let GetHistory { tenant, profile_id, dims, page } = message;
        Ok(seed.store.tenant(&tenant).history(&profile_id, &dims, &page).await?)
    }

    async fn list_runs(seed: Seed, message: ListRuns) -> Result<Page<RunView>, Fault> {
        Ok(seed.store.tenant(&message.tenant).runs(&message.filter, &message.page).await?)
    }

    async fn get_run(seed: Seed, message: GetRun) -> Result<RunView, Fault> {
        Ok(seed.store.tenant(&message.tenant).run(&message.run_id).await?)
    }

    async fn list_rejects(seed: Seed, message: ListRejects) -> Result<RejectsPage, Fault> {
        Ok(seed.store.tenant(&message.tenant).rejects(&message.run_id, &message.page).await?)
    }

    async fn settle_run(seed: Seed, message: SettleRun) -> Result<RunView, Fault> {
        let SettleRun { tenant, run_id, release } = message;
        let run = seed.store.tenant(&tenant).settle_run(&run_id, release, seed.clock.now_ms()).await?;
        let fate = if release { Fate::Released } else { Fate::Discarded };
        seed.events.publish(settled(run_id.as_str(), run.profile_id.as_str(), fate));
        Ok(run)
    }

    async fn get_retention(seed: Seed, message: GetRetention) -> Result<RetentionView, Fault> {
        let GetRetention { tenant, profile_id, rule } = message;
        let tenant = seed.store.tenant(&tenant);
        let profile = tenant.profile(&profile_id, None).await?;
        let rule = rule.unwrap_or_else(|| rule_of(&profile, &seed.usual_retention));
        Ok(tenant.retention(&profile_id, rule, seed.clock.now_ms()).await?)
    }

    async fn get_summary(seed: Seed, message: GetSummary) -> Result<Summary, Fault> {
        Ok(seed.store.tenant(&message.tenant).summary().await?)
    }
}

/// Tells of a run that drifted, and of held records that had to go.
fn tell_drift(events: &Events, receipt: &Receipt, profile: &str, drone: &str) {
    for run in &receipt.discarded {
        metrics::counter!("chartly_quarantine_discarded_total").increment(1);
        tracing::error!(%run, profile, "held records were discarded to make room, or for their age");
        events.publish(settled(run.as_str(), profile, Fate::Discarded));
    }
    let Some(drift) = receipt.drift.as_ref().filter(|drift| drift.drifted && !receipt.replayed) else { return };
    metrics::counter!("chartly_runs_drifted_total", "fate" => drift.fate.map_or("kept", Fate::word)).increment(1);
    events.publish(Event::RunDrifted {
        run_id: receipt.run_id.to_string(),
        profile_id: profile.into(),
        drone_id: drone.into(),
        fate: drift.fate,
        changes: drift.changes.clone(),
    });
}

fn settled(run_id: &str, profile_id: &str, fate: Fate) -> Event {
    Event::RunSettled { run_id: run_id.into(), profile_id: profile_id.into(), fate }
}

impl Actor for Aggregator {
    type Context = Context<Self>;
}

impl Supervised for Aggregator {}

answers!(Aggregator {
    StoreBatch => store_batch,
    ListRecords => list_records,
    ListResults => list_results,
    GetHistory => get_history,
    ListRuns => list_runs,
    GetRun => get_run,
    ListRejects => list_rejects,
    SettleRun => settle_run,
    GetRetention => get_retention,
    GetSummary => get_summary,
});
