//! One command for the CI of those who keep profiles, settings and compose files of their own.

use std::fs;
use std::path::Path;

use crate::ended::{self, Ended, repository};
use crate::scripts::Bench;
use crate::tools;

fn check(folder: &Path, args: &[&str]) -> Option<Ended> {
    tools::find("check-jsonschema", "deploy::content")?;
    let bench = Bench::new();
    let mut command = bench.command("check-content.sh", args);
    command.current_dir(folder).env("STUB_VERSION", "none");
    command.env("CHARTLY_BIN_DIR", Path::new(env!("CARGO_BIN_EXE_chartly")).parent().unwrap());
    Some(ended::run(&mut command))
}

#[test]
fn the_content_of_this_repository_is_good() {
    let Some(checked) = check(repository(), &[]) else { return };
    assert_eq!(checked.code, 0, "{checked:?}");
    for told in
        ["the profiles in profiles", "config/prod.yaml", "config/projects/example.yaml", "docker-compose.drone.yml"]
    {
        assert!(
            checked.stdout.lines().any(|line| line.starts_with("ok") && line.ends_with(told)),
            "{told}: {checked:?}"
        );
    }
}

#[test]
fn each_kind_of_fault_is_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("config")).unwrap();
    fs::create_dir_all(folder.path().join("profiles")).unwrap();
    fs::write(folder.path().join("profiles/broken.yaml"), "id: broken\nnmae: x\n").unwrap();
    fs::write(folder.path().join("config/mine.yaml"), "http:\n  prot: 1\n").unwrap();
    fs::write(folder.path().join("compose.yml"), "services:\n  a:\n    imgae: x\n").unwrap();
    let Some(checked) = check(folder.path(), &["compose.yml"]) else { return };
    assert_eq!(checked.code, 1, "{checked:?}");
    for told in ["FAIL  the profiles in profiles", "FAIL  config/mine.yaml", "FAIL  compose.yml"] {
        assert!(checked.stdout.contains(told), "{told}: {checked:?}");
    }
    assert!(checked.stderr.contains("config/mine.yaml:2"), "{checked:?}");
}
