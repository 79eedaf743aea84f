//! What the world does to the file of a running node: the disk fills, the file is damaged, the folder cannot be written.
//! Each is told in one line, the node says that it is not ready, goes on by itself, and loses nothing it acknowledged.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::{KEY, Process, get, records, skip, until};
use crate::work::{PER_BATCH, chartly, object, post, publish, text, told};

/// A node on a small disk of its own: a tmpfs in a mount namespace, gone with the process.
struct OnASmallDisk {
    node: Process,
    disk: PathBuf,
}

impl OnASmallDisk {
    /// None, and said, where the machine does not allow it.
    fn start(test: &str, disk: &Path) -> Option<Self> {
        let probe = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"]).output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            skip(test, "unshare(1) with user namespaces");
            return None;
        }
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o size=24m none \"$DISK\" && dd if=/dev/zero of=\"$DISK/ballast\" bs=1M count=16 \
            2>/dev/null && exec \"$CHARTLY\" serve --port 0 --drones 0 --data-dir \"$DISK/data\"";
        command.args(["-rm", "sh", "-c", script]).env("DISK", disk).env("CHARTLY", env!("CARGO_BIN_EXE_chartly"));
        command.env("REGISTRY_API_KEY", KEY).env("CHARTLY__NODE__PROFILES_DIR", disk);
        let mut node = Process::run(command);
        let line = node.wait_for("listens on ", Duration::from_secs(20));
        node.url = line.split("listens on ").nth(1).unwrap().trim().to_owned();
        Some(Self { node, disk: disk.to_owned() })
    }

    /// Runs a verb where the small disk is to be seen.
    fn run(&self, args: &[&str]) -> Output {
        let id = self.node.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &id, "--user", "--mount", "--preserve-credentials", env!("CARGO_BIN_EXE_chartly")]);
        command.args(args).args(["--data-dir", text(&self.disk.join("data"))]).output().unwrap()
    }

    /// A path of the small disk, as others than the node reach it.
    fn path(&self, name: &str) -> PathBuf {
        let within = self.disk.join(name);
        PathBuf::from(format!("/proc/{}/root{}", self.node.id(), within.display()))
    }
}

#[actix_web::test]
async fn a_full_disk_is_told_makes_the_node_unready_and_is_got_over() {
    let folder = tempfile::tempdir().unwrap();
    let test = "a_full_disk_is_told_makes_the_node_unready_and_is_got_over";
    let Some(small) = OnASmallDisk::start(test, folder.path()) else { return };
    let url = small.node.url.clone();
    publish(&url).await;
    let mut acknowledged = 0;
    while post(&url, acknowledged).await {
        acknowledged += 1;
        assert!(acknowledged < 5_000, "the disk never filled");
    }
    let unready = get(&format!("{url}/ready")).await;
    assert_eq!(unready.status, 503, "{}", unready.text());
    assert!(unready.text().contains("full"), "{}", unready.text());
    let seen = records(&url, "kept").await.len();
    assert_eq!(seen, acknowledged * PER_BATCH, "what was acknowledged can be read meanwhile");

    // A backup to the same disk fails in words, and leaves nothing.
    let refused = small.run(&["backup", "--to", text(&small.disk.join("b.db"))]);
    assert_eq!(refused.status.code(), Some(74), "{}", told(&refused));
    assert!(told(&refused).contains("the disk is full"), "{}", told(&refused));
    assert!(!small.path("b.db").exists() && !small.path("b.db.draft").exists(), "{}", told(&refused));

    std::fs::remove_file(small.path("ballast")).unwrap();
    until("ready again by itself", Duration::from_secs(20), async || {
        (get(&format!("{url}/ready")).await.status == 200).then_some(())
    })
    .await;
    assert!(post(&url, acknowledged).await, "and it takes what it refused");
    assert_eq!(records(&url, "kept").await.len(), (acknowledged + 1) * PER_BATCH);
    let found = object(&small.run(&["doctor", "--store", "--all", "--output", "json"]));
    assert_eq!(found["good"], true, "{found}");
}

#[actix_web::test]
async fn a_damaged_file_is_told_at_the_start_and_never_made_anew_until_a_backup_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("b.db"));
    let mut node = Process::serve(&data, &["--drones", "0"]);
    publish(&node.url).await;
    for seq in 0..40 {
        assert!(post(&node.url, seq).await);
    }
    let of_data = ["--data-dir", text(&data)];
    assert!(chartly(&[&["backup", "--to", text(&backup)], &of_data[..]].concat(), &[]).status.success());
    assert!(node.terminate(Duration::from_secs(20)).success());
    let file = data.join("results.db");
    let whole = std::fs::read(&file).unwrap();
    let mut hole = whole.clone();
    hole[20..4_000].fill(0x55);
    for bytes in [&whole[..whole.len() / 2], &hole[..], &b"x"[..]] {
        std::fs::write(&file, bytes).unwrap();
        let args = ["serve", "--port", "0", "--drones", "0", "--data-dir", text(&data)];
        let started = chartly(&args, &[("REGISTRY_API_KEY", KEY)]);
        assert_eq!(started.status.code(), Some(74), "{}", told(&started));
        assert!(told(&started).contains("Restore a backup"), "{}", told(&started));
        let found = chartly(&[&["doctor", "--store"], &of_data[..]].concat(), &[]);
        assert_eq!(found.status.code(), Some(65), "{}", told(&found));
        assert!(told(&found).contains("FAIL  file"), "{}", told(&found));
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "it was left as it is");
    }
    object(&chartly(
        &[&["restore", "--from", text(&backup), "--overwrite", "--output", "json"], &of_data[..]].concat(),
        &[],
    ));
    let node = Process::serve(&data, &["--drones", "0"]);
    assert_eq!(records(&node.url, "kept").await.len(), 40 * PER_BATCH);
    let found = chartly(&[&["doctor", "--store", "--all"], &of_data[..]].concat(), &[]);
    assert!(found.status.success() && told(&found).contains("all is well"), "{}", told(&found));
    let found = chartly(&["doctor", "--file", text(&backup), "--all"], &[]);
    assert!(found.status.success(), "{}", told(&found));
}
