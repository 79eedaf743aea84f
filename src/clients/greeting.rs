//! Whether another process is one that we can work with: there, with the same key, of a release that we understand,
//! running the role that is looked for.

use std::time::Duration;

use awc::http::{Method, StatusCode};
use bytes::Bytes;
use thiserror::Error;

use super::peer::{Peer, Reply};
use crate::protocol::fault::{Code, Fault};
use crate::protocol::hello::{HELLO_ROUTE, Hello, PROTOCOL, is_spoken};

/// Why not. Only `Away` and `Hangs` mend themselves.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    #[error("{0}")]
    Away(String),
    /// It takes connections and does not answer in time.
    #[error("{0}")]
    Hangs(String),
    #[error(
        "{url} does not take our key; give both processes the same REGISTRY_API_KEY, or a drone a token (ENROL_TOKEN)"
    )]
    Key { url: String },
    #[error("{url} has revoked the key of this drone; let it join again with a new token (ENROL_TOKEN)")]
    Revoked { url: String },
    #[error(
        "{url} is of version {version} and speaks protocol {protocol}, we speak {PROTOCOL}; run releases that are next \
         to each other"
    )]
    Version { url: String, version: String, protocol: u32 },
    #[error("{url} answers, but not as Chartly does ({what}); check the address")]
    Stranger { url: String, what: String },
    #[error("{url} runs {there}, not the {role}; check the address of the {role}")]
    OtherRole { url: String, role: String, there: String },
}

impl Unfit {
    /// Whether waiting may mend it.
    pub fn mends_itself(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Hangs(_))
    }
}

impl Peer {
    /// Greets the process that should run `role`.
    pub async fn greet(&self, role: &str, deadline: Duration) -> Result<(), Unfit> {
        let reply = self.send(Method::GET, HELLO_ROUTE, &[], Bytes::new(), deadline).await;
        let reply = reply.map_err(|fault| away(&fault))?;
        let hello = self.read_hello(&reply)?;
        self.judge(hello.protocol, &hello.version)?;
        if hello.roles.iter().any(|there| there == role) {
            return Ok(());
        }
        let there = if hello.roles.is_empty() { "no role".to_owned() } else { hello.roles.join(",") };
        Err(Unfit::OtherRole { url: self.base().to_owned(), role: role.to_owned(), there })
    }

    /// Whether its release and ours understand each other.
    pub(super) fn judge(&self, protocol: u32, version: &str) -> Result<(), Unfit> {
        if is_spoken(protocol) {
            return Ok(());
        }
        let version = version.chars().take(40).collect();
        Err(Unfit::Version { url: self.base().to_owned(), version, protocol })
    }

    fn read_hello(&self, reply: &Reply) -> Result<Hello, Unfit> {
        let url = self.base().to_owned();
        match reply.status {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(Unfit::Key { url }),
            // A process that starts or stops, and proxies in between, say it so.
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Unfit::Away(format!("{url} answers with status {}", status.as_u16())));
            }
            status => return Err(Unfit::Stranger { url, what: format!("status {}", status.as_u16()) }),
        }
        serde_json::from_slice(&reply.body).map_err(|_| Unfit::Stranger { url, what: "another body".into() })
    }
}

pub(super) fn away(fault: &Fault) -> Unfit {
    debug_assert_ne!(fault.code, Code::Unauthenticated, "a reply, not a failure to get one");
    match fault.code {
        Code::Deadline => Unfit::Hangs(fault.detail.clone()),
        _ => Unfit::Away(fault.detail.clone()),
    }
}
