//! The same day in one process and in five, answer by answer.

use std::time::Duration;

use crate::layout::Layout;
use crate::scenario::{self, yaml};
use crate::support::source::{Reply, Source};
use crate::support::{Process, get, put_profile, until};

#[actix_web::test]
async fn one_process_and_five_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (one, five) = (folder.path().join("one"), folder.path().join("five"));
    let one = scenario::play(Layout::one_process(&one).gateway()).await;
    let five = scenario::play(Layout::five_processes(&five).gateway()).await;
    for ((step, near), (_, far)) in one.iter().zip(&five) {
        assert_eq!(near, far, "{step}");
    }
    assert_eq!(one.len(), five.len());
}

#[actix_web::test]
async fn a_drone_works_through_five_processes() {
    let folder = tempfile::tempdir().unwrap();
    let five = Layout::five_processes(&folder.path().join("five"));
    let source = Source::start(|_, _| Reply::json(r#"[{"n":"a","v":1},{"n":"b","v":2}]"#));
    let profile = yaml("fetched", "1.0.0").replace("http://127.0.0.1:9/", &source.url());
    assert_eq!(put_profile(five.gateway(), &profile).await.status, 201);
    let args = ["--id", "d1", "--allow-private", "127.0.0.1/32"];
    let _drone = Process::drone(five.gateway(), &folder.path().join("drone"), &args);
    until("the run succeeded", Duration::from_secs(20), async || {
        let runs = get(&format!("{}/api/runs?state=succeeded", five.gateway())).await.json();
        (runs["items"][0]["inserted"] == 2).then_some(())
    })
    .await;
    let records = get(&format!("{}/api/records?profile_id=fetched", five.gateway())).await.json();
    assert_eq!(records["items"].as_array().unwrap().len(), 2, "{records}");
}
