//! What is PostgreSQL's own: several processes on one database, a server that goes away and comes back, logins and
//! rights, and texts that it cannot hold as they are. Each fault is said in one line with the mend.

use std::time::{Duration, Instant};

use chartly::domain::ids::TenantId;
use chartly::protocol::aggregator::{RecordFilter, RunFilter};
use chartly::protocol::fault::{Code, Fault, Retry};
use chartly::protocol::paging::PageRequest;
use chartly::protocol::registry::PutMode;
use chartly::store::{NewVersion, Place, Server, Store, StoreError, StoreSettings, TenantStore};
use futures_util::future::join_all;
use serde_json::json;

use crate::common::postgres::PostgresServer;
use crate::common::skip;
use crate::engines::*;
use crate::support::*;

async fn open(url: &str) -> Store {
    Store::open(&StoreSettings::at(on_server(url))).await.unwrap()
}

fn tenant_of(store: &Store) -> TenantStore {
    store.tenant(&TenantId::default())
}

/// Why a database is refused.
async fn refusal(place: Place) -> StoreError {
    let begun = Instant::now();
    let error = Store::open(&StoreSettings::at(place)).await.expect_err("it is refused");
    assert!(begun.elapsed() < Duration::from_secs(10), "said late: {error}");
    assert!(!error.to_string().contains('\n'), "one line: {error}");
    error
}

#[tokio::test]
async fn many_processes_may_create_one_database_at_once() {
    if !is_here("many_processes_may_create_one_database_at_once") {
        return;
    }
    let url = new_database().await;
    let stores = join_all((0..6).map(|_| open(&url))).await;
    let ids = join_all(stores.iter().map(Store::store_id)).await;
    assert!(ids.windows(2).all(|pair| pair[0].as_ref().unwrap() == pair[1].as_ref().unwrap()));
    let version = stores[0].engine_version().await.unwrap();
    assert!(version.starts_with("PostgreSQL "), "{version}");
}

/// The same batches, in another order from each process, with overlaps, and profiles changed beside them.
#[tokio::test]
async fn several_writers_at_once_store_everything_once() {
    const STORES: u64 = 4;
    const BATCHES: u64 = 60;
    if !is_here("several_writers_at_once_store_everything_once") {
        return;
    }
    let url = new_database().await;
    let stores = join_all((0..STORES).map(|_| open(&url))).await;
    for id in ["p0", "p1", "p2"] {
        put(&tenant_of(&stores[0]), id, 1).await;
    }
    let hammer = stores.iter().zip(0..).map(|(store, part)| async move {
        let tenant = tenant_of(store);
        let send = |number: u64| {
            // A different starting point in each process, hence other orders and other groups.
            let number = (number + part * BATCHES / STORES) % BATCHES;
            let records: Vec<_> = (0..20).map(|n| number / 3 * 10 + n).map(|value| record(value % 3, value)).collect();
            let profile = ["p0", "p1", "p2"][(number % 3) as usize];
            let sent = batch(profile, &format!("r{}", number % 6), &records, json!({"seq": number}));
            let tenant = tenant.clone();
            async move { tenant.store_batch(sent, 1_000).await.unwrap() }
        };
        let mut receipts = Vec::new();
        for eight in (0..BATCHES).collect::<Vec<_>>().chunks(8) {
            receipts.extend(join_all(eight.iter().map(|number| send(*number))).await);
            put(&tenant, &format!("other{part}"), eight[0] as u32).await;
        }
        receipts
    });
    let receipts: Vec<_> = join_all(hammer).await.into_iter().flatten().collect();
    let stored: Vec<_> = receipts.iter().filter(|receipt| !receipt.replayed).collect();
    assert_eq!(stored.len() as u64, BATCHES, "each batch was stored by one of them and replayed to the others");
    let inserted: u32 = stored.iter().map(|receipt| receipt.inserted).sum();
    for store in &stores {
        let tenant = tenant_of(store);
        let summary = tenant.summary().await.unwrap();
        assert_eq!((summary.records, summary.runs), (u64::from(inserted), 6));
        // Twenty batches a profile, each ten further than the one before.
        for id in ["p0", "p1", "p2"] {
            assert_eq!(all_records(&tenant, &of_profile(id), 50).await.len(), 210, "{id}");
        }
        let seen: usize = join_all(
            (0..6)
                .map(|run| async move { all_results(&tenant_of(store), &of_run(&format!("r{run}")), 50).await.len() }),
        )
        .await
        .into_iter()
        .sum();
        assert_eq!(summary.results, seen as u64);
    }
}

/// Two profiles of two processes begin a run of one name at the same moment: one gets it, the other is refused.
#[tokio::test]
async fn a_run_is_of_one_profile_whoever_asks_at_once() {
    if !is_here("a_run_is_of_one_profile_whoever_asks_at_once") {
        return;
    }
    let url = new_database().await;
    let stores = join_all((0..2).map(|_| open(&url))).await;
    for id in ["p", "q"] {
        put(&tenant_of(&stores[0]), id, 1).await;
    }
    for number in 0..30 {
        let run = format!("r{number}");
        let post = |store: usize, profile: &str| {
            let sent = batch(profile, &run, &[record(1, number)], json!({"seq": 0}));
            let tenant = tenant_of(&stores[store]);
            async move { tenant.store_batch(sent, 1).await }
        };
        let (one, two) = futures_util::future::join(post(0, "p"), post(1, "q")).await;
        let refused = [&one, &two].iter().filter(|got| matches!(got, Err(StoreError::RunConflict { .. }))).count();
        let stored = [&one, &two].iter().filter(|got| got.is_ok()).count();
        assert_eq!((stored, refused), (1, 1), "{one:?} {two:?}");
    }
}

#[tokio::test]
async fn a_login_that_fails_is_said_with_its_mend() {
    let Ok(server) = server().inspect_err(|missing| skip("a_login_that_fails_is_said_with_its_mend", missing)) else {
        return;
    };
    command(&server.url("postgres"), "CREATE ROLE locked LOGIN PASSWORD 'right'".into()).await;
    command(&server.url("postgres"), "CREATE DATABASE of_locked OWNER locked".into()).await;
    let url = server.url("of_locked").replace("tests@", "locked@");
    let with = |password: Option<&str>| {
        let password = password.map(|text| text.to_owned().into());
        Place::Server(Server { url: url.clone().into(), password, connections: 4 })
    };
    let error = refusal(with(Some("wrong"))).await;
    assert!(matches!(error, StoreError::Login(_)), "{error:?}");
    assert!(error.to_string().contains("store.password") && !error.to_string().contains("wrong"), "{error}");
    Store::open(&StoreSettings::at(with(Some("right")))).await.unwrap();
    let shown = format!("{:?}", StoreSettings::at(with(Some("right"))));
    assert!(!shown.contains("right\""), "{shown}");

    let error = refusal(on_server(&server.url("nowhere"))).await;
    assert!(matches!(error, StoreError::Unfit(_)) && error.to_string().contains("store.url"), "{error}");
}

#[tokio::test]
async fn a_user_without_rights_and_an_unfit_database_are_told_so() {
    let test = "a_user_without_rights_and_an_unfit_database_are_told_so";
    let Ok(server) = server().inspect_err(|missing| skip(test, missing)) else { return };
    command(&server.url("postgres"), "CREATE ROLE guest LOGIN".into()).await;
    let url = new_database().await.replace("tests@", "guest@");
    let error = refusal(on_server(&url)).await;
    assert!(matches!(error, StoreError::NoRights(_)), "{error:?}");
    assert!(error.to_string().contains("own the database"), "{error}");
    let latin = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0";
    command(&server.url("postgres"), latin.into()).await;
    let error = refusal(on_server(&server.url("latin"))).await;
    assert!(error.to_string().contains("UTF8"), "{error}");
    let url = new_database().await;
    drop(open(&url).await);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'of tomorrow', true, '\\x00', 0)";
    command(&url, newer.into()).await;
    assert!(matches!(refusal(on_server(&url)).await, StoreError::Newer { found: 9_999, .. }));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    for url in ["postgres://u:hidden@127.0.0.1:1/d", "postgres://u:hidden@localhost/d?host=/nowhere/at/all"] {
        let error = refusal(on_server(url)).await;
        assert!(matches!(error, StoreError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("store.url") && !error.to_string().contains("hidden"), "{error}");
        assert_eq!(Fault::from(error).code.retry(), Retry::Safe);
    }
}

/// Character 0 is a character like others, except to PostgreSQL.
#[tokio::test]
async fn texts_with_the_character_0_are_kept_without_it_and_records_with_it() {
    if !is_here("texts_with_the_character_0_are_kept_without_it_and_records_with_it") {
        return;
    }
    let store = open(&new_database().await).await;
    let tenant = tenant_of(&store);
    let odd = NewVersion { name: "a\0b".into(), version: "1\0".into(), ..version("p", 1) };
    let view = tenant.put_profile(odd, PutMode::Create, None, 1).await.unwrap();
    assert_eq!((view.summary.name.as_str(), view.summary.version.as_str()), ("a\u{fffd}b", "1\u{fffd}"));
    let row = json!({"dims": {"a\0": "b\0c"}, "measures": {"v": 1}});
    let run = json!({"state": "failed", "started_ms": 1, "error": "e\0", "profile_digest": "x\0y"});
    tenant.store_batch(batch("p", "r", &[row], json!({"run": run})), 1).await.unwrap();
    let kept = all_records(&tenant, &RecordFilter::default(), 10).await;
    assert_eq!(kept[0]["dims"]["a\0"], "b\0c");
    assert_eq!(tenant.run(&run_id("r")).await.unwrap().error.as_deref(), Some("e\u{fffd}"));
    assert!(matches!(tenant.report("no\0ne").await, Err(StoreError::UnknownReport(_))));
    let odd_page = PageRequest { limit: Some(5), cursor: Some("a\0".into()) };
    // Refused as a cursor or taken as a name; never a failure of the store.
    assert!(
        !matches!(tenant.profiles(None, &odd_page).await, Err(error) if Fault::from(error.clone()).code == Code::StoreFailed)
    );
}

/// The server is killed in the middle of the work and started again: nothing that was acknowledged is gone, nothing is
/// there twice, the store says that it is not ready meanwhile, and goes on by itself.
#[tokio::test]
async fn a_server_that_crashes_and_comes_back_has_everything_acknowledged() {
    let test = "a_server_that_crashes_and_comes_back_has_everything_acknowledged";
    let Ok(mut server) = PostgresServer::own(&[]).inspect_err(|missing| skip(test, missing)) else { return };
    let url = server.url("postgres");
    let store = open(&url).await;
    let tenant = tenant_of(&store);
    put(&tenant, "p", 1).await;
    let mut acknowledged = 0;
    for round in 0..3_u64 {
        let send = |number: u64| {
            let records: Vec<_> = (0..20).map(|n| record(n, (round * 1_000 + number) * 20 + n)).collect();
            let sent = batch("p", &format!("r{round}"), &records, json!({"seq": number}));
            let tenant = tenant.clone();
            async move { tenant.store_batch(sent, 1).await }
        };
        let mut number = 0;
        let crash = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            server.crash();
        };
        // One after another until the server is gone; the last outcome may be unknown.
        let work = async {
            loop {
                match send(number).await {
                    Ok(receipt) => assert_eq!(receipt.inserted, 20),
                    Err(error) => break error,
                }
                number += 1;
            }
        };
        let (error, ()) = futures_util::future::join(work, crash).await;
        assert!(matches!(error, StoreError::Unreachable(_) | StoreError::OutcomeUnknown(_)), "{error:?}");
        assert!(!store.vitals().writable, "unready while the server is away: {:?}", store.vitals());
        let read = tenant.summary().await;
        assert!(matches!(read, Err(StoreError::Unreachable(_) | StoreError::Busy(_))), "{read:?}");
        server.start_again();
        let patience = Instant::now() + Duration::from_secs(20);
        while !store.vitals().writable {
            assert!(Instant::now() < patience, "ready again without a write: {:?}", store.vitals());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let again = send(number).await.expect("it goes on by itself");
        assert_eq!(again.inserted, 20, "stored once, by then or now");
        acknowledged += (number + 1) * 20;
        let texts = scanned(&tenant, "p").await;
        let distinct: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert_eq!((texts.len() as u64, distinct.len() as u64), (acknowledged, acknowledged), "round {round}");
    }
    store.close(Duration::from_secs(10)).await.unwrap();
}

/// What one page costs must not grow with the store. The server counts the index entries that it read.
#[tokio::test]
async fn a_page_reads_a_page_however_much_there_is() {
    if !is_here("a_page_reads_a_page_however_much_there_is") {
        return;
    }
    let url = new_database().await;
    let store = open(&url).await;
    let tenant = tenant_of(&store);
    put(&tenant, "p", 1).await;
    for run in 0..40_u64 {
        let records: Vec<_> = (0..500).map(|n| record(n % 50, run * 500 + n)).collect();
        super::support::store(&tenant, "p", &format!("r{run}"), 0, &records).await;
    }
    store.close(Duration::from_secs(10)).await.unwrap();
    let before = read_by_index(&url).await;
    let store = open(&url).await;
    let tenant = tenant_of(&store);
    let mut cursor = None;
    for _ in 0..5 {
        let found = tenant.records(&of_profile("p"), &page(10, cursor)).await.unwrap();
        assert_eq!(found.items.len(), 10);
        cursor = found.next;
    }
    let runs = tenant.runs(&RunFilter::default(), &page(10, None)).await.unwrap();
    assert_eq!(runs.items.len(), 10);
    assert_eq!(tenant.results(&of_run("r20"), &page(10, None)).await.unwrap().items.len(), 10);
    assert_eq!(tenant.results(&RecordFilter::default(), &page(10, None)).await.unwrap().items.len(), 10);
    store.close(Duration::from_secs(10)).await.unwrap();
    let read = read_by_index(&url).await - before;
    assert!(read < 3_000, "{read} index entries were read for eight pages, of 20,000 records");
}

/// Index entries read so far by all sessions that have ended, and whole tables read not at all.
async fn read_by_index(url: &str) -> i64 {
    use sqlx::{Connection, Row};
    // A session reports what it did when it ends, which the server notices a moment after the client.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut db = sqlx::postgres::PgConnection::connect(url).await.unwrap();
    let text = "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes
        WHERE relname IN ('records', 'batches', 'runs', 'record_sets')";
    sqlx::query(text).fetch_one(&mut db).await.unwrap().get(0)
}
