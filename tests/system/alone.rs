//! A drone without a control plane: a folder of profiles in, lines of records out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::source::{Asked, Reply, Source};
use crate::support::{Process, until};

/// A folder with profiles, and a place for what comes out.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("profiles")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn profile(&self, id: &str, url: &str) -> &Self {
        let text = format!(
            "id: {id}\nsource: {{url: \"{url}/{id}\"}}\nrows: {{each: $.rows}}\ndims: {{name: name}}\n\
             measures: {{value: value}}\n"
        );
        std::fs::write(self.path("profiles").join(format!("{id}.yaml")), text).unwrap();
        self
    }

    fn lines(&self, name: &str) -> Vec<String> {
        lines(&std::fs::read(self.path(name)).unwrap())
    }
}

fn lines(text: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(text).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn drone(folder: &Folder, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartly-drone"));
    command.arg("--profiles").arg(folder.path("profiles")).args(["--allow-private", "127.0.0.0/8"]).args(args);
    command.current_dir(folder.0.path());
    command
}

fn ended(folder: &Folder, args: &[&str]) -> Output {
    drone(folder, args).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Two rows, named by the path; unchanged where it is asked so.
fn rows(asked: &Asked, _: usize) -> Reply {
    let id = asked.target.trim_start_matches('/');
    let known =
        asked.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("if-none-match") && value == "\"v1\"");
    let body = format!("{{\"rows\":[{{\"name\":\"{id}\",\"value\":1}},{{\"name\":\"{id}\",\"value\":2.5}}]}}");
    let mut reply = Reply::json(if known { String::new() } else { body });
    reply.status = if known { 304 } else { 200 };
    reply.headers.push(("ETag".into(), "\"v1\"".into()));
    reply
}

fn expected(id: &str) -> [String; 2] {
    ["1", "2.5"].map(|value| format!("{{\"dims\":{{\"name\":\"{id}\"}},\"measures\":{{\"value\":{value}}}}}"))
}

#[test]
fn the_records_of_a_folder_come_as_lines() {
    let source = Source::start(rows);
    let folder = Folder::new();
    folder.profile("a", &source.url()).profile("b", &source.url());
    let output = ended(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(lines(&output.stdout), [expected("a"), expected("b")].concat());

    let output = ended(&folder, &["--to", "out.ndjson"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", told(&output));
    assert_eq!(folder.lines("out.ndjson"), [expected("a"), expected("b")].concat());

    assert_eq!(ended(&folder, &["--to", "{profile_id}.ndjson"]).status.code(), Some(0));
    assert_eq!((folder.lines("a.ndjson"), folder.lines("b.ndjson")), (expected("a").to_vec(), expected("b").to_vec()));
    assert_eq!(source.count(), 6, "each run asks once");
    assert!(!folder.path("drone-data").exists(), "nothing is kept where no folder was asked for");
}

#[test]
fn a_run_that_fails_is_told_by_the_exit_code_and_disturbs_no_other() {
    let source = Source::start(|asked, count| match asked.target.as_str() {
        "/broken" => Reply { status: 404, ..Reply::json("{}") },
        _ => rows(asked, count),
    });
    let folder = Folder::new();
    folder.profile("broken", &source.url()).profile("good", &source.url());
    let output = ended(&folder, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert_eq!(lines(&output.stdout), expected("good"));
    assert!(told(&output).contains("broken") && told(&output).contains("404"), "{}", told(&output));
}

#[test]
fn a_folder_with_a_bad_profile_runs_nothing_and_tells_all_problems() {
    let source = Source::start(rows);
    let folder = Folder::new();
    folder.profile("good", &source.url());
    let bad = |name: &str, text: &str| std::fs::write(folder.path("profiles").join(name), text).unwrap();
    bad("one.yaml", "id: one\nsorce: {}\n");
    bad("same.yml", &std::fs::read_to_string(folder.path("profiles/good.yaml")).unwrap());
    let output = ended(&folder, &["--to", "out.ndjson"]);
    assert_eq!((output.status.code(), source.count()), (Some(65), 0), "{}", told(&output));
    let told = told(&output);
    for part in ["one.yaml:2:1", "source", "same.yml", "good.yaml", "2 of 3 files"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let empty = Folder::new();
    assert_eq!(ended(&empty, &[]).status.code(), Some(65));
}

#[test]
fn a_data_folder_remembers_what_was_read_as_long_as_its_records_are_there() {
    let source = Source::start(rows);
    let folder = Folder::new();
    folder.profile("a", &source.url());
    let to = ["--to", "out.ndjson", "--data-dir", "memory"];
    for _ in 0..2 {
        let output = ended(&folder, &to);
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        assert_eq!(folder.lines("out.ndjson"), expected("a"), "the second run was told that nothing changed");
    }
    std::fs::remove_file(folder.path("out.ndjson")).unwrap();
    assert_eq!(ended(&folder, &to).status.code(), Some(0));
    assert_eq!(folder.lines("out.ndjson"), expected("a"), "records that are gone are read again");
    assert_eq!(ended(&folder, &["--to", "out.ndjson"]).status.code(), Some(0));
    assert_eq!(folder.lines("out.ndjson").len(), 4, "without the folder everything is read again");
}

#[actix_web::test]
async fn rounds_go_on_until_a_signal_and_one_process_has_the_folder() {
    let source = Source::start(rows);
    let folder = Folder::new();
    folder.profile("a", &source.url());
    let args = ["--to", "out.ndjson", "--data-dir", "memory", "--every", "100ms"];
    let mut running = Process::run(drone(&folder, &args));
    until("the third round", Duration::from_secs(20), async || (source.count() >= 3).then_some(())).await;
    let second = ended(&folder, &args[..4]);
    assert_eq!(second.status.code(), Some(74), "{}", told(&second));
    assert_eq!(running.terminate(Duration::from_secs(10)).code(), Some(0), "{}", running.output());
    assert_eq!(folder.lines("out.ndjson"), expected("a"));
}

#[test]
fn records_that_cannot_be_written_are_an_error_and_not_forgotten() {
    let source = Source::start(rows);
    let folder = Folder::new();
    folder.profile("a", &source.url());
    let missing = ended(&folder, &["--to", "missing/out.ndjson"]);
    assert_eq!((missing.status.code(), source.count()), (Some(74), 0), "{}", told(&missing));
    if Path::new("/dev/full").exists() {
        let full = ["--to", "/dev/full", "--data-dir", "memory"];
        for _ in 0..2 {
            let output = ended(&folder, &full);
            assert_eq!(output.status.code(), Some(74), "{}", told(&output));
        }
        let asked = source.asked();
        assert!(
            asked.iter().all(|one| one.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("if-none-match")))
        );
    }
}
