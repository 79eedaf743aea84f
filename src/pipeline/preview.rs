//! A look at what a profile gives: the same run as ever, its records kept instead of stored. Knows no store, no
//! schedule.

use secrecy::SecretString;
use url::Url;

use super::fetch::{Asked, FetchSettings, Fetcher, Traffic};
use super::outcome::{RunInput, RunOutcome, Secrets, Sink, SinkError};
use super::request::{Outgoing, shown};
use super::run::run_within;
use crate::domain::batch::Records;
use crate::profiles::Profile;
use crate::profiles::plan::{Limits, Method};

/// What a run gave.
#[derive(Debug)]
pub struct Preview {
    /// The first records, as canonical JSON.
    pub records: Vec<String>,
    pub outcome: RunOutcome,
    /// What was asked, secrets taken out; kept by a fetcher with a journal.
    pub asked: Vec<Asked>,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Records that are kept.
    pub keep: usize,
    /// What the run may cost.
    pub limits: Limits,
}

impl Extent {
    /// All that saved answers give, of which `keep` records are shown.
    pub fn whole(profile: &Profile, keep: usize) -> Self {
        Self { keep, limits: *profile.limits() }
    }

    /// As few requests as `keep` records need: a source is not asked for what nobody looks at.
    pub fn first(profile: &Profile, keep: usize) -> Self {
        let own = *profile.limits();
        let max_records = own.max_records.min(keep.max(1) as u64);
        Self { keep, limits: Limits { max_records, max_requests: own.max_requests.min(MAX_PREVIEW_REQUESTS), ..own } }
    }
}

/// Requests that a preview makes of a source at most.
const MAX_PREVIEW_REQUESTS: u64 = 20;

/// Keeps the first records.
struct Keep {
    records: Vec<String>,
    most: usize,
}

impl Sink for Keep {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        let left = self.most.saturating_sub(self.records.len());
        for (_, text) in records.iter().take(left) {
            self.records.push(String::from_utf8_lossy(text).into_owned());
        }
        Ok(())
    }
}

/// Runs the profile once and keeps what comes out.
pub async fn preview(
    fetcher: &Fetcher,
    profile: &Profile,
    extent: Extent,
    now_ms: i64,
    secrets: &dyn Secrets,
) -> Preview {
    let mut sink = Keep { records: Vec::new(), most: extent.keep };
    let input = RunInput { profile, validators: None, cursor: None, now_ms, secrets };
    let outcome = run_within(fetcher, input, extent.limits, &mut sink).await;
    Preview { records: sink.records, outcome, asked: fetcher.take_asked() }
}

/// Where no secret is known.
#[derive(Debug)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn get(&self, _: &str) -> Option<SecretString> {
        None
    }
}

/// Something in the place of every secret, for requests that are not sent.
#[derive(Debug)]
pub struct StandIns;

impl Secrets for StandIns {
    fn get(&self, name: &str) -> Option<SecretString> {
        Some(format!("stand-in-for-{name}").into())
    }
}

/// Fetches one address once: the body, and whether its `Link` header names a next page.
pub async fn look(settings: FetchSettings, url: &str) -> Result<(Vec<u8>, bool), String> {
    const MAX_BYTES: u64 = 16 << 20;
    let url = Url::parse(url).map_err(|error| format!("{url:?} is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{url} is neither http nor https"));
    }
    let request = Outgoing {
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: None,
        secret: None,
        hidden: Vec::new(),
        home_only: false,
    };
    let mut traffic = Traffic { requests: 0, bytes: 0, max_requests: 6, max_bytes: MAX_BYTES };
    let fetcher = Fetcher::new(settings);
    let fetched = fetcher.fetch(&request, None, None, Limits::DEFAULT.timeout, &mut traffic).await;
    let place = shown(&request.url);
    let answer = fetched.map_err(|error| format!("{place}: {error}"))?;
    if !(200..300).contains(&answer.status) {
        return Err(format!("{place} answers {}: {:?}", answer.status, answer.excerpt()));
    }
    let has_next = answer.next_link.is_some();
    Ok((answer.body, has_next))
}
