//! What a store needs to know to open. Knows no engine.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::runtime::{Breakpoints, Policy};
use crate::settings::Synchronous;

/// Where a store is, and with it which engine keeps it.
#[derive(Debug, Clone)]
pub enum Place {
    /// The SQLite file. Its folder is created when it is missing.
    File(PathBuf),
    /// A database of a PostgreSQL server.
    Server(Server),
}

/// A database server, and how to log in.
#[derive(Debug, Clone)]
pub struct Server {
    /// `postgres://user@host/database`; it may hold a password.
    pub url: SecretString,
    /// Goes before the one in `url`.
    pub password: Option<SecretString>,
    /// Connections of this process at most, the writer's included.
    pub connections: u32,
}

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    pub place: Place,
    /// How far a write has gone when it is answered.
    pub synchronous: Synchronous,
    /// Connections that read a file beside the writer, at most.
    pub readers: u32,
    /// Writes that may wait for the writer; one more is answered `Overloaded`.
    pub queue_batches: usize,
    /// Bytes of records that may wait for the writer.
    pub queue_bytes: usize,
    /// Reports kept for each tenant; the oldest go first.
    pub max_reports: u32,
    /// Bytes (compressed) of records that are held for each profile until their run is judged, or released by hand.
    pub max_held_bytes: u64,
    /// Page cache of a file's writer, in KiB; a reader has a quarter of it.
    pub cache_kib: u32,
    /// How often and how fast a writer that panicked comes back. Its mailbox and deadline are not used.
    pub policy: Policy,
    /// Places where a test may order a panic: `store.job`, `store.commit`.
    pub breakpoints: Breakpoints,
}

impl StoreSettings {
    /// The defaults, for the SQLite file at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::at(Place::File(path.as_ref().to_owned()))
    }

    /// The defaults, for the database at `place`.
    pub fn at(place: Place) -> Self {
        Self {
            place,
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
