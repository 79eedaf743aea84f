//! Batches of runs whose records are held until the run was judged. A held batch is kept as it came, packed, and is
//! stored later by the very way of every other batch: once, in its turn. What is sent again is answered as before.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use super::batches::Found;
use super::findings::{self, Of, Total, count, told};
use super::job::{Bench, Write};
use super::quarantine::{Room, discard};
use crate::domain::drift::{Change, ChangeKind, Fate, Then};
use crate::domain::ids::RunId;
use crate::protocol::aggregator::{DriftTold, Receipt};
use crate::protocol::batch::{Batch, write_batch};
use crate::store::error::StoreError;
use crate::store::keys::Keys;
use crate::store::posted::Posted;
use crate::store::run_facts::StoredRun;
use crate::store::tenants::Tenant;

/// Held batches that are stored in one transaction.
const BATCHES_AT_ONCE: i64 = 4;
/// Speed matters more than the last tenth of the size.
const ZSTD_LEVEL: i32 = 1;

impl Sqlite {
    /// Stores a batch of a run that is judged before its records count. The answer to the last one means that the run
    /// was judged and that what is accepted is stored.
    pub(super) async fn store_held(&self, tenant: Tenant, batch: Batch, now_ms: i64) -> Result<Receipt, StoreError> {
        let store = Posted::new(tenant, batch, Arc::clone(&self.keys), now_ms);
        let (next, store) = self.write_back(Hold { store, max_bytes: self.max_held_bytes }).await?;
        match next {
            Next::Done(receipt) => Ok(receipt),
            Next::Store { run, drift, discarded } => {
                self.move_held(tenant, run, now_ms).await?;
                let receipt = self.write(store).await?;
                Ok(Receipt { drift, discarded, ..receipt })
            }
            Next::Fail { drift, discarded } => {
                let receipt = self.write(store.failed(&drift.changes)).await?;
                Ok(Receipt { drift: Some(drift), discarded, ..receipt })
            }
        }
    }

    /// Stores what is held of a run, some at a time.
    pub(super) async fn move_held(&self, tenant: Tenant, run: i64, now_ms: i64) -> Result<(), StoreError> {
        while self.write(Move { tenant, run, now_ms, keys: Arc::clone(&self.keys) }).await? > 0 {}
        Ok(())
    }

    /// Runs a write that gives its batch back.
    async fn write_back(&self, hold: Hold) -> Result<(Next, Posted), StoreError> {
        let next = self.write(hold.clone()).await?;
        Ok((next, hold.store))
    }
}

/// What comes after a batch was looked at.
enum Next {
    Done(Receipt),
    /// Store what is held of the run, then the batch.
    Store {
        run: i64,
        drift: Option<DriftTold>,
        discarded: Vec<RunId>,
    },
    /// Store the report alone, as that of a run that failed.
    Fail {
        drift: DriftTold,
        discarded: Vec<RunId>,
    },
}

#[derive(Clone)]
struct Hold {
    store: Posted,
    max_bytes: u64,
}

impl Write for Hold {
    type Output = Next;

    fn records(&self) -> usize {
        self.store.records()
    }

    fn bytes(&self) -> usize {
        self.store.bytes()
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<Next, StoreError> {
        let store = &self.store;
        let row = store.find(bench.db).await?;
        let owner: Option<i64> = row.try_get("id")?;
        if let Some(receipt) = store.replay(&row)? {
            let drift = if store.batch.last_report().is_some() { told_of(bench.db, owner).await? } else { None };
            return Ok(Next::Done(Receipt { drift, ..receipt }));
        }
        let found = store.judge(bench.db, &row).await?;
        if let Some(receipt) = self.held_before(bench.db, owner).await? {
            return Ok(Next::Done(receipt));
        }
        self.take(bench.db, found).await
    }
}

async fn told_of(db: &mut SqliteConnection, run: Option<i64>) -> Result<Option<DriftTold>, StoreError> {
    match run {
        Some(run) => told(db, run).await,
        None => Ok(None),
    }
}

impl Hold {
    /// The receipt of then, where this very batch is held.
    async fn held_before(&self, db: &mut SqliteConnection, run: Option<i64>) -> Result<Option<Receipt>, StoreError> {
        let Some(run) = run else { return Ok(None) };
        let store = &self.store;
        let query = sqlx::query("SELECT digest FROM held WHERE run = ? AND batch_key = ?");
        let Some(row) = query.bind(run).bind(&store.key[..]).fetch_optional(&mut *db).await? else { return Ok(None) };
        if row.try_get::<&[u8], _>(0)? != store.digest {
            return Err(store.batch_conflict());
        }
        let drift = if store.batch.last_report().is_some() { told(db, run).await? } else { None };
        Ok(Some(Receipt { drift, replayed: true, ..self.receipt() }))
    }

    async fn take(&self, db: &mut SqliteConnection, found: Found) -> Result<Next, StoreError> {
        let batch = &self.store.batch;
        let run = self.store.known_run(db, found).await?;
        let of = Of {
            profile: run.profile,
            run: run.row.unwrap_or_default(),
            version: run.profile_digest.unwrap_or(0),
            now_ms: self.store.now_ms,
        };
        let mut drift = told(db, of.run).await?;
        let mut discarded = Vec::new();
        let is_over = run.facts.state.is_final();
        if let Some(report) = batch.last_report()
            && !is_over
            && drift.as_ref().is_none_or(|drift| drift.fate.is_none())
        {
            let rule = report.drift.unwrap_or_default();
            let at_drift = if rule.then == Then::Fail { Fate::Failed } else { Fate::Waiting };
            findings::note_rows(db, of, report).await?;
            drift = findings::judge(db, of, report, Some(at_drift)).await?;
            discarded = Room { of, max_bytes: self.max_bytes }.clear_old(db).await?;
        }
        self.follow(db, of, run, drift, discarded).await
    }

    /// Does with the batch what the judgement says.
    async fn follow(
        &self,
        db: &mut SqliteConnection,
        of: Of,
        run: StoredRun,
        drift: Option<DriftTold>,
        mut discarded: Vec<RunId>,
    ) -> Result<Next, StoreError> {
        let is_last = self.store.batch.last_report().is_some();
        let fate = drift.as_ref().and_then(|drift| drift.fate);
        let is_over = run.facts.state.is_final();
        // Once the run was accepted its other batches are stored too, also one that the last has overtaken.
        let is_accepted = matches!(fate, Some(Fate::Accepted | Fate::Released));
        match (fate, drift) {
            (_, drift) if is_accepted || (fate.is_none() && (is_last || is_over)) => {
                if is_last && fate.is_none() && !is_over {
                    findings::set_fate(db, of, Some(Fate::Accepted)).await?;
                }
                Ok(Next::Store { run: of.run, drift: drift.filter(|drift| !drift.changes.is_empty()), discarded })
            }
            (Some(Fate::Failed), Some(drift)) => {
                discard(db, of, Fate::Failed).await?;
                if is_last {
                    return Ok(Next::Fail { drift, discarded });
                }
                self.put(db, of, run, None).await?;
                Ok(Next::Done(self.receipt()))
            }
            (Some(Fate::Discarded), drift) => {
                self.put(db, of, run, None).await?;
                Ok(Next::Done(Receipt { drift, discarded, ..self.receipt() }))
            }
            (_, drift) => {
                let packed = self.pack()?;
                let room = Room { of, max_bytes: self.max_bytes };
                let fits = room.make(db, packed.len() as u64, &mut discarded).await?;
                self.put(db, of, run, fits.then_some(packed)).await?;
                if fits {
                    return Ok(Next::Done(Receipt { drift, discarded, ..self.receipt() }));
                }
                let failed = self.too_large(db, of).await?;
                Ok(if is_last {
                    Next::Fail { drift: failed, discarded }
                } else {
                    Next::Done(Receipt { discarded, ..self.receipt() })
                })
            }
        }
    }

    /// The run alone takes more than may be held: it fails as a whole.
    async fn too_large(&self, db: &mut SqliteConnection, of: Of) -> Result<DriftTold, StoreError> {
        let change = Change {
            field: "rows".into(),
            kind: ChangeKind::TooLarge,
            before: format!("at most {} MiB of records, packed, may be held", self.max_bytes >> 20),
            after: "more of one run; let it keep what it yields, or ask for less at once".into(),
        };
        let drift = DriftTold { drifted: false, changes: vec![change], fate: Some(Fate::Failed) };
        findings::keep_changes(db, of, &drift.changes, false, None).await?;
        discard(db, of, Fate::Failed).await?;
        // The last batch is told by its report alone.
        if self.store.batch.last_report().is_some() {
            let forget = sqlx::query("DELETE FROM held WHERE run = ? AND batch_key = ?");
            forget.bind(of.run).bind(&self.store.key[..]).execute(db).await?;
        }
        Ok(drift)
    }

    /// Keeps the batch's name, with its records or without.
    async fn put(
        &self,
        db: &mut SqliteConnection,
        of: Of,
        mut run: StoredRun,
        packed: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let store = &self.store;
        let before = run.facts.state;
        run.facts.hear(&store.batch, of.now_ms);
        store.save_run(db, &run, of.run, Some(before)).await?;
        findings::note_refused(db, of, &store.batch).await?;
        let bytes = packed.as_ref().map_or(0, Vec::len) as i64;
        let text = "INSERT INTO held (profile, run, batch_key, digest, records, rejected, held_ms, bytes, body)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let query = sqlx::query(text).bind(of.profile).bind(of.run).bind(&store.key[..]).bind(&store.digest[..]);
        let query = query.bind(store.batch.records.len() as i64).bind(store.batch.rejected).bind(of.now_ms);
        query.bind(bytes).bind(packed).execute(&mut *db).await?;
        count(db, of.profile, Total::Held, bytes).await
    }

    fn pack(&self) -> Result<Vec<u8>, StoreError> {
        let Batch { drone_id, profile_id, run_id, seq, records, .. } = &self.store.batch;
        let body = write_batch(drone_id, profile_id, run_id, *seq, records, None, false);
        let failed = |error| StoreError::Engine(format!("packing a batch: {error}"));
        zstd::bulk::compress(&body, ZSTD_LEVEL).map_err(failed)
    }

    fn receipt(&self) -> Receipt {
        let batch = &self.store.batch;
        Receipt {
            run_id: batch.run_id.clone(),
            inserted: 0,
            known: 0,
            revised: 0,
            rejected: batch.rejected,
            rejects: batch.rejects.clone(),
            replayed: false,
            held: u32::try_from(batch.records.len()).unwrap_or(u32::MAX),
            drift: None,
            discarded: Vec::new(),
        }
    }
}

/// Stores some held batches of a run; gives their number.
struct Move {
    tenant: Tenant,
    run: i64,
    now_ms: i64,
    keys: Arc<Keys>,
}

impl Write for Move {
    type Output = usize;

    fn records(&self) -> usize {
        // A group of its own.
        usize::MAX / 2
    }

    async fn run(&self, bench: &mut Bench<'_>) -> Result<usize, StoreError> {
        let text = "SELECT h.id, h.profile, h.batch_key, h.digest, h.rejected, h.bytes, h.body FROM held h
            JOIN runs r ON r.id = h.run WHERE r.tenant_id = ? AND h.run = ? AND h.body IS NOT NULL
            ORDER BY h.id LIMIT ?";
        let query = sqlx::query(text).bind(self.tenant.0).bind(self.run).bind(BATCHES_AT_ONCE);
        let rows = query.fetch_all(&mut *bench.db).await?;
        for row in &rows {
            let mut batch = unpack(row.try_get("body")?)?;
            batch.rejected = row.try_get("rejected")?;
            let (key, digest) = (row.try_get::<Vec<u8>, _>("batch_key")?, row.try_get::<Vec<u8>, _>("digest")?);
            let forget = sqlx::query("DELETE FROM held WHERE id = ?").bind(row.try_get::<i64, _>("id")?);
            forget.execute(&mut *bench.db).await?;
            count(bench.db, row.try_get("profile")?, Total::Held, -row.try_get::<i64, _>("bytes")?).await?;
            let at = (self.tenant, Arc::clone(&self.keys), self.now_ms);
            Posted::kept(at, batch, key, &digest)?.store_kept(bench).await?;
        }
        Ok(rows.len())
    }
}

fn unpack(body: &[u8]) -> Result<Batch, StoreError> {
    let failed = |error: String| StoreError::Engine(format!("a held batch does not read back: {error}"));
    let text = zstd::stream::decode_all(body).map_err(|error| failed(error.to_string()))?;
    Batch::from_kept(&text).map_err(|error| failed(error.to_string()))
}
