//! The control plane's actors and the clients to them: local where the role runs here, remote otherwise.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::error::StartError;
use crate::actors::aggregator::{Pace, Retainer};
use crate::actors::{
    Aggregator, Clients, Coordinator, Events, Registry, Reporter, aggregator, coordinator, registry, reporter,
};
use crate::clients::{Client, Peer};
use crate::domain::ids::TenantId;
use crate::domain::retention::Retention;
use crate::protocol::aggregator::GetSummary;
use crate::protocol::call::Call;
use crate::protocol::coordinator::GetDroneStats;
use crate::protocol::paging::PageRequest;
use crate::protocol::registry::ListBrokenFiles;
use crate::protocol::reporter::ListReports;
use crate::runtime::{AskError, Clock, DrainSequence, Handle, OnGiveUp, Periodic, Place, Policy, Root};
use crate::settings::{Role, Settings};
use crate::store::Store;

/// A report may take as long as a request may.
fn report_deadline(settings: &Settings) -> Duration {
    Duration::from_millis(settings.http.request_timeout_ms)
}

/// Actors that run here.
#[derive(Debug, Clone, Default)]
pub struct Local {
    pub registry: Option<Handle<Registry>>,
    pub aggregator: Option<Handle<Aggregator>>,
    pub coordinator: Option<Handle<Coordinator>>,
    pub reporter: Option<Handle<Reporter>>,
}

/// Starts the roles that the settings name. Two threads: a long join must not hold up a heartbeat.
pub fn start(root: &Root, settings: &Settings, store: &Store, events: &Events) -> Result<Local, StartError> {
    let place = root.place("roles").map_err(StartError::Thread)?;
    let clock = Clock::System;
    let mut local = Local::default();
    let holds = |role| settings.node.roles.holds(role);
    if holds(Role::Registry) {
        let every = Duration::from_millis(settings.node.profiles_scan_ms);
        let folder = settings.node.profiles_dir.clone().map(|path| (path, every));
        let seed = registry::Seed { store: store.clone(), clock: clock.clone(), events: events.clone(), folder };
        local.registry = Some(root.start(&place, "registry", Policy::default(), move || Registry::new(seed)));
    }
    if holds(Role::Aggregator) {
        let usual_retention = usual_retention(settings);
        let seed =
            aggregator::Seed { store: store.clone(), clock: clock.clone(), events: events.clone(), usual_retention };
        start_retention(root, &place, settings, store, &clock);
        local.aggregator = Some(root.start(&place, "aggregator", Policy::default(), move || Aggregator::new(seed)));
    }
    if holds(Role::Coordinator) {
        let seed = coordinator::Seed {
            store: store.clone(),
            clock: clock.clone(),
            events: events.clone(),
            heartbeat_ms: settings.fleet.heartbeat_ms,
            lease_ms: settings.fleet.lease_ms,
            forget_ms: settings.fleet.forget_ms,
        };
        // A heartbeat is short, and a fleet is large.
        let policy = Policy { mailbox: 4_096, ..Policy::default() };
        local.coordinator = Some(root.start(&place, "coordinator", policy, move || Coordinator::new(seed)));
    }
    if holds(Role::Reporter) {
        let apart = root.place("reports").map_err(StartError::Thread)?;
        let seed = reporter::Seed {
            store: store.clone(),
            clock,
            max_join_bytes: settings.reporter.max_join_bytes,
            running: Arc::new(Semaphore::new(settings.reporter.max_running)),
        };
        let policy = Policy { deadline: report_deadline(settings), ..Policy::default() };
        local.reporter = Some(root.start(&apart, "reporter", policy, move || Reporter::new(seed)));
    }
    Ok(local)
}

fn usual_retention(settings: &Settings) -> Retention {
    let runs_ms = Some(settings.retention.runs_ms).filter(|runs_ms| *runs_ms > 0);
    Retention { runs_ms, ..Retention::default() }
}

/// Where records are stored, they are also let go.
fn start_retention(root: &Root, place: &Place, settings: &Settings, store: &Store, clock: &Clock) {
    let said = &settings.retention;
    if said.every_ms == 0 {
        return;
    }
    let pause = Duration::from_millis(said.step_pause_ms);
    let pace = Pace { usual: usual_retention(settings), step_rows: said.step_rows, pause };
    let retainer = Retainer { store: store.clone(), clock: clock.clone(), pace };
    let every = Duration::from_millis(said.every_ms);
    root.spawn(place, "retention", OnGiveUp::Contain, move || {
        Periodic::every(every).run(move || {
            let retainer = retainer.clone();
            async move { retainer.pass().await }
        })
    });
}

/// One client for each role.
pub fn clients(local: &Local, settings: &Settings, key: &SecretString) -> Clients {
    let peers = &settings.peers;
    let (reads, writes) = (peers.read_deadline_ms, peers.write_deadline_ms);
    let peer = |role: Role, url: &str, deadline| {
        Peer::new(url, Some(key.clone()), deadline).of_role(role.as_str(), Duration::from_millis(reads))
    };
    let writer = |role, url| peer(role, url, Duration::from_millis(writes));
    Clients {
        registry: wire(local.registry.as_ref(), || writer(Role::Registry, &peers.registry_url)),
        aggregator: wire(local.aggregator.as_ref(), || writer(Role::Aggregator, &peers.aggregator_url)),
        coordinator: wire(local.coordinator.as_ref(), || writer(Role::Coordinator, &peers.coordinator_url)),
        reporter: wire(local.reporter.as_ref(), || {
            peer(Role::Reporter, &peers.reporter_url, report_deadline(settings))
        }),
    }
}

fn wire<A: actix::Actor>(local: Option<&Handle<A>>, remote: impl FnOnce() -> Peer) -> Client<A> {
    match local {
        Some(handle) => Client::Local(handle.clone()),
        None => Client::Remote(remote()),
    }
}

impl Local {
    /// Returns when every role that runs here answers: each loads its state before its first message.
    pub async fn answer(&self) {
        let tenant = TenantId::default;
        if let Some(registry) = &self.registry {
            until_answered(registry, || ListBrokenFiles { tenant: tenant() }).await;
        }
        if let Some(aggregator) = &self.aggregator {
            until_answered(aggregator, || GetSummary { tenant: tenant() }).await;
        }
        if let Some(coordinator) = &self.coordinator {
            until_answered(coordinator, || GetDroneStats { tenant: tenant() }).await;
        }
        if let Some(reporter) = &self.reporter {
            until_answered(reporter, || ListReports { tenant: tenant(), page: PageRequest::default() }).await;
        }
    }

    /// Adds the roles' ordered stop: those that others write to come last.
    #[must_use]
    pub fn drain(self, sequence: DrainSequence, each: Duration) -> DrainSequence {
        let sequence = step(sequence, "reporter", self.reporter, each);
        let sequence = step(sequence, "coordinator", self.coordinator, each);
        let sequence = step(sequence, "aggregator", self.aggregator, each);
        step(sequence, "registry", self.registry, each)
    }
}

async fn until_answered<A, M>(handle: &Handle<A>, message: impl Fn() -> M)
where
    A: actix::Actor<Context = actix::Context<A>> + actix::Handler<M>,
    M: Call,
{
    // A handle that is down belongs to a node that stops.
    while let Err(error) = handle.ask(message()).await {
        if error == AskError::Down {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn step<A: actix::Actor>(
    sequence: DrainSequence,
    name: &'static str,
    handle: Option<Handle<A>>,
    each: Duration,
) -> DrainSequence {
    match handle {
        Some(handle) => sequence.then(name, async move { handle.stop(each).await }),
        None => sequence,
    }
}
