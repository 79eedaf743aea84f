//! `chartly profile diff`: what a new version changes in the meaning of records.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::refuse;
use crate::profiles::diff::{Diff, DiffError, Reach, diff};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older version.
    old: PathBuf,
    /// The newer one.
    new: PathBuf,
}

pub fn run(args: &Args) -> ExitCode {
    match compare(&args.old, &args.new) {
        Err(message) => refuse(3, message),
        Ok(found) => {
            show(&found);
            ExitCode::from(match found.reach() {
                None => 0,
                Some(Reach::Patch | Reach::Minor) => 1,
                Some(Reach::Breaking) => 2,
            })
        }
    }
}

fn compare(old: &Path, new: &Path) -> Result<Diff, String> {
    let read = |path: &Path| super::files::read(path).map_err(|error| format!("{}: {error}", path.display()));
    diff(&read(old)?, &read(new)?).map_err(|error| match error {
        DiffError::First(problems) => problems.in_file(&old.display().to_string()).to_string(),
        DiffError::Second(problems) => problems.in_file(&new.display().to_string()).to_string(),
    })
}

fn show(found: &Diff) {
    for change in &found.changes {
        println!("{:<8}  {}", change.reach.to_string(), change.text);
    }
    let (old, new) = &found.versions;
    match found.reach() {
        None => println!("nothing changes; version {old} may stay"),
        Some(_) if found.is_numbered() => println!("version {old} → {new} says so"),
        Some(reach) => println!("version {old} → {new}: a {reach} change asks for {} at least", found.asks_for),
    }
}
