//! `chartly export` and `chartly import` as an operator calls them.

use std::time::Duration;

use crate::support::{Process, records};
use crate::work::{PER_BATCH, chartly, object, post, publish, text, told};

#[actix_web::test]
async fn a_store_is_moved_by_two_commands_and_serves_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, file, target) = (path("data"), path("moved.ndjson.zst"), path("new/data"));
    let missing = chartly(&["export", "--data-dir", text(&data), "--to", text(&file)], &[]);
    assert_eq!(missing.status.code(), Some(74), "{}", told(&missing));
    assert!(!data.exists(), "an export makes no store");

    let mut node = Process::serve(&data, &["--drones", "0"]);
    publish(&node.url).await;
    for seq in 0..3 {
        assert!(post(&node.url, seq).await);
    }
    assert!(node.terminate(Duration::from_secs(20)).success());

    let export = ["export", "--data-dir", text(&data), "--to", text(&file), "--output", "json"];
    let written = object(&chartly(&export, &[]));
    assert_eq!(written["results"], 3 * PER_BATCH, "{written}");
    assert_eq!(chartly(&export, &[]).status.code(), Some(74), "it takes no file's place unless told");

    let import = ["import", "--data-dir", text(&target), "--from", text(&file), "--output", "json"];
    for _ in 0..2 {
        let moved = object(&chartly(&import, &[]));
        assert_eq!((&moved["equal"], &moved["store"]), (&true.into(), &written), "{moved}");
    }
    let node = Process::serve(&target, &["--drones", "0"]);
    assert_eq!(records(&node.url, "kept").await.len(), 3 * PER_BATCH);
    assert!(post(&node.url, 3).await, "it goes on from there");
    drop(node);
    let other = chartly(&import, &[]);
    assert_eq!(other.status.code(), Some(65), "the store holds more by now: {}", told(&other));

    std::fs::write(&file, b"no export").unwrap();
    assert_eq!(chartly(&import, &[]).status.code(), Some(74));
}
