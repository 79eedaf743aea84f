//! Where a node's store is: a file in its data folder unless the settings name another place.

use std::path::Path;

use secrecy::SecretString;

use super::StartError;
use crate::settings::{Settings, StoreUrl};
use crate::store::{Place, Server, StoreSettings};

const FILE: &str = "results.db";

/// All that the settings say of the store.
pub fn store_settings(settings: &Settings) -> Result<StoreSettings, StartError> {
    let set = &settings.store;
    let place = match set.place()? {
        None => Place::File(settings.node.data_dir.join(FILE)),
        Some(StoreUrl::File(path)) => Place::File(path),
        Some(StoreUrl::Server(url)) => {
            let password = match (&set.password, &set.password_file) {
                (None, Some(file)) => Some(read_password(file)?),
                (password, _) => password.clone(),
            };
            Place::Server(Server { url, password, connections: set.connections })
        }
    };
    Ok(StoreSettings {
        synchronous: set.synchronous,
        readers: set.readers,
        queue_batches: set.queue_batches,
        queue_bytes: set.queue_bytes,
        max_reports: set.max_reports,
        ..StoreSettings::at(place)
    })
}

/// The file's text without the line break that editors put at its end.
fn read_password(file: &Path) -> Result<SecretString, StartError> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| {
        StartError::Other(format!("store.password_file {}: {error}; name a file this user may read", file.display()))
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).into())
}
