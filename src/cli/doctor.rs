//! `chartly doctor`: is what is stored whole, and as it was written?

use std::path::PathBuf;

use super::on_actix;
use super::store_flags::{Output, StoreFlags};
use crate::node::{StartError, exit, store_settings};
use crate::store::{Check, Diagnosis, StoreSettings};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks and changes nothing, also while Chartly runs. It checks the file, the layout, ids against contents, \
                  counts against what they count, and rows that belong to nothing. Exit codes: 0 all is well; 65 faults \
                  were found; 74 there is no store, or it cannot be read; 78 settings. \
                  docs/backup.md says what to do about faults."
)]
pub struct Args {
    /// Looks at the store that the settings name.
    #[arg(long, required_unless_present = "file")]
    store: bool,
    /// Looks at this file of SQLite instead, such as a backup.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Reads every record; otherwise about 10,000, evenly spread.
    #[arg(long)]
    all: bool,
    /// How to tell what was found.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    flags: StoreFlags,
}

pub(super) fn run(args: &Args) -> Result<u8, StartError> {
    let settings = match &args.file {
        Some(file) => StoreSettings::new(file),
        None => store_settings(&args.flags.settings()?)?,
    };
    let found = on_actix(Diagnosis::of(&settings, args.all)).map_err(StartError::Backup)?;
    match args.output {
        Output::Json => println!("{}", serde_json::json!(found)),
        Output::Text => tell(&found),
    }
    Ok(if found.good { 0 } else { exit::FAULTY })
}

fn tell(found: &Diagnosis) {
    println!("{}, {}", found.store, found.engine);
    found.checks.iter().for_each(tell_one);
    let faults: u64 = found.checks.iter().map(|check| check.faults).sum();
    match (found.good, found.all) {
        (false, _) => println!("{faults} faults; docs/backup.md says what to do"),
        (true, true) => println!("all is well"),
        (true, false) => println!("all is well, as far as a sample of the records tells; --all reads every one"),
    }
}

fn tell_one(check: &Check) {
    let mark = if check.faults == 0 { "ok  " } else { "FAIL" };
    let looked_at = if check.looked_at > 0 { format!(" ({} read)", check.looked_at) } else { String::new() };
    println!("  {mark}  {}{looked_at}", check.name);
    check.told.iter().for_each(|line| println!("        {line}"));
    let more = check.faults.saturating_sub(check.told.len() as u64);
    if more > 0 {
        println!("        and {more} more");
    }
}
