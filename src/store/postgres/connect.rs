//! Reaching the server: how a connection is opened and what each session is set to, the checks at the start, and the
//! migrations. Every error here is one line that says what to mend.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Row};

use super::error::of_network;
use crate::settings::Synchronous;
use crate::store::error::StoreError;
use crate::store::settings::{Server, StoreSettings};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// `server_version_num` of the oldest server that will do.
const OLDEST: i32 = 150_000;
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a statement waits for a free connection.
pub(super) const POOL_PATIENCE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(300);

/// Every statement here is made for an index, whatever the planner thinks of a table that it has not looked at yet.
/// Nothing may hang for ever: neither a statement, nor a wait for a row, nor a transaction whose client is gone.
const SESSION: &str = "
    SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s';
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_bitmapscan = off; SET jit = off;";
/// What the operator has set for the server may be stronger than on, and stays.
const FULL: &str = "SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";
const NORMAL: &str = "SET synchronous_commit = off";

/// How to reach the server; never shows a password.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    synchronous: Synchronous,
}

impl Connector {
    pub(super) fn new(server: &Server, settings: &StoreSettings) -> Result<Self, StoreError> {
        let parsed = PgConnectOptions::from_str(server.url.expose_secret());
        let mut options = parsed.map_err(|error| StoreError::Unfit(format!("store.url cannot be read: {error}")))?;
        if let Some(password) = &server.password {
            options = options.password(password.expose_secret());
        }
        if options.get_application_name().is_none() {
            options = options.application_name("chartly");
        }
        let options = options.disable_statement_logging();
        Ok(Self { options, synchronous: settings.synchronous })
    }

    /// Host and database, as the operator knows them.
    pub(super) fn name(&self) -> String {
        let host = self
            .options
            .get_socket()
            .map_or_else(|| self.options.get_host().to_owned(), |socket| socket.display().to_string());
        let database = self.options.get_database().unwrap_or_else(|| self.options.get_username());
        format!("database {database:?} at {host}:{}", self.options.get_port())
    }

    /// A session of its own, for the writer.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let opened = tokio::time::timeout(CONNECT_PATIENCE, self.options.connect()).await;
        let late = |_| StoreError::Unreachable(format!("{}: no answer within {CONNECT_PATIENCE:?}", self.name()));
        let mut db = opened.map_err(late)?.map_err(|error| self.named(error))?;
        prepare(&mut db, self.synchronous).await.map_err(of_network)?;
        Ok(db)
    }

    fn named(&self, error: sqlx::Error) -> StoreError {
        match of_network(error) {
            StoreError::Unreachable(text) => StoreError::Unreachable(format!("{}: {text}", self.name())),
            StoreError::Login(text) => StoreError::Login(format!("{}: {text}", self.name())),
            other => other,
        }
    }

    /// The connections for everything but batches, opened as they are needed.
    pub(super) fn pool(&self, connections: u32) -> PgPool {
        let synchronous = self.synchronous;
        PgPoolOptions::new()
            .max_connections(connections.max(1))
            .min_connections(0)
            .acquire_timeout(POOL_PATIENCE)
            .idle_timeout(IDLE)
            .after_connect(move |db, _| Box::pin(async move { prepare(db, synchronous).await }))
            .connect_lazy_with(self.options.clone())
    }

    /// Looks whether the server and its database will do, and brings the tables to the newest layout. Several
    /// processes may do so at once: the migrations take an advisory lock.
    pub(super) async fn open(&self) -> Result<PgConnection, StoreError> {
        let mut db = self.connect().await?;
        check(&mut db).await?;
        // A migration may take its time, and so may another process's.
        let unlimited = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";
        sqlx::raw_sql(unlimited).execute(&mut db).await.map_err(of_network)?;
        MIGRATIONS.run(&mut db).await.map_err(|error| self.of_migration(error.into()))?;
        prepare(&mut db, self.synchronous).await.map_err(of_network)?;
        Ok(db)
    }

    fn of_migration(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Newer { found, .. } => StoreError::Newer { path: self.name(), found },
            StoreError::Foreign { reason, .. } => StoreError::Foreign { path: self.name(), reason },
            other => other,
        }
    }
}

async fn prepare(db: &mut PgConnection, synchronous: Synchronous) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SESSION).execute(&mut *db).await?;
    let durability = match synchronous {
        Synchronous::Full => FULL,
        Synchronous::Normal => NORMAL,
    };
    sqlx::raw_sql(durability).execute(db).await?;
    Ok(())
}

async fn check(db: &mut PgConnection) -> Result<(), StoreError> {
    let text = "SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
        current_setting('server_encoding'), pg_is_in_recovery()";
    let row = sqlx::query(text).fetch_one(db).await.map_err(of_network)?;
    let (number, version): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    if number < OLDEST {
        return Err(StoreError::TooOld { found: format!("PostgreSQL {version}"), needed: "PostgreSQL 15" });
    }
    let encoding: String = row.try_get(2)?;
    if encoding != "UTF8" {
        return Err(StoreError::Unfit(format!("its encoding is {encoding}; create one with ENCODING 'UTF8'")));
    }
    if row.try_get(3)? {
        let standby = "it is a standby, which takes no writes; name the primary server in store.url";
        return Err(StoreError::ReadOnly(standby.into()));
    }
    Ok(())
}

/// Closes a connection in order; what fails then was already durable.
pub(super) async fn close(db: PgConnection) {
    if let Err(error) = db.close().await {
        tracing::debug!(%error, "closing a connection of the store failed");
    }
}
