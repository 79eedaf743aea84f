//! `chartly profile replay` and `preview --save-answers` as their users meet them.

use std::process::Command;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::replay::{KEEP, SOON, Setup, drone_folder, ended_runs, kept_files, profile, rounds, run_now, setup};
use crate::support::{KEY, get, put_profile, records, until};

/// Exit code, stdout and stderr.
fn chartly(args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartly"));
    let done = command.arg("profile").args(args).env("REGISTRY_API_KEY", KEY).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap_or(-1), text(done.stdout), text(done.stderr))
}

#[actix_web::test]
async fn a_mended_file_is_tried_before_it_is_published() {
    let (source, round) = rounds();
    let Setup { folder, node, drone: _drone } = setup();
    // The wrong measure is there, so the wrong records are, too.
    put_profile(&node.url, &profile("tried", &source.url(), "open", KEEP)).await;
    ended_runs(&node.url, "tried", 1).await;
    round.store(1, Ordering::SeqCst);
    run_now(&node.url, "tried").await;
    ended_runs(&node.url, "tried", 2).await;
    until("both are kept", SOON, async || (kept_files(folder.path(), "tried").len() == 2).then_some(())).await;
    source.close();

    let file = folder.path().join("mended.yaml");
    let mended = profile("tried", &source.url(), "price.close", &format!("where: ['place != p0']\n{KEEP}"));
    std::fs::write(&file, &mended).unwrap();
    let (file, data) = (file.to_str().unwrap(), drone_folder(folder.path()));
    let (code, out, err) = chartly(&["replay", file, "--data", &data]);
    assert_eq!((code, out.trim()), (0, "against the version that ran: 0 same, 0 new, 29 changed, 1 gone"), "{err}");
    assert!(err.contains("succeeded: 30 rows, 29 records, 1 rows dropped"), "{err}");
    let (code, out, _) = chartly(&["replay", file, "--data", &data, "--to", "ndjson"]);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (0, 58));
    assert_eq!(lines[0], json!({"dims": {"geo": {"name": "p1"}}, "measures": {"price": 1_001}}));
    assert_eq!(records(&node.url, "tried").await.len(), 30, "nothing was stored");

    let (code, _, err) = chartly(&["replay", file, "--data", &data, "--since", "2100-01-01"]);
    assert_eq!(code, 2, "{err}");
    std::fs::write(file, mended.replace("rows: {each: $.rows}", "rows: {each: $.none}")).unwrap();
    assert_eq!(chartly(&["replay", file, "--data", &data]).0, 1);
    std::fs::write(file, mended.replace("rows:", "rose:")).unwrap();
    assert_eq!(chartly(&["replay", file, "--data", &data]).0, 2);
    assert_eq!(chartly(&["replay", file]).0, 2, "where the answers lie has to be said");

    let (code, out, err) = chartly(&["replay", "tried", "--control-plane", &node.url]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("to drone d1"), "{out}");
    until("both are replayed", SOON, async || {
        let runs = get(&format!("{}/api/runs?profile_id=tried", node.url)).await.json();
        let done =
            runs["items"].as_array()?.iter().filter(|run| run["replay_of"].is_string() && run["state"] != "running");
        (done.count() == 2).then_some(())
    })
    .await;
    assert_eq!(chartly(&["replay", "unknown", "--control-plane", &node.url]).0, 2);
}

#[actix_web::test]
async fn real_answers_become_a_test_of_the_profile() {
    let (source, _) = rounds();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved.yaml");
    std::fs::write(&file, profile("saved", &source.url(), "price.close", "")).unwrap();
    let pages = folder.path().join("saved.test/pages");
    let (file, pages) = (file.to_str().unwrap(), pages.to_str().unwrap());
    let args = ["preview", file, "--allow-private", "127.0.0.1/32", "--limit", "1000", "--save-answers", pages];
    let (code, _, err) = chartly(&args);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("1 answers saved in"), "{err}");
    let (code, out, err) = chartly(&["preview", file, "--answer", pages, "--limit", "1000", "--output", "ndjson"]);
    assert_eq!((code, out.lines().count()), (0, 30), "{err}");
    std::fs::write(folder.path().join("saved.test/expected.jsonl"), out).unwrap();
    source.close();
    let (code, out, err) = chartly(&["test", file]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("1 passed"), "{out}");
    let (code, _, err) = chartly(&args);
    assert_eq!(code, 2, "a folder that holds answers is left as it is: {err}");
}
