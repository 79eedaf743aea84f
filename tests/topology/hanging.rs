//! A role that hangs: it has taken the connection and says nothing. Nobody waits for it for long.

use std::time::{Duration, Instant};

use chartly::settings::Role;
use futures_util::future::join_all;

use crate::layout::Layout;
use crate::support::{Answer, get, until};

/// `peers.read_deadline_ms`, and what a busy machine may add.
const READ_DEADLINE: Duration = Duration::from_millis(5_000);
const SLACK: Duration = Duration::from_millis(1_500);

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

async fn timed(url: String) -> (Answer, Duration) {
    let begun = Instant::now();
    let answer = get(&url).await;
    (answer, begun.elapsed())
}

#[actix_web::test]
async fn a_role_that_hangs_is_waited_for_no_longer_than_its_deadline_and_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes(folder.path());
    let gateway = five.gateway().to_owned();
    five.all_well().await;
    five.of(Role::Coordinator).process.signal("STOP");
    tokio::time::sleep(Duration::from_millis(300)).await;

    // More than a worker's connections to one role, so that they would be used up if they were shared.
    let stuck = join_all((0..300).map(|_| timed(format!("{gateway}/api/drones"))));
    let others = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut all = Vec::new();
        for _ in 0..20 {
            for path in ["/api/profiles", "/api/runs", "/api/reports", "/health"] {
                all.push(timed(format!("{gateway}{path}")).await);
            }
        }
        all
    };
    let (stuck, others) = futures_util::future::join(stuck, others).await;
    for (answer, took) in &others {
        assert!(answer.status == 200 && *took < SLACK, "{took:?}: {}", answer.text());
    }
    for (answer, took) in &stuck {
        assert!(matches!(answer.code().as_str(), "deadline" | "unavailable"), "{}", answer.text());
        assert!(answer.text().contains("the coordinator at http://"), "{}", answer.text());
        assert!(*took < READ_DEADLINE + SLACK, "{took:?}");
    }

    // It is soon known to hang: nobody waits for it any more, and it is said.
    let (answer, took) = until("it is known to hang", Duration::from_secs(10), async || {
        let asked = timed(format!("{gateway}/api/drones")).await;
        asked.0.text().contains("it hangs").then_some(asked)
    })
    .await;
    assert!(answer.code() == "unavailable" && answer.retry_after.is_some() && took < SLACK, "{took:?}");
    let health = get(&format!("{gateway}/health")).await.json();
    assert_eq!((&health["status"], &health["away"]), (&"degraded".into(), &serde_json::json!(["coordinator"])));
    five.of(Role::Coordinator).process.signal("CONT");
    until("it is asked again", Duration::from_secs(10), async || {
        (get(&format!("{gateway}/api/drones")).await.status == 200).then_some(())
    })
    .await;
    five.all_well().await;
}
