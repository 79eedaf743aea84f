//! The replayer: reads kept answers again by a mended version of their profile, one run after the other, the oldest
//! first. What comes out goes the way of every run, marked as a replay; schedule, cursor and validators stay as they
//! are. A replay has the same id however often it is begun, so one that was cut off is taken up without a trace.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, Supervised, WrapFuture};

use super::fetch::{OutboxSink, begun, report};
use super::keep::aside;
use super::outbox::{Outbox, RunOf};
use crate::clients::ControlPlane;
use crate::domain::ids::RunId;
use crate::domain::run::RunReport;
use crate::pipeline::FetchSettings;
use crate::pipeline::kept::{KeptFile, KeptRun, KeptRuns, RunFilter};
use crate::pipeline::replay::replay;
use crate::profiles::{self, Profile};
use crate::protocol::coordinator::{ReplayOf, ReplayRequest};
use crate::protocol::fault::Retry;
use crate::runtime::Periodic;

/// How often kept runs are looked at for their age.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// A replay comes this far behind its run at most; the shortest interval of a profile is a second.
const MAX_BEHIND_MS: i64 = 999;
/// Pause before the control plane, or a full spool, is tried again.
const PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// What the replayer is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) outbox: Outbox,
    pub(super) control_plane: ControlPlane,
    pub(super) kept: Arc<KeptRuns>,
    pub(super) fetch: Arc<FetchSettings>,
    /// While more waits in the spool, replays wait: they must not push out what was fetched.
    pub(super) max_waiting_bytes: u64,
}

#[derive(Debug)]
pub struct Replayer {
    seed: Seed,
    waiting: VecDeque<ReplayRequest>,
    at_work: Option<i64>,
    /// Requests that were carried out; kept until the coordinator no longer lists them.
    done: Vec<i64>,
}

/// All replays that this drone is asked for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Replays(pub(super) Vec<ReplayRequest>);

/// Which requests were carried out.
#[derive(Debug, Message)]
#[rtype(result = "Vec<i64>")]
pub(super) struct GetDone;

impl Replayer {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, waiting: VecDeque::new(), at_work: None, done: Vec::new() }
    }

    fn take_next(&mut self, context: &mut Context<Self>) {
        if self.at_work.is_some() {
            return;
        }
        let Some(request) = self.waiting.pop_front() else { return };
        self.at_work = Some(request.request_id);
        let work = carry_out(self.seed.clone(), request);
        context.spawn(work.into_actor(self).map(|(), actor, later| {
            actor.done.extend(actor.at_work.take());
            actor.take_next(later);
        }));
    }
}

impl Actor for Replayer {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Periodic::every(SWEEP_EVERY).at_once().run_in(context, |actor, _| {
            let (kept, now_ms) = (Arc::clone(&actor.seed.kept), actor.seed.outbox.now_ms());
            let sweep = aside(move || kept.sweep(now_ms));
            Box::pin(sweep.into_actor(actor))
        });
        self.take_next(context);
    }
}

impl Supervised for Replayer {
    /// What crashed answers its request: it will not be better for being done again.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.done.extend(self.at_work.take());
    }
}

impl Handler<Replays> for Replayer {
    type Result = ();

    fn handle(&mut self, Replays(asked): Replays, context: &mut Self::Context) {
        self.done.retain(|id| asked.iter().any(|request| request.request_id == *id));
        let known = |request: &ReplayRequest| {
            self.at_work == Some(request.request_id) || self.done.contains(&request.request_id)
        };
        self.waiting = asked.into_iter().filter(|request| !known(request)).collect();
        self.take_next(context);
    }
}

impl Handler<GetDone> for Replayer {
    type Result = MessageResult<GetDone>;

    fn handle(&mut self, _: GetDone, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.done.clone())
    }
}

async fn carry_out(seed: Seed, request: ReplayRequest) {
    let ReplayRequest { request_id, profile_id, of, .. } = &request;
    let ReplayOf { since_ms, until_ms, run_id } = of.clone();
    let (kept, id) = (Arc::clone(&seed.kept), profile_id.clone());
    let files = aside(move || kept.runs(&id, &RunFilter { since_ms, until_ms, run_id })).await;
    if files.is_empty() {
        tracing::info!(profile = %profile_id, request_id, "a replay is asked for, and no answers are kept here");
        return;
    }
    let Some(profile) = version(&seed, &request).await else { return };
    tracing::info!(profile = %profile_id, request_id, runs = files.len(), "replaying kept answers");
    for file in files {
        replay_one(&seed, &profile, *request_id, file).await;
    }
}

/// The version that was asked for. While the control plane is away, the replay waits.
async fn version(seed: &Seed, request: &ReplayRequest) -> Option<Profile> {
    let mut pause = PAUSE;
    let text = loop {
        match seed.control_plane.profile(&request.profile_id, &request.digest).await {
            Ok(text) => break text,
            Err(fault) if fault.code.retry() == Retry::Never => {
                tracing::error!(profile = %request.profile_id, %fault, "a replay's version cannot be had; it is left out");
                return None;
            }
            Err(fault) => tracing::warn!(profile = %request.profile_id, %fault, "a replay waits for its version"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    };
    let loaded = profiles::load(&text);
    loaded.inspect_err(|problems| tracing::error!(%problems, "this drone cannot read the profile")).ok()
}

async fn replay_one(seed: &Seed, profile: &Profile, request_id: i64, file: KeptFile) {
    let path = file.path.clone();
    let kept = match aside(move || KeptRun::open(&path)).await {
        Ok(kept) => Arc::new(kept),
        Err(torn) => {
            count("torn");
            tracing::error!(profile = %profile.id(), %torn, "a kept run cannot be read; it is left out");
            return;
        }
    };
    let head = kept.head().clone();
    let Ok(run_id) = RunId::parse(&format!("replay-{request_id}-{}", head.run_id)) else { return };
    wait_for_room(seed).await;
    // The source was asked then, not now: behind the run whose answers these are and behind earlier replays of it,
    // before all later runs.
    let behind_ms = request_id.clamp(1, MAX_BEHIND_MS);
    let (started_ms, finished_ms) = (head.started_ms.saturating_add(behind_ms), kept.end().finished_ms);
    let digest = profile.digest().to_string();
    let begun = RunReport { replay_of: Some(head.run_id.clone()), ..begun(&digest, started_ms) };
    let mut sink =
        OutboxSink::new(&seed.outbox, RunOf { profile_id: profile.id().clone(), run_id, held: false }, begun);
    let outcome = replay(&seed.fetch, kept, profile, &mut sink).await;
    let report = RunReport {
        replay_of: Some(head.run_id),
        // The source was not asked.
        requests: 0,
        // What was asked long ago is not compared with what is asked today.
        shape: None,
        drift: None,
        ..report(&outcome, &digest, started_ms, finished_ms, profile.plan().drift)
    };
    count(report.state.as_str());
    if let Err(error) = sink.end(&report, None).await {
        tracing::error!(profile = %profile.id(), %error, "a replay's last batch could not be spooled");
    }
}

/// Waits until the uplink has caught up.
async fn wait_for_room(seed: &Seed) {
    while seed.outbox.spool().stats().await.is_ok_and(|spool| spool.bytes > seed.max_waiting_bytes) {
        tokio::time::sleep(PAUSE).await;
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("chartly_drone_replays_total", "outcome" => outcome).increment(1);
}
