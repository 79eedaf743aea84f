//! Moving pages from the write-ahead log into the file, off the way of the writes. The bulk is moved by a connection
//! of its own while the writer goes on, in passes each of which leaves less; then the writer itself moves the little that
//! is left, which lets the log begin anew. When nothing is written the log is emptied.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;

use super::open;
use crate::store::error::StoreError;
use crate::store::vitals::Counters;

const PAGE_BYTES: i64 = 16 << 10;
/// Pages in the log that call for a checkpoint: 64 MiB.
const DUE_PAGES: i64 = 4_096;
/// Pages in the log that are worth emptying it when nothing is written: 1 MiB. Fewer may stay; emptying the log after
/// every lone write would only wear the disk.
const IDLE_PAGES: i64 = 64;
/// Commits between two looks at the log.
const LOOK_EVERY: u32 = 4;
/// Pages that the writer moves itself, while whoever writes waits.
const FINISH_PAGES: i64 = 256;
/// Passes of the other side; then the writer moves what is left, so that the log begins anew under any load.
const MAX_PASSES: u32 = 4;

/// The writer's side.
#[derive(Debug)]
pub(super) struct Checkpoints {
    counters: Arc<Counters>,
    orders: mpsc::Sender<()>,
    done: mpsc::Receiver<()>,
    since_look: u32,
    log_pages: i64,
    /// Of them, those that are in the log alone.
    unmoved_pages: i64,
    /// Of the other side, since a checkpoint was due.
    passes: u32,
    in_background: bool,
    /// Nothing was committed since the last rest.
    rested: bool,
}

/// The other side: a connection that does the moving.
#[derive(Debug)]
pub(super) struct Mover {
    file: PathBuf,
    orders: mpsc::Receiver<()>,
    done: mpsc::Sender<()>,
}

pub(super) fn pair(file: &Path, counters: Arc<Counters>) -> (Checkpoints, Mover) {
    let (orders, orders_receiver) = mpsc::channel(1);
    let (done_sender, done) = mpsc::channel(1);
    let checkpoints = Checkpoints {
        counters,
        orders,
        done,
        since_look: 0,
        log_pages: 0,
        unmoved_pages: 0,
        passes: 0,
        in_background: false,
        rested: true,
    };
    (checkpoints, Mover { file: file.to_owned(), orders: orders_receiver, done: done_sender })
}

impl Checkpoints {
    /// Called between groups.
    pub(super) async fn after_commit(&mut self, db: Option<&mut SqliteConnection>) {
        let Some(db) = db else { return };
        self.since_look += 1;
        self.rested = false;
        if self.in_background {
            if self.done.try_recv().is_ok() {
                self.moved(db).await;
            }
            return;
        }
        if self.since_look < LOOK_EVERY {
            return;
        }
        self.since_look = 0;
        self.look(db).await;
        if self.log_pages >= DUE_PAGES {
            self.passes = 0;
            self.in_background = self.orders.try_send(()).is_ok();
        }
    }

    /// The other side has moved what there was when it began. What came meanwhile it moves too, until so little is left
    /// that the writer can move it without being held up.
    async fn moved(&mut self, db: &mut SqliteConnection) {
        self.passes += 1;
        self.look(db).await;
        if self.unmoved_pages > FINISH_PAGES && self.passes < MAX_PASSES {
            self.in_background = self.orders.try_send(()).is_ok();
            return;
        }
        self.in_background = false;
        self.finish(db).await;
    }

    /// Whether there was a commit since the last rest.
    pub(super) fn wants_rest(&self) -> bool {
        !self.rested
    }

    /// Called when nothing has been written for a while.
    pub(super) async fn rest(&mut self, db: &mut SqliteConnection) {
        self.rested = true;
        self.look(db).await;
        if self.log_pages >= IDLE_PAGES {
            self.empty_log(db).await;
        }
    }

    /// Moves everything and cuts the log back to nothing. A reader in the middle of a page only delays it.
    pub(super) async fn empty_log(&mut self, db: &mut SqliteConnection) {
        self.since_look = 0;
        self.log_pages = 0;
        let outcome = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(db).await;
        self.counters.wal_bytes.store(0, Relaxed);
        self.note(outcome.map(|_| ()));
    }

    pub(super) async fn end(&mut self) {
        if self.in_background {
            self.done.recv().await;
        }
    }

    async fn look(&mut self, db: &mut SqliteConnection) {
        let row = sqlx::query("PRAGMA wal_checkpoint(NOOP)").fetch_one(db).await;
        let numbers = row.and_then(|row| Ok((row.try_get::<i64, _>(1)?, row.try_get::<i64, _>(2)?)));
        let (in_log, moved) = numbers.unwrap_or((0, 0));
        self.log_pages = in_log;
        self.unmoved_pages = in_log - moved;
        self.counters.wal_bytes.store(self.log_pages * PAGE_BYTES, Relaxed);
    }

    async fn finish(&mut self, db: &mut SqliteConnection) {
        let outcome = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(db).await;
        self.note(outcome.map(|_| ()));
    }

    fn note(&self, outcome: Result<(), sqlx::Error>) {
        match outcome {
            Ok(()) => drop(self.counters.checkpoints.fetch_add(1, Relaxed)),
            Err(error) => warn_of(&error.into()),
        }
    }
}

fn warn_of(error: &StoreError) {
    tracing::warn!(%error, "a checkpoint of the store failed; the log grows until one succeeds");
}

impl Mover {
    /// Runs until the writer is gone.
    pub(super) async fn serve(mut self) {
        let mut db = None;
        while self.orders.recv().await.is_some() {
            if let Err(error) = self.move_pages(&mut db).await {
                warn_of(&error);
                db = None;
            }
            if self.done.send(()).await.is_err() {
                break;
            }
        }
        if let Some(db) = db {
            open::close(db).await;
        }
    }

    async fn move_pages(&self, db: &mut Option<SqliteConnection>) -> Result<(), StoreError> {
        if db.is_none() {
            *db = Some(open::open_checkpointer(&self.file).await?);
        }
        if let Some(db) = db {
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(db).await?;
        }
        Ok(())
    }
}
