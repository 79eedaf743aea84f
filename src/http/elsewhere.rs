//! What this process knows of the roles that run in others: whether they answer, and what they tell. Looked at in the
//! background at a fixed pace, so that asking for it costs nothing and a peer that hangs holds nobody up.

mod relay;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Actor;
use futures_util::future::join_all;

use crate::actors::{Clients, Events};
use crate::clients::{Client, Peer, Unfit};
use crate::runtime::{OnGiveUp, Periodic, Place, Root};
use crate::settings::Role;

/// Between two looks at the same peer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A peer that takes longer to say that it lives is away.
const LOOK_TIMEOUT: Duration = Duration::from_secs(1);

/// The roles elsewhere. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    roles: Arc<[RemoteRole]>,
    /// What the roles elsewhere tell.
    events: Events,
}

#[derive(Debug)]
struct RemoteRole {
    role: Role,
    peer: Peer,
    /// Why it is away, as of the last look.
    away: Mutex<Option<String>>,
}

/// A role that does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    pub role: Role,
    pub reason: String,
}

impl Elsewhere {
    /// The roles that `clients` finds elsewhere. Until the first look all are taken to be there.
    pub fn of(clients: &Clients) -> Self {
        let Clients { registry, aggregator, coordinator, reporter } = clients;
        let all = [
            remote(Role::Registry, registry),
            remote(Role::Aggregator, aggregator),
            remote(Role::Coordinator, coordinator),
            remote(Role::Reporter, reporter),
        ];
        Self { roles: all.into_iter().flatten().collect(), events: Events::default() }
    }

    /// Starts looking and listening, until the root stops.
    pub fn watch(&self, root: &Root, place: &Place) {
        if self.roles.is_empty() {
            return;
        }
        let elsewhere = self.clone();
        root.spawn(place, "peers", OnGiveUp::Contain, move || async move {
            Periodic::every(LOOK_EVERY).at_once().run(|| elsewhere.look()).await;
        });
        for peer in self.processes() {
            let events = self.events.clone();
            let name = format!("events/{}", peer.base());
            root.spawn(place, name, OnGiveUp::Contain, move || relay::listen(peer, events));
        }
    }

    /// Looks once at those that answer already: one that answers and can never be worked with is the error. Those that
    /// are not there yet will come.
    pub async fn greet(&self, is_elsewhere: impl Fn(Role) -> bool) -> Result<(), Unfit> {
        let looked_for = self.roles.iter().filter(|remote| is_elsewhere(remote.role));
        let outcomes = join_all(looked_for.map(|remote| remote.peer.greet(remote.role.as_str(), LOOK_TIMEOUT))).await;
        let hopeless = outcomes.into_iter().filter_map(Result::err).find(|unfit| !unfit.mends_itself());
        hopeless.map_or(Ok(()), Err)
    }

    /// Those that did not answer at the last look.
    pub fn away(&self) -> Vec<Away> {
        let away = self.roles.iter().filter_map(|remote| {
            let reason = remote.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
            reason.map(|reason| Away { role: remote.role, reason })
        });
        away.collect()
    }

    /// All of them, with whether they answered at the last look.
    pub fn roles(&self) -> Vec<(&'static str, bool)> {
        let away = self.away();
        let is_up = |role| away.iter().all(|one| one.role != role);
        self.roles.iter().map(|remote| (remote.role.as_str(), is_up(remote.role))).collect()
    }

    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    async fn look(&self) {
        join_all(self.roles.iter().map(RemoteRole::look)).await;
    }

    /// One peer for each process, however many roles it runs.
    fn processes(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = self.roles.iter().map(|remote| remote.peer.clone()).collect();
        peers.sort_by(|left, right| left.base().cmp(right.base()));
        peers.dedup_by(|left, right| left.base() == right.base());
        peers
    }
}

impl RemoteRole {
    async fn look(&self) {
        let answer = self.peer.greet(self.role.as_str(), LOOK_TIMEOUT).await;
        match &answer {
            Err(Unfit::Hangs(_)) => self.peer.hang().suspect(),
            _ => self.peer.hang().clear(),
        }
        let now = answer.err().map(|unfit| unfit.to_string());
        let before = std::mem::replace(&mut *self.away.lock().unwrap_or_else(PoisonError::into_inner), now.clone());
        match (before, now) {
            (None, Some(reason)) => tracing::warn!(role = %self.role, reason, "a role is away"),
            (Some(_), None) => tracing::info!(role = %self.role, "a role is back"),
            _ => {}
        }
    }
}

fn remote<A: Actor>(role: Role, client: &Client<A>) -> Option<RemoteRole> {
    match client {
        Client::Local(_) => None,
        Client::Remote(peer) => Some(RemoteRole { role, peer: peer.clone(), away: Mutex::default() }),
    }
}
