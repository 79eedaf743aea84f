//! `chartly serve`: the control plane until a signal stops it.

use std::path::PathBuf;

use super::{config_dir, on_actix, settings};
use crate::node::{Node, StartError};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 stopped in order; 69 the port cannot be had; 70 supervision gave up, start again; \
                  74 data folder or store; 76 a service of another release or another program; 77 a service does not \
                  take our key; 78 settings; 2 flags; 1 anything else. docs/deployment.md says what to do."
)]
pub struct Args {
    /// Roles to run: all, or a list such as gateway,registry.
    #[arg(long)]
    roles: Option<String>,
    /// Drones to embed.
    #[arg(long)]
    drones: Option<u32>,
    /// Folder for everything that must survive a restart.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Folder of profiles.
    #[arg(long)]
    profiles_dir: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one.
    #[arg(long)]
    port: Option<u16>,
    /// Folder with the settings' overlays, such as prod.yaml for CHARTLY_ENV=prod.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    let settings = settings(&args.folder(), overrides(args))?;
    on_actix(async move {
        let node = Node::start(settings).await?;
        eprintln!("chartly listens on {}", node.url());
        if let Some(file) = node.key_file() {
            eprintln!("writes need the key in {} (header X-API-Key)", file.display());
        }
        Ok(node.run().await)
    })
}

impl Args {
    /// Where the overlays lie.
    pub(super) fn folder(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(config_dir)
    }
}

pub(super) fn overrides(args: Args) -> Vec<(&'static str, String)> {
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut all = Vec::new();
    all.extend(args.roles.map(|value| ("node.roles", value)));
    all.extend(args.drones.map(|value| ("node.drones", value.to_string())));
    all.extend(args.data_dir.map(|value| ("node.data_dir", path(value))));
    all.extend(args.profiles_dir.map(|value| ("node.profiles_dir", path(value))));
    all.extend(args.host.map(|value| ("http.host", value)));
    all.extend(args.port.map(|value| ("http.port", value.to_string())));
    all
}
