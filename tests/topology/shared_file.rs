//! Four processes write into one SQLite file at once: none is told that it is busy, and none waits long.

use std::time::{Duration, Instant};

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
