//! How SQLite goes about the statements whose cost must not grow with the store: by an index or in the order of rows,
//! and never by sorting what it found.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Row, SqlSafeStr, SqlStr};

use super::{Sqlite, placing, profiles, records, reports, results, retention, runs, scan};
use crate::store::revising::Revises;
use crate::store::settings::StoreSettings;

async fn plan(store: &Sqlite, statement: &'static str) -> String {
    let text: SqlStr = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")).into_sql_str();
    let rows = sqlx::query(text).fetch_all(&store.readers).await.expect("every statement prepares");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn lists_go_by_index_and_sort_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.db");
    let store = Sqlite::open(&file, &StoreSettings::new(&file)).await.unwrap();
    for (statement, way) in [
        (records::LATEST, "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (records::LATEST_OF_PROFILE, "SEARCH r USING INDEX records_of_profile (profile=? AND rowid>?)"),
        (records::ALL, "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (records::ALL_OF_PROFILE, "SEARCH r USING INDEX records_of_profile (profile=? AND rowid>?)"),
        (records::AS_OF, "SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"),
        (records::AS_OF_OF_PROFILE, "SEARCH r USING INDEX records_of_profile (profile=? AND rowid>?)"),
        (
            records::AS_OF,
            "SEARCH v USING INDEX sqlite_autoindex_revisions_1 (profile=? AND observation=? AND seen_ms<?)",
        ),
        (scan::LATEST, "SEARCH r USING INDEX records_of_profile (profile=? AND rowid>?)"),
        (scan::AS_OF, "SEARCH r USING INDEX records_of_profile (profile=? AND rowid>?)"),
        (SqliteConnection::ANY_REPLACED, "SEARCH records USING INDEX records_replaced (profile=?)"),
        (SqliteConnection::CHANGED, "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            SqliteConnection::CHANGED,
            "SEARCH s USING COVERING INDEX records_standing (profile=? AND observation=? AND replaced=?)",
        ),
        (SqliteConnection::MAY_CHANGE, "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"),
        (SqliteConnection::SEEN_SINCE, "SEARCH u USING COVERING INDEX runs_by_start (profile=? AND started_ms>?)"),
        (SqliteConnection::SEEN_SINCE, "SEARCH b USING INDEX batches_of_run (run=?)"),
        (results::BATCHES_FROM, "SEARCH b USING INTEGER PRIMARY KEY (rowid>?)"),
        (results::BATCHES_OF_PROFILE, "SEARCH b USING INDEX batches_of_profile (profile=? AND rowid>?)"),
        (results::BATCHES_OF_RUN, "SEARCH b USING INDEX batches_of_run (run=? AND rowid>?)"),
        (results::RECORDS_BY_ID, "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"),
        (runs::RUNS, "SEARCH r USING INDEX runs_of_tenant (tenant_id=? AND rowid<?)"),
        (runs::RUNS_OF_PROFILE, "SEARCH r USING INDEX runs_of_profile (profile=? AND rowid<?)"),
        (reports::PAGE, "SEARCH reports USING INTEGER PRIMARY KEY (rowid<?)"),
        (profiles::PAGE, "SEARCH p USING INDEX sqlite_autoindex_profiles_1 (tenant_id=? AND profile_id>?)"),
        (retention::RUNS_BEFORE, "SEARCH u USING INDEX runs_of_profile (profile=? AND rowid<?)"),
        (retention::RUNS_BEFORE, "SEARCH y USING COVERING INDEX replays_by_origin (profile=? AND replay_of=?)"),
        (retention::BATCHES_OF, "SEARCH b USING INDEX batches_of_run (run=?)"),
        (retention::WITH_RECORDS, "USING COVERING INDEX records_of_profile (profile=? AND rowid>? AND rowid<?)"),
        (retention::RECORD_IDS, "SEARCH records USING COVERING INDEX records_of_profile (profile=? AND rowid>?)"),
        (
            retention::CROWDED,
            "SEARCH revisions USING COVERING INDEX sqlite_autoindex_revisions_1 (profile=? AND observation>?)",
        ),
        (retention::TURNS_OF, "SEARCH v USING INDEX sqlite_autoindex_revisions_1 (profile=? AND observation=?)"),
        (placing::FIND_KEYS, "SEARCH records USING COVERING INDEX records_key (profile=? AND key=?)"),
    ] {
        let found = plan(&store, statement).await;
        assert!(found.contains(way), "{statement}\n{found}");
        assert!(!found.contains("TEMP B-TREE"), "{statement}\n{found}");
    }
}
