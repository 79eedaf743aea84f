//! Why a node cannot start, said in one line with the mend, and the exit code that a script can tell it by.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::alone::LinesError;
use crate::clients::Unfit;
use crate::protocol::fault::Fault;
use crate::settings::SettingsError;
use crate::store::StoreError;

/// What stops a start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the data folder {path} cannot be used: {error}; give one that this user may write to (--data-dir)")]
    DataFolder { path: PathBuf, error: io::Error },
    #[error("the store cannot be opened: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Backup(StoreError),
    #[error("{host}:{port} cannot be listened on: {error}; is another Chartly running? choose another (--port)")]
    Listen { host: String, port: u16, error: io::Error },
    #[error("{0}")]
    Peer(Unfit),
    #[error("{}", .0.detail)]
    Enrol(Fault),
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    #[error(transparent)]
    Lines(#[from] LinesError),
    #[error("{0}")]
    Profiles(String),
    #[error("{0}")]
    Other(String),
}

/// Exit codes, after sysexits(3). 0: stopped in order.
pub mod exit {
    /// A service of ours that answers, but speaks another form of messages, or is another program.
    pub const PROTOCOL: u8 = 76;
    /// A service of ours that does not take our key.
    pub const KEY: u8 = 77;
    /// The control plane has revoked this drone's key.
    pub const REVOKED: u8 = 67;
    /// Settings, flags or names that make no sense.
    pub const SETTINGS: u8 = 78;
    /// A port or a peer that cannot be had.
    pub const UNAVAILABLE: u8 = 69;
    /// Profiles that cannot be used.
    pub const PROFILES: u8 = 65;
    /// A folder, a file or the store.
    pub const STORAGE: u8 = 74;
    /// Supervision gave up; start me again.
    pub const ESCALATED: u8 = 70;
    /// What is stored has faults.
    pub const FAULTY: u8 = 65;
    /// The store is on PostgreSQL, whose own tools do this.
    pub const OTHER_TOOL: u8 = 64;
    /// Anything else.
    pub const FAILED: u8 = 1;
}

impl StartError {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => exit::SETTINGS,
            Self::DataFolder { .. } | Self::Store(_) | Self::Lines(_) | Self::Backup(_) => exit::STORAGE,
            Self::Listen { .. } => exit::UNAVAILABLE,
            Self::Peer(Unfit::Key { .. }) => exit::KEY,
            Self::Peer(Unfit::Revoked { .. }) => exit::REVOKED,
            Self::Enrol(_) => exit::KEY,
            Self::Peer(Unfit::Version { .. } | Unfit::Stranger { .. }) => exit::PROTOCOL,
            Self::Peer(Unfit::OtherRole { .. }) => exit::SETTINGS,
            Self::Peer(Unfit::Away(_) | Unfit::Hangs(_)) => exit::UNAVAILABLE,
            Self::Profiles(_) => exit::PROFILES,
            Self::Thread(_) | Self::Other(_) => exit::FAILED,
        }
    }
}
