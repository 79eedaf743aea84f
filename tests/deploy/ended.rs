//! A program that is expected to end by itself soon.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const NOBODY: u32 = 65_534;

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The one line that says why, with the mend.
    pub fn line(&self) -> &str {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.contains(" WARN ")).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0]
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command of ours that knows nothing of this environment.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CHARTLY_")) {
        command.env_remove(name);
    }
    command.current_dir(repository()).stdin(Stdio::null());
    command
}

/// Runs it to its end, which comes within ten seconds.
pub fn run(command: &mut Command) -> Ended {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("still running: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn chartly(args: &[&str], env: &[(&str, &str)]) -> Ended {
    run(command(env!("CARGO_BIN_EXE_chartly")).args(args).envs(env.iter().copied()))
}

pub fn drone(args: &[&str], env: &[(&str, &str)]) -> Ended {
    run(command(env!("CARGO_BIN_EXE_chartly-drone")).args(args).envs(env.iter().copied()))
}

/// As somebody without rights, for whom a mode of 0500 is one: the super-user may write everywhere. The program is
/// copied to where he may run it.
pub fn chartly_as_nobody(folder: &Path, args: &[&str]) -> Ended {
    let program: PathBuf = folder.join("chartly");
    if !program.exists() {
        // By another process: a copy that this one has open for writing cannot be run while other tests fork.
        let copied = Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_chartly")), &program]).status().unwrap();
        assert!(copied.success());
    }
    let mut command = command(program.to_str().unwrap());
    command.args(args).current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    run(&mut command)
}

pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}
