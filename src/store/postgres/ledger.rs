//! What is written down about the batches of a group beside their records: the sets of what they saw, the batches, their
//! runs, and the counters of their profiles; all in one statement.

use std::collections::HashMap;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Row, query};

use super::text::kept;
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::store::error::StoreError;
use crate::store::run_facts::{Outcome, StoredRun, state_number};
use crate::store::tenants::Tenant;

/// A run with the batches of this group taken in.
#[derive(Debug, Clone)]
pub(super) struct LiveRun {
    pub(super) row: i64,
    pub(super) tenant: Tenant,
    pub(super) run_id: RunId,
    pub(super) run: StoredRun,
}

/// A new batch.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) profile: i64,
    pub(super) run: i64,
    pub(super) key: Vec<u8>,
    pub(super) digest: [u8; 16],
    pub(super) outcome: Outcome,
    pub(super) record_set: Option<i64>,
    pub(super) received_ms: i64,
}

/// A set of records that was never seen before.
#[derive(Debug)]
pub(super) struct NewSet {
    pub(super) id: i64,
    pub(super) digest: [u8; 16],
    pub(super) packed: Vec<u8>,
}

/// By how much the counters of a profile grow.
#[derive(Debug, Default)]
pub(super) struct Growth {
    pub(super) records: i64,
    pub(super) results: i64,
    pub(super) runs: [i64; 5],
    pub(super) last_run: i64,
    pub(super) last_received_ms: i64,
    /// By how much the number of replaced records grows.
    pub(super) replaced: i64,
    /// Start of the latest run of which something was stored.
    pub(super) seen_ms: Option<i64>,
}

/// All that a group writes down.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) sets: Vec<NewSet>,
    pub(super) entries: Vec<Entry>,
    pub(super) runs: Vec<LiveRun>,
    pub(super) growth: HashMap<i64, Growth>,
}

const WRITE: &str = "
    WITH new_sets AS (
        INSERT INTO record_sets (id, digest, ids) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])),
    new_batches AS (
        INSERT INTO batches (id, profile, run, batch_key, digest, inserted, known, rejected, record_set, received_ms,
            revised)
        SELECT * FROM unnest($4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bigint[],
            $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $43::bigint[])),
    their_runs AS (
        INSERT INTO runs (id, tenant_id, run_id, profile, drone, profile_digest, state, started_ms, finished_ms,
            received_ms, batches, inserted, known, rejected, requests, bytes, rows, dropped, error,
            revised)
        SELECT * FROM unnest($14::bigint[], $15::bigint[], $16::text[], $17::bigint[], $18::bigint[], $19::bigint[],
            $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[],
            $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[], $32::text[],
            $44::bigint[])
        ON CONFLICT (id) DO UPDATE SET profile_digest = excluded.profile_digest, state = excluded.state,
            started_ms = excluded.started_ms, finished_ms = excluded.finished_ms, received_ms = excluded.received_ms,
            batches = excluded.batches, inserted = excluded.inserted, known = excluded.known,
            rejected = excluded.rejected, requests = excluded.requests, bytes = excluded.bytes, rows = excluded.rows,
            dropped = excluded.dropped, error = excluded.error, revised = excluded.revised)
    UPDATE counters c SET records = c.records + g.records, results = c.results + g.results,
        running = c.running + g.running, succeeded = c.succeeded + g.succeeded, unchanged = c.unchanged + g.unchanged,
        partial = c.partial + g.partial, failed = c.failed + g.failed, last_run = g.last_run,
        last_received_ms = greatest(c.last_received_ms, g.last_received_ms), replaced = c.replaced + g.replaced,
        seen_ms = greatest(c.seen_ms, g.seen_ms)
    FROM unnest($33::bigint[], $34::bigint[], $35::bigint[], $36::bigint[], $37::bigint[], $38::bigint[],
        $39::bigint[], $40::bigint[], $41::bigint[], $42::bigint[], $45::bigint[], $46::bigint[])
        AS g (profile, records, results, running, succeeded, unchanged, partial, failed, last_run, last_received_ms,
            replaced, seen_ms)
    WHERE c.profile = g.profile";

type Ask<'q> = Query<'q, sqlx::Postgres, PgArguments>;

impl Ledger {
    pub(super) async fn write(mut self, db: &mut PgConnection) -> Result<(), StoreError> {
        if self.runs.is_empty() {
            return Ok(());
        }
        // In one order: another process may begin a run of the same id for another profile.
        self.runs.sort_by(|left, right| (left.tenant.0, &left.run_id).cmp(&(right.tenant.0, &right.run_id)));
        let ask = self.bind_sets(query(WRITE));
        let ask = self.bind_entries(ask);
        let ask = self.bind_runs(ask);
        let ask = self.bind_growth(ask);
        self.bind_revised(ask).execute(db).await?;
        Ok(())
    }

    fn bind_sets<'q>(&'q self, ask: Ask<'q>) -> Ask<'q> {
        ask.bind(column(&self.sets, |set| set.id))
            .bind(column(&self.sets, |set| &set.digest[..]))
            .bind(column(&self.sets, |set| &set.packed[..]))
    }

    fn bind_entries<'q>(&'q self, ask: Ask<'q>) -> Ask<'q> {
        let entries = &self.entries;
        ask.bind(column(entries, |entry| entry.id))
            .bind(column(entries, |entry| entry.profile))
            .bind(column(entries, |entry| entry.run))
            .bind(column(entries, |entry| &entry.key[..]))
            .bind(column(entries, |entry| &entry.digest[..]))
            .bind(column(entries, |entry| i64::from(entry.outcome.inserted)))
            .bind(column(entries, |entry| i64::from(entry.outcome.known)))
            .bind(column(entries, |entry| i64::from(entry.outcome.rejected)))
            .bind(column(entries, |entry| entry.record_set))
            .bind(column(entries, |entry| entry.received_ms))
    }

    fn bind_runs<'q>(&'q self, ask: Ask<'q>) -> Ask<'q> {
        let runs = &self.runs;
        let ask = ask
            .bind(column(runs, |live| live.row))
            .bind(column(runs, |live| live.tenant.0))
            .bind(column(runs, |live| live.run_id.as_str()))
            .bind(column(runs, |live| live.run.profile))
            .bind(column(runs, |live| live.run.drone))
            .bind(column(runs, |live| live.run.profile_digest))
            .bind(column(runs, |live| state_number(live.run.facts.state)))
            .bind(column(runs, |live| live.run.facts.started_ms))
            .bind(column(runs, |live| live.run.facts.finished_ms))
            .bind(column(runs, |live| live.run.facts.received_ms));
        ask.bind(column(runs, |live| live.run.facts.batches))
            .bind(column(runs, |live| live.run.facts.inserted))
            .bind(column(runs, |live| live.run.facts.known))
            .bind(column(runs, |live| live.run.facts.rejected))
            .bind(column(runs, |live| live.run.facts.requests))
            .bind(column(runs, |live| live.run.facts.bytes))
            .bind(column(runs, |live| live.run.facts.rows))
            .bind(column(runs, |live| live.run.facts.dropped))
            .bind(column(runs, |live| live.run.facts.error.as_deref().map(kept)))
    }

    fn bind_growth<'q>(&'q self, ask: Ask<'q>) -> Ask<'q> {
        let all: Vec<(&i64, &Growth)> = self.growth.iter().collect();
        let ask = ask
            .bind(column(&all, |(profile, _)| **profile))
            .bind(column(&all, |(_, growth)| growth.records))
            .bind(column(&all, |(_, growth)| growth.results));
        let ask = RunState::ALL
            .into_iter()
            .fold(ask, |ask, state| ask.bind(column(&all, |(_, growth)| growth.runs[state_number(state) as usize])));
        ask.bind(column(&all, |(_, growth)| growth.last_run)).bind(column(&all, |(_, growth)| growth.last_received_ms))
    }
}

impl Ledger {
    /// What observations changed.
    fn bind_revised<'q>(&'q self, ask: Ask<'q>) -> Ask<'q> {
        ask.bind(column(&self.entries, |entry| i64::from(entry.outcome.revised)))
            .bind(column(&self.runs, |live| live.run.facts.revised))
            .bind(self.growth.values().map(|growth| growth.replaced).collect::<Vec<_>>())
            .bind(self.growth.values().map(|growth| growth.seen_ms).collect::<Vec<_>>())
    }
}

fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// The sets among these that are in the database already, by their digests.
pub(super) async fn kept_sets(
    db: &mut PgConnection,
    digests: &[[u8; 16]],
) -> Result<HashMap<[u8; 16], i64>, StoreError> {
    if digests.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Vec<&[u8]> = digests.iter().map(|digest| &digest[..]).collect();
    let rows = query("SELECT digest, id FROM record_sets WHERE digest = ANY($1)").bind(wanted).fetch_all(db).await?;
    let pair = |row: &sqlx::postgres::PgRow| {
        let digest: &[u8] = row.try_get(0)?;
        let digest = digest.try_into().map_err(|_| StoreError::Engine("a stored digest has not 16 bytes".into()))?;
        Ok((digest, row.try_get(1)?))
    };
    rows.iter().map(pair).collect()
}

/// The packed sets of all batches of these runs, each with its run.
pub(super) async fn sets_of_runs(db: &mut PgConnection, runs: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let text = "SELECT b.run, s.ids FROM batches b JOIN record_sets s ON s.id = b.record_set WHERE b.run = ANY($1)";
    let rows = query(text).bind(runs).fetch_all(db).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
