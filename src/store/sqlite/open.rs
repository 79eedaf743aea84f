//! Opens a database file: looks at it first, refuses what is not ours or is damaged, creates it only where there is
//! none, migrates. Nothing here ever deletes or replaces a file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row};

use crate::settings::Synchronous;
use crate::store::error::StoreError;
use crate::store::settings::StoreSettings;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// "CHLY": marks the file as one of this program (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x4348_4c59;
/// Large pages: fewer of them per batch of random keys, hence fewer bytes through the log.
const PAGE_BYTES: u32 = 16 << 10;
const HEADER_BYTES: usize = 100;
const HEADER: u64 = HEADER_BYTES as u64;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READER_TIMEOUT: Duration = Duration::from_secs(5);
const READER_IDLE: Duration = Duration::from_secs(60);
/// The log file is cut back to this after a checkpoint has emptied it. Twice what calls for a checkpoint: under load it
/// keeps its length, and a synced write need not wait for the file to grow.
const LOG_LIMIT_BYTES: u64 = 128 << 20;

/// The writer's connection, on a file that exists and has the newest layout afterwards.
pub(super) async fn open_writer(file: &Path, settings: &StoreSettings) -> Result<SqliteConnection, StoreError> {
    prepare(file, settings).await.map_err(|error| error.of_file(file))
}

async fn prepare(file: &Path, settings: &StoreSettings) -> Result<SqliteConnection, StoreError> {
    let is_new = inspect(file, APPLICATION_ID)?;
    let mut db = connect_writer(file, settings, is_new).await?;
    if !is_new {
        probe(&mut db).await?;
    }
    MIGRATIONS.run(&mut db).await?;
    Ok(db)
}

/// The writer's connection to a file that was prepared before; what a restarted writer takes.
pub(super) async fn reopen_writer(file: &Path, settings: &StoreSettings) -> Result<SqliteConnection, StoreError> {
    connect_writer(file, settings, false).await.map_err(|error| error.of_file(file))
}

async fn connect_writer(file: &Path, settings: &StoreSettings, is_new: bool) -> Result<SqliteConnection, StoreError> {
    let synchronous = match settings.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    let mut options = shared_options(file, settings.cache_kib)
        .create_if_missing(is_new)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(true)
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", LOG_LIMIT_BYTES.to_string())
        .thread_name(|id| format!("store-writer-{id}"));
    if is_new {
        options = options.page_size(PAGE_BYTES).pragma("application_id", APPLICATION_ID.to_string());
    }
    Ok(options.connect().await?)
}

/// The readers, opened as they are needed.
pub(super) fn reader_pool(file: &Path, settings: &StoreSettings) -> SqlitePool {
    let options =
        shared_options(file, settings.cache_kib / 4).read_only(true).thread_name(|id| format!("store-reader-{id}"));
    SqlitePoolOptions::new()
        .max_connections(settings.readers.max(1))
        .min_connections(0)
        .acquire_timeout(READER_TIMEOUT)
        .idle_timeout(READER_IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// A connection that only moves pages from the log into the file.
pub(super) async fn open_checkpointer(file: &Path) -> Result<SqliteConnection, StoreError> {
    let options = shared_options(file, 256)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("wal_autocheckpoint", "0")
        .thread_name(|id| format!("store-checkpoint-{id}"));
    Ok(options.connect().await?)
}

pub(super) fn shared_options(file: &Path, cache_kib: u32) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", format!("-{cache_kib}"))
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        .row_buffer_size(512)
        .disable_statement_logging()
}

/// Looks at the file without SQLite, which would take an empty or a short file for a new database.
/// True: there is no file yet, or an empty one that was created and never written.
pub(in crate::store) fn inspect(file: &Path, application_id: i32) -> Result<bool, StoreError> {
    // Looked at before the file: pages move from the log into the file, never back.
    let log_bytes = log_length(file);
    let mut header = [0; HEADER_BYTES];
    let length = match read_header(file, &mut header) {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(StoreError::of_io("reading", file, &error)),
    };
    let path = file.display().to_string();
    let damaged = |reason: String| Err(StoreError::Damaged { path: path.clone(), reason });
    match length {
        0 if log_bytes == 0 => return Ok(true),
        0 => return damaged(format!("it is empty or gone, and its log holds {log_bytes} bytes")),
        1..HEADER => return damaged(format!("it has {length} bytes, less than a header")),
        HEADER.. => {}
    }
    if &header[..16] != b"SQLite format 3\0" {
        return Err(StoreError::Foreign { path, reason: "it does not begin as SQLite files do".into() });
    }
    // While the log holds pages the file may be shorter than its header says: the rest is in the log.
    if let (0, Err(reason)) = (log_bytes, check_length(&header, length)) {
        return damaged(reason);
    }
    let application = i32::from_be_bytes(four(&header, 68));
    // The mark may still stand in the log alone: then page 1 was never written back, and its version is 0 too.
    if application != application_id && u32::from_be_bytes(four(&header, 28)) > 1 {
        return Err(StoreError::Foreign { path, reason: format!("its application id is {application:#x}") });
    }
    Ok(false)
}

fn log_length(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(Path::new(&log)).map_or(0, |log| log.len())
}

fn read_header(file: &Path, header: &mut [u8; HEADER_BYTES]) -> io::Result<u64> {
    let mut open = File::open(file)?;
    let length = open.metadata()?.len();
    if length >= HEADER {
        open.read_exact(header)?;
    }
    Ok(length)
}

fn check_length(header: &[u8; HEADER_BYTES], length: u64) -> Result<(), String> {
    let page_bytes = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        bytes => bytes,
    };
    let pages = u64::from(u32::from_be_bytes(four(header, 28)));
    if length < pages * page_bytes {
        return Err(format!("it should have {pages} pages of {page_bytes} bytes, and has {length} bytes"));
    }
    Ok(())
}

fn four(header: &[u8; HEADER_BYTES], at: usize) -> [u8; 4] {
    [header[at], header[at + 1], header[at + 2], header[at + 3]]
}

/// Reads what is cheap to read, so that plain damage shows at the start and not in the middle of work. A file that
/// holds nothing yet (its creator was killed early) is marked as ours.
async fn probe(db: &mut SqliteConnection) -> Result<(), StoreError> {
    let application: i32 = sqlx::query("PRAGMA application_id").fetch_one(&mut *db).await?.try_get(0)?;
    let objects: i64 = sqlx::query("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *db).await?.try_get(0)?;
    if application == 0 && objects == 0 {
        sqlx::query("PRAGMA application_id = 1128811609").execute(&mut *db).await?;
        return Ok(());
    }
    is_ours(application)
}

/// Refuses a database of another program, whose mark may stand in the log alone.
pub(super) async fn identify(db: &mut SqliteConnection) -> Result<(), StoreError> {
    is_ours(sqlx::query("PRAGMA application_id").fetch_one(db).await?.try_get(0)?)
}

fn is_ours(application: i32) -> Result<(), StoreError> {
    if application != APPLICATION_ID {
        let reason = format!("its application id is {application:#x}");
        return Err(StoreError::Foreign { path: String::new(), reason });
    }
    Ok(())
}

/// SQLite's own version.
pub(super) async fn sqlite_version(readers: &SqlitePool) -> Result<String, StoreError> {
    Ok(sqlx::query("SELECT sqlite_version()").fetch_one(readers).await?.try_get(0)?)
}

/// Closes a connection in order; what fails then was already durable.
pub(in crate::store) async fn close(db: SqliteConnection) {
    if let Err(error) = db.close().await {
        tracing::warn!(%error, "closing a connection of the store failed");
    }
}
