//! The flags of every verb that works on the store without running a node.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{config_dir, settings};
use crate::node::StartError;
use crate::settings::{Overrides, Settings};

#[derive(Debug, clap::Args)]
pub struct StoreFlags {
    /// Folder for everything that must survive a restart, as `serve` has it.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Folder with the settings' overlays, such as prod.yaml for CHARTLY_ENV=prod.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl StoreFlags {
    /// The settings that `serve` would have.
    pub(super) fn settings(&self) -> Result<Settings, StartError> {
        let folder = self.config.clone().unwrap_or_else(config_dir);
        let data_dir = self.data_dir.as_ref().map(|path| ("node.data_dir", path.to_string_lossy().into_owned()));
        Ok(settings(&folder, Overrides::from_iter(data_dir))?)
    }
}

/// How a verb tells what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Sentences.
    Text,
    /// One JSON object on stdout.
    Json,
}
