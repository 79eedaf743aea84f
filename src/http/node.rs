//! What the node shows of itself to whoever asks over HTTP: where it stands in its life, what runs in it, and what is
//! wrong with it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::elsewhere::Elsewhere;
use crate::runtime::{Clock, Root, State, VitalsSnapshot};
use crate::store::{BackupLog, BackupVitals, Store, StoreVitals};

/// Where a node stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Starting,
    Serving,
    Stopping,
}

/// Where a role is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RolePlace {
    pub role: &'static str,
    /// `local`, or the URL of the peer.
    pub place: String,
}

/// The node, as seen from HTTP. Clones look at the same node.
#[derive(Clone)]
pub struct NodeView {
    pub version: &'static str,
    pub started: Instant,
    /// All roles; those that this process neither runs nor asks are left out.
    pub roles: Arc<[RolePlace]>,
    pub root: Root,
    pub elsewhere: Elsewhere,
    pub phase: watch::Receiver<Phase>,
    /// Absent where this process has no store.
    pub store: Option<Store>,
    /// Absent where this process makes no backups.
    pub backups: Option<BackupLog>,
}

impl fmt::Debug for NodeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeView")
            .field("roles", &self.roles)
            .field("phase", &*self.phase.borrow())
            .finish_non_exhaustive()
    }
}

impl NodeView {
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Why the node takes no traffic now; none when it does.
    pub fn unready(&self) -> Option<String> {
        match self.phase() {
            Phase::Starting => return Some("the node is starting".into()),
            Phase::Stopping => return Some("the node is shutting down".into()),
            Phase::Serving => {}
        }
        let escalation = self.root.escalated().borrow().clone();
        let gave_up = escalation
            .map(|escalation| format!("the node gave up and will exit: {}: {}", escalation.name, escalation.reason));
        gave_up.or_else(|| self.store_vitals().as_ref().and_then(store_trouble))
    }

    /// What is wrong inside, in sentences that say what to do. Empty: all is well.
    pub fn problems(&self) -> Vec<String> {
        let parts = self.root.vitals();
        let backups = self.backup_vitals().and_then(|vitals| vitals.problem());
        self.unready().into_iter().chain(parts.iter().filter_map(trouble)).chain(backups).collect()
    }

    /// The store's figures, where this process has one.
    pub fn store_vitals(&self) -> Option<StoreVitals> {
        self.store.as_ref().map(Store::vitals)
    }

    /// How backups by schedule go, where this process makes them.
    pub fn backup_vitals(&self) -> Option<BackupVitals> {
        self.backups.as_ref().map(|log| log.vitals(Clock::System.now_ms()))
    }
}

fn store_trouble(store: &StoreVitals) -> Option<String> {
    let last = store.last_error.as_deref().unwrap_or("unknown");
    match (store.gave_up, store.writable) {
        (true, _) => {
            Some(format!("the store's writer was given up (last: {last}); look in the log and restart the node"))
        }
        (false, false) => Some(format!(
            "the store cannot write now (last: {last}); posts are refused until it can, and it is tried again by itself"
        )),
        _ => None,
    }
}

fn trouble(vitals: &VitalsSnapshot) -> Option<String> {
    let VitalsSnapshot { name, state, crashes, queue_depth, queue_capacity, .. } = vitals;
    let last = vitals.last_crash.as_deref().unwrap_or("unknown");
    match state {
        State::Restarting => Some(format!(
            "{name} restarts after crash {crashes} (last: {last}); calls to it answer restarting meanwhile, it comes back by itself"
        )),
        State::GaveUp => Some(format!(
            "{name} crashed {crashes} times and was given up (last: {last}); look in the log for the cause and restart the node"
        )),
        _ if *queue_capacity > 0 && queue_depth * 10 >= queue_capacity * 9 => Some(format!(
            "{name} has {queue_depth} of {queue_capacity} messages queued; callers will be told overloaded, send less or slower"
        )),
        _ => None,
    }
}
