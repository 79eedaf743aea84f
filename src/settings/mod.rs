//! What an operator may set: parsed once, checked across fields, typed from then on. Knows no actor, store or
//! socket. The defaults are a real documented file, built in.

mod aliases;
mod check;
mod interval;
mod layers;
mod problem;
#[cfg(test)]
mod reference;
mod roles;
mod shown;
mod store_url;
mod variables;
mod yaml;

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use interval::Interval;
pub use layers::{Loaded, Overrides, load, read};
pub use problem::{Problem, SettingsError};
pub use roles::{Role, RoleSet};
pub use shown::Format;
pub use store_url::StoreUrl;

/// All settings of a process.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub node: NodeSettings,
    pub http: HttpSettings,
    pub peers: PeerSettings,
    pub store: StoreSettings,
    pub fleet: FleetSettings,
    pub reporter: ReporterSettings,
    pub drone: DroneSettings,
    pub backup: BackupSettings,
    pub retention: RetentionSettings,
    /// The bootstrap admin key; from `REGISTRY_API_KEY`, never from a settings file.
    #[serde(serialize_with = "shown::secret")]
    pub api_key: Option<SecretString>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    pub roles: RoleSet,
    pub drones: Option<u32>,
    pub data_dir: PathBuf,
    pub profiles_dir: Option<PathBuf>,
    pub profiles_scan_ms: u64,
    pub shutdown_ms: u64,
    pub drain_ms: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
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
    pub drone_rate_per_second: u32,
    pub drone_rate_burst: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSettings {
    pub registry_url: String,
    pub aggregator_url: String,
    pub coordinator_url: String,
    pub reporter_url: String,
    pub read_deadline_ms: u64,
    pub write_deadline_ms: u64,
}

/// How far an acknowledged write has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    Full,
    Normal,
}

/// What is lost when the spool holds as many bytes as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AtTheBound {
    /// The oldest batches go.
    #[default]
    DropOldest,
    /// Nothing more is taken in until there is room: the run fails and is made again later.
    RefuseNew,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    pub synchronous: Synchronous,
    pub readers: u32,
    pub queue_batches: usize,
    pub queue_bytes: usize,
    pub max_reports: u32,
    /// Where the store is; absent: `results.db` in the data folder.
    #[serde(serialize_with = "shown::secret_url")]
    pub url: Option<SecretString>,
    pub max_held_bytes: u64,
    /// Of the user in `url`; goes before one that stands there.
    #[serde(serialize_with = "shown::secret")]
    pub password: Option<SecretString>,
    pub connections: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSettings {
    pub heartbeat_ms: u64,
    pub lease_ms: u64,
    pub forget_ms: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReporterSettings {
    pub max_join_bytes: usize,
    pub max_running: usize,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSettings {
    /// 0: nothing is ever removed.
    pub every_ms: u64,
    /// 0: they are kept.
    pub runs_ms: u64,
    pub step_rows: usize,
    pub step_pause_ms: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DroneSettings {
    pub max_concurrency: usize,
    pub max_per_host: usize,
    pub spool_max_bytes: u64,
    pub spool_max_age_ms: u64,
    pub spool_at_bound: AtTheBound,
    pub uplink_batches_per_s: u32,
    pub kept_max_bytes: u64,
    pub allow_private: Vec<String>,
    pub user_agent: String,
    /// Sends requests for a host elsewhere: `api.worldbank.org=http://127.0.0.1:8799/worldbank`. A proxy for tests
    /// and closed networks.
    pub rewrite: Vec<String>,
    pub control_plane: Option<String>,
    pub id: Option<String>,
    pub labels: Vec<String>,
    pub capacity: Option<u32>,
    pub weight: u32,
    pub data_dir: PathBuf,
    /// Several drones share the folder, each with a numbered one of its own below it.
    pub share_data_dir: bool,
    /// No profile runs more often than this; 0: as the profiles say.
    pub min_interval_ms: u64,
    /// A token to join with, where the drone has no key of its own yet.
    #[serde(serialize_with = "shown::secret")]
    pub enrol_token: Option<SecretString>,
}

/// Backups by schedule, of a store that is a file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSettings {
    pub every: Option<Interval>,
    /// A folder.
    pub to: Option<PathBuf>,
    pub keep: usize,
}

impl PeerSettings {
    /// Key, role and address of each.
    fn all(&self) -> [(&'static str, Role, &str); 4] {
        [
            ("peers.registry_url", Role::Registry, &self.registry_url),
            ("peers.aggregator_url", Role::Aggregator, &self.aggregator_url),
            ("peers.coordinator_url", Role::Coordinator, &self.coordinator_url),
            ("peers.reporter_url", Role::Reporter, &self.reporter_url),
        ]
    }
}

impl StoreSettings {
    /// Where the store is, if that is set.
    pub fn place(&self) -> Result<Option<StoreUrl>, Problem> {
        let read = |text| {
            StoreUrl::parse(text).map_err(|found| {
                Problem::new(format!("store.url is {found}; expected sqlite:PATH or postgres://user@host/database"))
            })
        };
        self.url.as_ref().map(read).transpose()
    }
}

impl Settings {
    /// Drones to embed: the number set, else one where all roles run in this process.
    pub fn drones(&self) -> u32 {
        self.node.drones.unwrap_or(u32::from(self.node.roles.is_all()))
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
