//! Removing data: shown first, asked for, and never beyond the data folder.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use crate::ended::Ended;
use crate::scripts::Bench;

fn filled() -> Bench {
    let bench = Bench::new();
    let data = bench.data();
    fs::create_dir_all(data.join("drones/d1")).unwrap();
    for name in ["results.db", "results.db-wal", "api-key", "drones/d1/spool.db"] {
        fs::write(data.join(name), "x").unwrap();
    }
    bench
}

fn answering(bench: &Bench, word: &str) -> Ended {
    let mut command = bench.command("reset-data.sh", &["--apply", "--native"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(word.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn is_whole(data: &Path) -> bool {
    data.join("results.db").exists() && data.join("drones/d1/spool.db").exists()
}

#[test]
fn it_only_shows_unless_told_to_do_it() {
    let bench = filled();
    let shown = bench.run("reset-data.sh", &[]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for name in ["results.db", "results.db-wal", "drones", "volume chartly_data", "volume chartly-drone_data"] {
        assert!(shown.stdout.contains(name), "{name}: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("api-key"), "the key stays: {}", shown.stdout);
    assert!(is_whole(&bench.data()));
    assert!(bench.asked().iter().all(|asked| asked.starts_with("volume ls")), "{:?}", bench.asked());
}

#[test]
fn it_asks_for_the_word() {
    let bench = filled();
    for word in ["", "reset\n", "yes\n", "RESET please\n"] {
        let refused = answering(&bench, word);
        assert!(refused.code == 65 && refused.stderr.contains("nothing was removed"), "{word:?}: {refused:?}");
        assert!(is_whole(&bench.data()));
    }
    let done = answering(&bench, "RESET\n");
    assert_eq!(done.code, 0, "{done:?}");
    let left: Vec<_> = fs::read_dir(bench.data()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["api-key"]);
}

#[test]
fn force_asks_nothing_and_takes_the_volumes_too() {
    let bench = filled();
    assert_eq!(bench.run("reset-data.sh", &["--apply", "--force", "--all"]).code, 0);
    assert_eq!(fs::read_dir(bench.data()).unwrap().count(), 0);
    let asked = bench.asked();
    assert!(
        asked.iter().any(|line| line.starts_with("compose -f docker-compose.drone.yml down --volumes")),
        "{asked:?}"
    );
    assert!(
        asked.iter().any(|line| line.starts_with("compose -f docker-compose.control.yml down --volumes")),
        "{asked:?}"
    );
}

#[test]
fn it_does_not_leave_the_data_folder() {
    let bench = filled();
    let outside = bench.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    let refused = |args: &[&str], hint: &str| {
        let args = [&["--apply", "--force", "--native"], args].concat();
        let ended = bench.run("reset-data.sh", &args);
        assert!(ended.code == 65 && ended.stderr.contains(hint), "{args:?}: {ended:?}");
        assert!(outside.join("precious").exists() && is_whole(&bench.data()));
    };
    // The folder itself is a link, with and without a slash behind it.
    let link = bench.folder.path().join("link");
    symlink(bench.data(), &link).unwrap();
    refused(&["--data-dir", link.to_str().unwrap()], "is a link");
    refused(&["--data-dir", &format!("{}/", link.display())], "is a link");
    // Not ours.
    refused(&["--data-dir", outside.to_str().unwrap()], "does not look like a data folder");
    refused(&["--data-dir", "/"], "/ ");
    refused(&["--data-dir", "/etc"], "is no data folder");
    refused(&["--data-dir", env!("CARGO_MANIFEST_DIR")], "holds the program itself");
    // Links inside that lead out, at any depth, also to nowhere.
    for (name, target) in
        [("a", outside.as_path()), ("drones/d1/b", &outside.join("precious")), ("c", Path::new("/nowhere/x"))]
    {
        symlink(target, bench.data().join(name)).unwrap();
        refused(&[], "leads out of the data folder");
        fs::remove_file(bench.data().join(name)).unwrap();
    }
    // One that stays inside is no danger.
    symlink(bench.data().join("drones"), bench.data().join("inner")).unwrap();
    assert_eq!(bench.run("reset-data.sh", &["--apply", "--force", "--native"]).code, 0);
    assert!(!bench.data().join("inner").exists() && outside.join("precious").exists());
}

#[test]
fn where_nothing_is_nothing_happens() {
    let bench = Bench::new();
    assert_eq!(bench.run("reset-data.sh", &["--apply", "--force", "--native"]).code, 0);
    assert!(!bench.data().exists());
}
