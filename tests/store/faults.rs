//! What the world may do to a store: damaged and foreign files, full and read-only disks, too much load, a writer that
//! keeps crashing, a second process. Each gets a clear error, and nothing that was acknowledged is lost.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chartly::domain::ids::TenantId;
use chartly::protocol::fault::{Code, Fault};
use chartly::runtime::{Breakpoints, Policy};
use chartly::store::{Store, StoreError, StoreSettings};
use serde_json::json;

use crate::engines::{Bed, Engine, on_both_engines};
use crate::support::*;

on_both_engines! {
    load_beyond_the_queue_is_refused_at_once_and_the_rest_is_stored,
    the_queue_is_bounded_in_bytes_too,
    closing_answers_what_was_accepted_and_takes_nothing_new,
    a_writer_that_keeps_crashing_gives_up_aloud,
    one_poisoned_write_spoils_no_other_of_its_group,
    two_processes_may_open_and_write_the_same_store,
}

async fn refused(folder: &Path) -> StoreError {
    let file = folder.join("results.db");
    let before = std::fs::read(&file).unwrap();
    let error = Store::open(&settings(folder)).await.expect_err("the file is refused");
    assert_eq!(std::fs::read(&file).unwrap(), before, "a refused file is left as it is");
    error
}

/// A folder with a closed store of 3,000 records.
async fn filled() -> tempfile::TempDir {
    let fixture = Fixture::with_profiles(Engine::Sqlite, &["p"]).await;
    let tenant = fixture.tenant();
    for seq in 0..3 {
        let records: Vec<_> = (0..1_000).map(|n| record(n % 50, u64::from(seq) * 1_000 + n)).collect();
        store(&tenant, "p", "r", seq, &records).await;
    }
    fixture.close().await;
    fixture.bed.folder
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_never_made_anew() {
    let folder = filled().await;
    let file = folder.path().join("results.db");
    let whole = std::fs::read(&file).unwrap();
    for length in [50, 10_000, whole.len() - 16_384] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let error = refused(folder.path()).await;
        assert!(matches!(error, StoreError::Damaged { .. }), "{length} bytes left: {error}");
        assert!(error.to_string().contains("results.db") && error.to_string().contains("Restore"), "{error}");
    }
    let mut schema_gone = whole.clone();
    schema_gone[100..4_000].fill(0xaa);
    std::fs::write(&file, &schema_gone).unwrap();
    assert!(matches!(refused(folder.path()).await, StoreError::Damaged { .. }));
    std::fs::write(&file, b"").unwrap();
    std::fs::write(folder.path().join("results.db-wal"), [7; 4_096]).unwrap();
    assert!(matches!(refused(folder.path()).await, StoreError::Damaged { .. }), "the log is there, the file is not");
}

#[tokio::test]
async fn damage_in_the_middle_shows_as_an_error_and_not_as_wrong_data() {
    let folder = filled().await;
    let file = folder.path().join("results.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    // All of the second half, so that records are among it however many tables stand before them.
    bytes[middle..].fill(0xaa);
    std::fs::write(&file, &bytes).unwrap();
    let store = match Store::open(&settings(folder.path())).await {
        Ok(store) => store,
        Err(error) => return assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
    };
    let tenant = store.tenant(&TenantId::default());
    let scan = tenant.scan_records(&profile_id("p"), None, |_| std::ops::ControlFlow::Continue(())).await;
    assert!(matches!(scan, Err(StoreError::Damaged { .. })), "{scan:?}");
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("results.db"), "a letter to my aunt, quite long. ".repeat(10)).unwrap();
    assert!(matches!(refused(folder.path()).await, StoreError::Foreign { .. }));
    let folder = tempfile::tempdir().unwrap();
    change(&folder.path().join("results.db"), "CREATE TABLE t (a); CREATE TABLE u (b); INSERT INTO t VALUES (1);")
        .await;
    assert!(matches!(refused(folder.path()).await, StoreError::Foreign { .. }));
    let folder = filled().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'of tomorrow', true, x'00', 0)";
    change(&folder.path().join("results.db"), newer).await;
    assert!(matches!(refused(folder.path()).await, StoreError::Newer { found: 9_999, .. }));
}

/// Changes a database behind the store's back.
async fn change(file: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
    let mut db = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

async fn load_beyond_the_queue_is_refused_at_once_and_the_rest_is_stored(engine: Engine) {
    let bed = Bed::new(engine).await;
    let narrow = StoreSettings { queue_batches: 8, ..bed.settings() };
    let store = Store::open(&narrow).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    let send = |n: u64| tenant.store_batch(batch("p", &format!("r{n}"), &[record(1, n)], json!({})), 1);
    let outcomes = futures_util::future::join_all((0..100).map(send)).await;
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let overloaded = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Overloaded { .. }))).count();
    assert!(stored >= 8 && overloaded > 0 && stored + overloaded == 100, "{stored} stored, {overloaded} refused");
    let fault = Fault::from(outcomes.into_iter().find_map(Result::err).unwrap());
    assert_eq!((fault.code, fault.retry_after_s), (Code::Overloaded, Some(1)));
    let vitals = store.vitals();
    assert_eq!((vitals.overloaded as usize, vitals.queued, vitals.queued_bytes), (overloaded, 0, 0));
    assert!(vitals.commits < stored as u64, "{} commits for {stored} batches", vitals.commits);
    assert_eq!(tenant.summary().await.unwrap().records as usize, stored);
}

async fn the_queue_is_bounded_in_bytes_too(engine: Engine) {
    let bed = Bed::new(engine).await;
    let narrow = StoreSettings { queue_bytes: 10_000, ..bed.settings() };
    let store = Store::open(&narrow).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    let records: Vec<_> = (0..50).map(|n| record(n, n)).collect();
    let send = |n: u64| tenant.store_batch(batch("p", &format!("r{n}"), &records, json!({})), 1);
    let outcomes = futures_util::future::join_all((0..10).map(send)).await;
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(StoreError::Overloaded { .. }))));
    assert!(outcomes.iter().any(Result::is_ok));
}

async fn closing_answers_what_was_accepted_and_takes_nothing_new(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    let send = |n: u64| tenant.store_batch(batch("p", &format!("r{n}"), &[record(1, n)], json!({})), 1);
    let sending = futures_util::future::join_all((0..100).map(send));
    let (outcomes, closed) = futures_util::future::join(sending, fixture.store.close(Duration::from_secs(10))).await;
    closed.unwrap();
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::Closed))));
    assert!(matches!(send(999).await, Err(StoreError::Closed)));
    assert!(!fixture.store.vitals().writable);
    assert_eq!(std::fs::metadata(fixture.bed.folder.path().join("results.db-wal")).map_or(0, |log| log.len()), 0);
    let fixture = fixture.reopened().await;
    assert_eq!(fixture.tenant().summary().await.unwrap().records as usize, stored);
}

async fn a_writer_that_keeps_crashing_gives_up_aloud(engine: Engine) {
    let bed = Bed::new(engine).await;
    let policy = Policy { min_backoff: Duration::from_millis(1), max_crashes: 2, ..Policy::default() };
    let settings = StoreSettings { policy, breakpoints: Breakpoints::armable(), ..bed.settings() };
    let store = Store::open(&settings).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    settings.breakpoints.arm("store.job", 100);
    let send = |n: u64| tenant.store_batch(batch("p", &format!("r{n}"), &[record(1, n)], json!({})), 1);
    for n in 0..3 {
        assert!(matches!(send(n).await, Err(StoreError::Crashed(_))));
    }
    tokio::time::timeout(Duration::from_secs(5), store.gave_up()).await.expect("giving up is heard");
    assert!(matches!(send(9).await, Err(StoreError::Closed)));
    let vitals = store.vitals();
    assert_eq!((vitals.gave_up, vitals.writable, vitals.crashes), (true, false, 3));
    assert_eq!(tenant.summary().await.unwrap().records, 0, "reads go on");
}

async fn one_poisoned_write_spoils_no_other_of_its_group(engine: Engine) {
    let bed = Bed::new(engine).await;
    let settings = StoreSettings { breakpoints: Breakpoints::armable(), ..bed.settings() };
    let store = Store::open(&settings).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    settings.breakpoints.arm("store.job", 1);
    let send = |n: u64| tenant.store_batch(batch("p", &format!("r{n}"), &[record(1, n)], json!({})), 1);
    let outcomes = futures_util::future::join_all((0..20).map(send)).await;
    let crashed = outcomes.iter().filter(|outcome| matches!(outcome, Err(StoreError::Crashed(_)))).count();
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((crashed, stored), (1, 19));
    assert_eq!(tenant.summary().await.unwrap().records, 19);
    assert!(store.vitals().writable);
}

async fn two_processes_may_open_and_write_the_same_store(engine: Engine) {
    let bed = Bed::new(engine).await;
    let settings = bed.settings();
    let (one, two) = futures_util::future::join(Store::open(&settings), Store::open(&settings)).await;
    let (one, two) = (one.unwrap().tenant(&TenantId::default()), two.unwrap().tenant(&TenantId::default()));
    put(&one, "p", 1).await;
    for n in 0..20 {
        let records: Vec<_> = (n..n + 10).map(|value| record(1, value)).collect();
        let (left, right) = futures_util::future::join(
            one.store_batch(batch("p", "left", &records, json!({"seq": n})), 1),
            two.store_batch(batch("p", "right", &records, json!({"seq": n})), 1),
        )
        .await;
        let inserted = left.unwrap().inserted + right.unwrap().inserted;
        assert_eq!(inserted, if n == 0 { 10 } else { 1 });
    }
    assert_eq!(one.summary().await.unwrap(), two.summary().await.unwrap());
    assert_eq!(all_results(&two, &of_run("left"), 7).await.len(), 29);
}

const DISK: &str = "CHARTLY_TEST_DISK";

/// Runs one test of this binary on a small disk of its own: a tmpfs in a mount namespace, gone with the process.
/// Needs no privilege where user namespaces are allowed; root is stopped by it as anyone is, which a mode would not do.
fn on_a_disk(test: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let probe = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        let required = std::env::var("REQUIRE_ALL").is_ok_and(|all| all == "1");
        assert!(!required, "{test} needs unshare(1) with user namespaces to make a small disk");
        return eprintln!("SKIPPED {test}: needs unshare(1) with user namespaces to make a small disk");
    }
    let script = format!("mount -t tmpfs -o size=8m none \"$DISK\" && {script}");
    let run = format!("exec \"$TESTS\" --exact faults::{test} --nocapture --test-threads=1");
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", &script.replace("RUN", &run)])
        .env("DISK", folder.path())
        .env("TESTS", std::env::current_exe().unwrap())
        .env(DISK, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn disk() -> Option<PathBuf> {
    std::env::var_os(DISK).map(PathBuf::from)
}

#[test]
fn a_full_disk_is_said_and_got_over() {
    on_a_disk("body_on_a_full_disk", "RUN");
}

#[tokio::test]
async fn body_on_a_full_disk() {
    let Some(disk) = disk() else { return };
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let fixture_settings = settings(&disk.join("data"));
    let store = Store::open(&fixture_settings).await.unwrap();
    let tenant = store.tenant(&TenantId::default());
    put(&tenant, "p", 1).await;
    let records = |n: u64| (0..500).map(|i| record(i % 50, n * 1_000 + i)).collect::<Vec<_>>();
    let send = |n: u64| tenant.store_batch(batch("p", "r", &records(n), json!({"seq": n})), 1);
    let mut stored = 0;
    let error = loop {
        match send(stored).await {
            Ok(receipt) => assert_eq!(receipt.inserted, 500),
            Err(error) => break error,
        }
        stored += 1;
        assert!(stored < 1_000, "the disk never filled");
    };
    assert!(matches!(error, StoreError::DiskFull(_) | StoreError::OutcomeUnknown(_)), "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    let vitals = store.vitals();
    assert!(!vitals.writable && vitals.last_error.is_some() && vitals.failures > 0, "{vitals:?}");
    assert_eq!(scanned(&tenant, "p").await.len() as u64, stored * 500, "what was acknowledged can still be read");
    std::fs::remove_file(&ballast).unwrap();
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while !store.vitals().writable {
        assert!(tokio::time::Instant::now() < patience, "ready again without a write: {:?}", store.vitals());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(send(stored).await.expect("with room again it goes on by itself").inserted, 500);
    assert!(store.vitals().writable && store.vitals().last_error.is_none());
    drop((store, tenant));
    let store = Store::open(&fixture_settings).await.unwrap();
    assert_eq!(scanned(&store.tenant(&TenantId::default()), "p").await.len() as u64, (stored + 1) * 500);
}

#[test]
fn a_read_only_folder_is_said() {
    let script = "mkdir \"$DISK/data\" && : > \"$DISK/data/results.db\" && mount -o remount,ro \"$DISK\" && RUN";
    on_a_disk("body_on_a_read_only_disk", script);
}

#[tokio::test]
async fn body_on_a_read_only_disk() {
    let Some(disk) = disk() else { return };
    let error = Store::open(&settings(&disk.join("data"))).await.expect_err("nothing can be written here");
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert!(error.to_string().contains("data folder"), "{error}");
    let error = Store::open(&settings(&disk.join("other"))).await.expect_err("no folder can be made here");
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert_eq!(Fault::from(error).code, Code::StoreFailed);
}
