//! What a node and a drone cost when nothing happens: memory, time to ready.
//! `cargo bench --bench footprint [-- PROFILES...]` prints medians.

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
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    for profiles in if numbers.is_empty() { vec![100] } else { numbers } {
        let rss = actix_web::rt::System::new().block_on(drone(profiles));
        println!("chartly-drone, {profiles} profiles idle: {rss:>5.1} MiB RSS");
    }
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

async fn drone(profiles: u64) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let env = [("REGISTRY_API_KEY", KEY)];
    let data = folder.path().join("node");
    let node =
        Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data.to_str().expect("text")], &env);
    for n in 0..profiles {
        let yaml = format!(
            "id: idle-{n}\nname: idle\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"http://127.0.0.1:9/{n}\", auth: none }}\n\
             schedule: {{ enabled: true, interval: 30d, jitter: 30d }}\nmapping:\n  a: dims.a\n  v: measures.v\n"
        );
        assert_eq!(put_profile(&node.url, &yaml).await.status, 201);
    }
    let drone = Process::drone(&node.url, &folder.path().join("drone"), &["--id", "idle"]);
    until("all are assigned", Duration::from_secs(300), async || {
        let stats = get(&format!("{}/api/drones/idle", node.url)).await.json();
        (stats["assigned"].as_u64() == Some(profiles)).then_some(())
    })
    .await;
    // It takes them in one after the other; what it holds is measured when that changes no more.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let rss_kib = drone.rss_kib();
        if rss_kib.abs_diff(before) * 100 <= rss_kib {
            return rss_kib as f64 / 1024.0;
        }
        before = rss_kib;
    }
}
