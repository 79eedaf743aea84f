//! A database file as a whole: a consistent copy of it while others write, what a copy holds, and what must be done to
//! a file before another takes its place. Opens no store: the file may be in use by other processes.

use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqliteJournalMode};
use sqlx::{ConnectOptions, Row};

use super::open::{self, APPLICATION_ID, MIGRATIONS, inspect, shared_options};
use crate::store::backup::Counts;
use crate::store::error::StoreError;
use crate::store::migrations::judge;

const CACHE_KIB: u32 = 4 << 10;
/// Faults of a damaged file that are told; one is enough to refuse it.
const FAULTS_TOLD: &str = "PRAGMA integrity_check(3)";

/// Writes what is committed at this moment into `to`, an empty file. Writers go on meanwhile; the log of the file can
/// begin anew only afterwards.
pub(in crate::store) async fn copy_into(file: &Path, to: &Path) -> Result<(), StoreError> {
    let mut db = open_to_read(file).await?;
    let target = to.to_str().ok_or_else(|| StoreError::Io(format!("{} is not a text in UTF-8", to.display())))?;
    let outcome = sqlx::query("VACUUM INTO ?").bind(target).execute(&mut db).await;
    open::close(db).await;
    outcome.map(|_| ()).map_err(|error| StoreError::from(error).of_file(to))
}

/// Reads all of a closed file: whether it is one of ours, whole, and of a release that this one knows; and what it
/// holds.
pub(in crate::store) async fn check(file: &Path) -> Result<Counts, StoreError> {
    let mut db = open_to_read(file).await?;
    let checked = check_all(&mut db).await.map_err(|error| error.of_file(file));
    open::close(db).await;
    checked
}

async fn open_to_read(file: &Path) -> Result<SqliteConnection, StoreError> {
    if inspect(file, APPLICATION_ID)? {
        return Err(StoreError::NoDatabase { path: file.display().to_string() });
    }
    let options = shared_options(file, CACHE_KIB).read_only(true);
    options.connect().await.map_err(|error| StoreError::from(error).of_file(file))
}

async fn check_all(db: &mut SqliteConnection) -> Result<Counts, StoreError> {
    check_migrations(db).await?;
    let told: Vec<String> = sqlx::query_scalar(FAULTS_TOLD).fetch_all(&mut *db).await?;
    if told != ["ok"] {
        return Err(StoreError::Damaged { path: String::new(), reason: told.join("; ") });
    }
    let text = "SELECT (SELECT count(*) FROM profiles), (SELECT count(*) FROM profile_versions),
        (SELECT count(*) FROM runs), (SELECT count(*) FROM batches), (SELECT count(*) FROM records),
        (SELECT max(version) FROM _sqlx_migrations)";
    let row = sqlx::query(text).fetch_one(&mut *db).await?;
    let count = |column| Ok::<_, StoreError>(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0));
    Ok(Counts {
        profiles: count(0)?,
        versions: count(1)?,
        runs: count(2)?,
        batches: count(3)?,
        records: count(4)?,
        migration: row.try_get(5)?,
    })
}

/// An earlier layout is good, since a start brings it to the newest.
async fn check_migrations(db: &mut SqliteConnection) -> Result<(), StoreError> {
    let text = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    let rows = sqlx::query(text).fetch_all(db).await?;
    let found = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    judge(&MIGRATIONS, &found.collect::<Result<Vec<_>, sqlx::Error>>()?).map(drop)
}

/// Gives a copy a name of its own. Drones then forget what they know of their sources' last answers: the store that
/// comes back may lack what those answers brought.
pub(in crate::store) async fn name_anew(file: &Path) -> Result<(), StoreError> {
    let options = shared_options(file, CACHE_KIB).journal_mode(SqliteJournalMode::Delete);
    let mut db = options.connect().await?;
    let outcome = sqlx::query("UPDATE identity SET store_id = lower(hex(randomblob(16)))").execute(&mut db).await;
    open::close(db).await;
    outcome.map(|_| ()).map_err(|error| StoreError::from(error).of_file(file))
}

/// Moves everything from the log into the file and removes the log, which works only where nobody else has the file
/// open.
pub(in crate::store) async fn fold(file: &Path) -> Result<(), StoreError> {
    let mut db = shared_options(file, CACHE_KIB).connect().await?;
    let outcome = sqlx::query_scalar::<_, String>("PRAGMA journal_mode = DELETE").fetch_one(&mut db).await;
    open::close(db).await;
    match outcome.map_err(StoreError::from) {
        Ok(mode) if mode == "delete" => Ok(()),
        Ok(_) | Err(StoreError::Busy(_)) => Err(StoreError::Locked { path: file.display().to_string() }),
        Err(error) => Err(error.of_file(file)),
    }
}
