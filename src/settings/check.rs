//! What no single field can tell: fields that contradict each other, addresses that cannot be meant.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::problem::Problem;
use super::{Role, Settings, StoreUrl};

/// Shorter keys can be guessed.
const MIN_KEY_CHARS: usize = 8;

/// A drone sends for two weeks what it could not; a run that went before would come back.
const MIN_RUNS_MS: u64 = 15 * 86_400_000;

/// A value that does not go with the others.
#[derive(Debug)]
pub(super) struct Wrong {
    key: &'static str,
    found: String,
    expected: String,
}

impl Wrong {
    fn new(key: &'static str, found: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Self { key, found: format!("{found}"), expected: expected.into() }
    }

    /// With the place that the value came from.
    pub(super) fn told(self, origins: &BTreeMap<String, String>) -> Problem {
        let problem = Problem::new(format!("{} is {}; expected {}", self.key, self.found, self.expected));
        match origins.get(self.key) {
            Some(origin) => problem.from(origin.clone()),
            None => problem,
        }
    }
}

impl Settings {
    /// Everything that is wrong across fields.
    pub(super) fn check(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        self.check_times(&mut wrong);
        self.check_sizes(&mut wrong);
        self.check_shares(&mut wrong);
        self.check_roles(&mut wrong);
        self.check_addresses(&mut wrong);
        self.check_secrets(&mut wrong);
        self.check_backup(&mut wrong);
        wrong
    }

    fn check_times(&self, wrong: &mut Vec<Wrong>) {
        let Self { fleet, node, .. } = self;
        if fleet.lease_ms < fleet.heartbeat_ms.saturating_mul(2) {
            let expected = "at least twice fleet.heartbeat_ms, so that one lost beat moves no work";
            wrong.push(Wrong::new("fleet.lease_ms", fleet.lease_ms, expected));
        }
        let runs_ms = self.retention.runs_ms;
        if (1..MIN_RUNS_MS).contains(&runs_ms) {
            let expected =
                "0 to keep them, or at least 15 days (1296000000): a drone may send for so long what it could not";
            wrong.push(Wrong::new("retention.runs_ms", runs_ms, expected));
        }
        if fleet.forget_ms < fleet.lease_ms {
            wrong.push(Wrong::new("fleet.forget_ms", fleet.forget_ms, "at least fleet.lease_ms"));
        }
        if node.drain_ms > node.shutdown_ms {
            wrong.push(Wrong::new("node.drain_ms", node.drain_ms, "at most node.shutdown_ms, of which it is a part"));
        }
    }

    fn check_sizes(&self, wrong: &mut Vec<Wrong>) {
        let Self { http, fleet, node, drone, reporter, store, .. } = self;
        if http.max_inflated_bytes < http.max_body_bytes {
            wrong.push(Wrong::new("http.max_inflated_bytes", http.max_inflated_bytes, "at least http.max_body_bytes"));
        }
        let above_zero = [
            ("http.rate_per_second", u64::from(http.rate_per_second)),
            ("http.rate_burst", u64::from(http.rate_burst)),
            ("http.drone_rate_per_second", u64::from(http.drone_rate_per_second)),
            ("http.drone_rate_burst", u64::from(http.drone_rate_burst)),
            ("http.request_timeout_ms", http.request_timeout_ms),
            ("peers.read_deadline_ms", self.peers.read_deadline_ms),
            ("peers.write_deadline_ms", self.peers.write_deadline_ms),
            ("fleet.heartbeat_ms", fleet.heartbeat_ms),
            ("node.profiles_scan_ms", node.profiles_scan_ms),
            ("drone.max_concurrency", drone.max_concurrency as u64),
            ("reporter.max_running", reporter.max_running as u64),
            ("store.queue_batches", store.queue_batches as u64),
            ("retention.step_rows", self.retention.step_rows as u64),
        ];
        let zeros = above_zero.into_iter().filter(|(_, value)| *value == 0);
        wrong.extend(zeros.map(|(key, value)| Wrong::new(key, value, "a number above 0")));
    }

    fn check_shares(&self, wrong: &mut Vec<Wrong>) {
        let (weight, capacity) = (self.drone.weight, self.drone.capacity);
        if !(1..=100).contains(&weight) {
            wrong.push(Wrong::new("drone.weight", weight, "1 to 100"));
        }
        if let Some(none) = capacity.filter(|most| *most == 0) {
            wrong.push(Wrong::new("drone.capacity", none, "a number above 0, or nothing for as many as come"));
        }
    }

    fn check_roles(&self, wrong: &mut Vec<Wrong>) {
        if self.drones() > 0 && !self.node.roles.holds(Role::Gateway) {
            let expected =
                "0 without the gateway role: a drone speaks to the gateway (run chartly-drone --control-plane URL)";
            wrong.push(Wrong::new("node.drones", self.drones(), expected));
        }
    }

    fn check_addresses(&self, wrong: &mut Vec<Wrong>) {
        for (key, role, address) in self.peers.all() {
            match web_address(address) {
                Err(expected) => wrong.push(Wrong::new(key, format!("{address:?}"), expected)),
                Ok(url) if self.is_own(role, &url) => {
                    let expected = format!("the address of the process that runs the {role}, and this is our own");
                    wrong.push(Wrong::new(key, address, expected));
                }
                Ok(_) => {}
            }
        }
        if let Some(Err(expected)) = self.drone.control_plane.as_deref().map(web_address) {
            let found = self.drone.control_plane.as_deref().unwrap_or_default();
            wrong.push(Wrong::new("drone.control_plane", format!("{found:?}"), expected));
        }
    }

    /// Whether a role that is to be found elsewhere is looked for at our own port.
    fn is_own(&self, role: Role, url: &Url) -> bool {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        let roles = &self.node.roles;
        roles.holds(Role::Gateway) && !roles.holds(role) && is_loopback && url.port() == Some(self.port())
    }

    fn check_backup(&self, wrong: &mut Vec<Wrong>) {
        let Self { backup, store, .. } = self;
        if backup.keep == 0 {
            wrong.push(Wrong::new("backup.keep", 0, "at least 1"));
        }
        let Some(every) = backup.every else { return };
        if every.as_ms() < 1_000 {
            wrong.push(Wrong::new("backup.every", every, "at least 1s"));
        }
        if backup.to.is_none() {
            wrong.push(Wrong::new("backup.to", "not set", "a folder for the backups that backup.every asks for"));
        }
        if matches!(store.place(), Ok(Some(StoreUrl::Server(_)))) {
            let expected = "nothing where the store is on PostgreSQL: it is backed up by its own tools \
                            (docs/backup.md)";
            wrong.push(Wrong::new("backup.every", every, expected));
        }
    }

    fn check_secrets(&self, wrong: &mut Vec<Wrong>) {
        let is_short = |key: &SecretString| key.expose_secret().chars().count() < MIN_KEY_CHARS;
        if self.api_key.as_ref().is_some_and(is_short) {
            wrong.push(Wrong::new("api_key", "too short", "at least 8 characters, so that it cannot be guessed"));
        }
        let is_plain = |key: &SecretString| key.expose_secret().bytes().all(|byte| (0x21..0x7f).contains(&byte));
        if self.api_key.as_ref().is_some_and(|key| !is_plain(key)) {
            let expected = "letters, digits and signs without blanks, since it travels in a header";
            wrong.push(Wrong::new("api_key", "not fit for a header", expected));
        }
        if self.store.connections < 2 {
            let expected = "at least 2: one that writes batches, and one for everything else";
            wrong.push(Wrong::new("store.connections", self.store.connections, expected));
        }
        if let Some(Err(found)) = self.store.url.as_ref().map(StoreUrl::parse) {
            wrong.push(Wrong::new("store.url", found, "sqlite:PATH or postgres://user@host/database"));
        }
    }
}

/// An address of one of our own services; the error says what was expected.
fn web_address(text: &str) -> Result<Url, String> {
    let expected = "http://host:port";
    let Ok(url) = Url::parse(text) else {
        let meant = (!text.contains("://")).then(|| format!("; did you mean http://{text}?"));
        return Err(format!("{expected}{}", meant.unwrap_or_default()));
    };
    if !matches!(url.scheme(), "http" | "https") {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        return Err(format!("{expected}; did you mean http://{rest}?"));
    }
    if url.host_str().is_none_or(str::is_empty) || !text.contains("://") {
        return Err(format!("{expected}, with two slashes before the host"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("only scheme, host, port and path; the key goes into REGISTRY_API_KEY".into());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_typo_is_told_with_the_likely_one() {
        for (typo, hint) in [
            ("localhost:8091", "did you mean http://localhost:8091?"),
            ("htp://registry:8091", "did you mean http://registry:8091?"),
            ("registry", "did you mean http://registry?"),
            ("http:/registry:8091", "two slashes"),
            ("http://", "http://host:port"),
            ("http://registry:80910", "http://host:port"),
            ("http://u:p@registry:8091", "REGISTRY_API_KEY"),
            ("", "http://host:port"),
        ] {
            let told = web_address(typo).unwrap_err();
            assert!(told.contains(hint), "{typo}: {told}");
        }
        for good in ["http://127.0.0.1:8091", "https://registry.example.org/chartly", "http://[::1]:8091/"] {
            web_address(good).unwrap();
        }
    }
}
