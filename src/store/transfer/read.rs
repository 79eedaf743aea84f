//! Reads the lines of a tenant out of a store, a page at a time, so that memory does not grow with the store.

use serde_json::value::RawValue;

use super::lines::{BatchLine, FORMAT, Line, ProfileLine, Tally, Totals, VersionLine};
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::run::{RunReport, RunState};
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::record_set::unpack_ranges;
use crate::store::rows::{digest_of, needs_of, shown, state, stored};
use crate::store::sql::{Cells, Reads, values};
use crate::store::tenants::Tenant;

/// Rows read at a time.
const PAGE: i64 = 100;

const PROFILES: &str = "SELECT id, profile_id, CAST(CASE WHEN paused THEN 1 ELSE 0 END AS BIGINT), deleted_ms,
        (SELECT v.digest FROM profile_versions v WHERE v.id = profiles.version), updated_ms
    FROM profiles WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const VERSIONS: &str = "SELECT turn, name, version, yaml, key_dims, needs,
        CAST(CASE WHEN enabled THEN 1 ELSE 0 END AS BIGINT), origin, path, created_ms
    FROM profile_versions WHERE profile = $1 AND turn > $2 ORDER BY turn LIMIT $3";
const BATCHES: &str = "SELECT b.id, p.profile_id, r.run_id, d.name, b.batch_key, b.digest, b.received_ms, b.rejected,
        r.state, r.started_ms, r.finished_ms, v.name, r.requests, r.bytes, r.rows, r.dropped, r.error, y.replay_of,
        CAST(CASE WHEN b.id = (SELECT max(l.id) FROM batches l WHERE l.run = b.run) THEN 1 ELSE 0 END AS BIGINT),
        b.record_set, b.inserted + b.known
    FROM batches b JOIN runs r ON r.id = b.run JOIN profiles p ON p.id = b.profile JOIN names d ON d.id = r.drone
    LEFT JOIN names v ON v.id = r.profile_digest LEFT JOIN replays y ON y.run = r.id
    WHERE b.id > $2 AND r.tenant_id = $1 ORDER BY b.id LIMIT $3";
const SET: &str = "SELECT ids FROM record_sets WHERE id = $1";
const RECORDS: &str = "SELECT body FROM records WHERE id >= $1 AND id <= $2 ORDER BY id";

/// Where lines go.
pub(in crate::store) type Sink<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), StoreError> + Send);

/// Hands all lines to `sink`, the end included.
pub(in crate::store) async fn read_lines(
    engine: &impl Reads,
    tenant: Tenant,
    sink: Sink<'_>,
) -> Result<Totals, StoreError> {
    let mut out = Out { tally: Tally::default(), sink };
    out.put(&Line::ChartlyExport { format: FORMAT })?;
    let mut states = Vec::new();
    let mut after = 0;
    loop {
        let page = engine.read(PROFILES, values![tenant.0, after, PAGE]).await?;
        let Some(last) = page.last() else { break };
        after = last.number(0)?;
        for row in &page {
            let profile_id = stored(ProfileId::parse(row.text(1)?))?;
            versions(engine, row.number(0)?, &profile_id, &mut out).await?;
            states.push(ProfileLine {
                profile_id,
                paused: row.number(2)? != 0,
                deleted_ms: row.maybe_number(3)?,
                current: digest_of(row.bytes(4)?)?,
                updated_ms: row.number(5)?,
            });
        }
    }
    batches(engine, tenant, &mut out).await?;
    states.into_iter().try_for_each(|state| out.put(&Line::Profile(state)))?;
    let totals = out.tally.totals();
    out.put(&Line::End(totals.clone()))?;
    Ok(totals)
}

struct Out<'a> {
    tally: Tally,
    sink: Sink<'a>,
}

impl Out<'_> {
    fn put(&mut self, line: &Line) -> Result<(), StoreError> {
        let text = serde_json::to_vec(line).map_err(broken)?;
        self.tally.count(line, &text);
        (self.sink)(&text)
    }
}

async fn versions(
    engine: &impl Reads,
    profile: i64,
    profile_id: &ProfileId,
    out: &mut Out<'_>,
) -> Result<(), StoreError> {
    let mut after = -1;
    loop {
        let page = engine.read(VERSIONS, values![profile, after, PAGE]).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.number(0)?;
        for row in &page {
            let origin = serde_json::from_value(row.text(7)?.into()).map_err(broken)?;
            out.put(&Line::Version(VersionLine {
                profile_id: profile_id.clone(),
                name: row.text(1)?.to_owned(),
                version: row.text(2)?.to_owned(),
                yaml: row.text(3)?.to_owned(),
                key: row.maybe_text(4)?.map_or_else(|| Ok(Vec::new()), serde_json::from_str).map_err(broken)?,
                needs: needs_of(row.maybe_text(5)?)?,
                enabled: row.number(6)? != 0,
                origin,
                path: row.maybe_text(8)?.map(str::to_owned),
                created_ms: row.number(9)?,
            }))?;
        }
    }
}

async fn batches(engine: &impl Reads, tenant: Tenant, out: &mut Out<'_>) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = engine.read(BATCHES, values![tenant.0, after, PAGE]).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.number(0)?;
        for row in &page {
            let records = match row.maybe_number(19)? {
                Some(set) => records_of(engine, set).await?,
                None => Vec::new(),
            };
            out.put(&Line::Batch(Box::new(batch_of(row, records)?)))?;
        }
    }
}

fn batch_of(row: &impl Cells, records: Vec<Box<RawValue>>) -> Result<BatchLine, StoreError> {
    let is_last = row.number(18)? != 0;
    Ok(BatchLine {
        profile_id: stored(ProfileId::parse(row.text(1)?))?,
        run_id: stored(RunId::parse(row.text(2)?))?,
        drone_id: stored(DroneId::parse(row.text(3)?))?,
        key: hex::encode(row.bytes(4)?),
        digest: hex::encode(row.bytes(5)?),
        received_ms: row.number(6)?,
        rejected: u32::try_from(row.number(7)?).unwrap_or(u32::MAX),
        named: usize::try_from(row.number(20)?).unwrap_or(0),
        run: RunReport {
            state: if is_last { state(row.number(8)?)? } else { RunState::Running },
            started_ms: row.number(9)?,
            finished_ms: row.maybe_number(10)?,
            profile_digest: row.maybe_text(11)?.map(str::to_owned),
            requests: shown(row.number(12)?),
            bytes: shown(row.number(13)?),
            rows: shown(row.number(14)?),
            dropped: shown(row.number(15)?),
            error: row.maybe_text(16)?.map(str::to_owned),
            replay_of: row.maybe_text(17)?.map(|run| stored(RunId::parse(run))).transpose()?,
            rejects: None,
            shape: None,
            drift: None,
        },
        records,
    })
}

/// The records of a set in its order; those that retention has removed are left out.
async fn records_of(engine: &impl Reads, set: i64) -> Result<Vec<Box<RawValue>>, StoreError> {
    let found = engine.read(SET, values![set]).await?;
    let Some(row) = found.first() else { return Ok(Vec::new()) };
    let ranges = unpack_ranges(row.bytes(0)?, MAX_RECORDS).map_err(broken)?;
    let mut records = Vec::new();
    for (first, last) in ranges {
        for record in engine.read(RECORDS, values![first, last]).await? {
            records.push(RawValue::from_string(record.text(0)?.to_owned()).map_err(broken)?);
        }
    }
    Ok(records)
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn broken(error: impl ToString) -> StoreError {
    StoreError::Engine(format!("what is stored does not read back: {}", error.to_string()))
}
