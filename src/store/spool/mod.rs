//! What a drone has fetched and not yet delivered, on disk: a small database of its own, bounded in bytes and in age.
//! At a bound the oldest batches go, and the caller is told how many. Beside the batches stands one note for each
//! profile (such as the validators of the last answer). A note travels with the batch it speaks of: it holds for good
//! only when that batch was acknowledged, and goes with any batch of its profile that is lost, so that nothing is taken
//! for known that the store never got.

mod work;

pub use work::Job;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::Mutex;

use super::error::StoreError;
use super::lock::FileLock;
use super::sqlite::inspect;
use crate::domain::ids::{ProfileId, RunId};
use crate::settings::{AtTheBound, Synchronous};

/// "CHSP".
const APPLICATION_ID: i32 = 0x4348_5350;
const LAYOUT: i64 = 2;
const CACHE_KIB: i64 = 512;
/// Speed and memory matter more to a drone than the last tenth of the size.
const ZSTD_LEVEL: i32 = 1;
/// Free pages given back to the disk with each removal.
const PAGES_GIVEN_BACK: &str = "PRAGMA incremental_vacuum(256)";

const SCHEMA: &str = "
CREATE TABLE batches (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    profile_id TEXT    NOT NULL,
    pushed_ms  INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    -- What holds once this batch is acknowledged.
    note       TEXT,
    -- JSON of a batch, zstd.
    body       BLOB    NOT NULL
) STRICT;
CREATE INDEX batches_of_profile ON batches (profile_id);
CREATE TABLE notes (
    profile_id TEXT PRIMARY KEY,
    note       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- One row, kept by every transaction, so that nothing has to be summed.
CREATE TABLE totals (
    batches INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT;
INSERT INTO totals (batches, bytes, dropped) VALUES (0, 0, 0);
-- The store that the notes hold for.
CREATE TABLE store (
    store_id TEXT NOT NULL
) STRICT;
";

/// What came with layout 2: which run a batch is of, and the work as the control plane told it last, so that a drone that
/// starts while it is away has something to do.
const SCHEMA_2: &str = "
ALTER TABLE batches ADD COLUMN run_id TEXT NOT NULL DEFAULT '';
CREATE TABLE work (
    profile_id TEXT PRIMARY KEY,
    -- Digest of the text.
    digest     TEXT NOT NULL,
    text       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
";

/// How to open a spool.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The file. Its folder is created when it is missing.
    pub path: PathBuf,
    /// Bytes of waiting batches (compressed), at most.
    pub max_bytes: u64,
    /// A batch older than this goes.
    pub max_age_ms: i64,
    pub at_the_bound: AtTheBound,
    pub synchronous: Synchronous,
}

impl SpoolSettings {
    /// 1 GiB and 14 days, then the oldest go; every push synced.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            max_bytes: 1 << 30,
            max_age_ms: 14 * 24 * 3_600_000,
            at_the_bound: AtTheBound::DropOldest,
            synchronous: Synchronous::Full,
        }
    }
}

/// What a push did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    pub seq: i64,
    /// Older batches that were lost to the bounds to make room. Report it; it is data that nobody will see.
    pub dropped: u64,
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolStats {
    /// Waiting batches.
    pub batches: u64,
    /// Their bytes, compressed.
    pub bytes: u64,
    /// Batches lost to the bounds since the spool was created.
    pub dropped: u64,
    /// Unix milliseconds at which the oldest waiting batch was pushed.
    pub oldest_ms: Option<i64>,
}

/// A waiting batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    pub seq: i64,
    pub profile_id: String,
    /// Empty in a batch of the release before.
    pub run_id: String,
    /// JSON of the batch, zstd: can be sent as it is with `Content-Encoding: zstd`.
    pub zstd: Vec<u8>,
}

/// An open spool; one process has it at a time.
#[derive(Debug)]
pub struct Spool {
    db: Mutex<SqliteConnection>,
    max_bytes: u64,
    max_age_ms: i64,
    at_the_bound: AtTheBound,
    _lock: FileLock,
}

impl Spool {
    /// Opens it, creating folder and file where there are none. Refuses a file that is damaged or not a spool, and a
    /// spool that another process has open.
    pub async fn open(settings: &SpoolSettings) -> Result<Self, StoreError> {
        let path = &settings.path;
        let lock = FileLock::take(FileLock::beside(path))?;
        let db = prepare(settings).await.map_err(|error| error.of_file(path))?;
        let SpoolSettings { max_bytes, max_age_ms, at_the_bound, .. } = *settings;
        Ok(Self { db: Mutex::new(db), max_bytes, max_age_ms, at_the_bound, _lock: lock })
    }

    /// Keeps a batch of a profile's run (its JSON), with the note that holds once it is acknowledged. `Ok` means it is
    /// on disk.
    pub async fn push(
        &self,
        profile: &ProfileId,
        run: &RunId,
        body: &[u8],
        note: Option<&str>,
        now_ms: i64,
    ) -> Result<Pushed, StoreError> {
        let failed = |error| StoreError::Engine(format!("compressing a batch: {error}"));
        let zstd = zstd::bulk::compress(body, ZSTD_LEVEL).map_err(failed)?;
        let bytes = zstd.len() as u64;
        if bytes > self.max_bytes {
            return Err(StoreError::TooLarge { bytes, max_bytes: self.max_bytes });
        }
        let mut db = self.db.lock().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        let dropped = match self.make_room(&mut transaction, bytes, now_ms).await {
            Err(full @ StoreError::SpoolFull { .. }) => {
                sqlx::query("UPDATE totals SET dropped = dropped + 1").execute(&mut *transaction).await?;
                transaction.commit().await?;
                return Err(full);
            }
            made => made?,
        };
        let insert = sqlx::query(
            "INSERT INTO batches (profile_id, run_id, pushed_ms, bytes, note, body) VALUES (?, ?, ?, ?, ?, ?)",
        );
        let insert = insert
            .bind(profile.as_str())
            .bind(run.as_str())
            .bind(now_ms)
            .bind(bytes.cast_signed())
            .bind(note)
            .bind(zstd);
        let seq = insert.execute(&mut *transaction).await?.last_insert_rowid();
        let totals = sqlx::query("UPDATE totals SET batches = batches + 1, bytes = bytes + ?");
        totals.bind(bytes.cast_signed()).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Pushed { seq, dropped })
    }

    /// The clock was set: what waits stays as old as it is.
    pub async fn clock_was_set(&self, by_ms: i64) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        sqlx::query("UPDATE batches SET pushed_ms = pushed_ms + ?").bind(by_ms).execute(&mut *db).await?;
        Ok(())
    }

    /// The oldest batches after `after`, at most `max` of them.
    pub async fn peek(&self, after: i64, max: u32) -> Result<Vec<Spooled>, StoreError> {
        let mut db = self.db.lock().await;
        let query = sqlx::query("SELECT seq, profile_id, run_id, body FROM batches WHERE seq > ? ORDER BY seq LIMIT ?");
        let query = query.bind(after).bind(max);
        let rows = query.fetch_all(&mut *db).await?;
        let spooled = |row: &SqliteRow| {
            let (profile_id, run_id) = (row.try_get(1)?, row.try_get(2)?);
            Ok(Spooled { seq: row.try_get(0)?, profile_id, run_id, zstd: row.try_get(3)? })
        };
        rows.iter().map(spooled).collect()
    }

    /// Forgets batches that were acknowledged; their notes hold from now on. Unknown ones are passed over.
    pub async fn acknowledged(&self, seqs: &[i64]) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        for seq in seqs {
            let text = "INSERT INTO notes (profile_id, note)
                SELECT profile_id, note FROM batches WHERE seq = ? AND note IS NOT NULL
                ON CONFLICT (profile_id) DO UPDATE SET note = excluded.note";
            sqlx::query(text).bind(seq).execute(&mut *transaction).await?;
            remove_one(&mut transaction, *seq).await?;
        }
        transaction.commit().await?;
        sqlx::query(PAGES_GIVEN_BACK).execute(&mut *db).await?;
        Ok(())
    }

    /// Gives up a batch that was refused for good: it counts as dropped.
    pub async fn refused(&self, seq: i64) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        lose_one(&mut transaction, seq).await?;
        sqlx::query("UPDATE totals SET dropped = dropped + 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Forgets a batch that was taken without its records being stored: its note never holds.
    pub async fn set_aside(&self, seq: i64) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        remove_one(&mut transaction, seq).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The note of the last batch of this profile that was acknowledged.
    pub async fn settled_note(&self, profile: &ProfileId) -> Result<Option<String>, StoreError> {
        let mut db = self.db.lock().await;
        let query = sqlx::query_scalar("SELECT note FROM notes WHERE profile_id = ?").bind(profile.as_str());
        Ok(query.fetch_optional(&mut *db).await?)
    }

    /// The latest note of this profile: of a batch that waits, else of the last that was acknowledged.
    pub async fn note(&self, profile: &ProfileId) -> Result<Option<String>, StoreError> {
        let mut db = self.db.lock().await;
        let text = "SELECT coalesce(
            (SELECT note FROM batches WHERE profile_id = ?1 AND note IS NOT NULL ORDER BY seq DESC LIMIT 1),
            (SELECT note FROM notes WHERE profile_id = ?1))";
        Ok(sqlx::query(text).bind(profile.as_str()).fetch_one(&mut *db).await?.try_get(0)?)
    }

    /// Says which store the batches go to. Notes of another one are forgotten: it may lack what they speak of.
    pub async fn goes_to(&self, store_id: &str) -> Result<(), StoreError> {
        let mut db = self.db.lock().await;
        let known: Option<String> = sqlx::query_scalar("SELECT store_id FROM store").fetch_optional(&mut *db).await?;
        if known.as_deref() == Some(store_id) {
            return Ok(());
        }
        let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
        if known.is_some() {
            sqlx::query("DELETE FROM notes").execute(&mut *transaction).await?;
            sqlx::query("UPDATE batches SET note = NULL").execute(&mut *transaction).await?;
        }
        sqlx::query("DELETE FROM store").execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO store (store_id) VALUES (?)").bind(store_id).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    pub async fn stats(&self) -> Result<SpoolStats, StoreError> {
        let mut db = self.db.lock().await;
        let text = "SELECT batches, bytes, dropped, (SELECT pushed_ms FROM batches ORDER BY seq LIMIT 1) FROM totals";
        let row = sqlx::query(text).fetch_one(&mut *db).await?;
        let count = |column| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
        Ok(SpoolStats { batches: count(0)?, bytes: count(1)?, dropped: count(2)?, oldest_ms: row.try_get(3)? })
    }

    /// Closes in order. A spool that is only dropped loses nothing.
    pub async fn close(self) {
        super::sqlite::close(self.db.into_inner()).await;
    }

    /// Drops what is too old, then the oldest until `bytes` more fit, or refuses them; says how many went.
    async fn make_room(&self, db: &mut SqliteConnection, bytes: u64, now_ms: i64) -> Result<u64, StoreError> {
        let mut dropped = 0_i64;
        loop {
            let text = "SELECT seq, pushed_ms, (SELECT bytes FROM totals) FROM batches ORDER BY seq LIMIT 1";
            let Some(row) = sqlx::query(text).fetch_optional(&mut *db).await? else { break };
            let (seq, pushed_ms, held): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let is_old = pushed_ms < now_ms.saturating_sub(self.max_age_ms);
            let fits = held.unsigned_abs() + bytes <= self.max_bytes;
            if fits && !is_old {
                break;
            }
            if !is_old && self.at_the_bound == AtTheBound::RefuseNew {
                return Err(StoreError::SpoolFull { max_bytes: self.max_bytes });
            }
            lose_one(db, seq).await?;
            dropped += 1;
        }
        if dropped > 0 {
            let count = sqlx::query("UPDATE totals SET dropped = dropped + ?").bind(dropped);
            count.execute(db).await?;
        }
        Ok(dropped.unsigned_abs())
    }
}

async fn remove_one(db: &mut SqliteConnection, seq: i64) -> Result<(), StoreError> {
    let delete = sqlx::query("DELETE FROM batches WHERE seq = ? RETURNING bytes").bind(seq);
    let Some(row) = delete.fetch_optional(&mut *db).await? else { return Ok(()) };
    let bytes: i64 = row.try_get(0)?;
    let totals = sqlx::query("UPDATE totals SET batches = batches - 1, bytes = bytes - ?");
    totals.bind(bytes).execute(db).await?;
    Ok(())
}

/// Removes a batch that will never be stored. No later note of its profile holds then.
async fn lose_one(db: &mut SqliteConnection, seq: i64) -> Result<(), StoreError> {
    let text = "UPDATE batches SET note = NULL WHERE profile_id = (SELECT profile_id FROM batches WHERE seq = ?)";
    sqlx::query(text).bind(seq).execute(&mut *db).await?;
    remove_one(db, seq).await
}

async fn prepare(settings: &SpoolSettings) -> Result<SqliteConnection, StoreError> {
    let is_new = inspect(&settings.path, APPLICATION_ID)?;
    let synchronous = match settings.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    let options = SqliteConnectOptions::new()
        .filename(&settings.path)
        .create_if_missing(is_new)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(5))
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .pragma("wal_autocheckpoint", "256")
        .pragma("journal_size_limit", "4194304")
        .statement_cache_capacity(16)
        .row_buffer_size(1)
        .thread_name(|id| format!("spool-{id}"))
        .disable_statement_logging();
    let mut db = options.connect().await?;
    let layout: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut db).await?.try_get(0)?;
    match layout {
        LAYOUT => {}
        0 => create(&mut db, &[SCHEMA, SCHEMA_2]).await?,
        1 => create(&mut db, &[SCHEMA_2]).await?,
        found => return Err(StoreError::Newer { path: String::new(), found }),
    }
    let text = "SELECT (SELECT count(*) FROM totals), (SELECT max(seq) FROM batches)";
    sqlx::query(text).fetch_one(&mut db).await?;
    Ok(db)
}

/// All of the layout in one transaction: killed in the middle, the file is as empty as before.
async fn create(db: &mut SqliteConnection, parts: &[&'static str]) -> Result<(), StoreError> {
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    for part in parts {
        sqlx::raw_sql(*part).execute(&mut *transaction).await?;
    }
    sqlx::query("PRAGMA application_id = 1128813392").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests;
