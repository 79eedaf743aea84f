//! The job done by a node and a drone, as they are started by anybody. A profile is put, the drone fetches it at once;
//! then it is told to fetch it again, and finds nothing new.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{KEY, Process, get, post, put_profile, until};
use crate::{Figure, RECORDS, cpu_seconds};

#[derive(Debug, Default)]
pub struct Pair {
    pub first: Figure,
    pub again: Figure,
    pub drone_peak_kib: u64,
    pub node_peak_kib: u64,
}

pub fn run(source: SocketAddr) -> Pair {
    actix_web::rt::System::new().block_on(job(source))
}

async fn job(source: SocketAddr) -> Pair {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let env = [("REGISTRY_API_KEY", KEY), ("CHARTLY_LOG", "warn")];
    let data = folder.path().join("node");
    let node = Process::chartly(&["serve", "--port", "0", "--drones", "0", "--data-dir", data.to_str().unwrap()], &env);
    let drone =
        Process::drone(&node.url, &folder.path().join("drone"), &["--id", "d", "--allow-private", "127.0.0.0/8"]);
    until("the drone is there", Duration::from_secs(30), async || {
        (get(&format!("{}/api/drones/d", node.url)).await.status == 200).then_some(())
    })
    .await;
    let cpu = || cpu_seconds(node.id()) + cpu_seconds(drone.id());
    let before = cpu();
    assert_eq!(put_profile(&node.url, &profile(source)).await.status, 201);
    let (run, seconds) = finished(&node, 1).await;
    assert_eq!((&run["state"], &run["inserted"]), (&"succeeded".into(), &RECORDS.into()), "{run}");
    let between = cpu();
    let first = Figure { seconds, cpu_seconds: between - before };
    assert!(post(&format!("{}/api/profiles/pages:run", node.url), &Value::Null).await.status < 300);
    let (run, seconds) = finished(&node, 2).await;
    assert_eq!((&run["state"], &run["known"]), (&"succeeded".into(), &RECORDS.into()), "{run}");
    let again = Figure { seconds, cpu_seconds: cpu() - between };
    Pair { first, again, drone_peak_kib: peak_kib(drone.id()), node_peak_kib: peak_kib(node.id()) }
}

/// The latest of so many runs, once it has ended, and the time from its begin until that could be seen.
async fn finished(node: &Process, runs: usize) -> (Value, f64) {
    let url = format!("{}/api/runs?profile_id=pages", node.url);
    loop {
        let told = get(&url).await.json();
        let all = told["items"].as_array().unwrap();
        if let Some(run) = all.first().filter(|run| all.len() == runs && run["state"] != "running") {
            let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
            return (run.clone(), (now_ms - run["started_ms"].as_i64().unwrap()) as f64 / 1e3);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn profile(source: SocketAddr) -> String {
    format!(
        "id: pages
source:
  url: http://{source}/data
  paging: {{kind: page, param: page, until: empty}}
rows: {{each: $.data}}
dims: {{county: geo.county, name: name, period: period, state: geo.state, tract: geo.tract}}
measures: {{estimate: estimate, moe: moe}}
schedule: {{enabled: true, interval: 30d}}
limits: {{max_bytes: 4000000000, max_records: 100000000, max_pages: 1000, max_requests: 1000}}
"
    )
}

fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap()
}
