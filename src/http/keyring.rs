//! The keys of drones, as the gateway knows them: asked of the coordinator, and remembered for a moment, so that a
//! drone costs one question in ten seconds. While the coordinator is away, a key that was good stays good for a while:
//! drones go on delivering.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use metrics::counter;

use super::auth::{DroneKey, Identity};
use super::extract::Caller;
use super::rate::Limiter;
use crate::actors::{Clients, CoordinatorClient};
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, RunId, TenantId};
use crate::protocol::aggregator::GetRun;
use crate::protocol::enrolment::{CheckKey, CheckOwnKey, KeyStanding};
use crate::protocol::fault::{Code, Fault, Retry};
use crate::settings::HttpSettings;

/// Where a drone joins. Its caller shows a token in the place of a key.
pub const ENROL_ROUTE: &str = "/api/drones/enrol";

/// A revoked key is refused after this long at the latest.
const FRESH: Duration = Duration::from_secs(10);
/// So long a good key is taken while nobody can be asked.
const STALE: Duration = Duration::from_secs(600);
/// Keys that are remembered; beyond it each request asks.
const MAX_KEYS: usize = 100_000;

/// The gateway's view of drones' keys.
pub struct Keyring {
    coordinator: CoordinatorClient,
    known: Mutex<HashMap<Digest, Known>>,
    /// The run that each drone was last seen to own.
    runs: Mutex<HashMap<DroneId, RunId>>,
    /// Whether a drone that the shared key spoke for has a key of its own, and when that was asked.
    owners: Mutex<HashMap<DroneId, (bool, Instant)>>,
    limiter: Limiter,
}

#[derive(Debug, Clone)]
struct Known {
    drone: DroneKey,
    asked: Instant,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}

impl Keyring {
    pub fn new(coordinator: CoordinatorClient, settings: &HttpSettings) -> Self {
        let limiter = Limiter::new(settings.drone_rate_per_second, settings.drone_rate_burst);
        Self { coordinator, known: Mutex::default(), runs: Mutex::default(), owners: Mutex::default(), limiter }
    }

    /// The drone behind a key. A key that is not known yet counts against the address, so that guessing is slow.
    pub async fn admit(&self, key: Digest, peer: Option<IpAddr>, strangers: &Limiter) -> Result<Identity, Fault> {
        let known = self.remembered(&key);
        if let Some(known) = known.as_ref().filter(|known| known.asked.elapsed() < FRESH) {
            return self.counted(key, known.drone.clone());
        }
        if known.is_none() {
            strangers.admit(None, peer)?;
        }
        let tenant = TenantId::default();
        match self.coordinator.ask(CheckKey { tenant, key }).await {
            Ok(KeyStanding::Good { drone_id, rotate }) => {
                let drone = DroneKey { drone_id, rotate };
                self.remember(key, &drone);
                self.counted(key, drone)
            }
            Ok(KeyStanding::Revoked { drone_id }) => {
                self.forget(&key);
                refused("revoked", peer, Some(&drone_id));
                let detail = format!("the key of drone {drone_id} was revoked; let it join again with a new token");
                Err(Fault::new(Code::KeyRevoked, detail))
            }
            Ok(KeyStanding::Unknown) => {
                self.forget(&key);
                refused("unknown", peer, None);
                Err(Fault::new(Code::Unauthenticated, "the key that was sent is not known"))
            }
            Err(fault) if fault.code.retry() == Retry::Never => Err(fault),
            Err(fault) => match known.filter(|known| known.asked.elapsed() < STALE) {
                Some(known) => self.counted(key, known.drone),
                None => Err(Fault::new(Code::Unavailable, format!("the key cannot be checked now: {}", fault.detail))
                    .retry_after(fault.retry_after_s.unwrap_or(1))),
            },
        }
    }

    /// Refuses a batch for a run that another drone has begun. Batches of a run come one after the other, so this is asked
    /// once for each run.
    pub async fn check_run(&self, clients: &Clients, own: &DroneKey, run_id: &RunId) -> Result<(), Fault> {
        if self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&own.drone_id) == Some(run_id) {
            return Ok(());
        }
        match clients.aggregator.ask(GetRun { tenant: TenantId::default(), run_id: run_id.clone() }).await {
            Ok(run) if run.drone_id != own.drone_id => {
                refused("other run", None, Some(&own.drone_id));
                let detail = format!("run {run_id} is of another drone than {}", own.drone_id);
                return Err(Fault::new(Code::Forbidden, detail).at("run_id"));
            }
            Err(fault) if fault.code != Code::UnknownRun => return Err(fault),
            _ => {}
        }
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= MAX_KEYS {
            runs.clear();
        }
        runs.insert(own.drone_id.clone(), run_id.clone());
        Ok(())
    }

    /// Refuses whoever speaks for a drone and is not it: a key of another drone, and the shared key where the drone has
    /// one of its own. While the coordinator is away the shared key is believed: what it delivers must not be lost.
    pub async fn check_speaker(&self, caller: &Caller, drone_id: &DroneId) -> Result<(), Fault> {
        caller.speaks_for(drone_id)?;
        if caller.drone.is_some() || !self.has_own_key(&caller.tenant, drone_id).await {
            return Ok(());
        }
        refused("shared", None, Some(drone_id));
        let detail = format!(
            "drone {drone_id} has a key of its own, and this is the shared one; start it on the data folder with its key, \
             give this drone another id, or revoke the key first (chartly drone revoke {drone_id})"
        );
        Err(Fault::new(Code::Forbidden, detail).at("drone_id"))
    }

    async fn has_own_key(&self, tenant: &TenantId, drone_id: &DroneId) -> bool {
        let known = self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(drone_id).copied();
        if let Some((owns, _)) = known.filter(|(_, asked)| asked.elapsed() < FRESH) {
            return owns;
        }
        let message = CheckOwnKey { tenant: tenant.clone(), drone_id: drone_id.clone() };
        let Ok(owns) = self.coordinator.ask(message).await else { return known.is_some_and(|(owns, _)| owns) };
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= MAX_KEYS {
            owners.clear();
        }
        owners.insert(drone_id.clone(), (owns, Instant::now()));
        owns
    }

    fn counted(&self, key: Digest, drone: DroneKey) -> Result<Identity, Fault> {
        self.limiter.admit(Some(&key), None)?;
        Ok(Identity { tenant: TenantId::default(), key, drone: Some(drone) })
    }

    fn remembered(&self, key: &Digest) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: Digest, drone: &DroneKey) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEYS {
            known.retain(|_, known| known.asked.elapsed() < FRESH);
        }
        if known.len() < MAX_KEYS {
            known.insert(key, Known { drone: drone.clone(), asked: Instant::now() });
        }
    }

    fn forget(&self, key: &Digest) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A drone's key opens what a drone needs, and nothing else. Reads that are open to all are open to drones.
pub fn check_route(
    drone: &DroneId,
    method: &Method,
    path: &str,
    reads_are_open: bool,
    peer: Option<IpAddr>,
) -> Result<(), Fault> {
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    if is_read && (reads_are_open || is_read_of(drone, path)) || *method == Method::POST && is_work_of(drone, path) {
        return Ok(());
    }
    refused("route", peer, Some(drone));
    let detail = format!("the key of drone {drone} opens what a drone needs, and {method} {path} is not part of it");
    Err(Fault::new(Code::Forbidden, detail))
}

fn is_read_of(drone: &DroneId, path: &str) -> bool {
    let own = path.strip_prefix("/api/drones/").and_then(|rest| rest.strip_prefix(drone.as_str()));
    let profile = path.strip_prefix("/api/profiles/").filter(|id| !id.is_empty() && !id.contains('/'));
    matches!(own, Some("" | "/work")) || profile.is_some()
}

fn is_work_of(drone: &DroneId, path: &str) -> bool {
    let own = path.strip_prefix("/api/drones/").and_then(|rest| rest.strip_prefix(drone.as_str()));
    matches!(path, "/api/drones/register" | "/api/drones/heartbeat" | "/api/results") || own == Some("/key")
}

/// Says and counts that a drone's key was not taken.
pub fn refused(why: &'static str, peer: Option<IpAddr>, drone: Option<&DroneId>) {
    counter!("chartly_drone_keys_refused_total", "why" => why).increment(1);
    let (peer, drone) = (peer.map(|peer| peer.to_string()), drone.map(DroneId::as_str));
    tracing::warn!(why, peer, drone, "a drone's key was refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(method: &Method, path: &str, reads_are_open: bool) -> bool {
        check_route(&DroneId::parse("d1").unwrap(), method, path, reads_are_open, None).is_ok()
    }

    #[test]
    fn a_drone_may_do_what_a_drone_needs() {
        for path in ["/api/drones/register", "/api/drones/heartbeat", "/api/results", "/api/drones/d1/key"] {
            assert!(may(&Method::POST, path, false), "{path}");
        }
        for path in ["/api/drones/d1/work", "/api/drones/d1", "/api/profiles/p"] {
            assert!(may(&Method::GET, path, false), "{path}");
        }
    }

    #[test]
    fn and_nothing_else() {
        for (method, path) in [
            (Method::POST, "/api/profiles"),
            (Method::PUT, "/api/profiles/p"),
            (Method::DELETE, "/api/profiles/p"),
            (Method::POST, "/api/profiles/p:run"),
            (Method::POST, "/api/drones/invites"),
            (Method::DELETE, "/api/drones/invites/1"),
            (Method::POST, "/api/drones/d1:drain"),
            (Method::POST, "/api/drones/d1:revoke-key"),
            (Method::POST, "/api/drones/d2/key"),
            (Method::PUT, "/api/results"),
            (Method::POST, "/api/runs/r:release"),
            (Method::POST, "/api/reports"),
        ] {
            assert!(!may(&method, path, true), "{method} {path}");
        }
        for path in ["/api/records", "/api/drones", "/api/drones/d2/work", "/api/profiles", "/api/profiles/p/versions"]
        {
            assert!(!may(&Method::GET, path, false), "{path}");
            assert!(may(&Method::GET, path, true), "{path}");
        }
    }
}
