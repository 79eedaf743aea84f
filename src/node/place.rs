//! Where a node's store is: a file in its data folder unless the settings name another place.

use super::StartError;
use crate::settings::{Settings, StoreUrl};
use crate::store::{Place, Server, StoreSettings};

const FILE: &str = "results.db";

/// All that the settings say of the store.
pub fn store_settings(settings: &Settings) -> Result<StoreSettings, StartError> {
    let set = &settings.store;
    let place = match set.place().map_err(|problem| StartError::Settings(problem.into()))? {
        None => Place::File(settings.node.data_dir.join(FILE)),
        Some(StoreUrl::File(path)) => Place::File(path),
        Some(StoreUrl::Server(url)) => {
            Place::Server(Server { url, password: set.password.clone(), connections: set.connections })
        }
    };
    Ok(StoreSettings {
        synchronous: set.synchronous,
        readers: set.readers,
        queue_batches: set.queue_batches,
        queue_bytes: set.queue_bytes,
        max_reports: set.max_reports,
        max_held_bytes: set.max_held_bytes,
        ..StoreSettings::at(place)
    })
}
