//! Several writers on one SQLite file at once: none is told that it is busy, and each gets its turn.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chartly::domain::digest::Digest;
use chartly::domain::ids::{ProfileId, RunId, TenantId};
use chartly::protocol::aggregator::Batch;
use chartly::protocol::registry::{Origin, PutMode};
use chartly::store::{NewVersion, Store, StoreSettings, TenantStore};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::layout::Layout;
use crate::scenario::{batch, report, row, yaml};
use crate::support::{Answer, KEY, get, post, put_profile, send};

const LONG: Duration = Duration::from_secs(4);

/// Repeats a write until the time is up; each must succeed. Returns how many there were and the slowest.
async fn busy(name: &str, until: Instant, mut write: impl AsyncFnMut(u32) -> Answer) -> (u32, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while Instant::now() < until {
        let begun = Instant::now();
        let answer = write(count).await;
        assert!(matches!(answer.status, 200..=202), "{name} {count}: {} {}", answer.status, answer.text());
        slowest = slowest.max(begun.elapsed());
        count += 1;
    }
    (count, slowest)
}

#[actix_web::test]
async fn four_writers_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let five = Layout::five_processes(folder.path());
    let gateway = five.gateway();
    for profile in ["left", "right"] {
        put_profile(gateway, &yaml(profile, "1.0.0")).await;
    }
    post(&format!("{gateway}/api/results"), &batch("right", "r", 0, &[row(0, 1.0)])).await;
    let until = Instant::now() + LONG;
    let posts = (0..4_u32).map(|client| {
        busy("batch", until, async move |count| {
            let rows: Vec<Value> =
                (0..500).map(|n| row(n, f64::from(client * 1_000_000 + count * 1_000) + n as f64)).collect();
            let run = format!("r-{client}-{count}");
            post(&format!("{gateway}/api/results"), &batch("left", &run, 0, &rows)).await
        })
    });
    let (posts, puts, joins, reports) = tokio::join!(
        join_all(posts),
        busy("profile", until, async |count| {
            let text = yaml("busy", &format!("1.0.{count}"));
            send("PUT", &format!("{gateway}/api/profiles/busy"), &[("x-api-key", KEY)], text).await
        }),
        busy("drone", until, async |count| {
            post(&format!("{gateway}/api/drones/register"), &json!({"drone_id": format!("d{count}")})).await
        }),
        busy("report", until, async |_| {
            post(&format!("{gateway}/api/reports"), &report(&json!({"type": "correlation"}))).await
        }),
    );
    let batches: u32 = posts.iter().map(|(count, _)| count).sum();
    let slowest = posts.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    eprintln!("batches {batches} (slowest {slowest:?}), profiles {puts:?}, drones {joins:?}, reports {reports:?}");
    for (name, (count, slowest)) in [("profiles", puts), ("drones", joins), ("reports", reports)] {
        assert!(count > 3, "{name} hardly got their turn: {count}, the slowest took {slowest:?}");
    }
    let summary = get(&format!("{gateway}/api/results/summary")).await.json();
    assert_eq!(summary["records"], json!(u64::from(batches) * 500 + 1), "{summary}");
    let drones = get(&format!("{gateway}/api/drones/stats")).await.json();
    assert_eq!(drones["online"], json!(joins.0), "{drones}");
}

async fn open(file: &Path) -> Store {
    Store::open(&StoreSettings::new(file)).await.unwrap()
}

async fn put_version(tenant: &TenantStore, id: &str, number: u32) {
    let yaml = yaml(id, &format!("1.0.{number}"));
    let version = NewVersion {
        id: ProfileId::parse(id).unwrap(),
        name: id.into(),
        version: format!("1.0.{number}"),
        digest: Digest::of(yaml.as_bytes()),
        yaml,
        key: Vec::new(),
        needs: chartly::domain::needs::Needs::default(),
        enabled: true,
        origin: Origin::Api,
        path: None,
    };
    tenant.put_profile(version, PutMode::Replace, None, 1).await.unwrap();
}

/// Stores batches without a pause until told that it is enough. Returns how many there were.
fn hammer(file: &Path, enough: &AtomicBool) -> u32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(file).await;
        let tenant = store.tenant(&TenantId::default());
        let rows: Vec<Value> = (0..500).map(|n| row(n, 1.0)).collect();
        let first = Batch::from_json(batch("left", "r", 0, &rows).to_string().as_bytes()).unwrap();
        let clients = (0..4).map(async |client| {
            let mut stored = 0;
            while !enough.load(Ordering::SeqCst) {
                let run_id = RunId::parse(&format!("r-{client}-{stored}")).unwrap();
                tenant.store_batch(Batch { run_id, ..first.clone() }, 1).await.unwrap();
                stored += 1;
            }
            stored
        });
        join_all(clients).await.iter().sum()
    })
}

/// Two stores on one file, each with a writer of its own, as in two processes.
#[actix_web::test]
async fn two_writers_take_turns() {
    const PUTS: u32 = 60;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("results.db");
    let calm = open(&file).await;
    let tenant = calm.tenant(&TenantId::default());
    put_version(&tenant, "left", 0).await;
    let (enough, path) = (Arc::new(AtomicBool::new(false)), file.clone());
    let told = Arc::clone(&enough);
    let busy = std::thread::spawn(move || hammer(&path, &told));
    let mut slowest = Duration::ZERO;
    for number in 0..PUTS {
        let begun = Instant::now();
        put_version(&tenant, "right", number).await;
        slowest = slowest.max(begun.elapsed());
    }
    enough.store(true, Ordering::SeqCst);
    let batches = busy.join().unwrap();
    eprintln!("{PUTS} puts (slowest {slowest:?}) beside {batches} batches");
    // A batch may come with three others in one transaction.
    assert!((PUTS / 8..PUTS * 8).contains(&batches), "{PUTS} puts and {batches} batches are not turn by turn");
}
