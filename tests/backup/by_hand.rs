//! `chartly backup` while a node stores, and `chartly restore` of what it made.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::support::{Process, get, records};
use crate::work::{PER_BATCH, chartly, object, post, publish, text, told};

async fn stored(url: &str) -> BTreeSet<String> {
    records(url, "kept").await.iter().map(|row| row["dims"]["n"].as_str().unwrap().to_owned()).collect()
}

fn has(stored: &BTreeSet<String>, seq: usize) -> bool {
    (0..PER_BATCH).all(|n| stored.contains(&format!("{seq}-{n}")))
}

/// Backs up again and again while batches arrive: each backup has everything acknowledged before it began, no batch in
/// part, and nothing twice.
#[actix_web::test]
async fn a_backup_under_load_holds_what_was_acknowledged_before_it_and_no_half_batch() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Process::serve(&data, &["--drones", "0"]);
    publish(&node.url).await;
    let (acknowledged, done) = (Cell::new(0_usize), Cell::new(false));
    let posting = async {
        while !done.get() {
            assert!(post(&node.url, acknowledged.get()).await, "a backup refuses no post");
            acknowledged.set(acknowledged.get() + 1);
        }
    };
    let backing = async {
        let mut made = Vec::new();
        for number in 0..4 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let to = folder.path().join(format!("b{number}.db"));
            let (before, args) = (acknowledged.get(), [text(&data).to_owned(), text(&to).to_owned()]);
            let run = move || chartly(&["backup", "--data-dir", &args[0], "--to", &args[1], "--output", "json"], &[]);
            let told = object(&actix_web::web::block(run).await.unwrap());
            made.push((to, before, told["records"].as_u64().unwrap() as usize));
        }
        done.set(true);
        made
    };
    let ((), made) = futures_util::future::join(posting, backing).await;
    assert!(made.iter().any(|(_, before, _)| *before > 5), "there was load: {made:?}");
    drop(node);
    for (number, (backup, before, counted)) in made.iter().enumerate() {
        let into = folder.path().join(format!("restored-{number}"));
        object(&chartly(&["restore", "--data-dir", text(&into), "--from", text(backup), "--output", "json"], &[]));
        let node = Process::serve(&into, &["--drones", "0"]);
        let stored = stored(&node.url).await;
        assert_eq!(stored.len(), *counted);
        assert!((0..*before).all(|seq| has(&stored, seq)), "all {before} are there");
        assert_eq!(stored.len() % PER_BATCH, 0, "a batch is there as a whole or not at all");
        let profiles = get(&format!("{}/api/profiles", node.url)).await.json();
        assert_eq!(profiles["items"][0]["id"], "kept", "{profiles}");
        assert!(post(&node.url, 1_000_000).await, "it goes on from there");
    }
}

#[actix_web::test]
async fn a_data_folder_in_use_or_filled_is_not_restored_over_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("b.db"));
    let mut node = Process::serve(&data, &["--drones", "0"]);
    publish(&node.url).await;
    assert!(post(&node.url, 1).await);
    let run = |args: &[&str]| chartly(&[args, &["--data-dir", text(&data)]].concat(), &[]);
    object(&run(&["backup", "--to", text(&backup), "--output", "json"]));
    assert!(post(&node.url, 2).await);

    let refused = run(&["restore", "--from", text(&backup), "--overwrite"]);
    assert_eq!(refused.status.code(), Some(74), "{}", told(&refused));
    assert!(told(&refused).contains("locked by another process"), "{}", told(&refused));
    assert_eq!(stored(&node.url).await.len(), 2 * PER_BATCH, "the node goes on");
    assert!(node.terminate(Duration::from_secs(20)).success());

    let refused = run(&["restore", "--from", text(&backup)]);
    assert_eq!(refused.status.code(), Some(74));
    assert!(told(&refused).contains("--overwrite"), "{}", told(&refused));
    let restored = object(&run(&["restore", "--from", text(&backup), "--overwrite", "--output", "json"]));
    assert!(Path::new(restored["replaced"].as_str().unwrap()).exists(), "{restored}");
    let node = Process::serve(&data, &["--drones", "0"]);
    assert_eq!(stored(&node.url).await.len(), PER_BATCH, "as it was when the backup was made");
}

#[actix_web::test]
async fn a_damaged_or_foreign_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("b.db"));
    let node = Process::serve(&data, &["--drones", "0"]);
    publish(&node.url).await;
    assert!(post(&node.url, 1).await);
    let into = folder.path().join("into");
    let make = || chartly(&["backup", "--data-dir", text(&data), "--to", text(&backup), "--overwrite"], &[]);
    assert!(make().status.success());
    let whole = std::fs::read(&backup).unwrap();
    let mut cut = whole.clone();
    cut.truncate(whole.len() / 2);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0x20;
    for (bytes, said) in [(cut, "digest"), (flipped, "digest"), (b"not at all".to_vec(), "digest")] {
        std::fs::write(&backup, bytes).unwrap();
        let refused = chartly(&["restore", "--data-dir", text(&into), "--from", text(&backup)], &[]);
        assert_eq!(refused.status.code(), Some(74), "{}", told(&refused));
        assert!(told(&refused).contains(said) && told(&refused).contains("no good backup"), "{}", told(&refused));
        assert!(!into.join("results.db").exists());
    }
}

#[test]
fn without_a_store_there_is_nothing_to_back_up_and_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("b.db");
    let refused = chartly(&["backup", "--data-dir", text(folder.path()), "--to", text(&to)], &[]);
    assert_eq!(refused.status.code(), Some(74), "{}", told(&refused));
    assert!(told(&refused).contains("is not there"), "{}", told(&refused));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let refused = chartly(&["backup", "--data-dir", text(folder.path())], &[]);
    assert_eq!(refused.status.code(), Some(78), "{}", told(&refused));
    assert!(told(&refused).contains("--to"), "{}", told(&refused));
}

#[test]
fn for_a_store_on_postgres_its_own_tool_is_named_without_the_password() {
    let env =
        [("DB_DSN", "postgres://u:hunter2@db.example/x?sslmode=require"), ("CHARTLY__STORE__PASSWORD", "hunter3")];
    for (args, tool) in [(["backup", "--to", "x"], "pg_dump"), (["restore", "--from", "x"], "pg_restore")] {
        let output = chartly(&args, &env);
        assert_eq!(output.status.code(), Some(64), "{}", told(&output));
        let command = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(
            command.starts_with(tool) && command.contains("postgres://u@db.example/x?sslmode=require"),
            "{command}"
        );
        assert!(!told(&output).contains("hunter"), "{}", told(&output));
    }
}
