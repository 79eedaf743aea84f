//! Batches of runs whose records are held until the run was judged. A held batch is kept as it came, packed, and is
//! stored later by the very way of every other batch: once, in its turn. What is sent again is answered as before. The
//! same for every engine.

use std::future::Future;
use std::sync::Arc;

use super::error::StoreError;
use super::findings::{self, Of, Total, count, told};
use super::keys::Keys;
use super::posted::Posted;
use super::quarantine::{Decide, Room, discard};
use super::run_facts::StoredRun;
use super::sql::{Cells, Db, sixteen, values};
use super::tenants::Tenant;
use crate::domain::drift::{Change, ChangeKind, Fate, Then};
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::protocol::aggregator::{DriftTold, Receipt};
use crate::protocol::batch::{Batch, write_batch};

/// Held batches that are stored in one transaction.
const BATCHES_AT_ONCE: i64 = 4;
/// Speed matters more than the last tenth of the size.
const ZSTD_LEVEL: i32 = 1;

/// An engine that runs these writes, each in a transaction of its own.
pub(super) trait Holder: Sync {
    fn keys(&self) -> &Arc<Keys>;
    fn hold(&self, hold: Hold) -> impl Future<Output = Result<Next, StoreError>> + Send;
    fn decide(&self, decide: Decide) -> impl Future<Output = Result<i64, StoreError>> + Send;
    /// Takes some held batches and stores them; gives their number.
    fn store_some(&self, some: SomeHeld) -> impl Future<Output = Result<usize, StoreError>> + Send;
    /// Stores a batch by the way of every other.
    fn store(&self, posted: Posted) -> impl Future<Output = Result<Receipt, StoreError>> + Send;
}

/// What an engine knows of a batch that may be held, within a transaction.
pub(super) trait HoldsRuns: Db {
    type Found: Send;

    /// Takes the profile, and looks at what there is of the batch. Refuses what contradicts it.
    fn look(&mut self, posted: &Posted) -> impl Future<Output = Result<Look<Self::Found>, StoreError>> + Send;
    /// The run as it was before the batch, saved and with its row.
    fn known_run(
        &mut self,
        posted: &Posted,
        found: Self::Found,
    ) -> impl Future<Output = Result<StoredRun, StoreError>> + Send;
    /// Writes a run's row without a batch. `before` is its state until now.
    fn save_run(
        &mut self,
        posted: &Posted,
        run: &StoredRun,
        before: RunState,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What there is of a batch.
pub(super) enum Look<F> {
    Stored { run: i64, receipt: Receipt },
    New { run: Option<i64>, found: F },
}

/// Stores a batch of a run that is judged before its records count. The answer to the last one means that the run
/// was judged and that what is accepted is stored.
pub(super) async fn store_held(engine: &impl Holder, posted: Posted, max_bytes: u64) -> Result<Receipt, StoreError> {
    match engine.hold(Hold { posted: posted.clone(), max_bytes }).await? {
        Next::Done(receipt) => Ok(receipt),
        Next::Store { run, drift, discarded } => {
            store_all(engine, posted.tenant, run, posted.now_ms).await?;
            let receipt = engine.store(posted).await?;
            Ok(Receipt { drift, discarded, ..receipt })
        }
        Next::Fail { drift, discarded } => {
            let receipt = engine.store(posted.failed(&drift.changes)).await?;
            Ok(Receipt { drift: Some(drift), discarded, ..receipt })
        }
    }
}

/// Stores the records of a run that waits, or gives them up.
pub(super) async fn settle(
    engine: &impl Holder,
    tenant: Tenant,
    run_id: &RunId,
    release: bool,
    now_ms: i64,
) -> Result<(), StoreError> {
    let run = engine.decide(Decide { tenant, run_id: run_id.clone(), release, now_ms }).await?;
    if release { store_all(engine, tenant, run, now_ms).await } else { Ok(()) }
}

/// Stores what is held of a run, some at a time.
async fn store_all(engine: &impl Holder, tenant: Tenant, run: i64, now_ms: i64) -> Result<(), StoreError> {
    while engine.store_some(SomeHeld { tenant, run, now_ms, keys: Arc::clone(engine.keys()) }).await? > 0 {}
    Ok(())
}

/// What comes after a batch was looked at.
pub(super) enum Next {
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

/// A batch of a run whose records are held.
#[derive(Debug, Clone)]
pub(super) struct Hold {
    pub(super) posted: Posted,
    pub(super) max_bytes: u64,
}

impl Hold {
    pub(super) async fn run(&self, db: &mut impl HoldsRuns) -> Result<Next, StoreError> {
        let is_last = self.posted.batch.last_report().is_some();
        match db.look(&self.posted).await? {
            Look::Stored { run, receipt } => {
                let drift = if is_last { told(db, run).await? } else { None };
                Ok(Next::Done(Receipt { drift, ..receipt }))
            }
            Look::New { run, found } => match self.held_before(db, run).await? {
                Some(receipt) => Ok(Next::Done(receipt)),
                None => self.take(db, found).await,
            },
        }
    }

    /// The receipt of then, where this very batch is held.
    async fn held_before(&self, db: &mut impl Db, run: Option<i64>) -> Result<Option<Receipt>, StoreError> {
        let Some(run) = run else { return Ok(None) };
        let posted = &self.posted;
        let text = "SELECT digest FROM held WHERE run = $1 AND batch_key = $2";
        let Some(row) = db.first(text, values![run, &posted.key[..]]).await? else { return Ok(None) };
        if row.bytes(0)? != posted.digest {
            return Err(posted.batch_conflict());
        }
        let drift = if posted.batch.last_report().is_some() { told(db, run).await? } else { None };
        Ok(Some(Receipt { drift, replayed: true, ..self.receipt() }))
    }

    async fn take<D: HoldsRuns>(&self, db: &mut D, found: D::Found) -> Result<Next, StoreError> {
        let batch = &self.posted.batch;
        let run = db.known_run(&self.posted, found).await?;
        let of = Of {
            profile: run.profile,
            run: run.row.unwrap_or_default(),
            version: run.profile_digest.unwrap_or(0),
            now_ms: self.posted.now_ms,
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
        db: &mut impl HoldsRuns,
        of: Of,
        run: StoredRun,
        drift: Option<DriftTold>,
        mut discarded: Vec<RunId>,
    ) -> Result<Next, StoreError> {
        let is_last = self.posted.batch.last_report().is_some();
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
    async fn too_large(&self, db: &mut impl Db, of: Of) -> Result<DriftTold, StoreError> {
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
        if self.posted.batch.last_report().is_some() {
            let forget = "DELETE FROM held WHERE run = $1 AND batch_key = $2";
            db.run(forget, values![of.run, &self.posted.key[..]]).await?;
        }
        Ok(drift)
    }

    /// Keeps the batch's name, with its records or without.
    async fn put(
        &self,
        db: &mut impl HoldsRuns,
        of: Of,
        mut run: StoredRun,
        packed: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let posted = &self.posted;
        let before = run.facts.state;
        run.facts.hear(&posted.batch, of.now_ms);
        db.save_run(posted, &run, before).await?;
        findings::note_refused(db, of, &posted.batch).await?;
        let bytes = packed.as_ref().map_or(0, Vec::len) as i64;
        let text = "INSERT INTO held (profile, run, batch_key, digest, records, rejected, held_ms, bytes, body)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let (key, digest, records) = (&posted.key[..], &posted.digest[..], posted.batch.records.len() as i64);
        let rejected = posted.batch.rejected;
        db.run(text, values![of.profile, of.run, key, digest, records, rejected, of.now_ms, bytes, packed]).await?;
        count(db, of.profile, Total::Held, bytes).await
    }

    fn pack(&self) -> Result<Vec<u8>, StoreError> {
        let Batch { drone_id, profile_id, run_id, seq, records, .. } = &self.posted.batch;
        let body = write_batch(drone_id, profile_id, run_id, *seq, records, None, false);
        let failed = |error| StoreError::Engine(format!("packing a batch: {error}"));
        zstd::bulk::compress(&body, ZSTD_LEVEL).map_err(failed)
    }

    fn receipt(&self) -> Receipt {
        let batch = &self.posted.batch;
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

/// Some held batches of a run, on their way into the store.
#[derive(Debug, Clone)]
pub(super) struct SomeHeld {
    tenant: Tenant,
    run: i64,
    now_ms: i64,
    keys: Arc<Keys>,
}

impl SomeHeld {
    /// Takes them out of what is held; they are stored in the same transaction.
    pub(super) async fn take(&self, db: &mut impl Db) -> Result<Vec<Posted>, StoreError> {
        let owner = "SELECT profile FROM runs WHERE tenant_id = $1 AND id = $2";
        let Some(owner) = db.first(owner, values![self.tenant.0, self.run]).await? else { return Ok(Vec::new()) };
        let profile = owner.number(0)?;
        db.take_profile(profile).await?;
        let text = "SELECT id, batch_key, digest, rejected, bytes, body FROM held WHERE run = $1 AND body IS NOT NULL
            ORDER BY id LIMIT $2";
        let mut taken = Vec::new();
        for row in db.all(text, values![self.run, BATCHES_AT_ONCE]).await? {
            let mut batch = unpack(row.bytes(5)?)?;
            batch.rejected = u32::try_from(row.number(3)?).unwrap_or(u32::MAX);
            db.run("DELETE FROM held WHERE id = $1", values![row.number(0)?]).await?;
            count(db, profile, Total::Held, -row.number(4)?).await?;
            let at = (self.tenant, Arc::clone(&self.keys), self.now_ms);
            taken.push(Posted::kept(at, batch, row.bytes(1)?.to_vec(), sixteen(row.bytes(2)?)?));
        }
        Ok(taken)
    }
}

fn unpack(body: &[u8]) -> Result<Batch, StoreError> {
    let failed = |error: String| StoreError::Engine(format!("a held batch does not read back: {error}"));
    let text = zstd::stream::decode_all(body).map_err(|error| failed(error.to_string()))?;
    Batch::from_kept(&text).map_err(|error| failed(error.to_string()))
}
