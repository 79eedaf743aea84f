//! The units for systemd: they can be read, they are locked down, and they say what the programs understand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ended::{self, repository};
use crate::tools;

const UNITS: [&str; 3] = ["chartly.service", "chartly@.service", "chartly-drone.service"];

fn text(name: &str) -> String {
    fs::read_to_string(repository().join("infra/systemd").join(name)).unwrap()
}

/// Copies whose programs are where this build has them.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let copy = |name: &&str| {
        let here = text(name)
            .replace("/usr/local/bin/chartly-drone", env!("CARGO_BIN_EXE_chartly-drone"))
            .replace("/usr/local/bin/chartly", env!("CARGO_BIN_EXE_chartly"));
        let path = folder.join(name);
        fs::write(&path, here).unwrap();
        path
    };
    UNITS.iter().map(copy).collect()
}

fn analyze() -> Option<std::process::Command> {
    tools::find("systemd-analyze", "deploy::units")
}

#[test]
fn systemd_can_read_them() {
    let folder = tempfile::tempdir().unwrap();
    for unit in copies(folder.path()) {
        let Some(mut command) = analyze() else { return };
        let read = command.args(["verify", "--man=no"]).arg(&unit).output().unwrap();
        let told = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success() && !told.contains(unit.to_str().unwrap()), "{}: {told}", unit.display());
    }
}

/// The measure goes from 0 (locked down) to 10 (open); above 2 the command fails.
#[test]
fn they_are_locked_down() {
    let folder = tempfile::tempdir().unwrap();
    for unit in copies(folder.path()) {
        let Some(mut command) = analyze() else { return };
        let args = ["security", "--offline=true", "--threshold=20", "--no-pager"];
        let judged = command.args(args).arg(&unit).output().unwrap();
        assert!(judged.status.success(), "{}:\n{}", unit.display(), String::from_utf8_lossy(&judged.stdout));
    }
}

/// Settings in a unit are checked by the program itself.
#[test]
fn what_they_set_is_understood() {
    for (unit, program, args) in [
        ("chartly.service", env!("CARGO_BIN_EXE_chartly"), &["config", "check"][..]),
        ("chartly@.service", env!("CARGO_BIN_EXE_chartly"), &["config", "check", "--roles", "registry"]),
        ("chartly-drone.service", env!("CARGO_BIN_EXE_chartly-drone"), &["--check-config"]),
    ] {
        let text = text(unit);
        let env: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("Environment="))
            .filter_map(|pair| pair.split_once('='))
            .collect();
        assert!(env.len() >= 3, "{unit}: {env:?}");
        let checked = ended::run(ended::command(program).args(args).envs(env));
        assert_eq!(checked.code, 0, "{unit}: {checked:?}");
    }
}

#[test]
fn what_a_person_must_mend_is_not_tried_again_for_ever() {
    for unit in ["chartly.service", "chartly@.service"] {
        assert!(text(unit).contains("\nRestartPreventExitStatus=76 77 78\n"), "{unit}");
    }
    assert!(text("chartly-drone.service").contains("\nRestart=always\nRestartPreventExitStatus=67\n"));
}
