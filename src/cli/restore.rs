//! `chartly restore`: a backup becomes the store.

use std::path::PathBuf;

use super::backup::shown;
use super::on_actix;
use super::postgres_tools;
use super::store_flags::{Output, StoreFlags};
use crate::node::{StartError, exit, restore, store_settings};
use crate::store::{Place, Restored};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The backup is read to its end and checked before anything is changed. Nothing of Chartly may run on \
                  the data folder. Drones ask their sources anew afterwards, since the store that came back may lack \
                  what they had brought. Exit codes: 0 restored; 64 the store is on PostgreSQL, and stdout has the \
                  command of its own tool; 74 it failed, and nothing was changed; 78 settings."
)]
pub struct Args {
    /// The backup.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Takes the place of a store that is there; that one stays beside it under another name.
    #[arg(long)]
    overwrite: bool,
    /// How to tell what was done.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    store: StoreFlags,
}

pub(super) fn run(args: &Args) -> Result<u8, StartError> {
    let settings = args.store.settings()?;
    if let Place::Server(server) = store_settings(&settings)?.place {
        eprintln!("the store is on PostgreSQL, whose own tool puts a dump back, here into an empty database:");
        println!("{}", postgres_tools::restore(&server, &args.from));
        eprintln!("then let drones ask their sources anew: {}", postgres_tools::NAME_ANEW);
        return Ok(exit::OTHER_TOOL);
    }
    let restored = on_actix(restore(&settings, &args.from, args.overwrite))?;
    match args.output {
        Output::Json => println!("{}", serde_json::json!(restored)),
        Output::Text => tell(&restored),
    }
    Ok(0)
}

fn tell(restored: &Restored) {
    println!("{} is now {}\n{}", restored.backup.file.display(), restored.store.display(), shown(&restored.backup));
    if !restored.digest_known {
        println!("no digest stood beside the backup; the file was checked by itself");
    }
    if let Some(replaced) = &restored.replaced {
        println!("the store before is kept as {}; remove it when all is well", replaced.display());
    }
}
