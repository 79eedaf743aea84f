//! One profile's fetch actor. It holds the profile packed; when told, it unpacks it, runs the pipeline, puts what comes
//! out into the outbox, and remembers, on disk, what the source said so that the next run can ask whether anything
//! changed. A profile that panics or hangs takes nobody with it.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseActFuture, Supervised, WrapFuture};
use serde::{Deserialize, Serialize};

use super::keep;
use super::outbox::{Outbox, RunOf};
use super::schedule::Reached;
use super::secrets::EnvironmentSecrets;
use crate::domain::batch::Records;
use crate::domain::drift::DriftRule;
use crate::domain::ids::RunId;
use crate::domain::run::{RunReport, RunState};
use crate::pipeline::kept::KeptRuns;
use crate::pipeline::{self, CursorMark, FetchSettings, Fetcher, RunInput, RunOutcome, Sink, SinkError, Validators};
use crate::profiles::{Packed, Profile};
use crate::store::StoreError;

thread_local! {
    // One HTTP client for all fetch actors of a thread: awc's cannot cross threads, and shares its connections.
    static FETCHER: OnceCell<Rc<Fetcher>> = const { OnceCell::new() };
}

fn fetcher(settings: &FetchSettings) -> Rc<Fetcher> {
    FETCHER.with(|cell| Rc::clone(cell.get_or_init(|| Rc::new(Fetcher::new(settings.clone())))))
}

/// What a fetch actor is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) profile: Packed,
    pub(super) outbox: Outbox,
    pub(super) fetch: Arc<FetchSettings>,
    pub(super) kept: Arc<KeptRuns>,
    /// Held for as long as the actor lives.
    pub(super) _alive: Arc<()>,
}

#[derive(Debug)]
pub struct Fetch {
    seed: Seed,
}

/// What is remembered of a profile between runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Note {
    /// Unix milliseconds.
    #[serde(default)]
    pub(super) last_started_ms: Option<i64>,
    /// The source, or its quota, asked for a pause until then.
    #[serde(default)]
    pub(super) not_before_ms: Option<i64>,
    /// What lets the next run ask whether anything changed.
    #[serde(default)]
    validators: Option<Validators>,
    /// Where the last run that read everything stopped. Kept with the records of that run, so it never runs ahead of them.
    #[serde(default)]
    cursor: Option<CursorMark>,
}

impl Note {
    /// What holds for the next run. Where runs are judged before their records count, only what came with records that
    /// are stored: a run that is put aside or fails must be asked for again.
    pub(super) async fn load(outbox: &Outbox, profile: &Profile) -> Self {
        let spool = outbox.spool();
        let found = match profile.plan().drift.then.holds() {
            true => spool.settled_note(profile.id()).await,
            false => spool.note(profile.id()).await,
        };
        match found {
            Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Ok(None) => Self::default(),
            Err(error) => {
                tracing::warn!(profile = %profile.id(), %error, "the last run's note cannot be read");
                Self::default()
            }
        }
    }
}

/// Run once, now.
#[derive(Debug, Message)]
#[rtype(result = "Finished")]
pub(super) struct Go;

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) state: RunState,
    pub(super) not_before_ms: Option<i64>,
    pub(super) reached: Reached,
    pub(super) error: Option<String>,
}

impl Fetch {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed }
    }
}

/// Puts batches into the outbox, one behind: the last one waits for the run's report.
pub(super) struct OutboxSink<'a> {
    outbox: &'a Outbox,
    of: RunOf,
    held: Option<Records>,
    seq: u32,
    begun: RunReport,
}

impl<'a> OutboxSink<'a> {
    /// `begun` is said with every batch but the last.
    pub(super) fn new(outbox: &'a Outbox, of: RunOf, begun: RunReport) -> Self {
        Self { outbox, of, held: None, seq: 0, begun }
    }

    /// Puts the last batch, with the run's report.
    pub(super) async fn end(self, report: &RunReport, note: Option<&str>) -> Result<(), StoreError> {
        let last = self.held.unwrap_or_default();
        self.outbox.put(&self.of, self.seq, &last, report, note).await
    }
}

impl Sink for OutboxSink<'_> {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        let Some(earlier) = self.held.replace(records) else { return Ok(()) };
        let put = self.outbox.put(&self.of, self.seq, &earlier, &self.begun, None).await;
        put.map_err(|error| SinkError(error.to_string()))?;
        self.seq += 1;
        Ok(())
    }
}

async fn run_once(seed: Seed) -> Finished {
    let profile = &seed.profile.unpack();
    // What the spool says now: a batch that was lost meanwhile has taken its note with it.
    let mut note = Note::load(&seed.outbox, profile).await;
    let digest = profile.digest().to_string();
    let started_ms = seed.outbox.now_ms();
    let run_id = uuid::Uuid::now_v7().to_string();
    let run_id = RunId::parse(&run_id).expect("a UUID is printable and short");
    let held = profile.plan().drift.then.holds();
    let of = RunOf { profile_id: profile.id().clone(), run_id, held };

    let validators = note.validators.take();
    let cursor = note.cursor.take();
    let keeper = keep::begin(&seed.kept, profile, &of.run_id, started_ms, cursor.clone()).await;
    let mut sink = OutboxSink::new(&seed.outbox, of, begun(&digest, started_ms));
    let input = RunInput {
        profile,
        validators,
        cursor,
        now_ms: started_ms,
        secrets: &EnvironmentSecrets,
        keeper: keeper.as_ref(),
    };
    let outcome = pipeline::run(&fetcher(&seed.fetch), input, &mut sink).await;

    let rule = profile.plan().drift;
    let report = report(&outcome, &digest, started_ms, seed.outbox.now_ms(), rule);
    note.last_started_ms = Some(started_ms);
    note.not_before_ms = outcome.not_before_ms;
    note.validators = outcome.validators;
    note.cursor = outcome.cursor;
    let text = serde_json::to_string(&note).unwrap_or_default();
    let spooled = sink.end(&report, Some(&text)).await;
    keep::end(&seed.kept, profile, keeper, &report).await;
    log(profile, &report);
    let finished = Finished {
        state: report.state,
        not_before_ms: outcome.not_before_ms,
        reached: reached(&report),
        error: report.error.clone(),
    };
    match spooled {
        Ok(()) => finished,
        Err(error) => {
            tracing::error!(profile = %profile.id(), %error, "a run's last batch could not be spooled; it runs again");
            Finished { state: RunState::Failed, ..finished }
        }
    }
}

/// A run that failed without one byte of an answer says something of the host.
fn reached(report: &RunReport) -> Reached {
    match (report.state, report.requests, report.bytes) {
        (RunState::Failed, 1.., 0) => Reached::No,
        (_, 0, _) => Reached::Unknown,
        _ => Reached::Yes,
    }
}

/// What is said of a run that goes on.
pub(super) fn begun(digest: &str, started_ms: i64) -> RunReport {
    RunReport {
        state: RunState::Running,
        started_ms,
        finished_ms: None,
        profile_digest: Some(digest.to_owned()),
        requests: 0,
        bytes: 0,
        rows: 0,
        dropped: 0,
        error: None,
        replay_of: None,
        rejects: None,
        shape: None,
        drift: None,
    }
}

pub(super) fn report(
    outcome: &RunOutcome,
    digest: &str,
    started_ms: i64,
    finished_ms: i64,
    rule: DriftRule,
) -> RunReport {
    RunReport {
        state: outcome.state,
        started_ms,
        finished_ms: Some(finished_ms.max(started_ms)),
        profile_digest: Some(digest.to_owned()),
        requests: outcome.requests,
        bytes: outcome.bytes,
        rows: outcome.rows,
        dropped: outcome.dropped_rows(),
        error: outcome.error.clone(),
        replay_of: None,
        rejects: (!outcome.rejects.is_empty()).then(|| outcome.rejects.clone()),
        shape: Some(outcome.shape.clone()),
        drift: Some(rule),
    }
}

fn log(profile: &Profile, report: &RunReport) {
    let state = report.state.as_str();
    metrics::counter!("chartly_drone_runs_total", "state" => state).increment(1);
    match &report.error {
        Some(error) => tracing::warn!(profile = %profile.id(), state, error, "run"),
        None => tracing::info!(profile = %profile.id(), state, rows = report.rows, bytes = report.bytes, "run"),
    }
}

impl Actor for Fetch {
    type Context = Context<Self>;
}

impl Supervised for Fetch {}

impl Handler<Go> for Fetch {
    type Result = ResponseActFuture<Self, Finished>;

    fn handle(&mut self, _: Go, _: &mut Self::Context) -> Self::Result {
        Box::pin(run_once(self.seed.clone()).into_actor(self))
    }
}
