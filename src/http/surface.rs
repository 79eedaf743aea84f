//! The whole HTTP side of a node, from its parts: what the node gives, which routes follow from its roles, the port.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, Data};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::elsewhere::Elsewhere;
use super::keyring::Keyring;
use super::live::Live;
use super::metrics::Totals;
use super::node::{NodeView, Phase, RolePlace};
use super::routes::profiles::Previews;
use super::startup::{Bound, Listen, Routes, bind};
use super::state::AppState;
use super::{docs, health, internal, routes};
use crate::actors::{Clients, Events};
use crate::clients::Client;
use crate::pipeline::FetchSettings;
use crate::protocol::hello::{Hello, PROTOCOL};
use crate::runtime::Root;
use crate::settings::{Role, Settings};
use crate::store::{BackupLog, Store};
use crate::telemetry;

/// Other processes that may listen to the events of this one.
const MAX_LISTENING_PROCESSES: usize = 64;

/// What the node gives. Nothing here is started or stopped by the server.
#[derive(Debug)]
pub struct Surface<'a> {
    pub settings: &'a Settings,
    pub admin_key: &'a SecretString,
    pub root: &'a Root,
    pub clients: &'a Clients,
    /// What is known of those that are remote.
    pub elsewhere: &'a Elsewhere,
    pub events: &'a Events,
    /// Absent where this process has none.
    pub store: Option<&'a Store>,
    /// Absent where this process makes no backups.
    pub backups: Option<&'a BackupLog>,
    pub phase: watch::Receiver<Phase>,
}

impl Surface<'_> {
    /// Binds the port. The server runs once it is awaited.
    pub fn bind(&self) -> io::Result<Bound> {
        let Settings { http, node, .. } = self.settings;
        let listen = Listen {
            host: http.host.clone(),
            port: self.settings.port(),
            workers: self.settings.workers(),
            shutdown_timeout: Duration::from_millis(node.shutdown_ms / 2),
        };
        let state = AppState::new(http, self.admin_key.expose_secret());
        bind(&listen, state, vec![self.node_routes()?, self.role_routes()?])
    }

    /// Probes and documentation, which every process has.
    fn node_routes(&self) -> io::Result<Routes> {
        let node = Data::new(self.view());
        let metrics = Data::new(telemetry::install_metrics().map_err(io::Error::other)?);
        let totals = Data::new(Totals::default());
        Ok(Arc::new(move |config| {
            config.app_data(node.clone()).app_data(metrics.clone()).app_data(totals.clone());
            config.configure(health::routes);
        }))
    }

    /// The public API where the gateway is, the internal one for each role that is here.
    fn role_routes(&self) -> io::Result<Routes> {
        let clients = Data::new(self.clients.clone());
        let live = Live::new(self.events.clone(), self.settings.http.max_event_subscribers, self.phase.clone());
        let own = Live::new(self.events.clone(), MAX_LISTENING_PROCESSES, self.phase.clone());
        let live = Data::new(live.with_relayed(self.elsewhere.events().clone()));
        let previews = Data::new(self.previews()?);
        let keyring = Data::new(Keyring::new(self.clients.coordinator.clone(), &self.settings.http));
        let hello = self.hello();
        let is_gateway = self.settings.node.roles.holds(Role::Gateway);
        Ok(Arc::new(move |config: &mut web::ServiceConfig| {
            config.app_data(clients.clone()).app_data(live.clone()).app_data(previews.clone());
            config.configure(|config| internal::routes(config, &clients, &own, &hello));
            if is_gateway {
                config.app_data(keyring.clone());
                config.configure(routes::all).configure(docs::routes).configure(docs::files);
            }
        }))
    }

    fn hello(&self) -> Hello {
        let roles = self.settings.node.roles.iter().map(|role| role.as_str().to_owned()).collect();
        Hello { version: env!("CARGO_PKG_VERSION").to_owned(), protocol: PROTOCOL, roles }
    }

    /// The gateway looks at sources where the drones of this process may look.
    fn previews(&self) -> io::Result<Previews> {
        let drone = &self.settings.drone;
        let fetch = FetchSettings { user_agent: drone.user_agent.clone(), ..FetchSettings::default() };
        let fetch = fetch.reaching(&drone.allow_private, &drone.rewrite).map_err(io::Error::other)?;
        Ok(Previews::new(fetch))
    }

    fn view(&self) -> NodeView {
        NodeView {
            version: env!("CARGO_PKG_VERSION"),
            started: Instant::now(),
            roles: self.places().into(),
            root: self.root.clone(),
            elsewhere: self.elsewhere.clone(),
            phase: self.phase.clone(),
            store: self.store.cloned(),
            backups: self.backups.cloned(),
        }
    }

    fn places(&self) -> Vec<RolePlace> {
        let Clients { registry, aggregator, coordinator, reporter } = self.clients;
        let mut places = vec![
            place(Role::Registry, registry),
            place(Role::Aggregator, aggregator),
            place(Role::Coordinator, coordinator),
            place(Role::Reporter, reporter),
        ];
        if self.settings.node.roles.holds(Role::Gateway) {
            places.insert(0, RolePlace { role: Role::Gateway.as_str(), place: "local".into() });
        }
        places
    }
}

fn place<A: actix::Actor>(role: Role, client: &Client<A>) -> RolePlace {
    let place = match client {
        Client::Local(_) => "local".to_owned(),
        Client::Remote(peer) => peer.base().to_owned(),
    };
    RolePlace { role: role.as_str(), place }
}

#[cfg(test)]
mod tests;
