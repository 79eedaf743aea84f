//! The scheduler: holds one fetch actor for each assigned profile and tells each when to run. When is `schedule`'s
//! matter; a run that crashed or hung counts as a failed one and backs off alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, MessageResult, ResponseActFuture, Supervised,
    WrapFuture,
};

use super::fetch::{self, Fetch, Finished, Go, Note};
use super::outbox::Outbox;
use super::schedule::{Ended, Pace, Reached, Schedule};
use super::status::{LastRun, ProfileStatus};
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::domain::run::RunState;
use crate::pipeline::FetchSettings;
use crate::pipeline::kept::KeptRuns;
use crate::profiles::Packed;
use crate::protocol::coordinator::RunRequest;
use crate::runtime::{AskError, Clock, Handle, OnGiveUp, Periodic, Place, Policy, Root};

/// How exactly due times are met.
const TICK: Duration = Duration::from_millis(100);
/// No run takes longer than this, whatever its profile allows; then it counts as failed.
const MAX_RUN: Duration = Duration::from_secs(6 * 3_600);
/// A fetch actor that was given up is started anew after this long.
const REVIVE_AFTER_MS: i64 = 300_000;

/// What the scheduler is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) root: Root,
    pub(super) place: Place,
    pub(super) outbox: Outbox,
    pub(super) fetch: Arc<FetchSettings>,
    pub(super) kept: Arc<KeptRuns>,
    pub(super) max_concurrency: usize,
    pub(super) clock: Clock,
    /// Held by every fetch actor: whoever stops the drone sees when all of them have ended.
    pub(super) alive: Arc<()>,
    /// Runs that ask one host at the same time.
    pub(super) max_per_host: usize,
    /// No profile runs more often than this.
    pub(super) min_interval_ms: i64,
}

/// A profile's actor.
#[derive(Debug)]
struct Fetcher {
    profile: Packed,
    handle: Handle<Fetch>,
    last: Option<LastRun>,
}

#[derive(Debug)]
pub struct Scheduler {
    seed: Seed,
    schedule: Schedule,
    fetchers: BTreeMap<ProfileId, Fetcher>,
    /// Run-now requests that each run in progress answers.
    answering: BTreeMap<ProfileId, Vec<i64>>,
    /// No longer assigned, but still running: they go when their run ends, so that none ever runs twice at once.
    leaving: BTreeSet<ProfileId>,
    /// Requests whose run has ended and is in the spool; kept until the coordinator no longer lists them.
    done_requests: Vec<i64>,
}

/// What is remembered of a profile's last run.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    /// When it started.
    last_ms: Option<i64>,
    /// Until when the source asked for a pause.
    not_before_ms: Option<i64>,
}

/// All that the drone should do from now on.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Apply {
    pub(super) profiles: Vec<Packed>,
    pub(super) run_now: Vec<RunRequest>,
}

/// What the session reports upwards.
#[derive(Debug, Message)]
#[rtype(result = "Load")]
pub(super) struct GetLoad;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load {
    pub(super) profiles: usize,
    pub(super) running: usize,
    pub(super) done_requests: Vec<i64>,
}

/// What is planned, for people.
#[derive(Debug, Message)]
#[rtype(result = "Plans")]
pub(super) struct GetPlans;

#[derive(Debug)]
pub(super) struct Plans {
    pub(super) now_ms: i64,
    pub(super) hosts_shut: usize,
    pub(super) profiles: Vec<ProfileStatus>,
}

/// Which versions it holds, so that the session fetches only what is new.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Packed>")]
pub(super) struct GetProfiles;

impl Scheduler {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            schedule: Schedule::new(seed.max_per_host),
            seed,
            fetchers: BTreeMap::new(),
            answering: BTreeMap::new(),
            leaving: BTreeSet::new(),
            done_requests: Vec::new(),
        }
    }

    /// Starts an actor for a profile.
    fn take_on(&mut self, packed: Packed, past: Past) {
        let (id, profile) = (packed.id().clone(), packed.unpack());
        let pace = Pace::new(profile.timing(), self.seed.min_interval_ms);
        // Where only the run knows whom it asks, it stands for itself.
        let host = Some(profile.host()).filter(|host| !host.is_empty()).unwrap_or(id.as_str()).to_owned();
        let handle = self.start_fetch(&packed);
        let last = self.fetchers.remove(&id).and_then(|before| before.last);
        self.fetchers.insert(id.clone(), Fetcher { profile: packed, handle, last });
        let now_ms = self.seed.clock.now_ms();
        self.schedule.put(&id, pace, &host, past.last_ms, now_ms, rand::random());
        if let Some(until_ms) = past.not_before_ms {
            self.schedule.postpone(&id, until_ms, now_ms);
        }
    }

    fn start_fetch(&self, profile: &Packed) -> Handle<Fetch> {
        let seed = fetch::Seed {
            profile: profile.clone(),
            outbox: self.seed.outbox.clone(),
            fetch: Arc::clone(&self.seed.fetch),
            kept: Arc::clone(&self.seed.kept),
            _alive: Arc::clone(&self.seed.alive),
        };
        let policy = Policy { mailbox: 2, on_give_up: OnGiveUp::Contain, ..Policy::default() };
        self.seed.root.start(&self.seed.place, format!("fetch/{}", profile.id()), policy, move || Fetch::new(seed))
    }

    /// Lets go of what is no longer assigned, once its run in progress has ended.
    fn let_go(&mut self, wanted: &BTreeMap<ProfileId, Digest>) {
        let gone: Vec<_> = self.fetchers.keys().filter(|id| !wanted.contains_key(*id)).cloned().collect();
        for id in gone {
            if self.answering.contains_key(&id) {
                self.leaving.insert(id);
            } else {
                self.forget(&id);
            }
        }
        self.leaving.retain(|id| !wanted.contains_key(id));
    }

    fn forget(&mut self, id: &ProfileId) {
        self.fetchers.remove(id);
        self.schedule.remove(id, self.seed.clock.now_ms());
    }

    fn dispatch(&mut self, context: &mut Context<Self>) {
        let now_ms = self.seed.clock.now_ms();
        self.count_hosts_shut(now_ms);
        for (id, requests) in self.schedule.take_due(now_ms, self.seed.max_concurrency, rand::random()) {
            let Some(fetcher) = self.fetchers.get(&id) else { continue };
            self.answering.insert(id.clone(), requests);
            let (handle, profile) = (fetcher.handle.clone(), *fetcher.profile.digest());
            let run = async move { handle.ask_within(Go, MAX_RUN).await };
            context.spawn(run.into_actor(self).map(move |result, actor, later| {
                actor.ended(&id, profile, &result);
                actor.dispatch(later);
            }));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of hosts")]
    fn count_hosts_shut(&self, now_ms: i64) {
        let drone = self.seed.outbox.drone_id().to_string();
        metrics::gauge!("chartly_drone_hosts_shut", "drone" => drone).set(self.schedule.hosts_shut(now_ms) as f64);
    }

    fn ended(&mut self, id: &ProfileId, digest: Digest, result: &Result<Finished, AskError>) {
        let now_ms = self.seed.clock.now_ms();
        if let Some(requests) = self.answering.remove(id) {
            // A crashed run answers its request too: it will not be better for being asked again.
            self.done_requests.extend(requests);
        }
        let how = match result {
            Ok(Finished { not_before_ms: Some(until_ms), .. }) => Ended::NotBefore(*until_ms),
            Ok(Finished { state: RunState::Failed, .. }) => Ended::Badly,
            Ok(_) => Ended::Well,
            Err(AskError::Down) => self.revive(id, digest, now_ms),
            Err(error) => {
                tracing::error!(profile = %id, %error, "a run was lost");
                Ended::Badly
            }
        };
        if let Some(fetcher) = self.fetchers.get_mut(id) {
            fetcher.last = Some(last_run(result, now_ms));
        }
        let reached = result.as_ref().map_or(Reached::Unknown, |finished| finished.reached);
        self.schedule.ended(id, how, reached, now_ms, rand::random());
        if self.leaving.remove(id) {
            self.forget(id);
        }
        if self.fetchers.get(id).is_some_and(|fetcher| *fetcher.profile.digest() != digest) {
            // A new version came while the old one ran.
            self.schedule.run_soon(id, now_ms);
        }
    }

    /// An actor that crashed too often is given up by its guard; a new one gets another chance later.
    fn revive(&mut self, id: &ProfileId, digest: Digest, now_ms: i64) -> Ended {
        let Some(profile) = self.fetchers.get(id).map(|fetcher| fetcher.profile.clone()) else {
            return Ended::Badly;
        };
        if *profile.digest() == digest {
            let handle = self.start_fetch(&profile);
            self.fetchers.insert(id.clone(), Fetcher { profile, handle, last: None });
        }
        Ended::NotBefore(now_ms.saturating_add(REVIVE_AFTER_MS))
    }

    fn apply(&mut self, profiles: Vec<(Packed, Past)>, run_now: &[RunRequest]) {
        let wanted = profiles.iter().map(|(profile, _)| (profile.id().clone(), *profile.digest())).collect();
        self.let_go(&wanted);
        for (profile, past) in profiles {
            let held = self.fetchers.get(profile.id()).map(|fetcher| *fetcher.profile.digest());
            match held {
                Some(digest) if digest == *profile.digest() => {}
                Some(_) => self.replace(profile),
                None => self.take_on(profile, past),
            }
        }
        let now_ms = self.seed.clock.now_ms();
        self.done_requests.retain(|done| run_now.iter().any(|request| request.request_id == *done));
        for RunRequest { request_id, profile_id } in run_now {
            let running = self.answering.get(profile_id).is_some_and(|requests| requests.contains(request_id));
            if !running && !self.done_requests.contains(request_id) {
                self.schedule.request(profile_id, *request_id, now_ms);
            }
        }
    }

    /// A new version runs soon: what it yields may differ. The old actor ends with its run.
    fn replace(&mut self, profile: Packed) {
        let id = profile.id().clone();
        let running = self.answering.contains_key(&id);
        if !running {
            self.schedule.remove(&id, self.seed.clock.now_ms());
        }
        self.take_on(profile, Past::default());
    }
}

fn last_run(result: &Result<Finished, AskError>, ended_ms: i64) -> LastRun {
    match result {
        Ok(finished) => LastRun { ended_ms, state: finished.state.as_str().to_owned(), error: finished.error.clone() },
        Err(error) => LastRun { ended_ms, state: "crashed".into(), error: Some(error.to_string()) },
    }
}

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Periodic::every(TICK).run_in(context, |actor, context| {
            actor.dispatch(context);
            Box::pin(actix::fut::ready(()))
        });
    }
}

impl Supervised for Scheduler {
    /// The session tells anew what to do, and the notes on disk tell when each profile last ran.
    fn restarting(&mut self, _: &mut Self::Context) {
        self.schedule = Schedule::new(self.seed.max_per_host);
        self.fetchers.clear();
        self.answering.clear();
        self.leaving.clear();
        self.done_requests.clear();
    }
}

impl Handler<Apply> for Scheduler {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, message: Apply, _: &mut Self::Context) -> Self::Result {
        let Apply { profiles, run_now } = message;
        let known: Vec<_> = self.fetchers.keys().cloned().collect();
        let outbox = self.seed.outbox.clone();
        let noted = async move {
            let mut with_last = Vec::with_capacity(profiles.len());
            for profile in profiles {
                let new = !known.contains(profile.id());
                let note = if new { Note::load(&outbox, &profile.unpack()).await } else { Note::default() };
                with_last.push((profile, Past { last_ms: note.last_started_ms, not_before_ms: note.not_before_ms }));
            }
            with_last
        };
        Box::pin(noted.into_actor(self).map(move |with_last, actor, context| {
            actor.apply(with_last, &run_now);
            actor.dispatch(context);
        }))
    }
}

impl Handler<GetLoad> for Scheduler {
    type Result = MessageResult<GetLoad>;

    fn handle(&mut self, _: GetLoad, _: &mut Self::Context) -> Self::Result {
        MessageResult(Load {
            profiles: self.fetchers.len(),
            running: self.schedule.running(),
            done_requests: self.done_requests.clone(),
        })
    }
}

impl Handler<GetPlans> for Scheduler {
    type Result = MessageResult<GetPlans>;

    fn handle(&mut self, _: GetPlans, _: &mut Self::Context) -> Self::Result {
        let now_ms = self.seed.clock.now_ms();
        let status = |(id, fetcher): (&ProfileId, &Fetcher)| {
            let plan = self.schedule.plan(id)?;
            Some(ProfileStatus {
                profile_id: id.to_string(),
                digest: fetcher.profile.digest().to_string(),
                host: plan.host.to_owned(),
                running_since_ms: plan.started_ms,
                next_ms: plan.next_ms,
                failures: plan.failures,
                last: fetcher.last.clone(),
            })
        };
        let profiles = self.fetchers.iter().filter_map(status).collect();
        MessageResult(Plans { now_ms, hosts_shut: self.schedule.hosts_shut(now_ms), profiles })
    }
}

impl Handler<GetProfiles> for Scheduler {
    type Result = MessageResult<GetProfiles>;

    fn handle(&mut self, _: GetProfiles, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.fetchers.values().map(|fetcher| fetcher.profile.clone()).collect())
    }
}
