//! The session with the control plane: join, beat, take in work. While the control plane is away the drone goes on
//! with what it has; when it comes back without memory of this drone, the drone joins again.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Context, ResponseActFuture, Supervised, WrapFuture};

use super::outbox::Outbox;
use super::replayer::{GetDone, Replayer, Replays};
use super::scheduler::{Apply, GetLoad, GetProfiles, Scheduler};
use super::secrets::secret_names;
use crate::clients::{ControlPlane, fault_of};
use crate::domain::ids::DroneId;
use crate::domain::needs::Offer;
use crate::pipeline::kept::KeptRuns;
use crate::profiles::{self, Profile};
use crate::protocol::coordinator::{Assignment, Beat, BeatReply, DroneHello, Work};
use crate::protocol::fault::{Code, Fault};
use crate::runtime::{Clock, Handle, Periodic};

/// How long a question for new work may wait at the control plane.
const WORK_WAIT: Duration = Duration::from_secs(20);
const FIRST_BEAT: Duration = Duration::from_secs(5);
/// How often a process whose id another one uses looks whether that is still so.
const STAND_BY: Duration = Duration::from_secs(2);
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(15);

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
}

#[derive(Debug)]
pub struct Session {
    seed: Seed,
    joined: bool,
    /// The work revision that was carried out in full.
    revision: Option<u64>,
    beat_every: Duration,
    failures: u32,
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
            revision: None,
            beat_every: FIRST_BEAT,
            failures: 0,
            tells_instance: false,
            beats: 0,
            superseded: false,
        }
    }

    /// One step: join if need be, else wait for work and carry it out.
    fn step(&mut self) -> ResponseActFuture<Self, ()> {
        let (seed, joined, revision, failures) = (self.seed.clone(), self.joined, self.revision, self.failures);
        let superseded = self.superseded;
        let step = async move {
            if superseded {
                return stand_by(&seed).await;
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
            Ok(Progress::Followed(revision)) => self.revision = Some(revision),
            Err(fault) => {
                self.joined = self.joined && fault.code != Code::UnknownDrone;
                self.failures = self.failures.saturating_add(1);
                self.complain(&fault);
                return;
            }
        }
        self.failures = 0;
    }

    fn complain(&self, fault: &Fault) {
        let control_plane = self.seed.control_plane.url();
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
            if joined { beat(&seed, number).await.map(Some) } else { Ok(None) }
        };
        Box::pin(beat.into_actor(self).map(|reply, actor, _| match reply {
            Ok(Some(reply)) => actor.hear(&reply),
            Ok(None) => {}
            Err(fault) => tracing::debug!(%fault, "a beat was not heard"),
        }))
    }

    fn hear(&mut self, reply: &BeatReply) {
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

async fn follow(seed: &Seed, revision: Option<u64>) -> Result<Progress, Fault> {
    let work = seed.control_plane.work(&seed.drone_id, revision, WORK_WAIT).await?;
    if Some(work.revision) == revision {
        return Ok(Progress::Followed(work.revision));
    }
    let Work { revision: new, assignments, run_now, replays } = work;
    let held = seed.scheduler.ask(GetProfiles).await.map_err(fault_of)?;
    let mut profiles = Vec::with_capacity(assignments.len());
    for assignment in &assignments {
        let known = held
            .iter()
            .find(|profile| *profile.id() == assignment.profile_id && *profile.digest() == assignment.digest);
        match known {
            Some(profile) => profiles.push(profile.clone()),
            None => profiles.extend(fetch_profile(seed, assignment).await?),
        }
    }
    seed.scheduler.ask(Apply { profiles, run_now }).await.map_err(fault_of)?;
    if let Err(error) = seed.replayer.ask(Replays(replays)).await {
        tracing::error!(%error, "replays are not taken up");
    }
    Ok(Progress::Followed(new))
}

/// Gets one version. One that this program cannot read hides only itself.
async fn fetch_profile(seed: &Seed, assignment: &Assignment) -> Result<Option<Profile>, Fault> {
    let text = seed.control_plane.profile(&assignment.profile_id, &assignment.digest).await?;
    match profiles::load(&text) {
        Ok(profile) => Ok(Some(profile)),
        Err(problems) => {
            tracing::error!(profile = %assignment.profile_id, %problems, "this drone cannot read the profile");
            Ok(None)
        }
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
        (self.joined, self.revision, self.failures, self.superseded) = (false, None, 0, false);
    }
}
