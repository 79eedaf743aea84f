//! The way to a source: one client for each arbiter, guarded, bounded, polite.

mod answer;
mod client;
mod guard;
mod inflate;
mod journal;
mod ledger;
mod playback;
mod recorded;
mod rewrite;
mod settings;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use awc::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LINK, LOCATION, RETRY_AFTER, USER_AGENT,
};
use awc::{ClientRequest, SendClientRequest};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use thiserror::Error;
use url::Url;

pub use answer::{Answer, excerpt, is_blank, now_ms};
use inflate::{Inflate, InflateError};
pub use journal::Asked;
use journal::Journal;
pub use ledger::{Ledger, Turn};
use playback::Playback;
pub use recorded::{Recording, RecordingError, SavedAnswer, SavedRequest};
pub use settings::{FetchSettings, Network, NetworkError};

use super::kept::KeptRun;
use super::outcome::Validators;
use super::request::{Outgoing, PlacedSecret, append_query, shown};
use super::sign_in::Keyring;
use crate::profiles::plan::{Method, SecretPlace};

/// Redirects followed for one request.
const MAX_REDIRECTS: usize = 5;

/// Fetches for the runs of one arbiter. Not `Send`: it owns a client with its pool of connections.
pub struct Fetcher {
    settings: FetchSettings,
    way: Way,
    journal: Option<Journal>,
    keyring: Keyring,
}

/// Where answers come from.
enum Way {
    Network(awc::Client),
    Recording(Recording),
    Kept(Playback),
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// Another try may do.
    #[error("{0}")]
    Broken(String),
    /// Another try will do no better.
    #[error("{0}")]
    Refused(String),
    /// The body is larger than what is left of the run's bytes.
    #[error("the answer is larger than allowed")]
    TooLarge,
    /// No requests are left to the run.
    #[error("no requests are left")]
    NoRequests,
    /// All saved answers are played.
    #[error("no saved answer is left")]
    AllPlayed,
    /// A replayed run was not asked this, or its answer is torn: which request, without its secret.
    #[error("no answer is kept for {0}")]
    NotKept(String),
}

/// What a run has used up, and what it may.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    pub requests: u64,
    pub bytes: u64,
    pub max_requests: u64,
    pub max_bytes: u64,
}

impl Traffic {
    fn begin_request(&mut self) -> Result<(), FetchError> {
        if self.requests >= self.max_requests {
            return Err(FetchError::NoRequests);
        }
        self.requests += 1;
        Ok(())
    }
}

impl Fetcher {
    /// Must be made on the thread that uses it.
    pub fn new(settings: FetchSettings) -> Self {
        let client = client::client(&settings);
        Self { settings, way: Way::Network(client), journal: None, keyring: Keyring::default() }
    }

    /// Plays saved answers and never touches the network.
    pub fn recorded(recording: Recording) -> Self {
        let way = Way::Recording(recording);
        Self { settings: recorded_settings(), way, journal: None, keyring: Keyring::default() }
    }

    /// Plays the answers of a kept run and never touches the network.
    pub fn kept(settings: FetchSettings, run: Arc<KeptRun>) -> Self {
        // Nobody is there to be spared: what asks for a pause is over.
        let settings = FetchSettings { retry_base: Duration::ZERO, max_pause: Duration::ZERO, ..settings };
        Self { settings, way: Way::Kept(Playback::new(run)), journal: None, keyring: Keyring::default() }
    }

    /// Keeps what is asked, for [`Self::take_asked`].
    #[must_use]
    pub fn with_journal(self) -> Self {
        Self { journal: Some(Journal::default()), ..self }
    }

    /// The requests since the last call, the first 200 of them.
    pub fn take_asked(&self) -> Vec<Asked> {
        self.journal.as_ref().map(Journal::take).unwrap_or_default()
    }

    /// What is known of keys and tokens; it lives as long as this.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Answers are played, and nobody is there to sign in at.
    pub fn is_recorded(&self) -> bool {
        !matches!(self.way, Way::Network(_))
    }

    pub fn settings(&self) -> &FetchSettings {
        &self.settings
    }

    /// Sends a request once, follows redirects, reads the whole body. Every hop is guarded and counted; the secret
    /// goes to its own origin only.
    pub async fn fetch(
        &self,
        request: &Outgoing,
        profile_agent: Option<&str>,
        validators: Option<&Validators>,
        timeout: Duration,
        traffic: &mut Traffic,
    ) -> Result<Answer, FetchError> {
        let result = match &self.way {
            Way::Recording(recording) => recording.answer(request, traffic),
            Way::Kept(playback) => playback.answer(request, traffic).await,
            Way::Network(client) => {
                let hops = self.hops(client, request, profile_agent, validators, traffic);
                let in_time = tokio::time::timeout(timeout, hops).await;
                in_time.unwrap_or_else(|_| Err(FetchError::Broken(format!("no complete answer within {timeout:?}"))))
            }
        };
        if let Some(journal) = &self.journal {
            journal.note(request, &result);
        }
        result
    }

    async fn hops(
        &self,
        client: &awc::Client,
        request: &Outgoing,
        profile_agent: Option<&str>,
        validators: Option<&Validators>,
        traffic: &mut Traffic,
    ) -> Result<Answer, FetchError> {
        let mut url = request.url.clone();
        let mut method = request.method;
        for _ in 0..=MAX_REDIRECTS {
            traffic.begin_request()?;
            let sent = self.send(client, request, &url, method, profile_agent, validators)?;
            let mut response = sent.await.map_err(|error| explain(&error))?;
            let status = response.status().as_u16();
            let target = match status {
                301 | 302 | 303 | 307 | 308 => response.headers().get(LOCATION).cloned(),
                _ => None,
            };
            let Some(target) = target else { return self.read(status, &url, &mut response, traffic).await };
            method = redirected(method, status)?;
            url = self.redirect_target(&url, &target, request)?;
        }
        Err(FetchError::Refused(format!("more than {MAX_REDIRECTS} redirects")))
    }

    fn send(
        &self,
        client: &awc::Client,
        request: &Outgoing,
        url: &Url,
        method: Method,
        profile_agent: Option<&str>,
        validators: Option<&Validators>,
    ) -> Result<SendClientRequest, FetchError> {
        let secret = request.secret.as_ref().filter(|secret| secret.home == url.origin());
        let url = with_query_secret(url, secret);
        let dialled = rewrite::outward(&url, &self.settings.rewrite);
        let http = match method {
            Method::Get => client.get(dialled.as_str()),
            Method::Post => client.post(dialled.as_str()),
        };
        let agent = match profile_agent {
            Some(own) => format!("{own} {}", self.settings.user_agent),
            None => self.settings.user_agent.clone(),
        };
        let mut http = http.no_decompress().insert_header((USER_AGENT, agent)).insert_header((ACCEPT_ENCODING, "gzip"));
        for (name, value) in &request.headers {
            http = http.insert_header(header(name, value)?);
        }
        http = with_header_secret(http, secret)?;
        if let Some(validators) = validators {
            http = with_validators(http, validators);
        }
        match (&request.body, method) {
            (Some((kind, body)), Method::Post) => {
                let body = with_body_secret(body, secret)?;
                Ok(http.insert_header((CONTENT_TYPE, *kind)).send_body(body))
            }
            _ => Ok(http.send()),
        }
    }

    fn redirect_target(&self, from: &Url, target: &HeaderValue, request: &Outgoing) -> Result<Url, FetchError> {
        let refuse = |reason: &str| FetchError::Refused(format!("the source redirects {reason}"));
        let target = target.to_str().map_err(|_| refuse("to an address that is not one"))?;
        let joined = from.join(target).map_err(|_| refuse("to an address that is not one"))?;
        let url = rewrite::inward(&joined, from, &self.settings.rewrite);
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("to something other than http or https"));
        }
        if from.scheme() == "https" && url.scheme() == "http" {
            return Err(refuse(&format!("from https to http ({})", shown(&url))));
        }
        let leaves = url.origin() != request.url.origin();
        if leaves && request.home_only {
            return Err(refuse(&format!("the sign-in to another host ({})", shown(&url))));
        }
        if leaves && request.redact(url.as_str()) != url.as_str() {
            return Err(refuse(&format!("with the secret to another host ({})", shown(&url))));
        }
        Ok(url)
    }

    /// The source's own address of a link in an answer.
    pub fn link(&self, from: &Url, link: &str) -> Option<Url> {
        let joined = from.join(link).ok()?;
        Some(rewrite::inward(&joined, from, &self.settings.rewrite))
    }

    async fn read<S>(
        &self,
        status: u16,
        url: &Url,
        response: &mut awc::ClientResponse<S>,
        traffic: &mut Traffic,
    ) -> Result<Answer, FetchError>
    where
        S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>> + Unpin,
    {
        let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let length = text(CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok());
        let left = usize::try_from(traffic.max_bytes.saturating_sub(traffic.bytes)).unwrap_or(usize::MAX);
        let encoding = text(CONTENT_ENCODING);
        let Some(mut inflate) = Inflate::new(encoding, left) else {
            let encoding = encoding.unwrap_or_default();
            return Err(FetchError::Refused(format!("the answer is encoded as {encoding:?}, which was not asked for")));
        };
        inflate.expect(length.unwrap_or(0));
        let own = |name: HeaderName| text(name).map(str::to_owned);
        let links: Vec<&str> = response.headers().get_all(LINK).filter_map(|value| value.to_str().ok()).collect();
        let mut answer = Answer {
            status,
            body: Vec::new(),
            content_type: own(CONTENT_TYPE),
            etag: own(ETAG),
            last_modified: own(LAST_MODIFIED),
            next_link: answer::next_link(&links.join(", ")),
            retry_after: own(RETRY_AFTER),
            headers: all_headers(response.headers()),
            url: url.clone(),
        };
        let received = receive(response, &mut inflate).await;
        traffic.bytes += u64::try_from(inflate.len()).unwrap_or(u64::MAX);
        let received = received?;
        // The client takes a connection that ends early for the end of the body.
        if let Some(length) = length
            && received != length
        {
            return Err(FetchError::Broken(format!("the answer broke off after {received} of {length} bytes")));
        }
        answer.body = inflate.finish().map_err(inflate_error)?;
        Ok(answer)
    }
}

/// A recording waits for nobody, and ends soon.
fn recorded_settings() -> FetchSettings {
    FetchSettings {
        retry_base: Duration::ZERO,
        max_pause: Duration::from_secs(2),
        max_run: Duration::from_secs(20),
        ..FetchSettings::default()
    }
}

/// The headers that are text. The client bounds their number and size.
fn all_headers(headers: &awc::http::header::HeaderMap) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

/// Reads the body to its end; gives the bytes that came over the wire.
async fn receive<S>(response: &mut awc::ClientResponse<S>, inflate: &mut Inflate) -> Result<u64, FetchError>
where
    S: futures_util::Stream<Item = Result<bytes::Bytes, awc::error::PayloadError>> + Unpin,
{
    let mut received = 0;
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| FetchError::Broken(format!("the answer broke off: {error}")))?;
        received += chunk.len() as u64;
        inflate.push(&chunk).map_err(inflate_error)?;
    }
    Ok(received)
}

fn inflate_error(error: InflateError) -> FetchError {
    match error {
        InflateError::TooLarge => FetchError::TooLarge,
        InflateError::Broken(reason) => FetchError::Broken(format!("the compressed answer is broken: {reason}")),
    }
}

/// 303 asks for the answer by GET; a POST that is sent elsewhere by 301 or 302 would change its meaning on the way.
fn redirected(method: Method, status: u16) -> Result<Method, FetchError> {
    match (method, status) {
        (_, 303) => Ok(Method::Get),
        (Method::Post, 301 | 302) => {
            Err(FetchError::Refused(format!("the source answers the POST with {status}, a redirect")))
        }
        _ => Ok(method),
    }
}

fn explain(error: &awc::error::SendRequestError) -> FetchError {
    use awc::error::{ConnectError, SendRequestError};
    if let SendRequestError::Connect(ConnectError::Resolver(reason)) = error {
        return match reason.downcast_ref::<guard::Forbidden>() {
            Some(forbidden) => FetchError::Refused(forbidden.to_string()),
            None => FetchError::Broken(format!("the host was not found: {reason}")),
        };
    }
    match error {
        SendRequestError::Url(reason) => FetchError::Refused(format!("the URL cannot be asked: {reason}")),
        SendRequestError::Connect(ConnectError::Disconnected) => {
            FetchError::Broken("the source closed the connection without an answer".into())
        }
        other => FetchError::Broken(other.to_string()),
    }
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), FetchError> {
    let refuse = || FetchError::Refused(format!("the header {name} cannot be sent with this value"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
    Ok((name, HeaderValue::from_str(value).map_err(|_| refuse())?))
}

/// A link of the source may hold the key of the request before; the present one takes its place.
fn with_query_secret(url: &Url, secret: Option<&PlacedSecret>) -> Url {
    let Some(secret) = secret.filter(|secret| secret.place == SecretPlace::Query) else { return url.clone() };
    let mut url = url.clone();
    let is_own = |pair: &&str| url::form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| name != secret.name);
    let rest = url.query().map(|query| query.split('&').filter(is_own).collect::<Vec<_>>().join("&"));
    url.set_query(rest.filter(|rest| !rest.is_empty()).as_deref());
    append_query(&mut url, &[(secret.name.clone(), secret.value.expose_secret().to_owned())]);
    url
}

fn with_header_secret(http: ClientRequest, secret: Option<&PlacedSecret>) -> Result<ClientRequest, FetchError> {
    let Some(secret) = secret else { return Ok(http) };
    let value = secret.value.expose_secret();
    Ok(match secret.place {
        SecretPlace::Header => http.insert_header(header(&secret.name, value)?),
        SecretPlace::Bearer => http.insert_header(header(AUTHORIZATION.as_str(), &format!("Bearer {value}"))?),
        SecretPlace::Basic => match value.split_once(':') {
            Some((user, password)) => http.basic_auth(user, password),
            None => http.basic_auth(value, ""),
        },
        SecretPlace::Query | SecretPlace::Body => http,
    })
}

fn with_body_secret(body: &[u8], secret: Option<&PlacedSecret>) -> Result<Vec<u8>, FetchError> {
    let Some(secret) = secret.filter(|secret| secret.place == SecretPlace::Body) else { return Ok(body.to_vec()) };
    let refuse = || FetchError::Refused(format!("the secret has no place at {} of the body", secret.name));
    let mut document: serde_json::Value = serde_json::from_slice(body).map_err(|_| refuse())?;
    let (parent, name) = secret.name.rsplit_once('/').ok_or_else(refuse)?;
    let name = name.replace("~1", "/").replace("~0", "~");
    let parent = document.pointer_mut(parent).and_then(serde_json::Value::as_object_mut).ok_or_else(refuse)?;
    parent.insert(name, secret.value.expose_secret().into());
    Ok(document.to_string().into_bytes())
}

fn with_validators(mut http: ClientRequest, validators: &Validators) -> ClientRequest {
    for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            http = http.insert_header((name, value));
        }
    }
    http
}
