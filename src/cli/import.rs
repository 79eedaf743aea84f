//! `chartly import`: stores what an export holds, and holds both sides against each other.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::export::CLOSE;
use super::on_actix;
use super::store_flags::{Output, StoreFlags};
use crate::domain::ids::TenantId;
use crate::node::{StartError, exit, store_settings};
use crate::store::{Place, Store, import_file};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Stop Chartly first. The file is read to its end before anything is stored. An import that was \
                  interrupted is run again; what is stored already is stored once. Exit codes: 0 the store holds what \
                  the file holds; 65 it was stored, and the store holds something else too; 74 the file or the store \
                  cannot be used; 78 settings."
)]
pub struct Args {
    /// A file that `chartly export` made.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// How to tell what was stored.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    store: StoreFlags,
}

pub(super) fn run(args: &Args) -> Result<u8, StartError> {
    let settings = store_settings(&args.store.settings()?)?;
    if let Place::File(file) = &settings.place
        && let Some(folder) = file.parent()
    {
        let failed = |error| StartError::DataFolder { path: folder.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let moved = on_actix(async {
        let store = Store::open(&settings).await?;
        let moved = import_file(&store.tenant(&TenantId::default()), &args.from).await;
        store.close(CLOSE).await?;
        moved
    });
    let moved = moved.map_err(StartError::Backup)?;
    match args.output {
        Output::Json => println!("{}", serde_json::json!(moved)),
        Output::Text => {
            println!("the file:  {}\nthe store: {}", moved.file, moved.store);
            println!(
                "{}",
                if moved.equal { "both are equal" } else { "they differ; docs/moving.md says why that may be" }
            );
        }
    }
    Ok(if moved.equal { 0 } else { exit::FAULTY })
}
