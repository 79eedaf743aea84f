//! A role that hangs: it has taken the connection and says nothing. Nobody waits for it for long.

use std::time::{Duration, Instant};

use chartly::settings::Role;

use crate::layout::Layout;
use crate::support::get;

#[actix_web::test]
async fn the_status_waits_for_no_role_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes(folder.path());
    let gateway = five.gateway().to_owned();
    five.all_well().await;
    for role in [Role::Registry, Role::Coordinator, Role::Aggregator] {
        five.of(role).process.signal("STOP");
        // Its threads stop one after another.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let begun = Instant::now();
        let status = get(&format!("{gateway}/api/status")).await;
        let took = begun.elapsed();
        five.of(role).process.signal("CONT");
        assert!(took < Duration::from_secs(4), "{role}: {took:?}");
        let problems = status.json()["problems"].to_string();
        assert!(status.status == 200 && problems.contains(&format!("the {role} does not answer")), "{problems}");
        five.all_well().await;
    }
}
