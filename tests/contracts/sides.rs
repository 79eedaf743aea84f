//! The two sides of the seam, each with a store of its own: roles in this process behind their mailboxes, and a real
//! `chartly serve` behind its internal endpoints.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chartly::actors::{
    Aggregator, Clients, Coordinator, Events, Registry, Reporter, aggregator, coordinator, registry, reporter,
};
use chartly::clients::{Client, Peer};
use chartly::domain::retention::Retention;
use chartly::runtime::{Clock, Policy, Root};
use chartly::settings::{self, Settings};
use chartly::store::{Store, StoreSettings};
use tokio::sync::Semaphore;

use crate::answers::Answers;
use crate::support::{KEY, Process};

const DEADLINE: Duration = Duration::from_secs(20);
const SCAN_MS: u64 = 100;

/// One side: its clients, and the folder that its registry looks at.
pub struct Side {
    pub clients: Clients,
    pub profiles: PathBuf,
}

/// Holds both sides to a contract, which must ask at `route`, and compares what they said.
pub async fn compare(route: &str, contract: impl AsyncFn(&Side, &mut Answers)) {
    let folder = tempfile::tempdir().unwrap();
    let (near, far) = (Near::start(&folder.path().join("near")).await, Far::start(&folder.path().join("far")));
    let mut said = Vec::new();
    for side in [&near.side, &far.side] {
        let mut answers = Answers::default();
        contract(side, &mut answers).await;
        said.push(answers.into_lines());
    }
    assert!(said[0].iter().any(|line| line.route == route), "the contract never asks {route}");
    for (near, far) in said[0].iter().zip(&said[1]) {
        assert_eq!(near, far, "the two sides of {route} differ");
    }
    assert_eq!(said[0].len(), said[1].len());
    near.stop().await;
}

/// Roles in this process.
pub struct Near {
    pub side: Side,
    pub root: Root,
    pub store: Store,
}

impl Near {
    pub async fn start(folder: &Path) -> Self {
        Self::start_with(folder, StoreSettings::new(folder.join("results.db"))).await
    }

    pub async fn start_with(folder: &Path, store: StoreSettings) -> Self {
        let profiles = folder.join("profiles");
        std::fs::create_dir_all(&profiles).unwrap();
        let (root, store) = (Root::new(), Store::open(&store).await.unwrap());
        let clients = local_clients(&root, &store, &profiles);
        Self { side: Side { clients, profiles }, root, store }
    }

    pub async fn stop(self) {
        drop(self.side);
        assert_eq!(self.root.stop(Duration::from_secs(5)).await, Vec::<String>::new());
        self.store.close(Duration::from_secs(5)).await.unwrap();
    }
}

fn local_clients(root: &Root, store: &Store, profiles: &Path) -> Clients {
    let Settings { fleet, reporter: limits, .. } = built_in();
    let place = root.place("roles").unwrap();
    let (clock, events, store) = (Clock::System, Events::default(), store.clone());
    let folder = Some((profiles.to_owned(), Duration::from_millis(SCAN_MS)));
    let registry = registry::Seed { store: store.clone(), clock: clock.clone(), events: events.clone(), folder };
    let usual_retention = Retention::default();
    let aggregator =
        aggregator::Seed { store: store.clone(), clock: clock.clone(), events: events.clone(), usual_retention };
    let coordinator = coordinator::Seed {
        store: store.clone(),
        clock: clock.clone(),
        events,
        heartbeat_ms: fleet.heartbeat_ms,
        lease_ms: fleet.lease_ms,
        forget_ms: fleet.forget_ms,
    };
    let running = Arc::new(Semaphore::new(limits.max_running));
    let reporter = reporter::Seed { store, clock, max_join_bytes: limits.max_join_bytes, running };
    let policy = Policy::default;
    Clients {
        registry: Client::Local(root.start(&place, "registry", policy(), || Registry::new(registry))),
        aggregator: Client::Local(root.start(&place, "aggregator", policy(), || Aggregator::new(aggregator))),
        coordinator: Client::Local(root.start(&place, "coordinator", policy(), || Coordinator::new(coordinator))),
        reporter: Client::Local(root.start(&place, "reporter", policy(), || Reporter::new(reporter))),
    }
}

pub fn built_in() -> Settings {
    settings::load(Path::new("config"), &HashMap::new(), vec![]).unwrap()
}

/// Roles in another process.
pub struct Far {
    pub side: Side,
    pub process: Process,
}

impl Far {
    pub fn start(folder: &Path) -> Self {
        let profiles = folder.join("profiles");
        std::fs::create_dir_all(&profiles).unwrap();
        let (data, scanned, scan_ms) = (text(folder), text(&profiles), SCAN_MS.to_string());
        let args = [
            ["serve", "--port=0", "--drones=0"].as_slice(),
            &["--roles", "registry,aggregator,coordinator,reporter", "--data-dir", &data, "--profiles-dir", &scanned],
        ];
        let env = [("REGISTRY_API_KEY", KEY), ("CHARTLY__NODE__PROFILES_SCAN_MS", &scan_ms)];
        let process = Process::chartly(&args.concat(), &env);
        let clients = remote_clients(&Peer::new(&process.url, Some(KEY.into()), DEADLINE));
        Self { side: Side { clients, profiles }, process }
    }
}

/// Clients of one peer that is all roles.
pub fn remote_clients(peer: &Peer) -> Clients {
    Clients {
        registry: Client::Remote(peer.clone()),
        aggregator: Client::Remote(peer.clone()),
        coordinator: Client::Remote(peer.clone()),
        reporter: Client::Remote(peer.clone()),
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is text").to_owned()
}
