//! Everything that is no batch: reads, and writes of profiles, drones, reports. Each takes a connection from a bounded
//! pool. All of them run on one thread with a runtime of its own, since a connection lives and dies with the runtime
//! that opened it, and those of web workers come and go; a caller who gives up leaves nothing half done on the wire.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sqlx::Connection;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow, Postgres};
use sqlx::query::Query;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::connect::{Connector, POOL_PATIENCE};
use super::error::{of_commit, of_network, over_network};
use crate::store::error::StoreError;
use crate::store::vitals::Counters;

/// Longer than the server lets any statement run: beyond it the way to the server is dead.
const PATIENCE: Duration = Duration::from_secs(40);
/// A new key links all records of a profile anew, in one transaction.
pub(super) const LINKING_PATIENCE: Duration = Duration::from_secs(660);
/// A transaction that met another process on one row is tried so often.
pub(super) const ATTEMPTS: u32 = 6;

pub(super) type Ask = Query<'static, Postgres, PgArguments>;

/// One write, in a transaction of its own. May be run again where it met another process's.
pub(super) trait Write: Send + Sync + 'static {
    type Output: Send + 'static;

    /// How long it may take in all.
    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn run(&self, db: &mut PgConnection) -> impl Future<Output = Result<Self::Output, StoreError>> + Send;
}

/// The pool and its thread; the thread ends with the value.
#[derive(Debug)]
pub(super) struct Desk {
    pool: PgPool,
    connections: u32,
    handle: Handle,
    counters: Arc<Counters>,
    _end: oneshot::Sender<()>,
}

impl Desk {
    pub(super) fn new(connector: &Connector, connections: u32, counters: &Arc<Counters>) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Engine(format!("starting the store's thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let pool = {
            let _inside = handle.enter();
            connector.pool(connections)
        };
        let (end, ended) = oneshot::channel::<()>();
        let thread = move || {
            // Resolves when the desk is dropped.
            let _ = runtime.block_on(ended);
        };
        std::thread::Builder::new().name("store-desk".into()).spawn(thread).map_err(failed)?;
        Ok(Self { pool, connections, handle, counters: Arc::clone(counters), _end: end })
    }

    pub(super) async fn all(&self, ask: Ask) -> Result<Vec<PgRow>, StoreError> {
        let pool = self.pool.clone();
        let work = async move {
            let mut db = pool.acquire().await?;
            let answer = timeout(PATIENCE, ask.fetch_all(&mut *db)).await;
            settle(db, answer)
        };
        self.at_desk(work).await
    }

    pub(super) async fn optional(&self, ask: Ask) -> Result<Option<PgRow>, StoreError> {
        let pool = self.pool.clone();
        let work = async move {
            let mut db = pool.acquire().await?;
            let answer = timeout(PATIENCE, ask.fetch_optional(&mut *db)).await;
            settle(db, answer)
        };
        self.at_desk(work).await
    }

    /// Runs a write and commits it; again where it met another process.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        if self.counters.closed.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let pool = self.pool.clone();
        let work = async move {
            let mut attempt = 1;
            loop {
                match once(&pool, &write).await {
                    Err(StoreError::Raced(_)) if attempt < ATTEMPTS => pause(attempt).await,
                    settled => return Ok(settled),
                }
                attempt += 1;
            }
        };
        let outcome = self.at_desk(work).await?;
        if outcome.is_ok() {
            self.counters.writes.fetch_add(1, Relaxed);
            self.counters.commits.fetch_add(1, Relaxed);
        }
        outcome
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    /// Runs on the desk's thread, to its end also when the caller has gone.
    #[expect(clippy::disallowed_methods, reason = "the task is awaited at once, and its panic is told to the caller")]
    async fn at_desk<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.handle.spawn(work).await {
            Ok(Err(sqlx::Error::PoolTimedOut)) => Err(self.no_connection()),
            Ok(outcome) => outcome.map_err(of_network),
            Err(gone) => Err(StoreError::Engine(format!("the store's thread failed: {gone}"))),
        }
    }

    /// The pool tries until its patience ends, and does not say why it failed.
    fn no_connection(&self) -> StoreError {
        if self.pool.size() < self.connections {
            return StoreError::Unreachable(format!("no connection within {POOL_PATIENCE:?}"));
        }
        StoreError::Busy(format!("all {} connections are in use; see store.connections", self.connections))
    }
}

/// A connection whose answer did not come is closed, and not given back.
fn settle<T>(db: PoolConnection<Postgres>, answer: Result<Result<T, sqlx::Error>, Elapsed>) -> Result<T, sqlx::Error> {
    answer.unwrap_or_else(|_| {
        drop(db.detach());
        Err(silent())
    })
}

fn silent() -> sqlx::Error {
    sqlx::Error::Protocol(format!("no answer within {PATIENCE:?}"))
}

async fn once<W: Write>(pool: &PgPool, write: &W) -> Result<W::Output, StoreError> {
    let mut db = pool.acquire().await.map_err(of_network)?;
    let outcome = timeout(write.patience(), transact(&mut db, write)).await;
    outcome.unwrap_or_else(|_| {
        drop(db.detach());
        Err(StoreError::OutcomeUnknown(format!("no answer within {:?}", write.patience())))
    })
}

async fn transact<W: Write>(db: &mut PgConnection, write: &W) -> Result<W::Output, StoreError> {
    let mut transaction = db.begin().await.map_err(of_network)?;
    // Dropped where it fails: rolled back.
    let output = write.run(&mut transaction).await.map_err(over_network)?;
    transaction.commit().await.map_err(of_commit)?;
    Ok(output)
}

/// Waits a little, and not as long as whoever it met.
pub(super) async fn pause(attempt: u32) {
    let most_ms = 5 << attempt.min(6);
    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=most_ms))).await;
}
