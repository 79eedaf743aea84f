//! What an operator may set: parsed once, checked across fields, typed from then on. Knows no actor, store or
//! socket. The defaults are a real documented file, built in.

mod layers;
mod roles;
mod store_url;

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use thiserror::Error;

pub use layers::{Overrides, load};
pub use roles::{Role, RoleSet};
pub use store_url::StoreUrl;

/// Shorter keys can be guessed.
const MIN_KEY_CHARS: usize = 8;

/// All settings of a process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub node: NodeSettings,
    pub http: HttpSettings,
    pub peers: PeerSettings,
    pub store: StoreSettings,
    pub fleet: FleetSettings,
    pub reporter: ReporterSettings,
    pub drone: DroneSettings,
    /// The bootstrap admin key; from `REGISTRY_API_KEY`, never from a file in the repository.
    #[serde(default)]
    pub api_key: Option<SecretString>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    pub roles: RoleSet,
    pub drones: u32,
    pub data_dir: PathBuf,
    pub profiles_dir: Option<PathBuf>,
    pub profiles_scan_ms: u64,
    pub shutdown_ms: u64,
    pub drain_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    pub host: String,
    pub port: Option<u16>,
    pub workers: usize,
    pub max_body_bytes: usize,
    pub max_inflated_bytes: usize,
    pub request_timeout_ms: u64,
    pub rate_per_second: u32,
    pub rate_burst: u32,
    pub require_key_for_reads: bool,
    pub max_event_subscribers: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSettings {
    pub registry_url: String,
    pub aggregator_url: String,
    pub coordinator_url: String,
    pub reporter_url: String,
}

/// How far an acknowledged write has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    Full,
    Normal,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// `sqlite:PATH` or `postgres://…`; absent: a file in the data folder.
    pub url: Option<SecretString>,
    /// Of the user in `url`; goes before one that stands there.
    pub password: Option<SecretString>,
    pub password_file: Option<PathBuf>,
    pub connections: u32,
    pub synchronous: Synchronous,
    pub readers: u32,
    pub queue_batches: usize,
    pub queue_bytes: usize,
    pub max_reports: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSettings {
    pub heartbeat_ms: u64,
    pub lease_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReporterSettings {
    pub max_join_bytes: usize,
    pub max_running: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DroneSettings {
    pub max_concurrency: usize,
    pub spool_max_bytes: u64,
    pub spool_max_age_ms: u64,
    pub allow_private: Vec<String>,
    pub user_agent: String,
    /// Sends requests for a host elsewhere: `api.worldbank.org=http://127.0.0.1:8799/worldbank`. A proxy for tests
    /// and closed networks.
    #[serde(default)]
    pub rewrite: Vec<String>,
}

/// Why settings cannot be used: which key, what was expected.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("settings: {0}")]
    Unreadable(String),
    #[error("settings: {key} is {found}; expected {expected}")]
    Invalid { key: &'static str, found: String, expected: &'static str },
}

impl StoreSettings {
    /// Where the store is, if that is set.
    pub fn place(&self) -> Result<Option<StoreUrl>, SettingsError> {
        let read = |text| {
            let expected = "sqlite:PATH, or postgres://user@host/database";
            StoreUrl::parse(text).map_err(|found| SettingsError::Invalid { key: "store.url", found, expected })
        };
        self.url.as_ref().map(read).transpose()
    }
}

impl Settings {
    /// Checks what no single field can tell.
    pub fn check(self) -> Result<Self, SettingsError> {
        let invalid = |key, found: String, expected| Err(SettingsError::Invalid { key, found, expected });
        if self.fleet.lease_ms < 2 * self.fleet.heartbeat_ms {
            let expected = "at least twice fleet.heartbeat_ms, so that one lost beat moves no work";
            return invalid("fleet.lease_ms", self.fleet.lease_ms.to_string(), expected);
        }
        if self.http.max_inflated_bytes < self.http.max_body_bytes {
            let expected = "at least http.max_body_bytes";
            return invalid("http.max_inflated_bytes", self.http.max_inflated_bytes.to_string(), expected);
        }
        if self.node.drones > 0 && !self.node.roles.holds(Role::Gateway) {
            let expected =
                "0 without the gateway role: a drone speaks to the gateway (run chartly-drone --control-plane URL)";
            return invalid("node.drones", self.node.drones.to_string(), expected);
        }
        self.store.place()?;
        if self.store.connections < 2 {
            let expected = "at least 2: one that writes batches, and one for everything else";
            return invalid("store.connections", self.store.connections.to_string(), expected);
        }
        let short = |key: &SecretString| key.expose_secret().chars().count() < MIN_KEY_CHARS;
        if self.api_key.as_ref().is_some_and(short) {
            return invalid(
                "REGISTRY_API_KEY",
                "too short".into(),
                "at least 8 characters, so that it cannot be guessed",
            );
        }
        for (key, value) in [
            ("http.rate_per_second", u64::from(self.http.rate_per_second)),
            ("http.rate_burst", u64::from(self.http.rate_burst)),
            ("fleet.heartbeat_ms", self.fleet.heartbeat_ms),
            ("node.profiles_scan_ms", self.node.profiles_scan_ms),
            ("drone.max_concurrency", self.drone.max_concurrency as u64),
            ("reporter.max_running", self.reporter.max_running as u64),
            ("store.queue_batches", self.store.queue_batches as u64),
        ] {
            if value == 0 {
                return invalid(key, "0".into(), "a number above 0");
            }
        }
        Ok(self)
    }

    /// The port to listen on: the one set, else the first role's own.
    pub fn port(&self) -> u16 {
        self.http.port.unwrap_or_else(|| self.node.roles.first().default_port())
    }

    /// HTTP workers: the number set, else one for each core, four at most.
    pub fn workers(&self) -> usize {
        if self.http.workers > 0 {
            return self.http.workers;
        }
        std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(4)
    }
}
