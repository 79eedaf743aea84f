//! What a node and a drone cost when nothing happens: memory, time to ready.
//! `cargo bench --bench footprint` prints medians.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a benchmark that cannot go on ends by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{KEY, Process, get, put_profile, until};

fn main() {
    let (mut ready, mut idle) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (time, rss) = node();
        ready.push(time);
        idle.push(rss);
    }
    println!(
        "chartly serve: start to listening {:>5.0} ms, idle after 5 s {:>5.1} MiB RSS",
        median(&mut ready),
        median(&mut idle)
    );
    println!("chartly-drone, 100 profiles idle: {:>5.1} MiB RSS", actix_web::rt::System::new().block_on(drone()));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn node() -> (f64, f64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
    let begun = Instant::now();
    let node = Process::serve(folder.path(), &["--drones", "0", "--profiles-dir", profiles]);
    let ready = begun.elapsed().as_secs_f64() * 1e3;
    std::thread::sleep(Duration::from_secs(5));
    (ready, node.rss_kib() as f64 / 1024.0)
}

async fn drone() -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env = [("REGISTRY_API_KEY", KEY)];
    let data = folder.path().join("node");
    let node =
        Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data.to_str().expect("text")], &env);
    for n in 0..100 {
        let yaml = format!(
            "id: idle-{n}\nname: idle\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"http://127.0.0.1:9/{n}\", auth: none }}\n\
             schedule: {{ enabled: true, interval: 30d, jitter: 30d }}\nmapping:\n  a: dims.a\n  v: measures.v\n"
        );
        assert_eq!(put_profile(&node.url, &yaml).await.status, 201);
    }
    let drone = Process::drone(&node.url, &folder.path().join("drone"), &["--id", "idle"]);
    until("the drone holds all", Duration::from_secs(30), async || {
        let stats = get(&format!("{}/api/drones/idle", node.url)).await.json();
        (stats["assigned"].as_u64() == Some(100)).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    drone.rss_kib() as f64 / 1024.0
}
