//! The session with the control plane: join, beat, take in work. While the control plane is away the drone goes on
//! with what it has; when it comes back without memory of this drone, the drone joins again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, Context, Handler, Message, MessageResult, ResponseActFuture, Supervised, WrapFuture,
};
use tokio::sync::watch;

use super::outbox::Outbox;
use super::own_key::OwnKey;
use super::replayer::{GetDone, Replayer, Replays};
use super::scheduler::{Apply, GetLoad, GetProfiles, Scheduler};
use super::secrets::secret_names;
use super::status::Standing;
use crate::clients::{ControlPlane, fault_of};
use crate::domain::ids::DroneId;
use crate::domain::needs::Offer;
use crate::pipeline::kept::KeptRuns;
use crate::profiles::Packed;
use crate::protocol::coordinator::{Assignment, Beat, BeatReply, DroneHello, Work};
use crate::protocol::fault::{Code, Fault};
use crate::runtime::{Clock, Handle, Periodic};
use crate::store::Job;

/// How long a question for new work may wait at the control plane.
const WORK_WAIT: Duration = Duration::from_secs(20);
const FIRST_BEAT: Duration = Duration::from_secs(5);
/// How often a process whose id another one uses looks whether that is still so.
const STAND_BY: Duration = Duration::from_secs(2);
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(15);
/// How often a drone that is told to go slower waits for one profile.
const MAX_WAITS: u32 = 20;

/// What the session is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) drone_id: DroneId,
    pub(super) offer: Offer,
    /// Names this process: another one with the same id is told from a restart by it.
    pub(super) instance: String,
    pub(super) control_plane: ControlPlane,
    pub(super) scheduler: Handle<Scheduler>,
    pub(super) replayer: Handle<Replayer>,
    pub(super) kept: Arc<KeptRuns>,
    pub(super) outbox: Outbox,
    pub(super) clock: Clock,
    pub(super) own_key: Option<OwnKey>,
    /// Told when the control plane says that the drone's key was revoked.
    pub(super) revoked: watch::Sender<bool>,
}

#[derive(Debug)]
pub struct Session {
    seed: Seed,
    joined: bool,
    /// It has work: what it is told, or what it was told before its start.
    has_work: bool,
    /// The control plane did not answer last time. That it does not take our key is an answer.
    away: bool,
    /// The work revision that was carried out in full.
    revision: Option<u64>,
    beat_every: Duration,
    failures: u32,
    last_fault: Option<String>,
    clock_skew_ms: Option<i64>,
    /// The control plane tells processes apart, so beats say which one beats, and are numbered.
    tells_instance: bool,
    beats: u64,
    /// Another process has taken this drone's id: nothing is done until it has gone.
    superseded: bool,
}

impl Session {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            seed,
            joined: false,
            has_work: false,
            away: false,
            revision: None,
            beat_every: FIRST_BEAT,
            failures: 0,
            last_fault: None,
            clock_skew_ms: None,
            tells_instance: false,
            beats: 0,
            superseded: false,
        }
    }

    /// One step: join if need be, else wait for work and carry it out.
    fn step(&mut self) -> ResponseActFuture<Self, ()> {
        let (seed, joined, revision, failures) = (self.seed.clone(), self.joined, self.revision, self.failures);
        let recalls = self.away && !self.has_work;
        self.has_work |= recalls;
        let superseded = self.superseded;
        let step = async move {
            if superseded {
                return stand_by(&seed).await;
            }
            if recalls {
                recall(&seed).await;
            }
            if failures > 0 {
                let most = MIN_PAUSE.saturating_mul(1 << failures.min(8)).min(MAX_PAUSE);
                tokio::time::sleep(most.mul_f64(rand::random_range(0.5..1.0))).await;
            }
            if !joined { join(&seed).await } else { follow(&seed, revision).await }
        };
        Box::pin(step.into_actor(self).map(|progress, actor, _| actor.advance(progress)))
    }

    fn advance(&mut self, progress: Result<Progress, Fault>) {
        match progress {
            Ok(Progress::Joined { beat_every, tells_instance }) => {
                (self.joined, self.revision, self.beat_every) = (true, None, beat_every);
                self.tells_instance = tells_instance;
            }
            Ok(Progress::StoodBy) => self.revision = None,
            Ok(Progress::Followed(revision)) => (self.revision, self.has_work) = (Some(revision), true),
            Err(fault) => {
                self.away = !matches!(fault.code, Code::KeyRevoked | Code::Unauthenticated | Code::Forbidden);
                self.joined = self.joined && fault.code != Code::UnknownDrone;
                self.failures = self.failures.saturating_add(1);
                self.last_fault = Some(fault.to_string());
                self.complain(&fault);
                return;
            }
        }
        (self.failures, self.away) = (0, false);
    }

    fn complain(&self, fault: &Fault) {
        let control_plane = self.seed.control_plane.url();
        if fault.code == Code::KeyRevoked {
            if !self.seed.revoked.send_replace(true) {
                tracing::error!(
                    %fault, control_plane, "the drone ends; what waits in its spool stays, and goes out after it has joined again"
                );
            }
            return;
        }
        if matches!(fault.code, Code::Unauthenticated | Code::Forbidden) {
            tracing::error!(%fault, control_plane, "the key is not taken; set REGISTRY_API_KEY to the control plane's");
            return;
        }
        tracing::warn!(%fault, control_plane, "the control plane does not answer as it should; trying again");
    }

    fn beat(&mut self) -> ResponseActFuture<Self, ()> {
        let (seed, joined, every) = (self.seed.clone(), self.joined, self.beat_every);
        self.beats += 1;
        let number = self.tells_instance.then_some(self.beats);
        let beat = async move {
            tokio::time::sleep(every).await;
            if !joined {
                return Ok(None);
            }
            let reply = beat(&seed, number).await?;
            if reply.rotate_key {
                rotate(&seed).await;
            }
            Ok::<_, Fault>(Some(reply))
        };
        Box::pin(beat.into_actor(self).map(|reply, actor, _| match reply {
            Ok(Some(reply)) => actor.hear(&reply),
            Ok(None) => {}
            Err(fault) => tracing::debug!(%fault, "a beat was not heard"),
        }))
    }

    fn hear(&mut self, reply: &BeatReply) {
        self.clock_skew_ms = Some(reply.server_ms - self.seed.clock.now_ms());
        self.joined = reply.known;
        if reply.superseded && !self.superseded {
            tracing::error!(
                drone = %self.seed.drone_id,
                "another process has joined under this drone's id, so this one stops fetching until that has gone; \
                 give each drone an id and a data folder of its own"
            );
        }
        self.superseded = reply.superseded;
    }
}

/// Another process is this drone now: lets go of all work, and looks again after a while.
async fn stand_by(seed: &Seed) -> Result<Progress, Fault> {
    let nothing = Apply { profiles: Vec::new(), run_now: Vec::new() };
    seed.scheduler.ask(nothing).await.map_err(fault_of)?;
    tokio::time::sleep(STAND_BY).await;
    Ok(Progress::StoodBy)
}

enum Progress {
    Joined {
        beat_every: Duration,
        tells_instance: bool,
    },
    /// Another process is this drone now.
    StoodBy,
    /// This revision's work is carried out.
    Followed(u64),
}

async fn join(seed: &Seed) -> Result<Progress, Fault> {
    let hello = DroneHello {
        drone_id: seed.drone_id.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: seed.offer.labels.clone(),
        clock_ms: Some(seed.clock.now_ms()),
        instance: Some(seed.instance.clone()),
        secrets: Some(secret_names()),
        capacity: seed.offer.capacity,
        weight: (seed.offer.weight != 1).then_some(seed.offer.weight),
    };
    let registered = match seed.control_plane.register(&hello).await {
        // A control plane of the release before does not know all of this.
        Err(fault) if fault.code == Code::MalformedJson => seed.control_plane.register(&hello.plain()).await?,
        registered => registered?,
    };
    if !registered.store_id.is_empty() {
        seed.outbox.spool().goes_to(&registered.store_id).await?;
    }
    tracing::info!(drone = %seed.drone_id, control_plane = seed.control_plane.url(), "joined");
    let beat_every = Duration::from_millis(registered.heartbeat_ms.max(100));
    Ok(Progress::Joined { beat_every, tells_instance: registered.instance.is_some() })
}

async fn beat(seed: &Seed, number: Option<u64>) -> Result<BeatReply, Fault> {
    let load = seed.scheduler.ask(GetLoad).await.map_err(fault_of)?;
    let spool = seed.outbox.spool().stats().await?;
    // A replayer that was given up says nothing; runs go on without it.
    let done_replays = seed.replayer.ask(GetDone).await.unwrap_or_default();
    let kept = seed.kept.totals();
    let beat = Beat {
        drone_id: seed.drone_id.clone(),
        clock_ms: Some(seed.clock.now_ms()),
        profiles: u32::try_from(load.profiles).unwrap_or(u32::MAX),
        running: u32::try_from(load.running).unwrap_or(u32::MAX),
        spooled: spool.batches,
        spool_dropped: spool.dropped,
        done_requests: load.done_requests,
        done_replays,
        kept_runs: kept.runs,
        kept_bytes: kept.bytes,
        instance: number.map(|_| seed.instance.clone()),
        number: number.unwrap_or(0),
    };
    seed.control_plane.heartbeat(&beat).await
}

/// Makes a new key, has it taken, and shows it from then on. What fails is asked for again at the next beat.
async fn rotate(seed: &Seed) {
    let Some(own) = &seed.own_key else { return };
    let secret = match own.draft() {
        Ok(secret) => secret,
        Err(error) => return tracing::error!(%error, "no new key could be written; the drone keeps the one it has"),
    };
    if let Err(fault) = seed.control_plane.set_next_key(&seed.drone_id, secret.digest).await {
        return tracing::warn!(%fault, "the new key was not taken; the drone keeps the one it has");
    }
    if let Err(error) = own.adopt() {
        return tracing::error!(%error, "the new key could not be put in force; the drone keeps the one it has");
    }
    seed.control_plane.use_key(secret.key);
    tracing::info!(drone = %seed.drone_id, "the drone has a new key");
}

async fn follow(seed: &Seed, revision: Option<u64>) -> Result<Progress, Fault> {
    let work = seed.control_plane.work(&seed.drone_id, revision, WORK_WAIT).await?;
    if Some(work.revision) == revision {
        return Ok(Progress::Followed(work.revision));
    }
    let Work { revision: new, assignments, run_now, replays } = work;
    let held = seed.scheduler.ask(GetProfiles).await.map_err(fault_of)?;
    let (mut profiles, mut jobs) = (Vec::with_capacity(assignments.len()), Vec::with_capacity(assignments.len()));
    let held: BTreeMap<_, _> = held.iter().map(|profile| (profile.id(), profile)).collect();
    for assignment in &assignments {
        let known = held.get(&assignment.profile_id).filter(|profile| *profile.digest() == assignment.digest);
        let (profile, text) = match known {
            Some(profile) => (Some(Packed::clone(profile)), None),
            None => fetch_profile(seed, assignment).await?,
        };
        let Some(profile) = profile else { continue };
        jobs.push(Job { profile_id: profile.id().clone(), digest: *profile.digest(), text });
        profiles.push(profile);
    }
    seed.scheduler.ask(Apply { profiles, run_now }).await.map_err(fault_of)?;
    if let Err(error) = seed.outbox.spool().keep_work(&jobs).await {
        tracing::warn!(%error, "the work is not kept on disk; a restart needs the control plane");
    }
    if let Err(error) = seed.replayer.ask(Replays(replays)).await {
        tracing::error!(%error, "replays are not taken up");
    }
    Ok(Progress::Followed(new))
}

/// Gets one version, with its text. One that this program cannot read hides only itself.
async fn fetch_profile(seed: &Seed, assignment: &Assignment) -> Result<(Option<Packed>, Option<String>), Fault> {
    let text = text_of(seed, assignment).await?;
    match Packed::new(&text) {
        Ok(profile) => Ok((Some(profile), Some(text))),
        Err(problems) => {
            tracing::error!(profile = %assignment.profile_id, %problems, "this drone cannot read the profile");
            Ok((None, None))
        }
    }
}

/// Takes up the work of before, until the control plane says what it is now: it may be away for days.
async fn recall(seed: &Seed) {
    let texts = match seed.outbox.spool().work().await {
        Ok(texts) => texts,
        Err(error) => {
            tracing::warn!(%error, "the work of before cannot be read");
            return;
        }
    };
    let profiles: Vec<Packed> = texts.iter().filter_map(|text| Packed::new(text).ok()).collect();
    if profiles.is_empty() {
        return;
    }
    tracing::info!(profiles = profiles.len(), "goes on with the work of before");
    if let Err(error) = seed.scheduler.ask(Apply { profiles, run_now: Vec::new() }).await {
        tracing::warn!(%error, "the work of before is not taken up");
    }
}

/// A drone that takes on thousands at once is told to go slower. It does, and goes on from where it is.
async fn text_of(seed: &Seed, assignment: &Assignment) -> Result<String, Fault> {
    let mut waits = 0;
    loop {
        match seed.control_plane.profile(&assignment.profile_id, &assignment.digest).await {
            Err(fault) if fault.code == Code::TooManyRequests && waits < MAX_WAITS => {
                waits += 1;
                let pause = Duration::from_secs(u64::from(fault.retry_after_s.unwrap_or(1).max(1)));
                tokio::time::sleep(pause.min(MAX_PAUSE)).await;
            }
            done => return done,
        }
    }
}

/// How the drone stands with its control plane.
#[derive(Debug, Message)]
#[rtype(result = "Standing")]
pub(super) struct GetStanding;

impl Handler<GetStanding> for Session {
    type Result = MessageResult<GetStanding>;

    fn handle(&mut self, _: GetStanding, _: &mut Self::Context) -> Self::Result {
        MessageResult(Standing {
            url: self.seed.control_plane.url().to_owned(),
            joined: self.joined && self.failures == 0,
            failures: self.failures,
            last_fault: self.last_fault.clone().filter(|_| self.failures > 0),
            superseded: self.superseded,
            clock_skew_ms: self.clock_skew_ms,
        })
    }
}

impl Actor for Session {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        Periodic::every(Duration::from_millis(10)).at_once().run_in(context, |actor, _| actor.step());
        Periodic::every(Duration::from_millis(10)).run_in(context, |actor, _| actor.beat());
    }
}

impl Supervised for Session {
    fn restarting(&mut self, _: &mut Self::Context) {
        (self.joined, self.has_work, self.away) = (false, false, false);
        (self.revision, self.failures, self.superseded) = (None, 0, false);
    }
}
