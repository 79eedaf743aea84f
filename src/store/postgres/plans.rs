//! How PostgreSQL goes about the statements whose cost must not grow with the store: by an index, in its order. Needs a
//! server: `tests/support/postgres.rs` starts one.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::{Postgres, placing, profiles, records, reports, results, runs, scan};
use crate::store::settings::{Place, Server, StoreSettings};

#[path = "../../../tests/support/postgres.rs"]
#[allow(dead_code, reason = "the tests over processes use all of it")]
mod support;

/// The plan for whatever the arguments are.
async fn plan(db: &mut PgConnection, number: usize, statement: &str) -> String {
    let prepare = format!("PREPARE s{number} AS {statement}");
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *db).await.expect("every statement prepares");
    let count = (1..).take_while(|n| statement.contains(&format!("${n}"))).count();
    let explain = format!("EXPLAIN EXECUTE s{number} ({})", vec!["NULL"; count].join(", "));
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(db).await.expect("it is explained");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn lists_go_by_index_and_in_its_order() {
    let server = match support::PostgresServer::own(&["-c", "fsync=off"]) {
        Ok(server) => server,
        Err(missing) => {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "REQUIRE_ALL is set and this lacks {missing}");
            return eprintln!("skipped: {missing}");
        }
    };
    let url = server.url("postgres");
    let there = Server { url: url.clone().into(), password: None, connections: 2 };
    let store = Postgres::open(&there, &StoreSettings::at(Place::Server(there.clone()))).await.unwrap();
    let mut db = PgConnection::connect(&url).await.unwrap();
    let general = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;
        SET enable_mergejoin = off; SET enable_bitmapscan = off";
    sqlx::raw_sql(general).execute(&mut db).await.unwrap();
    for (number, (statement, way)) in [
        (records::RECORDS_OF_PROFILE, "records_pkey"),
        (scan::RECORDS_OF_PROFILE, "records_pkey"),
        (results::BATCHES_FROM, "batches_pkey"),
        (results::BATCHES_OF_PROFILE, "batches_of_profile"),
        (results::BATCHES_OF_RUN, "batches_of_run"),
        (results::RECORDS_BY_ID, "records_pkey"),
        (runs::RUNS, "runs_of_tenant"),
        (runs::RUNS_OF_PROFILE, "runs_of_profile"),
        (reports::PAGE, "reports_of_tenant"),
        (profiles::PAGE, "profiles_tenant_id_profile_id_key"),
        (placing::FIND_KEYS, "records_key"),
    ]
    .into_iter()
    .enumerate()
    {
        let found = plan(&mut db, number, statement).await;
        assert!(found.contains(&format!("using {way}")) && !found.contains("Seq Scan"), "{statement}\n{found}");
    }
    drop(store);
}
