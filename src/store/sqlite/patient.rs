//! A database file as the doctor reads it: opened for reading alone, in one transaction, so that one moment is seen
//! while others write.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Row, query, query_scalar};

use super::open::{self, APPLICATION_ID, MIGRATIONS, inspect, shared_options};
use crate::store::doctor::{Check, Count, Patient, ProfileRow, Question, RecordRow, SetRow, VersionRow};
use crate::store::error::StoreError;
use crate::store::migrations::judge;

const CACHE_KIB: u32 = 16 << 10;

#[derive(Debug)]
pub(in crate::store) struct Body {
    file: PathBuf,
    db: SqliteConnection,
}

impl Body {
    pub(in crate::store) async fn open(file: &Path) -> Result<Self, StoreError> {
        if inspect(file, APPLICATION_ID)? {
            return Err(StoreError::NoDatabase { path: file.display().to_string() });
        }
        let options = shared_options(file, CACHE_KIB).read_only(true);
        let mut db = match begun(&options).await {
            // Where not even the index of the log can be made, and there is no log: nobody writes here.
            Err(StoreError::ReadOnly(_) | StoreError::Io(_)) if !has_log(file) => begun(&options.immutable(true)).await,
            other => other,
        }
        .map_err(|error| error.of_file(file))?;
        open::identify(&mut db).await.map_err(|error| error.of_file(file))?;
        Ok(Self { file: file.to_owned(), db })
    }
}

fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(Path::new(&log)).is_ok_and(|log| log.len() > 0)
}

/// A connection that sees from here on what it sees now.
async fn begun(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let mut db = options.connect().await?;
    query("BEGIN").execute(&mut db).await?;
    query("SELECT count(*) FROM sqlite_schema").execute(&mut db).await?;
    Ok(db)
}

impl Patient for Body {
    fn name(&self) -> String {
        self.file.display().to_string()
    }

    async fn engine(&mut self) -> Result<String, StoreError> {
        let version: String = query_scalar("SELECT sqlite_version()").fetch_one(&mut self.db).await?;
        Ok(format!("SQLite {version}"))
    }

    async fn look_at_file(&mut self, check: &mut Check) -> Result<(), StoreError> {
        let told: Vec<String> = query_scalar("PRAGMA integrity_check(100)").fetch_all(&mut self.db).await?;
        for fault in told.into_iter().filter(|told| told != "ok") {
            check.fault(fault);
        }
        for row in query("PRAGMA foreign_key_check").fetch_all(&mut self.db).await?.into_iter().take(100) {
            let (table, of): (String, String) = (row.try_get(0)?, row.try_get(2)?);
            check.fault(format!("a row of {table} names one of {of} that is not there"));
        }
        Ok(())
    }

    async fn look_at_layout(&mut self, check: &mut Check) -> Result<bool, StoreError> {
        let text = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
        let rows = query(text).fetch_all(&mut self.db).await?;
        let found =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let is_newest = judge(&MIGRATIONS, &found).map_err(|error| error.of_file(&self.file))?;
        if !is_newest {
            check
                .told
                .push("of an earlier release; a start brings it forward, and only then can the rest be checked".into());
        }
        Ok(is_newest)
    }

    async fn count(&mut self, question: &Question) -> Result<i64, StoreError> {
        let (Count::Both(text) | Count::Each { sqlite: text, .. }) = question.ask;
        Ok(query_scalar(text).fetch_one(&mut self.db).await?)
    }

    async fn profiles(&mut self) -> Result<Vec<ProfileRow>, StoreError> {
        let rows = query("SELECT id, profile_id, keyed_by FROM profiles ORDER BY id").fetch_all(&mut self.db).await?;
        let read =
            |row: &SqliteRow| Ok(ProfileRow { row: row.try_get(0)?, id: row.try_get(1)?, keyed_by: row.try_get(2)? });
        rows.iter().map(read).collect()
    }

    async fn bounds(&mut self, profile: i64) -> Result<Option<(i64, i64)>, StoreError> {
        let text =
            "SELECT (SELECT min(id) FROM records WHERE profile = ?1), (SELECT max(id) FROM records WHERE profile = ?1)";
        let row = query(text).bind(profile).fetch_one(&mut self.db).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.zip(row.try_get(1)?))
    }

    async fn records(&mut self, profile: i64, from: i64, limit: i64) -> Result<Vec<RecordRow>, StoreError> {
        let text = "SELECT id, key, body, observation FROM records INDEXED BY records_of_profile
            WHERE profile = ? AND id >= ? ORDER BY id LIMIT ?";
        let rows = query(text).bind(profile).bind(from).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &SqliteRow| {
            Ok(RecordRow {
                row: row.try_get(0)?,
                key: row.try_get(1)?,
                body: row.try_get(2)?,
                observation: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn versions(&mut self, after: i64, limit: i64) -> Result<Vec<VersionRow>, StoreError> {
        let text = "SELECT v.id, coalesce(p.profile_id, ''), v.digest, v.yaml FROM profile_versions v
            LEFT JOIN profiles p ON p.id = v.profile WHERE v.id > ? ORDER BY v.id LIMIT ?";
        let rows = query(text).bind(after).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &SqliteRow| {
            Ok(VersionRow {
                row: row.try_get(0)?,
                profile: row.try_get(1)?,
                digest: row.try_get(2)?,
                yaml: row.try_get(3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn sets(&mut self, after: i64, limit: i64) -> Result<Vec<SetRow>, StoreError> {
        let text = "SELECT id, digest, ids FROM record_sets WHERE id > ? ORDER BY id LIMIT ?";
        let rows = query(text).bind(after).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &SqliteRow| Ok(SetRow { row: row.try_get(0)?, digest: row.try_get(1)?, ids: row.try_get(2)? });
        rows.iter().map(read).collect()
    }

    async fn close(self) {
        open::close(self.db).await;
    }
}
