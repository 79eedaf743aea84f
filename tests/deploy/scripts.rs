//! The scripts for operators, with a stand-in for `docker` that writes down what it is asked: what they call, in which
//! order, with which variables, and what they refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ended::{self, Ended, repository};
use crate::tools;

const STUB: &str = r#"#!/bin/sh
printf '%s | port=%s cp=%s key=%s interval=%s profiles=%s token=%s\n' "$*" "$GATEWAY_PORT" "$CONTROL_PLANE" \
  "${REGISTRY_API_KEY:+set}" "$PROCESS_INTERVAL" "$COMPOSE_PROFILES" "${ENROL_TOKEN:+set}" >> "$STUB_LOG"
case "$*" in
  "compose version --short") echo "${STUB_VERSION:-2.30.0}" ;;
  "compose version") [ "$STUB_VERSION" != none ] ;;
  "volume ls"*chartly-drone) echo chartly-drone_data ;;
  "volume ls"*) echo chartly_data ;;
esac
"#;

/// A folder with a data folder and the stand-in.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stub = folder.path().join("bin/docker");
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(&stub, STUB).unwrap();
        fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn command(&self, script: &str, args: &[&str]) -> Command {
        let mut command = ended::command("bash");
        let path = format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.arg(repository().join("scripts").join(script)).args(args).env("PATH", path);
        command.env("DATA_DIR", self.data()).env("STUB_LOG", self.folder.path().join("log"));
        for name in
            ["REGISTRY_API_KEY", "CONTROL_PLANE", "COMPOSE_PROFILES", "PROCESS_INTERVAL", "GATEWAY_PORT", "ENROL_TOKEN"]
        {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, script: &str, args: &[&str]) -> Ended {
        ended::run(&mut self.command(script, args))
    }

    /// What the stand-in was asked so far, without questions for versions.
    pub fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let root = format!("{}/", repository().display());
        log.lines().filter(|line| !line.starts_with("compose version")).map(|line| line.replace(&root, "")).collect()
    }
}

fn scripts(ending: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(repository().join("scripts")).unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn the_linter_finds_nothing() {
    let Some(mut shellcheck) = tools::find("shellcheck", "deploy::scripts") else { return };
    let own = [".ci/run", ".ci/tools"].map(|name| repository().join(name));
    let found = shellcheck.arg("-x").args(scripts(".sh")).args(own).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn every_script_tells_how_it_is_used_and_refuses_what_it_does_not_know() {
    let bench = Bench::new();
    for script in scripts(".sh").iter().filter(|path| !path.ends_with("lib.sh")) {
        let name = script.file_name().unwrap().to_str().unwrap();
        let help = bench.run(name, &["--help"]);
        assert_eq!(help.code, 0, "{name}: {help:?}");
        assert!(
            help.stdout.contains(&format!("scripts/{name}")) && !help.stdout.contains("shellcheck"),
            "{}",
            help.stdout
        );
        let unknown = bench.run(name, &["--nonsense"]);
        assert_eq!((unknown.code, unknown.stderr.contains("--nonsense is not known")), (64, true), "{unknown:?}");
        assert!(script.metadata().unwrap().permissions().mode() & 0o111 != 0, "{name} can be run");
    }
    assert_eq!(bench.asked(), Vec::<String>::new(), "and nothing was done");
}

#[test]
fn the_control_plane_comes_up_with_a_key_that_is_made_once() {
    let bench = Bench::new();
    let up = bench.run("control-plane-up.sh", &["--port", "9000", "--build"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(
        bench.asked(),
        [
            "compose -f docker-compose.control.yml up --detach --wait --build | port=9000 cp= key=set interval= profiles= token="
        ]
    );
    let file = bench.data().join("api-key");
    let key = fs::read_to_string(&file).unwrap();
    assert!(key.starts_with("chartly_") && key.trim().len() == 56, "{key}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!up.stdout.contains(key.trim()), "it is not printed");
    assert_eq!(bench.run("control-plane-up.sh", &[]).code, 0);
    assert_eq!(fs::read_to_string(&file).unwrap(), key, "the same key");
}

#[test]
fn postgres_is_a_profile_and_asks_for_its_password() {
    let bench = Bench::new();
    assert_eq!(bench.run("control-plane-up.sh", &["--postgres"]).code, 64);
    let mut command = bench.command("control-plane-up.sh", &["--postgres"]);
    assert_eq!(ended::run(command.env("POSTGRES_PASSWORD", "long-enough")).code, 0);
    assert!(bench.asked()[0].ends_with("profiles=postgres token="), "{:?}", bench.asked());
}

#[test]
fn drones_scale_and_reach_this_machine_from_inside_a_container() {
    let bench = Bench::new();
    let without_key = bench.run("drone-up.sh", &["--control-plane", "http://gateway:8090"]);
    assert!(without_key.code == 64 && without_key.stderr.contains("REGISTRY_API_KEY"), "{without_key:?}");
    let up = |url: &str, more: &[&str]| {
        let args = [&["--control-plane", url], more].concat();
        let ended = ended::run(bench.command("drone-up.sh", &args).env("REGISTRY_API_KEY", "long-enough"));
        assert_eq!(ended.code, 0, "{ended:?}");
        bench.asked().pop().unwrap()
    };
    assert_eq!(
        up("http://gateway:8090", &["--count", "5", "--interval", "5m"]),
        "compose -f docker-compose.drone.yml up --detach --wait --scale drone=5 | port= cp=http://gateway:8090 key=set interval=5m profiles= token="
    );
    let mut with_token = bench.command("drone-up.sh", &["--control-plane", "http://gateway:8090", "--count", "2"]);
    assert_eq!(ended::run(with_token.env("ENROL_TOKEN", "chartly-join_0")).code, 0);
    let asked = bench.asked().pop().unwrap();
    assert!(asked.contains("--scale drone=2") && asked.contains(" key= ") && asked.ends_with("token=set"), "{asked}");
    for (given, inside) in [
        ("http://localhost:8090", "http://host.docker.internal:8090"),
        ("https://127.0.0.1", "https://host.docker.internal"),
        ("http://localhost.example.org", "http://localhost.example.org"),
    ] {
        assert!(up(given, &[]).contains(&format!("cp={inside} ")), "{given}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_done() {
    let bench = Bench::new();
    for (script, args, hint) in [
        ("control-plane-up.sh", &["--port", "70000"][..], "1 to 65535"),
        ("control-plane-up.sh", &["--port"], "needs a value"),
        ("control-plane-up.sh", &["--native", "--postgres"], "DB_DSN"),
        ("drone-up.sh", &[], "--control-plane is missing"),
        ("drone-up.sh", &["--control-plane", "gateway:8090"], "http://host:port"),
        ("drone-up.sh", &["--control-plane", "http://g", "--count", "0"], "1 to 1000"),
        ("drone-up.sh", &["--control-plane", "http://g", "--count", "$(id)"], "1 to 1000"),
        ("drone-up.sh", &["--control-plane", "http://g", "--interval", "5"], "such as 30s"),
        ("logs.sh", &["--lines", "many"], "a number"),
    ] {
        let ended = bench.run(script, args);
        assert!(ended.code == 64 && ended.stderr.contains(hint), "{script} {args:?}: {ended:?}");
    }
    assert_eq!(bench.asked(), Vec::<String>::new());
    assert!(!bench.data().exists());
}

#[test]
fn drones_stop_before_what_they_write_to() {
    let bench = Bench::new();
    assert_eq!(bench.run("stop-all.sh", &[]).code, 0);
    let asked = bench.asked();
    assert!(asked[0].starts_with("compose -f docker-compose.drone.yml down |"), "{asked:?}");
    assert!(asked[1].starts_with("compose -f docker-compose.control.yml down |"), "{asked:?}");
    assert!(asked[1].ends_with("profiles=postgres token="), "the store of the profile too: {asked:?}");
    assert!(!asked.join("").contains("volumes"), "data stays: {asked:?}");
}

#[test]
fn without_docker_the_mend_is_told() {
    let bench = Bench::new();
    let missing = ended::run(bench.command("control-plane-up.sh", &[]).env("STUB_VERSION", "none"));
    assert!(missing.code == 69 && missing.stderr.contains("--native"), "{missing:?}");
}

#[test]
fn the_doctor_names_what_is_to_be_mended() {
    let bench = Bench::new();
    let well = bench.run("doctor.sh", &["--url", "http://127.0.0.1:9"]);
    assert!(well.stdout.contains("ok    docker compose 2.30.0") && well.code == 0, "{well:?}");
    let old = ended::run(bench.command("doctor.sh", &["--url", "http://127.0.0.1:9"]).env("STUB_VERSION", "2.9.0"));
    assert!(old.code == 1 && old.stdout.contains("version 2.20 or later"), "{old:?}");
    fs::create_dir(bench.data()).unwrap();
    fs::write(bench.data().join("api-key"), "x").unwrap();
    let open = bench.run("doctor.sh", &["--url", "http://127.0.0.1:9"]);
    assert!(open.code == 1 && open.stdout.contains("chmod 600"), "{open:?}");
}

#[test]
fn logs_are_of_all_or_of_some() {
    let bench = Bench::new();
    for (args, asked) in [
        (&["gateway", "--lines", "5"][..], "compose -f docker-compose.control.yml logs --tail 5 gateway |"),
        (&["drone", "--follow"], "compose -f docker-compose.drone.yml logs --tail 100 -f |"),
    ] {
        assert_eq!(bench.run("logs.sh", args).code, 0);
        assert!(bench.asked().last().unwrap().starts_with(asked), "{:?}", bench.asked());
    }
    let none: &Path = &bench.data();
    assert!(!none.exists());
    assert_eq!(bench.run("logs.sh", &["--native"]).code, 69);
}
