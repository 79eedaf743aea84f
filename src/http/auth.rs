//! Who is calling, and what a route asks of a caller. Writes need the key, internal routes always, reads where the
//! settings say so; there is no way to open the gate by leaving something out.

use std::fmt;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use subtle::ConstantTimeEq;

use super::keyring::ENROL_ROUTE;
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, TenantId};
use crate::domain::secret_form::drone_key_digest;
use crate::protocol::fault::{Code, Fault};

pub const API_KEY: header::HeaderName = header::HeaderName::from_static("x-api-key");

/// Longest key looked at; a longer one is wrong.
const MAX_KEY_BYTES: usize = 512;

/// The keys that this node knows, as digests only.
#[derive(Clone)]
pub struct Gate {
    admin: Digest,
    key_for_reads: bool,
}

/// A caller that showed a good key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub tenant: TenantId,
    /// Names the key without telling it.
    pub key: Digest,
    /// Whose key it is, where it is a drone's own; none: it may do everything.
    pub drone: Option<DroneKey>,
}

/// A drone that showed its own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroneKey {
    pub drone_id: DroneId,
    /// It should make a new one.
    pub rotate: bool,
}

/// What a request asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Nothing,
    Key,
}

/// What a caller showed.
enum Shown {
    None,
    Wrong,
    Good(Identity),
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("key_for_reads", &self.key_for_reads).finish_non_exhaustive()
    }
}

impl Gate {
    pub fn new(admin_key: &str, key_for_reads: bool) -> Self {
        Self { admin: Digest::of(admin_key.as_bytes()), key_for_reads }
    }

    /// The caller's identity, or none where no key is needed and no good one was shown.
    pub fn admit(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Option<Identity>, Fault> {
        match (self.look_at(headers), self.need(method, path)) {
            (Shown::Good(identity), _) => Ok(Some(identity)),
            (_, Need::Nothing) => Ok(None),
            (Shown::None, Need::Key) => Err(Fault::new(
                Code::Unauthenticated,
                "this needs a key: send it as X-API-Key, or as Authorization: Bearer",
            )),
            (Shown::Wrong, Need::Key) => Err(Fault::new(Code::Unauthenticated, "the key that was sent is not known")),
        }
    }

    /// Whether reads need no key.
    pub fn reads_are_open(&self) -> bool {
        !self.key_for_reads
    }

    fn need(&self, method: &Method, path: &str) -> Need {
        if path == ENROL_ROUTE {
            return Need::Nothing;
        }
        let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads || path.starts_with("/internal/") || path.starts_with("/api/drones/invites") {
            return Need::Key;
        }
        if self.key_for_reads && !is_always_open(path) {
            return Need::Key;
        }
        Need::Nothing
    }

    fn look_at(&self, headers: &HeaderMap) -> Shown {
        let Some(key) = key_of(headers) else { return Shown::None };
        let digest = Digest::of(key);
        let known = digest.as_bytes().ct_eq(self.admin.as_bytes());
        if key.len() <= MAX_KEY_BYTES && bool::from(known) {
            return Shown::Good(Identity { tenant: TenantId::default(), key: digest, drone: None });
        }
        Shown::Wrong
    }
}

/// Probes, and the documentation that tells how to send a key.
pub fn is_always_open(path: &str) -> bool {
    matches!(path, "/" | "/health" | "/ready" | "/metrics" | "/api/openapi.json")
        || path == "/api/docs"
        || path.starts_with("/api/docs/")
}

/// The digest of the drone's key that was shown; none where it has not the form of one.
pub fn shown_drone_key(headers: &HeaderMap) -> Option<Digest> {
    drone_key_digest(key_of(headers)?)
}

/// What was shown as a key.
pub fn key_of(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(API_KEY) {
        return Some(key.as_bytes());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn writes_and_internal_routes_need_the_key() {
        let gate = Gate::new("secret", false);
        let none = HeaderMap::new();
        for (method, path) in [
            (Method::POST, "/api/results"),
            (Method::DELETE, "/"),
            (Method::GET, "/internal/registry/get-profile"),
            (Method::GET, "/api/drones/invites"),
        ] {
            assert_eq!(gate.admit(&method, path, &none).unwrap_err().code, Code::Unauthenticated, "{method} {path}");
            let wrong = headers(API_KEY, "Secret");
            assert!(gate.admit(&method, path, &wrong).is_err());
            let good = headers(API_KEY, "secret");
            assert!(gate.admit(&method, path, &good).unwrap().is_some());
        }
    }

    #[test]
    fn a_bearer_token_serves_as_key() {
        let gate = Gate::new("secret", false);
        for good in ["Bearer secret", "bearer secret"] {
            let shown = headers(header::AUTHORIZATION, good);
            assert!(gate.admit(&Method::POST, "/api/reports", &shown).unwrap().is_some());
        }
        for bad in ["Basic secret", "Bearer", "Bearer ", "secret"] {
            let shown = headers(header::AUTHORIZATION, bad);
            assert!(gate.admit(&Method::POST, "/api/reports", &shown).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_are_open_unless_said_otherwise() {
        let none = HeaderMap::new();
        assert_eq!(Gate::new("k", false).admit(&Method::GET, "/api/records", &none), Ok(None));
        let strict = Gate::new("k", true);
        assert!(strict.admit(&Method::GET, "/api/records", &none).is_err());
        assert!(strict.admit(&Method::HEAD, "/api/documents", &none).is_err());
        for open in ["/health", "/ready", "/metrics", "/api/docs/", "/api/openapi.json"] {
            assert_eq!(strict.admit(&Method::GET, open, &none), Ok(None), "{open}");
        }
    }
}
