//! Assembles a node from settings: store, roles, clients, HTTP, embedded drones; and takes it apart in order. The only
//! place that knows all of them.

mod alone;
mod backups;
mod desk;
mod drones;
mod enrol;
mod error;
mod key;
mod place;
mod pulse;
mod roles;
mod signals;
mod slot;

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use tokio::sync::watch;

use crate::actors::Events;
use crate::actors::drone::Drone;
use crate::http::{Elsewhere, Phase, Surface};
use crate::runtime::{DrainSequence, OnGiveUp, Periodic, Place, Root};
use crate::settings::{Role, Settings};
use crate::store::{FileLock, Store};
use crate::telemetry;

pub use alone::{AloneDrone, Target};
pub use backups::{back_up, restore};
pub use desk::drones_on;
pub use drones::{StandaloneDrone, check_settings};
pub use error::{StartError, exit};
use key::AdminKey;
pub use place::store_settings;
pub use pulse::{PULSE_LIMIT, pulse_age};
use signals::Signals;
pub use slot::take_slot;

const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    root: Root,
    settings: Settings,
    local: roles::Local,
    store: Option<Store>,
    drones: Vec<Drone>,
    server: ServerHandle,
    address: SocketAddr,
    key: AdminKey,
    phase: watch::Sender<Phase>,
    _locks: Vec<FileLock>,
}

impl Node {
    /// Starts everything; an error leaves nothing running but threads that end with the process.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let begun = Instant::now();
        let data_dir = settings.node.data_dir.clone();
        // What can be told before anything is made or started is told then.
        check_settings(&settings)?;
        probe_port(&settings)?;
        let unusable = |error| StartError::DataFolder { path: data_dir.clone(), error };
        create_private(&data_dir).map_err(unusable)?;
        let locks = lock_roles(&settings)?;
        let key = AdminKey::find(settings.api_key.as_ref(), &data_dir).map_err(unusable)?;

        let apart = Elsewhere::of(&roles::clients(&roles::Local::default(), &settings, &key.key));
        if settings.node.roles.holds(Role::Gateway) {
            apart.greet(|role| !settings.node.roles.holds(role)).await.map_err(StartError::Peer)?;
        }
        let root = Root::new();
        let events = Events::default();
        let store = open_store(&settings).await?;
        let local = match &store {
            Some(store) => roles::start(&root, &settings, store, &events)?,
            None => roles::Local::default(),
        };
        let backups = backups::schedule(&root, &settings)?;
        let clients = roles::clients(&local, &settings, &key.key);
        let elsewhere = Elsewhere::of(&clients);

        let (phase, phases) = watch::channel(Phase::Starting);
        let surface = Surface {
            settings: &settings,
            admin_key: &key.key,
            root: &root,
            clients: &clients,
            elsewhere: &elsewhere,
            events: &events,
            store: store.as_ref(),
            backups: backups.as_ref(),
            phase: phases,
        };
        let bound = surface.bind().map_err(|error| {
            let (host, port) = (settings.http.host.clone(), settings.port());
            StartError::Listen { host, port, error }
        })?;
        let address = bound.addresses[0];
        let server = bound.server.handle();
        serve(&root, bound.server);
        keep_metrics(&root)?;
        // Only the gateway asks other roles.
        if settings.node.roles.holds(Role::Gateway) {
            elsewhere.watch(&root, &Place::current());
        }

        let drones = drones::embed(&root, &settings, address, &key.key).await?;
        announce(&root, &local, phase.clone(), begun);
        tracing::info!(%address, roles = %settings.node.roles, "listening");
        Ok(Self { root, settings, local, store, drones, server, address, key, phase, _locks: locks })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the admin key lies, when it was not set from outside.
    pub fn key_file(&self) -> Option<&Path> {
        self.key.file.as_deref()
    }

    /// Runs until a signal or an escalation, then stops in order. Returns the exit code.
    pub async fn run(self) -> u8 {
        let mut escalated = self.root.escalated();
        let signals = Signals::listen();
        let mut signals = match signals {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "signals cannot be heard");
                return exit::FAILED;
            }
        };
        let code = tokio::select! {
            () = signals.next() => 0,
            _ = escalated.wait_for(Option::is_some) => exit::ESCALATED,
            () = gave_up(self.store.as_ref()) => exit::ESCALATED,
        };
        if code == exit::ESCALATED {
            let escalation = escalated.borrow().clone();
            tracing::error!(?escalation, "supervision gave up; the node stops and should be started again");
        }
        let clean = self.stop(async move { signals.next().await }).await;
        if code == 0 && !clean { exit::FAILED } else { code }
    }

    /// Producers first, storage last. `at_once` cuts it short. True: nothing accepted was left.
    async fn stop(self, at_once: impl Future<Output = ()>) -> bool {
        tracing::info!("stopping");
        self.phase.send_replace(Phase::Stopping);
        let Self { root, settings, local, store, drones, server, .. } = self;
        let deadline = Duration::from_millis(settings.node.shutdown_ms);
        let drain = Duration::from_millis(settings.node.drain_ms);
        let mut sequence = DrainSequence::new().then("readiness", async move {
            tokio::time::sleep(drain).await;
            Ok(())
        });
        for drone in drones {
            sequence = drone.drain(sequence, deadline / 4);
        }
        sequence = sequence.then("http", async move {
            server.stop(true).await;
            Ok(())
        });
        sequence = local.drain(sequence, deadline);
        if let Some(store) = store {
            sequence = sequence.then("store", async move {
                // What was answered is stored all the same; only the tidying is unfinished.
                if let Err(error) = store.close(deadline).await {
                    tracing::warn!(%error, "the store was not closed in time");
                }
                Ok(())
            });
        }
        let report = sequence.run(deadline, at_once).await;
        let left = root.stop(Duration::from_secs(1)).await;
        if report.is_clean() && left.is_empty() {
            tracing::info!("stopped in order");
            return true;
        }
        tracing::warn!(unfinished = ?report.unfinished, ?left, cut_short = report.cut_short, "stopped with work left");
        false
    }
}

/// Resolves when the store's writer will not come back; never where there is no store.
async fn gave_up(store: Option<&Store>) {
    match store {
        Some(store) => store.gave_up().await,
        None => std::future::pending().await,
    }
}

/// Keeps histograms small while nobody asks for the metrics.
fn keep_metrics(root: &Root) -> Result<(), StartError> {
    let handle = telemetry::install_metrics().map_err(|error| StartError::Other(error.to_string()))?;
    root.spawn(&Place::current(), "metrics", OnGiveUp::Contain, move || {
        Periodic::every(METRICS_UPKEEP).run(move || {
            handle.run_upkeep();
            std::future::ready(())
        })
    });
    Ok(())
}

/// Says that the port is taken before there is anything to take down again. The server binds it for good later.
fn probe_port(settings: &Settings) -> Result<(), StartError> {
    let (host, port) = (settings.http.host.clone(), settings.port());
    match std::net::TcpListener::bind((host.as_str(), port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(StartError::Listen { host, port, error }),
    }
}

/// The data folder is for its owner only: it holds the key and what was fetched.
fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Each role of a data folder runs once: two coordinators would place every profile twice.
fn lock_roles(settings: &Settings) -> Result<Vec<FileLock>, StartError> {
    lock_each(settings.node.roles.iter(), &settings.node.data_dir)
}

fn lock_each(roles: impl Iterator<Item = Role>, data_dir: &Path) -> Result<Vec<FileLock>, StartError> {
    let roles = roles.filter(|role| role.needs_store());
    let locks = roles.map(|role| FileLock::take(data_dir.join(format!("{role}.lock"))));
    Ok(locks.collect::<Result<_, _>>()?)
}

/// Says "ready" when every role that runs here has loaded its state and answers.
fn announce(root: &Root, local: &roles::Local, phase: watch::Sender<Phase>, begun: Instant) {
    let local = local.clone();
    root.spawn(&Place::current(), "readiness", OnGiveUp::Contain, move || async move {
        local.answer().await;
        phase.send_if_modified(|now| {
            let starting = *now == Phase::Starting;
            if starting {
                *now = Phase::Serving;
            }
            starting
        });
        tracing::info!(started_ms = begun.elapsed().as_millis(), "ready");
    });
}

/// Runs the server as a supervised task: one that ends by itself ends the node.
fn serve(root: &Root, server: actix_web::dev::Server) {
    let place = Place::current();
    root.spawn(&place, "http", OnGiveUp::Escalate, move || async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the HTTP server ended");
        }
    });
}

async fn open_store(settings: &Settings) -> Result<Option<Store>, StartError> {
    if !settings.node.roles.needs_store() {
        return Ok(None);
    }
    Ok(Some(Store::open(&place::store_settings(settings)?).await?))
}
