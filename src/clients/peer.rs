//! The only HTTP client towards our own services: base URL, key, deadline, and the two-step truth about writes. A
//! connection that was never made is "not handled, safe to retry"; an answer that never came is "outcome unknown".

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::{Method, StatusCode};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use secrecy::SecretString;

use super::hang::Hang;
use super::shown_key::ShownKey;
use super::tls::client_config;
use crate::protocol::call::Call;
use crate::protocol::fault::{Code, Fault, Problem, Retry};

/// Replies of our own services are bounded.
const MAX_REPLY_BYTES: usize = 256 << 20;
/// Tries of a message that was not handled, or that may be repeated.
const MAX_TRIES: u32 = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Of one thread to one peer.
const MAX_CONNECTIONS: usize = 64;

thread_local! {
    // awc's client cannot cross threads, and one for each request would cost a DNS look-up and a handshake each. Each
    // peer has its own, since the bound on connections is one of the client: a peer that hangs must not use up those of
    // the others.
    static HTTP: RefCell<HashMap<String, awc::Client>> = RefCell::default();
}

fn http_to(base: &str) -> awc::Client {
    HTTP.with_borrow_mut(|clients| match clients.get(base) {
        Some(client) => client.clone(),
        None => clients.entry(base.to_owned()).or_insert_with(new_client).clone(),
    })
}

fn new_client() -> awc::Client {
    let connector = awc::Connector::new().rustls_0_23(client_config()).timeout(CONNECT_TIMEOUT);
    // Each request has one deadline of ours around all of it.
    let client = awc::Client::builder().connector(connector.limit(MAX_CONNECTIONS)).disable_redirects();
    client.disable_timeout().no_default_headers().finish()
}

/// Another process of ours.
#[derive(Clone, Debug)]
pub struct Peer {
    base: String,
    /// What faults call it.
    name: String,
    key: ShownKey,
    deadline: Duration,
    read_deadline: Duration,
    hang: Hang,
}

/// What came back, whatever its status.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Peer {
    /// `base` is `http(s)://host:port`, with or without a slash at the end.
    pub fn new(base: &str, key: Option<SecretString>, deadline: Duration) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        let (name, key, hang) = (base.clone(), ShownKey::new(key), Hang::default());
        Self { base, name, key, deadline, read_deadline: deadline, hang }
    }

    /// The process of a role, so that faults name it, with a deadline of its own for what only looks.
    #[must_use]
    pub fn of_role(mut self, role: &str, read_deadline: Duration) -> Self {
        self.name = format!("the {role} at {}", self.base);
        self.read_deadline = read_deadline;
        self
    }

    /// Whether it is known to hang: calls are then refused at once, until it is known to answer.
    pub fn hang(&self) -> &Hang {
        &self.hang
    }

    /// Shows this key from now on, in all clones.
    pub(super) fn use_key(&self, key: SecretString) {
        self.key.replace(key);
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a role's message to its internal endpoint, trying again where that is safe.
    pub async fn call<M: Call>(&self, message: &M) -> Result<M::Reply, Fault> {
        let body = serde_json::to_vec(message)
            .map_err(|error| Fault::new(Code::Internal, format!("the message cannot be written: {error}")))?;
        if self.hang.is_known() {
            return Err(self
                .fault(Code::Unavailable, "it hangs: it takes connections and does not answer")
                .retry_after(2));
        }
        let body = Bytes::from(body);
        let deadline = if M::IS_READ { self.read_deadline } else { self.deadline };
        let mut tries = 1;
        loop {
            let result = self.post_json(M::ROUTE, body.clone(), deadline).await.and_then(|reply| decode(&reply));
            let Err(fault) = &result else { return result };
            let again = match fault.code.retry() {
                Retry::Safe => true,
                Retry::IfRepeatable => M::REPEATABLE && fault.code != Code::Deadline,
                Retry::Never => false,
            };
            if !again || tries == MAX_TRIES {
                return result;
            }
            tokio::time::sleep(Duration::from_millis(50 << tries)).await;
            tries += 1;
        }
    }

    async fn post_json(&self, path: &str, body: Bytes, deadline: Duration) -> Result<Reply, Fault> {
        self.send(Method::POST, path, &[("content-type", "application/json")], body, deadline).await
    }

    /// One request, one try. An error status is still a reply; the fault is for when there is none.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Bytes,
        deadline: Duration,
    ) -> Result<Reply, Fault> {
        let url = format!("{}{path}", self.base);
        let http = http_to(&self.base);
        let mut request = http.request(method, &url).no_decompress();
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        request = self.key.on(request, |request, key| request.insert_header(("x-api-key", key)));
        let exchange = async {
            let mut response = request.send_body(body).await.map_err(|error| self.unsent(&error))?;
            let status = response.status();
            let read = response.body().limit(MAX_REPLY_BYTES).await;
            let read = read.map_err(|error| self.fault(Code::BadPeer, &format!("the answer broke off: {error}")))?;
            Ok(Reply { status, body: read })
        };
        let outcome = tokio::time::timeout(deadline, exchange).await;
        outcome.unwrap_or_else(|_| Err(self.fault(Code::Deadline, "no answer in time")))
    }

    /// Opens a stream that answers for as long as it likes; only its beginning has a deadline.
    pub async fn watch(
        &self,
        path: &str,
        deadline: Duration,
    ) -> Result<impl Stream<Item = Result<Bytes, Fault>> + Unpin + use<>, Fault> {
        let http = http_to(&self.base);
        let mut request = http.get(format!("{}{path}", self.base)).timeout(deadline).no_decompress();
        request = self.key.on(request, |request, key| request.insert_header(("x-api-key", key)));
        let mut response = request.send().await.map_err(|error| self.unsent(&error))?;
        if !response.status().is_success() {
            let status = response.status();
            let body = response.body().limit(MAX_REPLY_BYTES).await.unwrap_or_default();
            return Err(fault_in(&Reply { status, body }));
        }
        let peer = self.clone();
        Ok(response.map(move |piece| {
            piece.map_err(|error| peer.fault(Code::BadPeer, &format!("the stream broke off: {error}")))
        }))
    }

    fn unsent(&self, error: &SendRequestError) -> Fault {
        match error {
            SendRequestError::Connect(ConnectError::Timeout) => self.fault(Code::Unavailable, "no connection in time"),
            // awc says this of a connection that was made, and ended before the answer did: it may have been handled.
            SendRequestError::Connect(ConnectError::Disconnected) => {
                self.fault(Code::BadPeer, "the exchange broke off")
            }
            SendRequestError::Connect(error) => self.fault(Code::Unavailable, &format!("no connection: {error}")),
            SendRequestError::Url(error) => self.fault(Code::Unavailable, &format!("the URL is not usable: {error}")),
            SendRequestError::Timeout => self.fault(Code::Deadline, "no answer in time"),
            other => self.fault(Code::BadPeer, &format!("the exchange broke off: {other}")),
        }
    }

    fn fault(&self, code: Code, what: &str) -> Fault {
        let fault = Fault::new(code, format!("{}: {what}", self.name));
        if code == Code::Unavailable { fault.retry_after(1) } else { fault }
    }
}

/// Reads a reply as the success it is, or as the fault that it tells.
pub fn decode<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, Fault> {
    if !reply.status.is_success() {
        return Err(fault_in(reply));
    }
    serde_json::from_slice(&reply.body)
        .map_err(|error| Fault::new(Code::BadPeer, format!("the reply is not of the expected form: {error}")))
}

/// The fault in an error reply; one that is not problem+json is the fault of a stranger in between.
pub(super) fn fault_in(reply: &Reply) -> Fault {
    if let Ok(problem) = serde_json::from_slice::<Problem>(&reply.body) {
        return problem.into();
    }
    let start = String::from_utf8_lossy(&reply.body[..reply.body.len().min(120)]).into_owned();
    let detail = format!("status {} without a problem document: {start:?}", reply.status.as_u16());
    let code = match reply.status {
        StatusCode::TOO_MANY_REQUESTS => Code::TooManyRequests,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::Deadline,
        _ => Code::BadPeer,
    };
    Fault::new(code, detail)
}
