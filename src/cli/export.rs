//! `chartly export`: the store as one file that a store on either engine can import.

use std::path::PathBuf;
use std::time::Duration;

use super::on_actix;
use super::store_flags::{Output, StoreFlags};
use crate::domain::ids::TenantId;
use crate::node::{StartError, store_settings};
use crate::store::{Place, Store, StoreError, export_file};

/// How long a store may take to close.
pub(super) const CLOSE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop Chartly first: what arrives meanwhile may be in the file in part. The file holds profiles with their \
                  versions, and runs with their batches and records; docs/moving.md says what it does not hold. Exit \
                  codes: 0 written; 74 it failed, and nothing is left of it; 78 settings."
)]
pub struct Args {
    /// A new file; packed where its name ends in .zst.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Takes the place of a file that exists.
    #[arg(long)]
    overwrite: bool,
    /// How to tell what was written.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    store: StoreFlags,
}

pub(super) fn run(args: &Args) -> Result<u8, StartError> {
    let settings = store_settings(&args.store.settings()?)?;
    if let Place::File(file) = &settings.place
        && !file.exists()
    {
        return Err(StartError::Backup(StoreError::NoDatabase { path: file.display().to_string() }));
    }
    let totals = on_actix(async {
        let store = Store::open(&settings).await?;
        let totals = export_file(&store.tenant(&TenantId::default()), &args.to, args.overwrite).await;
        store.close(CLOSE).await?;
        totals
    });
    let totals = totals.map_err(StartError::Backup)?;
    match args.output {
        Output::Json => println!("{}", serde_json::json!(totals)),
        Output::Text => println!("{} holds\n{totals}", args.to.display()),
    }
    Ok(0)
}
