//! `chartly profile` as its users meet it: the real program, real files, real answers, and its exit codes.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

#[path = "../support/mod.rs"]
mod support;

mod check;
mod invented;
mod looks;
mod new;
mod proposals;
mod tutorial;

use std::process::{Command, Output};

/// Runs `chartly profile` with these arguments, from the repository's root.
fn profile(args: &[&str]) -> (i32, String, String) {
    told(Command::new(env!("CARGO_BIN_EXE_chartly")).arg("profile").args(args))
}

/// Exit code, stdout and stderr.
fn told(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A file with this text in a folder of its own.
struct File {
    _folder: tempfile::TempDir,
    path: String,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it takes a file");
        let path = path.to_str().expect("a temporary path is text").to_owned();
        Self { _folder: folder, path }
    }
}
