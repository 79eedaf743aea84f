//! `chartly backup`: a copy of the store while it is in use.

use std::path::PathBuf;

use super::on_actix;
use super::postgres_tools;
use super::store_flags::{Output, StoreFlags};
use crate::node::{StartError, back_up, exit, store_settings};
use crate::settings::Problem;
use crate::store::{Backup, Counts, Place};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A backup holds the store: profiles with their versions, records, runs, reports, what waits in \
                  quarantine. It does not hold the key, nor what drones keep in folders of their own; docs/backup.md \
                  says how to keep those. Exit codes: 0 made and verified; 64 the store is on PostgreSQL, and stdout \
                  has the command of its own tool; 74 it failed, and nothing is left of it; 78 settings."
)]
pub struct Args {
    /// A new file, or a folder in which the backup is named by its moment; `backup.to` of the settings when absent.
    #[arg(long, value_name = "FILE|DIR")]
    to: Option<PathBuf>,
    /// Takes the place of a file that exists.
    #[arg(long)]
    overwrite: bool,
    /// How to tell what was made.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    store: StoreFlags,
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    let settings = args.store.settings()?;
    let file = match store_settings(&settings)?.place {
        Place::File(file) => file,
        Place::Server(server) => {
            eprintln!("the store is on PostgreSQL, whose own tool makes a consistent copy while it is in use:");
            println!("{}", postgres_tools::dump(&server));
            return Ok(exit::OTHER_TOOL);
        }
    };
    let Some(to) = args.to.or_else(|| settings.backup.to.clone().map(|folder| folder.join(""))) else {
        return Err(StartError::Settings(Problem::new("no place for the backup; give --to, or set backup.to").into()));
    };
    let backup = on_actix(back_up(&file, &to, args.overwrite))?;
    match args.output {
        Output::Json => println!("{}", serde_json::json!(backup)),
        Output::Text => println!("{} is backed up to {}\n{}", file.display(), backup.file.display(), shown(&backup)),
    }
    Ok(0)
}

/// What a backup is and holds, in two lines.
pub(super) fn shown(backup: &Backup) -> String {
    let Counts { profiles, versions, runs, records, .. } = backup.counts;
    format!(
        "{} bytes, {}\n{profiles} profiles in {versions} versions, {runs} runs, {records} records",
        backup.bytes, backup.digest
    )
}
