//! The aggregator: batches in, exactly once; records, results, runs and the summary out. It holds nothing that the
//! store does not: group commit, counts and idempotency are the store's.

use actix::{Actor, Context, Supervised};

use super::answers;
use super::events::{Event, Events};
use crate::protocol::aggregator::{
    GetHistory, GetRun, GetSummary, ListRecords, ListResults, ListRuns, Receipt, RecordRow, RunView, StoreBatch,
    Summary,
};
use crate::protocol::fault::Fault;
use crate::protocol::paging::Page;
use crate::runtime::Clock;
use crate::store::Store;

/// What the aggregator is rebuilt from.
#[derive(Debug, Clone)]
pub struct Seed {
    pub store: Store,
    pub clock: Clock,
    pub events: Events,
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

    async fn get_summary(seed: Seed, message: GetSummary) -> Result<Summary, Fault> {
        Ok(seed.store.tenant(&message.tenant).summary().await?)
    }
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
    GetSummary => get_summary,
});
