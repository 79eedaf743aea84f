//! The drone: a session with the control plane, a scheduler, one fetch actor for each run, a spool on
//! disk and an uplink. It needs one outbound connection; it keeps fetching while the control plane is away.

mod fetch;
mod keep;
mod outbox;
mod own_key;
mod replayer;
mod schedule;
mod scheduler;
mod secrets;
mod session;
mod status;
mod uplink;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clients::ControlPlane;
use crate::domain::ids::DroneId;
use crate::domain::needs::Offer;
use crate::pipeline::FetchSettings;
use crate::runtime::{Clock, DrainSequence, Handle, OnGiveUp, Place, Policy, Root};
use crate::store::{Spool, SpoolSettings, StoreError};

use outbox::Outbox;
pub use own_key::OwnKey;
use replayer::Replayer;
use scheduler::Scheduler;
pub use secrets::EnvironmentSecrets;
use session::Session;
pub use status::{DroneStatus, LastRun, ProfileStatus, Standing, Teller};
use uplink::Uplink;

/// What a drone is started with.
#[derive(Debug, Clone)]
pub struct Options {
    pub drone_id: DroneId,
    pub offer: Offer,
    pub control_plane: ControlPlane,
    pub max_concurrency: usize,
    pub spool: SpoolSettings,
    pub fetch: FetchSettings,
    pub kept: KeptSettings,
    pub clock: Clock,
    /// Runs that ask one host at the same time, at most.
    pub max_per_host: usize,
    /// Batches sent each second, at most.
    pub max_batches_per_s: u32,
    /// No profile runs more often than this.
    pub min_interval_ms: i64,
    /// Absent: the drone works with a key that is not its own.
    pub own_key: Option<OwnKey>,
}

/// Where raw answers are kept, and how many bytes of them at most; 0 keeps none, whatever profiles say.
#[derive(Debug, Clone)]
pub struct KeptSettings {
    pub folder: PathBuf,
    pub max_bytes: u64,
}

/// A running drone.
#[derive(Debug)]
pub struct Drone {
    drone_id: DroneId,
    session: Handle<Session>,
    scheduler: Handle<Scheduler>,
    replayer: Handle<Replayer>,
    uplink: Handle<Uplink>,
    spool: Arc<Spool>,
    /// One more owner for each fetch actor that still lives.
    alive: Arc<()>,
    /// True once the control plane has said that the drone's key was revoked.
    revoked: watch::Receiver<bool>,
}

impl Drone {
    /// Opens the spool and starts the actors on `place`.
    pub async fn start(root: &Root, place: &Place, options: Options) -> Result<Self, StoreError> {
        let spool = Arc::new(Spool::open(&options.spool).await?);
        let outbox = Outbox::new(Arc::clone(&spool), options.drone_id.clone(), options.clock.clone());
        // After the spool: its lock keeps a second drone out of this folder, too.
        let kept = keep::open(options.kept.clone()).await;
        let name = |part: &str| format!("drone/{}/{part}", options.drone_id);
        let (settings, alive) = (Arc::new(options.fetch.clone()), Arc::new(()));

        let uplink_seed = uplink::Seed {
            outbox: outbox.clone(),
            control_plane: options.control_plane.clone(),
            max_batches_per_s: options.max_batches_per_s,
        };
        let uplink = root.start(place, name("uplink"), patient(), move || Uplink::new(uplink_seed));

        let scheduler_seed = scheduler::Seed {
            root: root.clone(),
            place: place.clone(),
            outbox: outbox.clone(),
            fetch: Arc::clone(&settings),
            kept: Arc::clone(&kept),
            max_concurrency: options.max_concurrency,
            alive: Arc::clone(&alive),
            clock: options.clock.clone(),
            max_per_host: options.max_per_host,
            min_interval_ms: options.min_interval_ms,
        };
        let scheduler = root.start(place, name("scheduler"), patient(), move || Scheduler::new(scheduler_seed));

        let replayer_seed = replayer::Seed {
            outbox: outbox.clone(),
            control_plane: options.control_plane.clone(),
            kept: Arc::clone(&kept),
            fetch: settings,
            max_waiting_bytes: options.spool.max_bytes / 4,
        };
        let contained = Policy { on_give_up: OnGiveUp::Contain, ..patient() };
        let replayer = root.start(place, name("replayer"), contained, move || Replayer::new(replayer_seed));

        let (is_revoked, revoked) = watch::channel(false);
        let session_seed = session::Seed {
            drone_id: options.drone_id.clone(),
            offer: options.offer.clone(),
            // A node may start many drones; each start is a process of its own to the coordinator.
            instance: uuid::Uuid::now_v7().to_string(),
            control_plane: options.control_plane.clone(),
            scheduler: scheduler.clone(),
            replayer: replayer.clone(),
            kept,
            outbox,
            clock: options.clock.clone(),
            own_key: options.own_key.clone(),
            revoked: is_revoked,
        };
        let session = root.start(place, name("session"), patient(), move || Session::new(session_seed));
        Ok(Self { drone_id: options.drone_id, session, scheduler, replayer, uplink, spool, alive, revoked })
    }

    pub fn id(&self) -> &DroneId {
        &self.drone_id
    }

    /// Becomes true when the control plane says that the drone's key was revoked.
    pub fn revoked(&self) -> watch::Receiver<bool> {
        self.revoked.clone()
    }

    /// Adds the drone's ordered stop: no new work, runs end or are left to their next time, what is spooled is
    /// delivered while there is time and stays on disk otherwise.
    #[must_use]
    pub fn drain(self, sequence: DrainSequence, each: Duration) -> DrainSequence {
        let Self { drone_id, session, scheduler, replayer, uplink, spool, alive, revoked: _ } = self;
        let name = |part: &str| format!("drone {drone_id} {part}");
        sequence
            .then(name("session"), async move { session.stop(each).await })
            .then(name("scheduler"), async move { scheduler.stop(each).await })
            .then(name("replayer"), async move { replayer.stop(each).await })
            .then(name("runs"), async move {
                let _ = tokio::time::timeout(each, ended(alive)).await;
                Ok(())
            })
            .then(name("uplink"), async move { uplink.stop(each).await })
            .then(name("spool"), async move {
                // Somebody who still holds it drops it later, which loses nothing either.
                if let Some(spool) = Arc::into_inner(spool) {
                    spool.close().await;
                }
                Ok(())
            })
    }
}

/// Waits until no fetch actor is left.
async fn ended(alive: Arc<()>) {
    while Arc::strong_count(&alive) > 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Parts of a drone wait for networks, so a question to them may take long.
fn patient() -> Policy {
    Policy { deadline: Duration::from_secs(60), on_give_up: OnGiveUp::Escalate, ..Policy::default() }
}
