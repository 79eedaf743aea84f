//! One run: pages inside windows inside parameter sets, within the limits of its profile.

mod attempts;
mod first;
mod listing;
mod mapping;
mod politeness;
mod signing;

use std::sync::Arc;

use secrecy::SecretString;
use tokio::time::Instant;

use super::cursor::{self, CursorMark};
use super::fetch::{Fetcher, Traffic};
use super::fields::Tally;
use super::outbox::Outbox;
use super::outcome::{Dropped, RunInput, RunOutcome, Sink, Validators};
use super::request::{instant, redact};
use super::window::Windows;
use crate::domain::run::RunState;
use crate::profiles::plan::{Limits, Mapping, MappingPlan, Plan, Scalar};

/// Runs a profile once. Never panics on what a source answers; the outcome says what happened. What the sink has
/// accepted is right whatever comes after.
pub async fn run(fetcher: &Fetcher, input: RunInput<'_>, sink: &mut impl Sink) -> RunOutcome {
    let limits = *input.profile.limits();
    run_within(fetcher, input, limits, sink).await
}

/// [`run`] within other limits than the profile's own.
pub async fn run_within(fetcher: &Fetcher, input: RunInput<'_>, limits: Limits, sink: &mut impl Sink) -> RunOutcome {
    let mut run = Run::new(fetcher, &input, input.profile.plan(), limits);
    let end = match run.all(sink).await {
        Ok(()) => run.flush(sink).await.err(),
        Err(end @ (End::Limit(_) | End::Quota { .. } | End::NotKept(_))) => run.flush(sink).await.err().or(Some(end)),
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
    /// The quota of the source is used up until then.
    Quota {
        requests: u64,
        until_ms: i64,
    },
    /// A replayed run was not asked this.
    NotKept(String),
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

impl NotKept {
    /// How the run ends for its sake.
    fn end(&self) -> Flow<()> {
        let Some(first) = &self.first else { return Ok(()) };
        let requests = self.requests;
        Err(End::NotKept(format!("{requests} of its requests have no kept answer; the first: {first}")))
    }
}

type Flow<T> = Result<T, End>;

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
    /// The earliest next poll that an answer names, Unix milliseconds.
    next_poll_ms: Option<i64>,
    /// Tokens and secrets that the run has used.
    hidden: Vec<SecretString>,
    not_kept: NotKept,
}

/// What a replay would have asked and cannot.
#[derive(Debug, Default)]
struct NotKept {
    requests: u64,
    first: Option<String>,
}

impl<'r> Run<'r> {
    /// `plan` is that of the profile, or of the list which it asks for first.
    fn new(fetcher: &'r Fetcher, input: &'r RunInput<'r>, plan: &'r Plan, limits: Limits) -> Self {
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
            next_poll_ms: None,
            hidden: Vec::new(),
            not_kept: NotKept::default(),
        }
    }

    fn now_ms(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.input.now_ms.saturating_add(passed)
    }

    async fn all(&mut self, sink: &mut impl Sink) -> Flow<()> {
        let plan = self.plan;
        for values in &plan.sets {
            let Some(first) = &plan.first else {
                self.windows(values, sink).await?;
                continue;
            };
            let items = self.items(first, values).await;
            for item in self.unless_missing(items)?.unwrap_or_default() {
                self.windows(&item, sink).await?;
            }
        }
        self.not_kept.end()
    }

    /// What was read; `None` where a replay lacks an answer to it. It goes on with the next list.
    fn unless_missing<T>(&mut self, read: Flow<T>) -> Flow<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(End::NotKept(request)) => {
                self.not_kept.requests += 1;
                self.not_kept.first.get_or_insert(request);
                Ok(None)
            }
            Err(end) => Err(end),
        }
    }

    /// All windows of one parameter set.
    async fn windows(&mut self, values: &[Scalar], sink: &mut impl Sink) -> Flow<()> {
        let Some(window) = &self.plan.window else {
            let read = self.list(values, None, sink).await;
            return self.unless_missing(read).map(|_| ());
        };
        for bounds in Windows::new(window, self.input.now_ms) {
            let read = self.list(values, Some(bounds), sink).await;
            self.unless_missing(read)?;
        }
        Ok(())
    }

    /// Whether the whole run is one list, whose only answer may then be asked for with "has it changed?".
    fn is_single(&self) -> bool {
        let plan = self.plan;
        let alone = std::ptr::eq(plan, self.input.profile.plan()) && plan.first.is_none();
        alone && plan.sets.len() == 1 && plan.window.is_none()
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
            None => (RunState::Succeeded, None, self.next_poll_ms),
            Some(End::Unchanged) => (RunState::Unchanged, None, self.next_poll_ms),
            Some(End::NotKept(message)) => (RunState::Partial, Some(message), None),
            Some(End::Limit(limit)) => (RunState::Partial, Some(format!("stopped at the limit {limit}")), None),
            Some(End::Quota { requests, until_ms }) => {
                let until = instant(until_ms, None);
                let error = format!("stopped at the quota of {requests} requests; it begins anew at {until}");
                (RunState::Partial, Some(error), Some(until_ms))
            }
            Some(End::Failed { message, not_before_ms }) => (RunState::Failed, Some(message), not_before_ms),
        };
        let whole = matches!(state, RunState::Succeeded | RunState::Unchanged);
        let cursor = self.cursor_mark(state == RunState::Succeeded);
        let hidden = self.hidden;
        let shown = |text: String| redact(hidden.iter(), &text);
        let shown_all = |list: Vec<Dropped>| {
            let one = |loss: Dropped| Dropped { example: loss.example.map(shown), reason: shown(loss.reason), ..loss };
            list.into_iter().map(one).collect()
        };
        let fields = self.mapping.as_ref().map_or(&[][..], |mapping| &mapping.record.fields);
        let shape = self.tally.shape(fields, self.rows);
        let (dropped, unread, notes, rejects) = self.tally.into_parts();
        RunOutcome {
            state,
            error: error.map(shown),
            requests: self.traffic.requests,
            bytes: self.traffic.bytes,
            rows: self.rows,
            duplicates: self.duplicates,
            records: self.records,
            dropped: shown_all(dropped),
            unread: shown_all(unread),
            notes: shown_all(notes),
            rejects: rejects.redacted(shown),
            shape,
            cursor,
            validators: self.validators.filter(|_| whole),
            not_before_ms,
        }
    }
}
