//! A database of a server as the doctor reads it: in one transaction that reads alone and sees one moment.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row, query, query_scalar};

use super::connect::{self, Connector, MIGRATIONS};
use super::error::of_network;
use crate::store::doctor::{Check, Count, Patient, ProfileRow, Question, RecordRow, SetRow, VersionRow};
use crate::store::error::StoreError;
use crate::store::migrations::judge;
use crate::store::settings::{Server, StoreSettings};

/// Everything is read, so the planner may do as it thinks best, and as long as it takes.
const SESSION: &str = "
    SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    RESET enable_seqscan; RESET enable_hashjoin; RESET enable_mergejoin;
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;";

#[derive(Debug)]
pub(in crate::store) struct Body {
    name: String,
    db: PgConnection,
}

impl Body {
    pub(in crate::store) async fn open(server: &Server, settings: &StoreSettings) -> Result<Self, StoreError> {
        let connector = Connector::new(server, settings)?;
        let mut db = connector.connect().await?;
        sqlx::raw_sql(SESSION).execute(&mut db).await.map_err(of_network)?;
        let name = connector.name();
        let is_ours: bool =
            query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut db).await?;
        if !is_ours {
            return Err(StoreError::NoDatabase { path: format!("a store in {name}") });
        }
        Ok(Self { name, db })
    }
}

impl Patient for Body {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn engine(&mut self) -> Result<String, StoreError> {
        let version: String = query_scalar("SELECT current_setting('server_version')").fetch_one(&mut self.db).await?;
        Ok(format!("PostgreSQL {version}"))
    }

    /// Pages are the server's to check; it counts those that it found damaged, where it has checksums at all.
    async fn look_at_file(&mut self, check: &mut Check) -> Result<(), StoreError> {
        let text = "SELECT current_setting('data_checksums'), coalesce(checksum_failures, 0)
            FROM pg_stat_database WHERE datname = current_database()";
        let row = query(text).fetch_one(&mut self.db).await?;
        let (checksums, failures): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
        if checksums != "on" {
            check.told.push(
                "the server has no data checksums; pg_checksums --enable turns them on while it is stopped".into(),
            );
        }
        if failures > 0 {
            check.fault(format!("the server met {failures} damaged pages"));
        }
        Ok(())
    }

    async fn look_at_layout(&mut self, check: &mut Check) -> Result<bool, StoreError> {
        let text = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";
        let rows = query(text).fetch_all(&mut self.db).await?;
        let found =
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<Vec<_>, sqlx::Error>>()?;
        let is_newest = judge(&MIGRATIONS, &found)?;
        if !is_newest {
            check
                .told
                .push("of an earlier release; a start brings it forward, and only then can the rest be checked".into());
        }
        Ok(is_newest)
    }

    async fn count(&mut self, question: &Question) -> Result<i64, StoreError> {
        let (Count::Both(text) | Count::Each { postgres: text, .. }) = question.ask;
        Ok(query_scalar(text).fetch_one(&mut self.db).await?)
    }

    async fn profiles(&mut self) -> Result<Vec<ProfileRow>, StoreError> {
        let rows = query("SELECT id, profile_id, keyed_by FROM profiles ORDER BY id").fetch_all(&mut self.db).await?;
        let read =
            |row: &PgRow| Ok(ProfileRow { row: row.try_get(0)?, id: row.try_get(1)?, keyed_by: row.try_get(2)? });
        rows.iter().map(read).collect()
    }

    async fn bounds(&mut self, profile: i64) -> Result<Option<(i64, i64)>, StoreError> {
        let text = "SELECT min(id), max(id) FROM records WHERE profile = $1::bigint::integer";
        let row = query(text).bind(profile).fetch_one(&mut self.db).await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.zip(row.try_get(1)?))
    }

    async fn records(&mut self, profile: i64, from: i64, limit: i64) -> Result<Vec<RecordRow>, StoreError> {
        let text = "SELECT id, key, body, observation FROM records
            WHERE profile = $1::bigint::integer AND id >= $2 ORDER BY id LIMIT $3";
        let rows = query(text).bind(profile).bind(from).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &PgRow| {
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
            LEFT JOIN profiles p ON p.id = v.profile WHERE v.id > $1 ORDER BY v.id LIMIT $2";
        let rows = query(text).bind(after).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &PgRow| {
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
        let text = "SELECT id, digest, ids FROM record_sets WHERE id > $1 ORDER BY id LIMIT $2";
        let rows = query(text).bind(after).bind(limit).fetch_all(&mut self.db).await?;
        let read = |row: &PgRow| Ok(SetRow { row: row.try_get(0)?, digest: row.try_get(1)?, ids: row.try_get(2)? });
        rows.iter().map(read).collect()
    }

    async fn close(self) {
        connect::close(self.db).await;
    }
}
