//! What a store needs to know to open. Knows no engine.

use std::path::{Path, PathBuf};

use crate::runtime::{Breakpoints, Policy};
use crate::settings::Synchronous;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// The database file. Its folder is created when it is missing.
    pub path: PathBuf,
    /// How far a write has gone when it is answered.
    pub synchronous: Synchronous,
    /// Connections that read beside the writer, at most.
    pub readers: u32,
    /// Writes that may wait for the writer; one more is answered `Overloaded`.
    pub queue_batches: usize,
    /// Bytes of records that may wait for the writer.
    pub queue_bytes: usize,
    /// Reports kept for each tenant; the oldest go first.
    pub max_reports: u32,
    /// Bytes (compressed) of records that are held for each profile until their run is judged, or released by hand.
    pub max_held_bytes: u64,
    /// Page cache of the writer, in KiB; a reader has a quarter of it.
    pub cache_kib: u32,
    /// How often and how fast a writer that panicked comes back. Its mailbox and deadline are not used.
    pub policy: Policy,
    /// Places where a test may order a panic: `store.job`, `store.commit`.
    pub breakpoints: Breakpoints,
}

impl StoreSettings {
    /// The defaults, for the database at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            synchronous: Synchronous::Full,
            readers: 2,
            queue_batches: 256,
            queue_bytes: 64 << 20,
            max_reports: 1_000,
            max_held_bytes: 256 << 20,
            cache_kib: 16 << 10,
            policy: Policy::default(),
            breakpoints: Breakpoints::none(),
        }
    }
}
