//! `chartly profile`: work on profiles without a network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use crate::profiles;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Checks files and folders; exit code 1 when one has faults, 2 when one cannot be read.
    Validate {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Prints the JSON Schema of a profile, for editors.
    Schema,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match &args.verb {
        Verb::Schema => {
            println!("{}", profiles::json_schema());
            ExitCode::SUCCESS
        }
        Verb::Validate { paths } => validate(paths),
    }
}

fn validate(paths: &[PathBuf]) -> ExitCode {
    let (mut files, mut unreadable, mut faulty) = (Vec::new(), 0, 0);
    for path in paths {
        if let Err(error) = collect(path, &mut files) {
            eprintln!("{}: {error}", path.display());
            unreadable += 1;
        }
    }
    for file in &files {
        match std::fs::read_to_string(file) {
            Err(error) => {
                eprintln!("{}: {error}", file.display());
                unreadable += 1;
            }
            Ok(text) => faulty += usize::from(!is_valid(file, &text)),
        }
    }
    println!("{} profiles, {faulty} with faults, {unreadable} unreadable", files.len());
    match (unreadable, faulty) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

fn is_valid(file: &Path, text: &str) -> bool {
    let Err(problems) = profiles::load(text) else { return true };
    eprintln!("{}:\n{problems}", file.display());
    false
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let is_profile = entry.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if entry.is_dir() || is_profile {
            collect(&entry, files)?;
        }
    }
    Ok(())
}
