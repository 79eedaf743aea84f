//! One run: pages inside windows inside parameter sets, within the limits of its profile.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::cursor::{self, CursorMark};
use super::decode::{self, Document};
use super::fetch::{Answer, FetchError, Fetcher, Traffic};
use super::fields::Tally;
use super::json::sniff::{self, SniffError};
use super::outbox::Outbox;
use super::outcome::{RunInput, RunOutcome, Sink, Validators};
use super::page::{self, Given, Page, PageError, PageResult, Verdict};
use super::paging::{NextPage, Pager, Param, with_fragment};
use super::request::{self, Filling, Outgoing, shown};
use super::window::Windows;
use crate::domain::digest::Digest;
use crate::domain::run::RunState;
use crate::profiles::plan::{Limits, Mapping, MappingPlan, Plan, Scalar, Until};

/// Runs a profile once. Never panics on what a source answers; the outcome says what happened. What the sink has
/// accepted is right whatever comes after.
pub async fn run(fetcher: &Fetcher, input: RunInput<'_>, sink: &mut impl Sink) -> RunOutcome {
    let limits = *input.profile.limits();
    run_within(fetcher, input, limits, sink).await
}

/// [`run`] within other limits than the profile's own.
pub async fn run_within(fetcher: &Fetcher, input: RunInput<'_>, limits: Limits, sink: &mut impl Sink) -> RunOutcome {
    let mut run = Run::new(fetcher, &input, limits);
    let end = match run.all(sink).await {
        Ok(()) => run.flush(sink).await.err(),
        Err(end @ End::Limit(_)) => run.flush(sink).await.err().or(Some(end)),
        Err(End::Failed { message, not_before_ms }) => {
            // The pages before count.
            let _ = run.flush(sink).await;
            Some(End::Failed { message, not_before_ms })
        }
        Err(End::Unchanged) => Some(End::Unchanged),
    };
    run.outcome(end)
}

/// Why a run ends before all is read.
#[derive(Debug)]
enum End {
    Unchanged,
    /// A limit, in words.
    Limit(String),
    Failed {
        message: String,
        not_before_ms: Option<i64>,
    },
}

impl End {
    fn failed(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), not_before_ms: None }
    }
}

type Flow<T> = Result<T, End>;

/// What came up in one list of pages, to see when paging does not move on.
#[derive(Default)]
struct Chain {
    /// Requests, by what they ask.
    asked: HashSet<[u8; 16]>,
    /// Bodies with rows.
    bodies: HashSet<u128>,
}

struct Run<'r> {
    fetcher: &'r Fetcher,
    input: &'r RunInput<'r>,
    plan: &'r Plan,
    limits: Limits,
    mapping: Option<Arc<Mapping>>,
    /// The mapping is the profile's own, or was found at an answer with rows: an empty one tells no shape.
    mapping_is_known: bool,
    began: Instant,
    outbox: Outbox,
    tally: Tally,
    traffic: Traffic,
    pages: u64,
    rows: u64,
    records: u64,
    duplicates: u64,
    validators: Option<Validators>,
    /// Where the cursor stands at the start, and the largest value seen.
    cursor_start: Option<i64>,
    cursor_seen: Option<i64>,
}

impl<'r> Run<'r> {
    fn new(fetcher: &'r Fetcher, input: &'r RunInput<'r>, limits: Limits) -> Self {
        let plan = input.profile.plan();
        let mapping = match &plan.mapping {
            MappingPlan::Ready(mapping) => Some(Arc::clone(mapping)),
            MappingPlan::ByShape(_) => None,
        };
        let traffic = Traffic { requests: 0, bytes: 0, max_requests: limits.max_requests, max_bytes: limits.max_bytes };
        Self {
            fetcher,
            input,
            plan,
            limits,
            mapping_is_known: mapping.is_some(),
            mapping,
            began: Instant::now(),
            outbox: Outbox::new(&plan.duplicates),
            tally: Tally::default(),
            traffic,
            pages: 0,
            rows: 0,
            records: 0,
            duplicates: 0,
            validators: None,
            cursor_start: plan.cursor.as_ref().and_then(|plan| cursor::start(plan, input.cursor.as_ref())),
            cursor_seen: None,
        }
    }

    fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.input.now_ms.saturating_add(passed)
    }

    async fn all(&mut self, sink: &mut impl Sink) -> Flow<()> {
        let plan = self.plan;
        for values in &plan.sets {
            match &plan.window {
                None => self.list(values, None, sink).await?,
                Some(window) => {
                    for bounds in Windows::new(window, self.input.now_ms) {
                        self.list(values, Some(bounds), sink).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the whole run is one request, which may then be asked with "has it changed?".
    fn is_single(&self) -> bool {
        self.plan.sets.len() == 1 && self.plan.window.is_none() && self.plan.paging.is_none()
    }

    /// All pages of one parameter set and window.
    async fn list(&mut self, values: &[Scalar], window: Option<(i64, i64)>, sink: &mut impl Sink) -> Flow<()> {
        let given = Given::new(values, window);
        let cursor = self.plan.cursor.as_ref().zip(self.cursor_start);
        let filling = Filling { params: &self.plan.params, values, window, cursor, now_ms: self.input.now_ms };
        let build =
            |paging: &[Param]| request::build(self.plan, filling, paging, self.input.secrets).map_err(End::failed);
        let mut pager = Pager::new(self.plan.paging.as_ref());
        let first = build(&pager.first())?;
        let mut request = first.clone();
        let mut chain = Chain::default();
        loop {
            let page = self.page(&request, &given, &mut chain).await?;
            self.send(sink).await?;
            if page.limited {
                return Err(End::Limit(format!("max_records ({})", self.limits.max_records)));
            }
            let until = self.mapping.as_ref().map_or(&Until::NoNext, |mapping| &mapping.stop.until);
            let Some(next) = pager.advance(&page.facts, until) else { return Ok(()) };
            if self.pages >= self.limits.max_pages {
                return Err(End::Limit(format!("max_pages ({})", self.limits.max_pages)));
            }
            request = match next {
                NextPage::Params(params) => {
                    request::build(self.plan, filling, &params, self.input.secrets).map_err(End::failed)?
                }
                NextPage::Fragment(fragment) => Outgoing { url: with_fragment(&first.url, &fragment), ..first.clone() },
                NextPage::Wrong(next) => {
                    let next: String = next.chars().take(80).collect();
                    return Err(End::failed(
                        first.redact(&format!("the next page should be an object of parameters, found {next:?}")),
                    ));
                }
                NextPage::Link(link) => self.follow(&request, &first, &link)?,
            };
        }
    }

    /// The request behind a link of the answer. It stays on the source's host.
    fn follow(&self, from: &Outgoing, first: &Outgoing, link: &str) -> Flow<Outgoing> {
        let refuse = |why: &str| End::failed(first.redact(&format!("the next page is {why}")));
        let Some(mut url) = self.fetcher.link(&from.url, link) else {
            return Err(refuse(&format!("at {link:?}, which is not an address")));
        };
        if url.host() != first.url.host() {
            return Err(refuse(&format!("on another host ({}); it is not followed", shown(&url))));
        }
        if url.scheme() == "http" && first.url.scheme() == "https" && url.set_scheme("https").is_err() {
            return Err(refuse("not reached by https"));
        }
        if url.origin() != first.url.origin() {
            return Err(refuse(&format!("on another port ({}); it is not followed", shown(&url))));
        }
        Ok(Outgoing { url, ..first.clone() })
    }

    /// Fetches a page until it counts, or fails.
    async fn page(&mut self, request: &Outgoing, given: &Given, chain: &mut Chain) -> Flow<PageResult> {
        let digest = request.digest();
        if !chain.asked.insert(digest.key()) {
            let message =
                format!("the request to {} came up twice in one run; paging does not move on", shown(&request.url));
            return Err(End::failed(message));
        }
        let validators = self.usable_validators(&digest);
        let attempts = self.fetcher.settings().max_attempts.max(1);
        let mut attempt = 1;
        loop {
            self.check_time(Duration::ZERO)?;
            let (reason, pause) = match self.attempt(request, validators.as_ref(), given, chain).await {
                Ok(page) => return Ok(page),
                Err(Trouble::End(End::Failed { message, not_before_ms })) => {
                    let message = self.in_words(request, &message, 1);
                    return Err(End::Failed { message, not_before_ms });
                }
                Err(Trouble::End(end)) => return Err(end),
                Err(Trouble::Again { reason, pause }) => (reason, pause),
            };
            let max_pause = self.fetcher.settings().max_pause;
            if attempt >= attempts || pause.is_some_and(|pause| pause > max_pause) {
                let not_before_ms = pause.map(|pause| self.now_ms().saturating_add(millis(pause)));
                return Err(End::Failed { message: self.in_words(request, &reason, attempt), not_before_ms });
            }
            let pause = pause.unwrap_or_default() + self.backoff(attempt);
            self.check_time(pause)?;
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    fn in_words(&self, request: &Outgoing, reason: &str, attempts: u32) -> String {
        let tries = if attempts > 1 { format!(" ({attempts} tries)") } else { String::new() };
        request.redact(&format!("{}: {reason}{tries}", shown(&request.url)))
    }

    /// Full jitter: random up to a bound that doubles.
    fn backoff(&self, attempt: u32) -> Duration {
        let settings = self.fetcher.settings();
        let bound = settings.retry_base.saturating_mul(1 << attempt.min(16).saturating_sub(1)).min(settings.max_pause);
        bound.mul_f64(rand::rng().random::<f64>())
    }

    fn check_time(&self, pause: Duration) -> Flow<()> {
        let max_run = self.fetcher.settings().max_run;
        if self.began.elapsed() + pause > max_run {
            return Err(End::Limit(format!("the time of a run ({max_run:?})")));
        }
        Ok(())
    }

    /// The validators of the last run, where they are of this request and this version of the profile.
    fn usable_validators(&self, request: &Digest) -> Option<Validators> {
        let own = self.validator_digest(request);
        self.input.validators.clone().filter(|validators| self.is_single() && validators.request == own)
    }

    fn validator_digest(&self, request: &Digest) -> Digest {
        Digest::of(&[self.input.profile.digest().as_bytes().as_slice(), request.as_bytes()].concat())
    }

    /// One try.
    async fn attempt(
        &mut self,
        request: &Outgoing,
        validators: Option<&Validators>,
        given: &Given,
        chain: &mut Chain,
    ) -> Result<PageResult, Trouble> {
        let agent = self.plan.request.user_agent.as_deref();
        let timeout = self.limits.timeout;
        let fetched = self.fetcher.fetch(request, agent, validators, timeout, &mut self.traffic).await;
        let answer = fetched.map_err(|error| self.trouble(error))?;
        match page::judge(&answer, self.plan, validators.is_some(), self.now_ms()) {
            Verdict::Good => {}
            Verdict::Empty => {
                return Ok(PageResult::default());
            }
            Verdict::Unchanged => {
                self.validators = validators.cloned();
                return Err(Trouble::End(End::Unchanged));
            }
            Verdict::Again { reason, pause } => return Err(Trouble::Again { reason, pause }),
            Verdict::Failed(message) => return Err(Trouble::End(End::failed(message))),
        }
        let page = self.map(&answer, given, chain).await?;
        self.keep_validators(request, &answer);
        Ok(page)
    }

    fn trouble(&self, error: FetchError) -> Trouble {
        let limits = &self.limits;
        match error {
            FetchError::Broken(reason) => Trouble::Again { reason, pause: None },
            FetchError::Refused(message) => Trouble::End(End::failed(message)),
            FetchError::TooLarge => Trouble::End(End::Limit(format!("max_bytes ({})", limits.max_bytes))),
            FetchError::AllPlayed => Trouble::End(End::Limit("of the saved answers".into())),
            FetchError::NoRequests => Trouble::End(End::Limit(format!("max_requests ({})", limits.max_requests))),
        }
    }

    fn keep_validators(&mut self, request: &Outgoing, answer: &Answer) {
        if self.is_single() && (answer.etag.is_some() || answer.last_modified.is_some()) {
            self.validators = Some(Validators {
                request: self.validator_digest(&request.digest()),
                etag: answer.etag.clone(),
                last_modified: answer.last_modified.clone(),
            });
        }
    }

    /// Decodes an answer and settles its records, or forgets them.
    async fn map(&mut self, answer: &Answer, given: &Given, chain: &mut Chain) -> Result<PageResult, Trouble> {
        let bytes = self.unpack(answer)?;
        let document = decode::decode(&bytes, &self.plan.decoding.format)?;
        let mapping = self.mapping_for(&document)?;
        let left = self.limits.max_records.saturating_sub(self.records);
        let input = Page {
            document: &document,
            mapping: &mapping,
            given,
            headers: &answer.headers,
            cursor: self.plan.cursor.as_ref(),
        };
        self.outbox.begin();
        let mapped = page::map_rows(&input, &mut self.outbox, left).await;
        let fresh = xxhash_rust::xxh3::xxh3_128(&answer.body);
        let mut page = match mapped {
            Ok(result) if result.rows == 0 || chain.bodies.insert(fresh) => result,
            Ok(_) => {
                self.outbox.forget();
                let message = "the same answer came for two pages; paging does not move on";
                return Err(Trouble::End(End::failed(message)));
            }
            Err(error) => {
                self.outbox.forget();
                return Err(self.of_page(error));
            }
        };
        page.facts.link.clone_from(&answer.next_link);
        let (records, duplicates) = self.outbox.settle();
        self.records += records;
        self.duplicates += duplicates;
        self.rows += page.rows;
        self.mapping_is_known |= page.rows > 0;
        self.cursor_seen = self.cursor_seen.max(page.cursor);
        self.pages += 1;
        self.tally.merge(std::mem::take(&mut page.tally));
        Ok(page)
    }

    /// Unpacks a file; what comes out counts as bytes of the run.
    fn unpack<'b>(&mut self, answer: &'b Answer) -> Result<Cow<'b, [u8]>, Trouble> {
        let left = self.traffic.max_bytes.saturating_sub(self.traffic.bytes);
        let bytes = decode::unpack(&answer.body, &self.plan.decoding, left).map_err(|error| self.of_page(error))?;
        if let Cow::Owned(bytes) = &bytes {
            self.traffic.bytes += bytes.len() as u64;
        }
        Ok(bytes)
    }

    fn of_page(&self, error: PageError) -> Trouble {
        match error {
            PageError::TooLarge => self.trouble(FetchError::TooLarge),
            other => other.into(),
        }
    }

    fn mapping_for(&mut self, document: &Document<'_>) -> Result<Arc<Mapping>, Trouble> {
        if let Some(mapping) = self.mapping.as_ref().filter(|_| self.mapping_is_known) {
            return Ok(Arc::clone(mapping));
        }
        let Document::Json(text) = document else {
            return Err(Trouble::End(End::failed("the profile does not say where the rows are")));
        };
        let profile = self.input.profile;
        let found = sniff::find(text, &profile.open_paths()).map_err(|error| match error {
            SniffError::Json(error) => page::not_json(text, error).into(),
            SniffError::Unclear(message) => {
                let head = super::fetch::excerpt(text.as_bytes());
                Trouble::End(End::failed(format!("{message}; the answer begins {head:?}")))
            }
        })?;
        let mapping = profile.mapping_for(&found).map_err(|message| Trouble::End(End::failed(message)))?;
        self.mapping = Some(Arc::clone(&mapping));
        Ok(mapping)
    }

    async fn send(&mut self, sink: &mut impl Sink) -> Flow<()> {
        for batch in self.outbox.take_full() {
            sink.accept(batch).await.map_err(|error| End::failed(format!("the records were not taken: {error}")))?;
        }
        Ok(())
    }

    async fn flush(&mut self, sink: &mut impl Sink) -> Flow<()> {
        self.send(sink).await?;
        if let Some(batch) = self.outbox.take_open() {
            sink.accept(batch).await.map_err(|error| End::failed(format!("the records were not taken: {error}")))?;
        }
        Ok(())
    }

    /// Where the next run goes on: moved only by a run that read everything.
    fn cursor_mark(&self, whole: bool) -> Option<CursorMark> {
        let plan = self.plan.cursor.as_ref()?;
        let before = self.input.cursor.as_ref().filter(|mark| mark.of == plan.digest).map(|mark| mark.value);
        let seen = if whole { self.cursor_seen } else { None };
        before.max(seen).map(|value| CursorMark { of: plan.digest, value })
    }

    fn outcome(self, end: Option<End>) -> RunOutcome {
        let (state, error, not_before_ms) = match end {
            None => (RunState::Succeeded, None, None),
            Some(End::Unchanged) => (RunState::Unchanged, None, None),
            Some(End::Limit(limit)) => (RunState::Partial, Some(format!("stopped at the limit {limit}")), None),
            Some(End::Failed { message, not_before_ms }) => (RunState::Failed, Some(message), not_before_ms),
        };
        let whole = matches!(state, RunState::Succeeded | RunState::Unchanged);
        let cursor = self.cursor_mark(state == RunState::Succeeded);
        let (dropped, unread, notes) = self.tally.into_parts();
        RunOutcome {
            state,
            error,
            requests: self.traffic.requests,
            bytes: self.traffic.bytes,
            rows: self.rows,
            duplicates: self.duplicates,
            records: self.records,
            dropped,
            unread,
            notes,
            cursor,
            validators: self.validators.filter(|_| whole),
            not_before_ms,
        }
    }
}

/// What stopped one try.
enum Trouble {
    Again { reason: String, pause: Option<Duration> },
    End(End),
}

impl From<PageError> for Trouble {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Broken(reason) => Self::Again { reason, pause: None },
            PageError::Failed(message) => Self::End(End::failed(message)),
            PageError::TooLarge => Self::End(End::Limit("max_bytes".into())),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
