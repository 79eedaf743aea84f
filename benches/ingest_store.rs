//! How fast the store takes batches, next to what SQLite alone does with the same records on the same disk in the same
//! run: `cargo bench --bench ingest_store -- [RECORDS] [ROUNDS]`. The ways run in turn in every round; medians and the
//! ratio to the raw way are printed. Nothing but the store (or SQLite) is timed: records are canonical and hashed.
//!
//! Where PostgreSQL is installed the same is done on it, next to the plainest fast way of writing to it (`raw_unnest`),
//! on a private server with its durability on. CPU is that of this program, the server's is not counted.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../tests/support/postgres.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod postgres;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use chartly::domain::digest::Digest;
use chartly::domain::ids::{ProfileId, RunId, TenantId};
use chartly::protocol::batch::Batch;
use chartly::protocol::registry::{Origin, PutMode};
use chartly::store::{NewVersion, Place, Server, Store, StoreSettings};
use futures_util::StreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

const PROFILES: u64 = 10;

struct Way {
    name: &'static str,
    run: fn(&Path, &[Batch]) -> Outcome,
    seconds: Vec<f64>,
    cpu_seconds: Vec<f64>,
    answer_ms: Vec<f64>,
    bytes: f64,
}

#[derive(Default)]
struct Outcome {
    seconds: f64,
    /// Of all threads, while the clock ran.
    cpu_seconds: f64,
    /// How long each post waited for its answer.
    answer_ms: Vec<f64>,
    /// On disk for each record, after everything was written back.
    bytes: f64,
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let records = numbers.first().copied().unwrap_or(200_000);
    let rounds = numbers.get(1).copied().unwrap_or(3);
    let batches = batches(records, 1_000);
    let small = batches_of(records.min(100_000), 100);
    let mut ways = [
        way("raw: rusqlite, tuned, FULL", raw),
        way("store, one post at a time", one_at_a_time),
        way("store, 4 posts at a time", four_at_a_time),
        way("store, all known, 4 at a time", all_known),
    ];
    let mut small_ways =
        [way("raw, 100 records a commit", raw), way("store, 100 records, 16 at a time", sixteen_at_a_time)];
    let mut server_ways = [
        way("raw UNNEST", raw_unnest),
        way("PostgreSQL, one post at a time", server_one_at_a_time),
        way("PostgreSQL, 4 posts at a time", server_four_at_a_time),
        way("PostgreSQL, all known, 4 at a time", server_all_known),
    ];
    let mut small_server_ways = [
        way("raw UNNEST, 100 records", raw_unnest),
        way("PostgreSQL, 100 records, 16 at once", server_sixteen_at_a_time),
    ];
    for round in 0..rounds {
        eprintln!("round {round}");
        if std::env::var_os("ONLY_POSTGRES").is_none() {
            measure(&mut ways, &batches);
            measure(&mut small_ways, &small);
        }
        if let Err(missing) = server() {
            eprintln!("  not measured: {missing}");
            continue;
        }
        measure(&mut server_ways, &batches);
        measure(&mut small_server_ways, &small);
    }
    let few = small.iter().map(|batch| batch.records.len()).sum();
    report(&mut ways, records);
    report(&mut small_ways, few);
    report(&mut server_ways, records);
    report(&mut small_server_ways, few);
    println!("peak resident memory of this program (the records themselves included): {} KiB", peak_kib());
}

fn way(name: &'static str, run: fn(&Path, &[Batch]) -> Outcome) -> Way {
    Way { name, run, seconds: Vec::new(), cpu_seconds: Vec::new(), answer_ms: Vec::new(), bytes: 0.0 }
}

fn measure(ways: &mut [Way], batches: &[Batch]) {
    for way in ways {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let outcome = (way.run)(folder.path(), batches);
        eprintln!("  {:<34} {:.3} s", way.name, outcome.seconds);
        way.seconds.push(outcome.seconds);
        way.cpu_seconds.push(outcome.cpu_seconds);
        way.answer_ms.extend(outcome.answer_ms);
        way.bytes = outcome.bytes;
    }
}

fn report(ways: &mut [Way], records: usize) {
    if ways.iter().any(|way| way.seconds.is_empty()) {
        return;
    }
    println!("{records} records");
    let heads = ["records/s", "ratio", "CPU us/record", "p99 ms", "longest ms", "B/record"];
    println!("{:<34} {}", "", heads.map(|head| format!("{head:>13}")).concat());
    let mut raw = None;
    for way in ways {
        let rate = records as f64 / median(&mut way.seconds);
        let ratio = rate / *raw.get_or_insert(rate);
        let cpu_us = median(&mut way.cpu_seconds) * 1e6 / records as f64;
        way.answer_ms.sort_by(f64::total_cmp);
        let (p99, longest) = (way.answer_ms[way.answer_ms.len() * 99 / 100], way.answer_ms[way.answer_ms.len() - 1]);
        let numbers = format!("{rate:>13.0}{ratio:>13.2}{cpu_us:>13.2}{p99:>13.1}{longest:>13.1}{:>13.1}", way.bytes);
        println!("{:<34} {numbers}", way.name);
    }
}

fn raw(folder: &Path, batches: &[Batch]) -> Outcome {
    let file = folder.join("raw.db");
    let mut db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch(
        "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-262144;
         PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;
         CREATE TABLE runs (run_id INTEGER PRIMARY KEY, profile_id INTEGER, ts INTEGER, n INTEGER, status TEXT);
         CREATE TABLE records (profile_id INTEGER NOT NULL, record_id BLOB NOT NULL, ts INTEGER NOT NULL,
             run_id INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (profile_id, record_id));
         CREATE INDEX records_ts ON records (profile_id, ts);",
    )
    .unwrap();
    let (started, cpu, mut answer_ms) = (Instant::now(), cpu_seconds(), Vec::new());
    for (run, batch) in (1_i64..).zip(batches) {
        let begun = Instant::now();
        let transaction = db.transaction().unwrap();
        {
            let profile = run % PROFILES as i64;
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO records VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            for (digest, text) in batch.records.iter() {
                let body = std::str::from_utf8(text).unwrap();
                insert.execute((profile, &digest.key()[..], 1_700_000_000_000 + run, run, body)).unwrap();
            }
            let mut runs = transaction.prepare_cached("INSERT INTO runs VALUES (?1, ?2, ?3, ?4, 'ok')").unwrap();
            runs.execute((run, profile, 1_700_000_000_000 + run, batch.records.len() as i64)).unwrap();
        }
        transaction.commit().unwrap();
        answer_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (seconds, cpu_seconds) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    Outcome { seconds, cpu_seconds, answer_ms, bytes: bytes_each(&file, batches) }
}

fn one_at_a_time(folder: &Path, batches: &[Batch]) -> Outcome {
    through_store(folder, batches, 1, 1)
}

fn four_at_a_time(folder: &Path, batches: &[Batch]) -> Outcome {
    through_store(folder, batches, 4, 1)
}

fn sixteen_at_a_time(folder: &Path, batches: &[Batch]) -> Outcome {
    through_store(folder, batches, 16, 1)
}

fn all_known(folder: &Path, batches: &[Batch]) -> Outcome {
    through_store(folder, batches, 4, 2)
}

fn through_store(folder: &Path, batches: &[Batch], at_once: usize, passes: usize) -> Outcome {
    let file = folder.join("results.db");
    let mut outcome = through(&StoreSettings::new(&file), batches, at_once, passes);
    outcome.bytes = bytes_each(&file, batches);
    outcome
}

/// Stores everything `passes` times, under other run ids each time; the last pass is timed.
fn through(settings: &StoreSettings, batches: &[Batch], at_once: usize, passes: usize) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut outcome = Outcome::default();
    runtime.block_on(async {
        let store = Store::open(settings).await.unwrap();
        let tenant = store.tenant(&TenantId::default());
        for number in 0..PROFILES {
            tenant.put_profile(profile(number), PutMode::Replace, None, 1).await.unwrap();
        }
        for pass in 0..passes {
            let mine: Vec<Batch> = batches.iter().map(|batch| renamed(batch, pass)).collect();
            outcome.answer_ms.clear();
            let (started, cpu) = (Instant::now(), cpu_seconds());
            let posts = mine.into_iter().map(|batch| {
                let tenant = tenant.clone();
                async move {
                    let begun = Instant::now();
                    tenant.store_batch(batch, 1_700_000_000_000).await.unwrap();
                    begun.elapsed()
                }
            });
            let mut answers = futures_util::stream::iter(posts).buffer_unordered(at_once);
            while let Some(took) = answers.next().await {
                outcome.answer_ms.push(took.as_secs_f64() * 1e3);
            }
            outcome.seconds = started.elapsed().as_secs_f64();
            outcome.cpu_seconds = cpu_seconds() - cpu;
        }
        store.close(Duration::from_secs(60)).await.unwrap();
    });
    outcome
}

fn server_one_at_a_time(_: &Path, batches: &[Batch]) -> Outcome {
    through_server(batches, 1, 1)
}

fn server_four_at_a_time(_: &Path, batches: &[Batch]) -> Outcome {
    through_server(batches, 4, 1)
}

fn server_sixteen_at_a_time(_: &Path, batches: &[Batch]) -> Outcome {
    through_server(batches, 16, 1)
}

fn server_all_known(_: &Path, batches: &[Batch]) -> Outcome {
    through_server(batches, 4, 2)
}

fn server() -> Result<&'static postgres::PostgresServer, &'static str> {
    static SERVER: OnceLock<Result<postgres::PostgresServer, String>> = OnceLock::new();
    let options = ["-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"];
    SERVER.get_or_init(|| postgres::PostgresServer::own(&options)).as_ref().map_err(String::as_str)
}

fn through_server(batches: &[Batch], at_once: usize, passes: usize) -> Outcome {
    on_new_database(batches, |url| {
        let server = Server { url: url.to_owned().into(), password: None, connections: 4 };
        through(&StoreSettings::at(Place::Server(server)), batches, at_once, passes)
    })
}

/// Runs a way on a database that is empty, and drops it.
fn on_new_database(batches: &[Batch], run: impl FnOnce(&str) -> Outcome) -> Outcome {
    let server = server().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let say = |sql: &'static str| {
        runtime.block_on(async {
            let mut db = PgConnection::connect(&server.url("postgres")).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        });
    };
    say("CREATE DATABASE bench");
    let url = server.url("bench");
    let mut outcome = run(&url);
    outcome.bytes = runtime.block_on(async {
        let mut db = PgConnection::connect(&url).await.unwrap();
        let text = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let bytes: i64 = sqlx::query(text).fetch_one(&mut db).await.unwrap().get(0);
        bytes as f64 / batches.iter().map(|batch| batch.records.len()).sum::<usize>() as f64
    });
    say("DROP DATABASE bench WITH (FORCE)");
    say("CHECKPOINT");
    outcome
}

/// One table with a 16-byte key, one index on time, one row for each batch, and nothing that Chartly promises beside.
fn raw_unnest(_: &Path, batches: &[Batch]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    on_new_database(batches, |url| runtime.block_on(unnest(url, batches)))
}

async fn unnest(url: &str, batches: &[Batch]) -> Outcome {
    let mut db = PgConnection::connect(url).await.unwrap();
    let tables =
        "CREATE TABLE runs (run_id bigint PRIMARY KEY, profile_id text NOT NULL, ts bigint NOT NULL, n int NOT NULL);
        CREATE TABLE records (profile_id text NOT NULL, record_id bytea NOT NULL, ts bigint NOT NULL,
            run_id bigint NOT NULL, body text NOT NULL, PRIMARY KEY (profile_id, record_id));
        CREATE INDEX ON records (profile_id, ts)";
    sqlx::raw_sql(tables).execute(&mut db).await.unwrap();
    let insert = "INSERT INTO records SELECT $1, i, t, $3, b FROM unnest($2::bytea[], $4::bigint[], $5::text[])
        AS u (i, t, b) ON CONFLICT DO NOTHING";
    let (started, cpu, mut answer_ms) = (Instant::now(), cpu_seconds(), Vec::new());
    for (run, batch) in (1_i64..).zip(batches) {
        let begun = Instant::now();
        let profile = format!("census-acs5-profile-{:03}", run % PROFILES as i64);
        let keys: Vec<[u8; 16]> = batch.records.digests().iter().map(Digest::key).collect();
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let bodies: Vec<&str> = batch.records.iter().map(|(_, text)| std::str::from_utf8(text).unwrap()).collect();
        let times = vec![1_700_000_000_000 + run; keys.len()];
        let mut transaction = db.begin().await.unwrap();
        let query = sqlx::query(insert).bind(&profile).bind(&keys).bind(run).bind(&times).bind(&bodies);
        query.execute(&mut *transaction).await.unwrap();
        let query = sqlx::query("INSERT INTO runs VALUES ($1, $2, $3, $4)").bind(run).bind(&profile);
        query.bind(times[0]).bind(keys.len() as i32).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        answer_ms.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Outcome { seconds: started.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds() - cpu, answer_ms, bytes: 0.0 }
}

fn renamed(batch: &Batch, pass: usize) -> Batch {
    let run_id = RunId::parse(&format!("{}-{pass}", batch.run_id)).unwrap();
    Batch { run_id, ..batch.clone() }
}

fn profile(number: u64) -> NewVersion {
    let yaml = format!("id: profile-{number}\n");
    NewVersion {
        id: ProfileId::parse(&format!("profile-{number}")).unwrap(),
        name: "bench".into(),
        version: "1".into(),
        digest: Digest::of(yaml.as_bytes()),
        yaml,
        key: Vec::new(),
        needs: chartly::domain::needs::Needs::default(),
        enabled: true,
        origin: Origin::Api,
        path: None,
    }
}

fn batches(records: usize, size: usize) -> Vec<Batch> {
    batches_of(records, size)
}

/// The records that the limits were measured with, 224 bytes of canonical JSON each.
fn batches_of(records: usize, size: usize) -> Vec<Batch> {
    let starts = (0..records as u64).step_by(size);
    starts.enumerate().map(|(number, start)| one_batch(number as u64, start, size as u64)).collect()
}

fn one_batch(number: u64, start: u64, size: u64) -> Batch {
    let profile = number % PROFILES;
    let mut text =
        format!(r#"{{"drone_id":"edge-1","profile_id":"profile-{profile}","run_id":"run-{number}","seq":0,"data":["#);
    for n in start..start + size {
        let comma = if n == start { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"dims":{{"county":"{:03}","indicator":"B19013_{:03}E","note":"synthetic","period":"{:04}-{:02}","source":"profile-{:04}-survey-of-communities","state":"{:02}","tract":"{:07}"}},"measures":{{"count":{},"moe":{}.{:02},"value":{}.{:03}}}}}"#,
            n % 997,
            n % 61,
            1990 + n % 34,
            1 + n % 12,
            profile,
            n % 57,
            n,
            n % 100_000,
            n % 500,
            n % 99 + 1,
            n.wrapping_mul(2_654_435_761) % 1_000_000,
            n % 999 + 1
        )
        .unwrap();
    }
    text.push_str("]}");
    Batch::from_json(text.as_bytes()).unwrap()
}

fn bytes_each(file: &Path, batches: &[Batch]) -> f64 {
    let records: usize = batches.iter().map(|batch| batch.records.len()).sum();
    std::fs::metadata(file).unwrap().len() as f64 / records as f64
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// User and system time of this process; the kernel counts it in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = after_name.split(' ').skip(11).take(2).filter_map(|number| number.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
}
