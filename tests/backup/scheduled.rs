//! `backup.every`: made, kept in number, verified, seen, and got over when it fails.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{KEY, Process, get, until};
use crate::work::{chartly, object, post, publish, text, told};

fn serve(data: &Path, to: &Path) -> Process {
    let args = ["serve", "--port", "0", "--drones", "0", "--data-dir", text(data)];
    let env = [
        ("REGISTRY_API_KEY", KEY),
        ("CHARTLY__BACKUP__EVERY", "1s"),
        ("CHARTLY__BACKUP__TO", text(to)),
        ("CHARTLY__BACKUP__KEEP", "2"),
    ];
    Process::chartly(&args, &env)
}

fn backups(to: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(to).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "db")).collect();
    all.sort();
    all
}

async fn metric(url: &str, name: &str) -> Option<f64> {
    let text = get(&format!("{url}/metrics")).await.text();
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[actix_web::test]
async fn backups_are_made_by_schedule_kept_in_number_and_seen() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backups");
    let node = serve(&folder.path().join("data"), &to);
    publish(&node.url).await;
    assert!(post(&node.url, 1).await);
    until("four backups", Duration::from_secs(30), async || {
        metric(&node.url, "chartly_backup_made_total").await.filter(|made| *made >= 4.0)
    })
    .await;
    let status = get(&format!("{}/api/status", node.url)).await.json();
    let backup = &status["backup"];
    assert!(backup["made"].as_u64() >= Some(4) && backup["failures"] == 0 && backup["kept"] == 2, "{backup}");
    assert!(backup["age_s"].as_u64() <= Some(5), "{backup}");
    assert!(metric(&node.url, "chartly_backup_age_seconds").await.unwrap() <= 5.0);
    drop(node);
    let left = backups(&to);
    assert!((2..=3).contains(&left.len()), "the oldest go: {left:?}");
    let into = folder.path().join("into");
    let newest = left.last().unwrap();
    let restored =
        object(&chartly(&["restore", "--data-dir", text(&into), "--from", text(newest), "--output", "json"], &[]));
    assert_eq!((restored["records"].as_u64(), restored["digest_known"].as_bool()), (Some(50), Some(true)));
}

#[actix_web::test]
async fn a_backup_that_fails_is_told_and_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backups");
    // A file where the folder should be.
    std::fs::write(&to, "in the way").unwrap();
    let node = serve(&folder.path().join("data"), &to);
    let status = async || get(&format!("{}/api/status", node.url)).await.json();
    until("a failure", Duration::from_secs(20), async || {
        metric(&node.url, "chartly_backup_failures_total").await.filter(|failures| *failures >= 1.0)
    })
    .await;
    let told = status().await;
    let problems = told["problems"].to_string();
    assert!(problems.contains("the backup to") && problems.contains("none yet"), "{problems}");
    assert_eq!(metric(&node.url, "chartly_backup_age_seconds").await, None, "no age without a backup");
    assert_eq!(get(&format!("{}/ready", node.url)).await.status, 200, "it serves all the same");
    std::fs::remove_file(&to).unwrap();
    until("a backup", Duration::from_secs(20), async || (!backups(&to).is_empty()).then_some(())).await;
    until("no problem", Duration::from_secs(10), async || {
        (!status().await["problems"].to_string().contains("backup")).then_some(())
    })
    .await;
}

#[actix_web::test]
async fn killed_in_the_middle_of_a_backup_the_next_start_leaves_no_draft_and_counts_none() {
    let folder = tempfile::tempdir().unwrap();
    let (data, to) = (folder.path().join("data"), folder.path().join("backups"));
    std::fs::create_dir(&to).unwrap();
    // What a killed process leaves.
    let draft = to.join("chartly-20200101T000000.000Z.db.draft");
    std::fs::write(&draft, "half a file").unwrap();
    let node = serve(&data, &to);
    until("a backup", Duration::from_secs(20), async || (!backups(&to).is_empty()).then_some(())).await;
    assert!(!draft.exists());
    drop(node);
}

#[test]
fn settings_that_cannot_be_meant_are_told() {
    for (env, said) in [
        (vec![("CHARTLY__BACKUP__EVERY", "1d")], "backup.to is not set"),
        (vec![("CHARTLY__BACKUP__EVERY", "soon"), ("CHARTLY__BACKUP__TO", "x")], "expected a time such as 1d"),
        (vec![("CHARTLY__BACKUP__KEEP", "0")], "backup.keep is 0; expected at least 1"),
        (
            vec![
                ("CHARTLY__BACKUP__EVERY", "1h"),
                ("CHARTLY__BACKUP__TO", "x"),
                ("CHARTLY__STORE__URL", "postgres://u@h/d"),
            ],
            "PostgreSQL",
        ),
    ] {
        let output = chartly(&["config", "check"], &env);
        assert_eq!(output.status.code(), Some(78));
        assert!(told(&output).contains(said), "{said}: {}", told(&output));
    }
}
