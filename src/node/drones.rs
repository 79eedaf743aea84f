//! Drones in this process: embedded beside the control plane, or one by itself. Both speak to the gateway over HTTP
//! like any other drone, so that there is one way and it is always tested.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::enrol;
use super::error::{StartError, exit};
use super::signals::Signals;
use super::{desk, pulse};
use crate::actors::drone::{Drone, KeptSettings, Options};
use crate::clients::ControlPlane;
use crate::domain::fleet::Labels;
use crate::domain::ids::DroneId;
use crate::domain::needs::Offer;
use crate::domain::secret_form::token_digest;
use crate::pipeline::FetchSettings;
use crate::pipeline::fetch::Ledger;
use crate::runtime::{Clock, DrainSequence, Root};
use crate::settings::{DroneSettings, Problem, Settings};
use crate::store::SpoolSettings;

/// Starts the embedded drones on a thread of their own.
pub(super) async fn embed(
    root: &Root,
    settings: &Settings,
    gateway: SocketAddr,
    key: &SecretString,
) -> Result<Vec<Drone>, StartError> {
    if settings.drones() == 0 {
        return Ok(Vec::new());
    }
    let place = root.place("drones").map_err(StartError::Thread)?;
    let host = host_name();
    let mut drones = Vec::new();
    let folder = settings.node.data_dir.join("drones");
    let ledger = ledger(&folder)?;
    for number in 1..=settings.drones() {
        let drone_id =
            DroneId::parse(&format!("{host}-{number}")).map_err(|error| StartError::Other(error.to_string()))?;
        let url = format!("http://{}", reachable(gateway));
        let data_dir = settings.node.data_dir.join("drones").join(drone_id.as_str());
        let options = Options {
            spool: spool(&settings.drone, &data_dir),
            kept: kept(&settings.drone, &data_dir),
            drone_id,
            offer: offer(&settings.drone, Labels::new()),
            control_plane: ControlPlane::new(&url, Some(key.clone())),
            max_concurrency: settings.drone.max_concurrency,
            fetch: fetch_settings(&settings.drone, Arc::clone(&ledger))?,
            clock: Clock::System,
            max_per_host: settings.drone.max_per_host,
            max_batches_per_s: settings.drone.uplink_batches_per_s,
            min_interval_ms: i64::try_from(settings.drone.min_interval_ms).unwrap_or(i64::MAX),
            own_key: None,
        };
        drones.push(Drone::start(root, &place, options).await?);
    }
    Ok(drones)
}

/// A drone in a process of its own.
#[derive(Debug)]
pub struct StandaloneDrone {
    root: Root,
    drone: Drone,
    shutdown: Duration,
}

impl StandaloneDrone {
    /// Joins the control plane and starts. None: a signal came while it waited to join.
    pub async fn start(
        settings: Settings,
        drone_id: DroneId,
        labels: Labels,
        control_plane: &str,
        data_dir: &Path,
    ) -> Result<Option<Self>, StartError> {
        let fetch = fetch_settings(&settings.drone, ledger(data_dir)?)?;
        let mut signals = Signals::listen().map_err(|error| StartError::Other(error.to_string()))?;
        let joined = tokio::select! {
            joined = enrol::join(&settings, &drone_id, control_plane, data_dir) => joined?,
            () = signals.next() => return Ok(None),
        };
        let root = Root::new();
        let place = root.place("drone").map_err(StartError::Thread)?;
        let options = Options {
            drone_id,
            offer: offer(&settings.drone, labels),
            control_plane: joined.control_plane,
            spool: spool(&settings.drone, data_dir),
            kept: kept(&settings.drone, data_dir),
            max_concurrency: settings.drone.max_concurrency,
            fetch,
            clock: Clock::System,
            max_per_host: settings.drone.max_per_host,
            max_batches_per_s: settings.drone.uplink_batches_per_s,
            min_interval_ms: i64::try_from(settings.drone.min_interval_ms).unwrap_or(i64::MAX),
            own_key: joined.own_key,
        };
        let drone = Drone::start(&root, &place, options).await?;
        desk::open(&root, &place, data_dir, drone.teller());
        pulse::start(&root, &place, data_dir);
        let shutdown = Duration::from_millis(settings.node.shutdown_ms);
        Ok(Some(Self { root, drone, shutdown }))
    }

    /// Runs until a signal or an escalation, then stops in order. Returns the exit code.
    pub async fn run(self) -> u8 {
        let (mut escalated, mut revoked) = (self.root.escalated(), self.drone.revoked());
        let mut signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "signals cannot be heard");
                return exit::FAILED;
            }
        };
        let code = tokio::select! {
            () = signals.next() => 0,
            _ = escalated.wait_for(Option::is_some) => exit::ESCALATED,
            _ = revoked.wait_for(|revoked| *revoked) => exit::REVOKED,
        };
        tracing::info!(drone = %self.drone.id(), code, "stopping");
        let sequence = self.drone.drain(DrainSequence::new(), self.shutdown / 4);
        let report = sequence.run(self.shutdown, async move { signals.next().await }).await;
        self.root.stop(Duration::from_secs(1)).await;
        if code == 0 && !report.is_clean() { exit::FAILED } else { code }
    }
}

/// An address that this process can connect to, where the server listens on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

/// The host's name, as far as it makes a drone's id.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fit: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
    if fit.starts_with(|c: char| c.is_ascii_alphanumeric()) { fit } else { "local".into() }
}

/// What an operator says that a drone offers. Its secrets it finds itself, whenever it joins.
fn offer(settings: &DroneSettings, labels: Labels) -> Offer {
    Offer { labels, secrets: None, capacity: settings.capacity, weight: settings.weight }
}

/// The spool in a drone's own folder. No two drones share one.
fn spool(settings: &DroneSettings, data_dir: &Path) -> SpoolSettings {
    SpoolSettings {
        max_bytes: settings.spool_max_bytes,
        max_age_ms: i64::try_from(settings.spool_max_age_ms).unwrap_or(i64::MAX),
        at_the_bound: settings.spool_at_bound,
        ..SpoolSettings::new(data_dir.join("spool.db"))
    }
}

/// The folder of raw answers beside the spool.
fn kept(settings: &DroneSettings, data_dir: &Path) -> KeptSettings {
    KeptSettings { folder: data_dir.join("kept"), max_bytes: settings.kept_max_bytes }
}

/// Checks what only those can judge who use it: networks, rules, the store's address. Starts nothing.
pub fn check_settings(settings: &Settings) -> Result<(), StartError> {
    fetch_settings(&settings.drone, Arc::default())?;
    settings.store.place().map_err(|problem| StartError::Settings(problem.into()))?;
    check_token(settings.drone.enrol_token.as_ref()).map_err(|problem| StartError::Settings(problem.into()))
}

fn check_token(token: Option<&SecretString>) -> Result<(), Problem> {
    let has_form = |text: &SecretString| token_digest(text.expose_secret().as_bytes()).is_some();
    if token.is_none_or(has_form) {
        return Ok(());
    }
    let expected = "expected what chartly drone invite printed: chartly-join_ and 48 digits";
    Err(Problem::new(format!("drone.enrol_token (ENROL_TOKEN) is not a token; {expected}")))
}

/// What the quotas of sources have used up, in a folder of the drones that share it.
pub(super) fn ledger(folder: &Path) -> Result<Arc<Ledger>, StartError> {
    let failed = |error| StartError::DataFolder { path: folder.to_owned(), error };
    std::fs::create_dir_all(folder).map_err(failed)?;
    Ok(Arc::new(Ledger::open(&folder.join("quota.json"))))
}

pub(super) fn fetch_settings(settings: &DroneSettings, ledger: Arc<Ledger>) -> Result<FetchSettings, StartError> {
    let of_process = FetchSettings {
        user_agent: settings.user_agent.clone(),
        max_connections: settings.max_concurrency.max(1) * 2,
        ledger,
        ..FetchSettings::default()
    };
    of_process
        .reaching(&settings.allow_private, &settings.rewrite)
        .map_err(|reason| StartError::Settings(Problem::new(reason).into()))
}
