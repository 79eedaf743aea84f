//! The coordinator: who is there, who runs what. What it decides is `fleet`; what must survive a restart is stored
//! before it is decided upon, so that the actor can be rebuilt at any moment.

mod answers;
mod drone;
mod enrolment;
pub mod fleet;
mod pins;
mod placement;
mod replays;
mod views;

use std::collections::BTreeMap;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, ResponseActFuture, Supervised, WrapFuture};

use super::events::{Event, Events};
use crate::domain::fleet::DroneState;
use crate::domain::ids::{DroneId, ProfileId, TenantId};
use crate::protocol::coordinator::{ReplayRequest, RunRequest};
use crate::protocol::fault::{Code, Fault};
use crate::runtime::{Clock, Periodic};
use crate::store::{EnabledProfile, Store, StoreError};

use fleet::{Change, Drone, Fleet, Patience};

/// How often leases are looked at, and profile changes by others than this node.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Revisions and epochs begin at the clock's time, so that they grow over restarts; 2^53 ends the exact numbers of JSON.
const NUMBERS_OF_A_MS: u64 = 4_000;

/// What the coordinator is rebuilt from.
#[derive(Debug, Clone)]
pub struct Seed {
    pub store: Store,
    pub clock: Clock,
    pub events: Events,
    pub heartbeat_ms: u64,
    pub lease_ms: u64,
    /// A drone that is not heard of for this long is forgotten.
    pub forget_ms: u64,
}

#[derive(Debug)]
pub struct Coordinator {
    seed: Seed,
    fleets: BTreeMap<TenantId, Fleet>,
    /// The store's profile revision that `fleets` has seen.
    seen_profiles: Option<i64>,
    store_id: String,
}

/// What a tenant's fleet is made of, as the store has it.
struct Stored {
    drones: Vec<(DroneId, Drone)>,
    requests: Vec<RunRequest>,
    replays: Vec<(DroneId, ReplayRequest)>,
    profiles: Vec<EnabledProfile>,
    pins: Vec<(ProfileId, DroneId)>,
    revision: i64,
    store_id: String,
}

impl Coordinator {
    pub fn new(seed: Seed) -> Self {
        Self { seed, fleets: BTreeMap::new(), seen_profiles: None, store_id: String::new() }
    }

    fn fleet(&mut self, tenant: &TenantId) -> Result<&mut Fleet, Fault> {
        let missing = || Fault::new(Code::NotFound, format!("there is no tenant {tenant}"));
        self.fleets.get_mut(tenant).ok_or_else(missing)
    }

    fn now_ms(&self) -> i64 {
        self.seed.clock.now_ms()
    }

    fn restore(&mut self, stored: Stored) {
        let now_ms = self.now_ms();
        let span = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let patience = Patience { lease_ms: span(self.seed.lease_ms), forget_ms: span(self.seed.forget_ms) };
        // No coordinator gives that many numbers in a millisecond.
        let first_number = u64::try_from(now_ms).unwrap_or(1).saturating_mul(NUMBERS_OF_A_MS);
        let mut fleet = Fleet::new(patience, first_number);
        fleet.restore(stored.drones, stored.requests, now_ms);
        fleet.add_replays(stored.replays);
        for (profile, drone) in &stored.pins {
            fleet.set_pin(profile, Some(drone));
        }
        fleet.set_profiles(stored.profiles);
        fleet.look(now_ms);
        self.fleets.insert(TenantId::default(), fleet);
        self.seen_profiles = Some(stored.revision);
        self.store_id = stored.store_id;
    }

    fn tell(&self, change: Option<Change>) {
        let Some(Change { drone_id, state }) = change else { return };
        let state = match state {
            DroneState::Online => "online",
            DroneState::Draining => "draining",
            DroneState::Offline => "offline",
        };
        tracing::info!(drone = %drone_id, state, "drone");
        self.seed.events.publish(Event::Drone { drone_id: drone_id.to_string(), state: state.into() });
    }

    /// Looks at leases, saves beats, takes in profile changes.
    fn look(&mut self) -> ResponseActFuture<Self, ()> {
        let now_ms = self.now_ms();
        let (mut beats, mut forgotten, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for fleet in self.fleets.values_mut() {
            changes.extend(fleet.look(now_ms));
            beats.extend(fleet.take_unsaved());
            forgotten.extend(fleet.take_forgotten());
        }
        for drone_id in &forgotten {
            tracing::info!(drone = %drone_id, "a drone was away for so long that it is forgotten");
        }
        for change in changes {
            self.tell(Some(change));
        }
        let news = news(self.seed.store.clone(), beats, forgotten, self.seen_profiles);
        Box::pin(news.into_actor(self).then(|news, actor, _| actor.take_news(news)))
    }

    fn take_news(&mut self, news: Result<News, StoreError>) -> ResponseActFuture<Self, ()> {
        let gone = match news {
            Ok(None) => Vec::new(),
            Ok(Some((revision, profiles))) => {
                self.seen_profiles = Some(revision);
                let fleet = self.fleets.get_mut(&TenantId::default());
                fleet.map_or_else(Vec::new, |fleet| fleet.set_profiles(profiles))
            }
            Err(error) => {
                tracing::warn!(%error, "the coordinator could not reach the store; it tries again");
                Vec::new()
            }
        };
        Box::pin(self.finish_requests(TenantId::default(), gone).map(|result, _, _| {
            if let Err(fault) = result {
                tracing::warn!(%fault, "run requests of removed profiles could not be cleared");
            }
        }))
    }

    /// Takes run requests out of the store, then out of the fleet.
    fn finish_requests(&mut self, tenant: TenantId, done: Vec<i64>) -> ResponseActFuture<Self, Result<(), Fault>> {
        let (store, finished) = (self.seed.store.tenant(&tenant), done.clone());
        let saved = async move {
            if !finished.is_empty() {
                store.finish_run_requests(&finished).await?;
            }
            Ok::<(), Fault>(())
        };
        Box::pin(saved.into_actor(self).map(move |saved, actor, _| {
            saved?;
            actor.fleet(&tenant)?.finish_requests(&done);
            Ok(())
        }))
    }
}

/// The profiles' revision and the enabled ones, where they changed.
type News = Option<(i64, Vec<EnabledProfile>)>;

async fn news(
    store: Store,
    beats: Vec<(DroneId, i64)>,
    forgotten: Vec<DroneId>,
    seen: Option<i64>,
) -> Result<News, StoreError> {
    let tenant = store.tenant(&TenantId::default());
    tenant.forget_drones(&forgotten).await?;
    if !beats.is_empty() {
        tenant.touch_drones(&beats).await?;
    }
    let revision = tenant.profiles_revision().await?;
    if Some(revision) == seen {
        return Ok(None);
    }
    Ok(Some((revision, tenant.enabled_profiles().await?)))
}

async fn load(store: &Store) -> Result<Stored, StoreError> {
    let tenant = store.tenant(&TenantId::default());
    let drones = tenant.drones().await?.into_iter().map(|row| {
        let drone = Drone::stored(row.version, row.offer, row.registered_ms, row.last_seen_ms, row.draining);
        (row.drone_id, drone)
    });
    Ok(Stored {
        store_id: store.store_id().await?,
        drones: drones.collect(),
        requests: tenant.run_requests().await?,
        replays: tenant.replay_requests().await?,
        pins: tenant.pins().await?,
        revision: tenant.profiles_revision().await?,
        profiles: tenant.enabled_profiles().await?,
    })
}

/// Loads until the store answers; messages wait in the mailbox meanwhile, and their deadline holds.
async fn load_patiently(store: Store) -> Stored {
    let mut pause = Duration::from_millis(100);
    loop {
        match load(&store).await {
            Ok(stored) => return stored,
            Err(error) => tracing::warn!(%error, "the coordinator cannot load its state yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

impl Actor for Coordinator {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let load = load_patiently(self.seed.store.clone()).into_actor(self);
        context.wait(load.map(|stored, actor, _| actor.restore(stored)));
        Periodic::every(LOOK_EVERY).run_in(context, |actor, _| actor.look());
    }
}

impl Supervised for Coordinator {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.fleets.clear();
        self.seen_profiles = None;
    }
}
