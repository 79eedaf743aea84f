//! The control plane away for long: the drone goes on, also after a power cut, and delivers when it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::support::source::{Reply, Source};
use crate::support::{Process, put_profile, records, until};

const SOON: Duration = Duration::from_secs(30);

/// Another value each time it is asked.
fn counting() -> Source {
    Source::start(|_, before| Reply::json(json!([{"n": format!("n{before}"), "v": before}]).to_string()))
}

fn profile(source: &Source) -> String {
    format!(
        "id: ticks\nsource: {{ type: http_rest, url: \"{}\" }}\nschedule: {{ every: 1s }}\n\
         mapping:\n  n: dims.n\n  v: measures.v\n",
        source.url()
    )
}

fn drone(url: &str, folder: &std::path::Path) -> Process {
    Process::drone(url, &folder.join("drone"), &["--id", "d1", "--allow-private", "127.0.0.1/32"])
}

#[actix_web::test]
async fn a_drone_that_loses_power_while_the_control_plane_is_away_goes_on_and_delivers_later() {
    let folder = tempfile::tempdir().unwrap();
    let source = counting();
    let mut node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let port = node.url.rsplit(':').next().unwrap().to_owned();
    let mut first = drone(&node.url, folder.path());
    put_profile(&node.url, &profile(&source)).await;
    until("the first record", SOON, async || (!records(&node.url, "ticks").await.is_empty()).then_some(())).await;

    node.kill();
    let asked = source.count();
    until("it goes on", SOON, async || (source.count() >= asked + 2).then_some(())).await;
    first.kill();
    let asked = source.count();
    let mut second = drone(&node.url, folder.path());
    second.wait_for("goes on with the work of before", SOON);
    until("it goes on after the power cut", SOON, async || (source.count() >= asked + 3).then_some(())).await;

    // What was fetched by a run that the cut ended is not known to be spooled; what was fetched after it must come.
    let data = folder.path().join("node");
    let args = ["serve", "--port", &port, "--drones", "0", "--data-dir", data.to_str().unwrap()];
    let node = Process::chartly(&args, &[("REGISTRY_API_KEY", crate::support::KEY)]);
    let wanted: BTreeSet<String> = (asked + 1..asked + 3).map(|n| format!("n{n}")).collect();
    until("all of it is delivered", SOON, async || {
        let there: Vec<_> = records(&node.url, "ticks").await;
        let names: BTreeSet<String> = there.iter().map(|record| record["dims"]["n"].as_str().unwrap().into()).collect();
        assert_eq!(names.len(), there.len(), "a record is there twice");
        wanted.is_subset(&names).then_some(())
    })
    .await;
}
