//! `chartly profile test`: plays the profiles' own tests.

use std::path::PathBuf;
use std::process::ExitCode;

use super::files;
use crate::cli::on_actix;
use crate::pipeline::proof::{Proof, prove_beside};
use crate::profiles;

/// Differences of one profile that are printed.
const MAX_SHOWN: usize = 40;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, or folders of `*.yaml` and `*.yml` at any depth. A test stands in the profile's `test`, or in the
    /// folder `<name>.test` beside it.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    without: usize,
    broken: usize,
}

pub fn run(args: &Args) -> ExitCode {
    let mut tally = Tally::default();
    on_actix(async {
        for (path, text) in files::collect(&args.paths) {
            let text = text.map_err(|error| error.to_string());
            let profile = text.and_then(|text| profiles::load(&text).map_err(|problems| format!("\n{problems}")));
            let proof = match profile {
                Ok(profile) => prove_beside(&profile, &path).await.map_err(|error| error.to_string()),
                Err(reason) => Err(reason),
            };
            tally.add(&path.display().to_string(), proof);
        }
    });
    let Tally { passed, failed, without, broken } = tally;
    println!("{passed} passed, {failed} failed, {without} without a test, {broken} that cannot be tested");
    match (broken, failed) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

impl Tally {
    fn add(&mut self, file: &str, proof: Result<Option<Proof>, String>) {
        match proof {
            Err(reason) => {
                self.broken += 1;
                println!("ERROR   {file}: {reason}");
            }
            Ok(None) => self.without += 1,
            Ok(Some(proof)) if proof.holds() => {
                self.passed += 1;
                println!("ok      {file}: {} records", proof.records);
            }
            Ok(Some(proof)) => {
                self.failed += 1;
                println!("FAILED  {file}: {} differences", proof.differences.len());
                proof.differences.iter().take(MAX_SHOWN).for_each(|difference| println!("  {difference}"));
                if proof.differences.len() > MAX_SHOWN {
                    println!("  and {} more", proof.differences.len() - MAX_SHOWN);
                }
            }
        }
    }
}
