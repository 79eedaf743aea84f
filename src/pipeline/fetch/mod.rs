//! The way to a source: one client for each arbiter, guarded, bounded, polite.

mod settings;

pub use settings::{FetchSettings, Network, NetworkError};

/// Fetches for the runs of one arbiter. Not `Send`: it owns a client with its pool of connections.
pub struct Fetcher {
    settings: FetchSettings,
}

impl Fetcher {
    pub fn new(settings: FetchSettings) -> Self {
        Self { settings }
    }

    pub fn settings(&self) -> &FetchSettings {
        &self.settings
    }
}
