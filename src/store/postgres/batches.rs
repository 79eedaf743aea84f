//! Storing batches: each waits for the writer, which stores all that wait in one transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Postgres;
use super::quarantine::not_judged;
use crate::protocol::aggregator::Receipt;
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::posted::Posted;
use crate::store::queue::Caller;
use crate::store::tenants::Tenant;
use crate::store::writer::Job;

/// A batch, what became of it, and the one who waits for that.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) posted: Posted,
    pub(super) outcome: Option<Result<Receipt, StoreError>>,
    caller: Caller<Receipt>,
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
        if self.counters.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        if batch.is_held() {
            return Err(not_judged("hold"));
        }
        let posted = Posted::new(tenant, batch, Arc::default(), now_ms);
        let bytes = posted.bytes_held();
        let receipt = self.queue.submit(bytes, |caller| Waiting { posted, outcome: None, caller }).await?;
        self.counters.count_batch(&receipt);
        Ok(receipt)
    }
}
