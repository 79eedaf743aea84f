//! Both engines under one set of tests: where a store of either is kept, and how a test is run on each.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use chartly::store::{Place, Server, StoreSettings};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::common::postgres::PostgresServer;
use crate::common::skip;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Where a store is kept: a folder, gone with the value, or a database of the tests' server, gone with that.
pub(crate) struct Bed {
    pub(crate) place: Place,
    pub(crate) folder: tempfile::TempDir,
}

impl Bed {
    pub(crate) async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = match engine {
            Engine::Sqlite => Place::File(folder.path().join("results.db")),
            Engine::Postgres => on_server(&new_database().await),
        };
        Self { place, folder }
    }

    pub(crate) fn settings(&self) -> StoreSettings {
        StoreSettings::at(self.place.clone())
    }
}

/// One server for all tests of this program; the error says what is missing.
pub(crate) fn server() -> Result<&'static PostgresServer, &'static str> {
    static SERVER: OnceLock<Result<PostgresServer, String>> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::for_the_program).as_ref().map_err(String::as_str)
}

/// False, and said, where there is no PostgreSQL to test with.
pub(crate) fn is_here(test: &str) -> bool {
    server().inspect_err(|missing| skip(test, missing)).is_ok()
}

pub(crate) fn on_server(url: &str) -> Place {
    Place::Server(Server { url: url.to_owned().into(), password: None, connections: 4 })
}

/// The URL of a database that holds nothing.
pub(crate) async fn new_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = server().unwrap();
    let name = format!("d{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    command(&server.url("postgres"), format!("CREATE DATABASE {name}")).await;
    server.url(&name)
}

/// Says something to a server behind the store's back.
pub(crate) async fn command(url: &str, sql: String) {
    let mut db = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// Runs each of these tests on both engines.
macro_rules! on_both_engines {
    ($($test:ident,)+) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test($crate::engines::Engine::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                if $crate::engines::is_here(stringify!($test)) {
                    super::$test($crate::engines::Engine::Postgres).await;
                }
            })+
        }
    };
}

pub(crate) use on_both_engines;
