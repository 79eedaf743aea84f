//! The control plane as a drone sees it: the public API at the gateway, nothing else. A drone needs one outbound
//! connection and no open port.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::greeting::{Unfit, away};
use super::peer::{Peer, decode, fault_in};
use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::aggregator::Receipt;
use crate::protocol::call::Done;
use crate::protocol::coordinator::{Beat, BeatReply, DroneHello, Registered, ReplayOf, ReplaysRequested, Work};
use crate::protocol::enrolment::Enrolled;
use crate::protocol::fault::{Code, Fault};

const DEADLINE: Duration = Duration::from_secs(15);
/// A batch waits for a commit, at worst behind a checkpoint.
const BATCH_DEADLINE: Duration = Duration::from_secs(60);

/// A first look must not hold up the start.
const GREETING_DEADLINE: Duration = Duration::from_secs(3);

/// What matters of `GET /health` here.
#[derive(Deserialize)]
struct Health {
    version: String,
    protocol: u32,
}

/// The gateway's public API, for a drone.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    peer: Peer,
}

/// A profile's text, with the digest that was asked for already checked against it.
pub type Fetched = String;

impl ControlPlane {
    pub fn new(url: &str, key: Option<SecretString>) -> Self {
        Self { peer: Peer::new(url, key, DEADLINE) }
    }

    pub fn url(&self) -> &str {
        self.peer.base()
    }

    /// Whether this is a gateway that we understand. Needs no key.
    pub async fn look(&self) -> Result<(), Unfit> {
        let url = self.url().to_owned();
        let reply = self.peer.send(Method::GET, "/health", &[], Bytes::new(), GREETING_DEADLINE).await;
        let reply = reply.map_err(|fault| away(&fault))?;
        if reply.status.is_server_error() {
            return Err(Unfit::Away(format!("{url} answers with status {}", reply.status.as_u16())));
        }
        let health: Health = serde_json::from_slice(&reply.body)
            .map_err(|_| Unfit::Stranger { url: url.clone(), what: format!("status {}", reply.status.as_u16()) })?;
        self.peer.judge(health.protocol, &health.version)
    }

    /// Whether this is a gateway that we can work for. Changes nothing there.
    pub async fn greet(&self, drone: &DroneId) -> Result<(), Unfit> {
        self.look().await?;
        let url = self.url().to_owned();
        let beat = serde_json::json!({"drone_id": drone});
        match self.post::<_, BeatReply>("/api/drones/heartbeat", &beat).await {
            Err(fault) if fault.code == Code::KeyRevoked => Err(Unfit::Revoked { url }),
            Err(fault) if matches!(fault.code, Code::Unauthenticated | Code::Forbidden) => Err(Unfit::Key { url }),
            Err(fault) if fault.code == Code::NotFound => Err(Unfit::Stranger { url, what: "no gateway there".into() }),
            Err(fault) => Err(away(&fault)),
            Ok(_) => Ok(()),
        }
    }

    /// Shows this key from now on, in all clones.
    pub fn use_key(&self, key: SecretString) {
        self.peer.use_key(key);
    }

    /// Joins with the token that is shown as the key; from then on the drone is known by its own.
    pub async fn enrol(&self, drone: &DroneId, key: Digest) -> Result<Enrolled, Fault> {
        self.post("/api/drones/enrol", &serde_json::json!({"drone_id": drone, "key": key})).await
    }

    /// Makes the drone's next key known. It is in force when it is first shown.
    pub async fn set_next_key(&self, drone: &DroneId, key: Digest) -> Result<Done, Fault> {
        self.post(&format!("/api/drones/{drone}/key"), &serde_json::json!({"key": key})).await
    }

    pub async fn register(&self, hello: &DroneHello) -> Result<Registered, Fault> {
        self.post("/api/drones/register", hello).await
    }

    pub async fn heartbeat(&self, beat: &Beat) -> Result<BeatReply, Fault> {
        self.post("/api/drones/heartbeat", beat).await
    }

    /// Waits up to `wait` for work other than `revision`; answers with what there is then.
    pub async fn work(&self, drone: &DroneId, revision: Option<u64>, wait: Duration) -> Result<Work, Fault> {
        let seen = revision.map_or_else(String::new, |revision| format!("revision={revision}&"));
        let path = format!("/api/drones/{drone}/work?{seen}wait_ms={}", wait.as_millis());
        let reply = self.peer.send(Method::GET, &path, &[], Bytes::new(), DEADLINE + wait).await?;
        decode(&reply)
    }

    /// One version of a profile. What comes is checked against its digest, so that nothing on the way can change it.
    pub async fn profile(&self, id: &ProfileId, digest: &Digest) -> Result<Fetched, Fault> {
        let path = format!("/api/profiles/{id}?digest={digest}");
        let headers = [("accept", "application/yaml")];
        let reply = self.peer.send(Method::GET, &path, &headers, Bytes::new(), DEADLINE).await?;
        if !reply.status.is_success() {
            return Err(fault_in(&reply));
        }
        if Digest::of(&reply.body) != *digest {
            return Err(Fault::new(Code::BadPeer, format!("profile {id} came with another content than {digest}")));
        }
        String::from_utf8(reply.body.to_vec())
            .map_err(|_| Fault::new(Code::BadPeer, format!("profile {id} came as something other than UTF-8 text")))
    }

    /// Delivers one batch, packed with zstd as the spool holds it. `Ok` means committed.
    pub async fn deliver(&self, packed: Bytes) -> Result<Receipt, Fault> {
        let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
        let reply = self.peer.send(Method::POST, "/api/results", &headers, packed, BATCH_DEADLINE).await?;
        decode(&reply)
    }

    /// Asks its drones to replay what they keep of a profile.
    pub async fn replay(&self, id: &ProfileId, of: &ReplayOf) -> Result<ReplaysRequested, Fault> {
        let mut body = serde_json::Map::new();
        for (name, moment) in [("since", of.since_ms), ("until", of.until_ms)] {
            body.extend(moment.map(|moment| (name.to_owned(), moment.into())));
        }
        body.extend(of.run_id.as_ref().map(|run| ("run_id".to_owned(), run.as_str().into())));
        self.post(&format!("/api/profiles/{id}:replay"), &body).await
    }

    async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Fault> {
        let body = serde_json::to_vec(body).map_err(|error| Fault::new(Code::Internal, error.to_string()))?;
        let headers = [("content-type", "application/json")];
        let reply = self.peer.send(Method::POST, path, &headers, Bytes::from(body), DEADLINE).await?;
        decode(&reply)
    }
}
