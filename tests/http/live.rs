use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use crate::client::{Api, on_both};
use crate::profiles::MINIMAL;

on_both!(a_watcher_sees_what_happens);

async fn a_watcher_sees_what_happens(api: Api) {
    api.all_well().await;
    let mut stream = awc::Client::default().get(format!("{}/api/events", api.url)).send().await.unwrap();
    assert_eq!(stream.headers().get("content-type").unwrap(), "text/event-stream");
    assert_eq!(stream.headers().get("content-encoding").unwrap(), "identity");
    api.post("/api/profiles", MINIMAL).await;
    let data = [json!({"dims": {}, "measures": {"v": 1}})];
    let batch = json!({"drone_id": "d", "profile_id": "census-population", "run_id": "r", "data": data});
    api.post_json("/api/results", &batch).await;
    let mut heard = String::new();
    while !(heard.contains("event: profile\n") && heard.contains("event: run\n")) {
        let piece = tokio::time::timeout(Duration::from_secs(5), stream.next()).await;
        let piece = piece.unwrap_or_else(|_| panic!("only this was heard: {heard}")).unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&piece).unwrap());
    }
}
