//! The tutorial does what it says: its commands are run as they stand, against the demo.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::Process;
use crate::told;

/// The blocks that a reader types, as one script.
fn script(text: &str) -> String {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_of_the_tutorial_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = ["demo", "--port", "0", "--data-dir", data.to_str().unwrap()];
    let mut demo = Process::start(env!("CARGO_BIN_EXE_chartly"), &args, &[]);
    let line = demo.wait_for("Chartly is up: ", Duration::from_secs(30));
    let url = line.split("is up: ").nth(1).unwrap().trim().to_owned();
    let line = demo.wait_for("  source ", Duration::from_secs(5));
    let source = line.split(" on ").nth(1).unwrap().trim().to_owned();
    let key = std::fs::read_to_string(data.join("api-key")).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_chartly")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let text = include_str!("../../docs/profiles/tutorial.md");
    let commands = format!("set -eu\ncd '{}'\n{}", folder.path().display(), script(text));
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-c", &commands]).env("PATH", path);
    shell.env("URL", &url).env("SOURCE", &source).env("KEY", key.trim());
    let (code, out, err) = told(&mut shell);
    assert_eq!(code, 0, "{out}\n{err}\n{}", demo.output());
    for part in [
        "rows: {table: {header: first}}",
        "1 profiles, 0 with problems, 0 unreadable",
        "begins 3 lists of pages",
        "1 passed, 0 failed",
        "breaking  measures.population is now called measures.people",
        "exit code 2",
    ] {
        assert!(out.contains(part), "{part}\n{out}\n{err}");
    }
}
