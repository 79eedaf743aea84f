//! Storing batches: each waits for the writer, which stores all that wait in one transaction.

use std::sync::Arc;

use super::Postgres;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::held::{Holder, store_held};
use crate::store::posted::Posted;
use crate::store::queue::Caller;
use crate::store::tenants::Tenant;
use crate::store::writer::Job;

/// A batch, what became of it, and the one who waits for that.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) posted: Posted,
    pub(super) outcome: Option<Result<Receipt, StoreError>>,
    pub(super) caller: Caller<Receipt>,
}

impl Job for Waiting {
    fn records(&self) -> usize {
        self.posted.weight()
    }

    fn answer(self, committed: Result<(), StoreError>) {
        self.caller.answer(self.outcome, committed);
    }
}

impl Postgres {
    pub(in crate::store) async fn store_batch(
        &self,
        tenant: Tenant,
        batch: Batch,
        now_ms: i64,
    ) -> Result<Receipt, StoreError> {
        let posted = Posted::new(tenant, batch, Arc::clone(&self.keys), now_ms);
        let receipt = match posted.batch.is_held() {
            true => Box::pin(store_held(self, posted, self.max_held_bytes)).await?,
            false => self.store(posted).await?,
        };
        self.counters.count_batch(&receipt);
        Ok(receipt)
    }
}
