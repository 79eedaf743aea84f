//! Stores the lines of an export, each by the way of every other write and once however often it comes.

use std::sync::Arc;

use super::lines::{BatchLine, VersionLine};
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::domain::record::push_record;
use crate::protocol::batch::Batch;
use crate::store::error::StoreError;
use crate::store::held::Holder;
use crate::store::posted::Posted;
use crate::store::sql::sixteen;
use crate::store::tenants::Tenant;
use crate::store::types::NewVersion;

/// Stores a batch under the names that it had, at the time that it arrived.
pub(in crate::store) async fn store_line(
    engine: &impl Holder,
    tenant: Tenant,
    line: BatchLine,
) -> Result<(), StoreError> {
    let named = |text: &str| hex::decode(text).map_err(|error| StoreError::Engine(format!("a batch's name: {error}")));
    let (key, digest) = (named(&line.key)?, sixteen(&named(&line.digest)?)?);
    let at = (tenant, Arc::clone(engine.keys()), line.received_ms);
    let repeated = line.named.saturating_sub(line.records.len());
    let mut posted = Posted::kept(at, batch_of(line)?, key, digest);
    posted.repeated = repeated;
    engine.store(posted).await.map(drop)
}

fn batch_of(line: BatchLine) -> Result<Batch, StoreError> {
    let bytes = line.records.iter().map(|record| record.get().len()).sum();
    let mut records = Records::with_capacity(line.records.len(), bytes);
    for record in &line.records {
        push_record(&mut records, record.get())
            .map_err(|reason| StoreError::Engine(format!("a record of run {}: {reason}", line.run_id)))?;
    }
    Ok(Batch {
        drone_id: line.drone_id,
        profile_id: line.profile_id,
        run_id: line.run_id,
        seq: None,
        records,
        rejects: Vec::new(),
        rejected: line.rejected,
        run: Some(line.run),
        hold: false,
    })
}

impl From<VersionLine> for NewVersion {
    fn from(line: VersionLine) -> Self {
        Self {
            id: line.profile_id,
            name: line.name,
            version: line.version,
            digest: Digest::of(line.yaml.as_bytes()),
            yaml: line.yaml,
            key: line.key,
            needs: line.needs,
            enabled: line.enabled,
            origin: line.origin,
            path: line.path,
        }
    }
}
