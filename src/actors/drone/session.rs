//! The session with the control plane: join, beat, take in work. While the control plane is away the drone goes on
//! with what it has; when it comes back without memory of this drone, the drone joins again.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Context, ResponseActFuture, Supervised, WrapFuture};
use tokio::sync::watch;

use super::outbox::Outbox;
use super::own_key::OwnKey;
use super::replayer::{GetDone, Replayer, Replays};
use super::scheduler::{Apply, GetLoad, GetProfiles, Scheduler};
use crate::clients::{ControlPlane, fault_of};
use crate::domain::fleet::Labels;
use crate::domain::ids::DroneId;
use crate::pipeline::kept::KeptRuns;
use crate::profiles::{self, Profile};
use crate::protocol::coordinator::{Assignment, Beat, BeatReply, DroneHello, Work};
use crate::protocol::fault::{Code, Fault};
use crate::runtime::{Clock, Handle, Periodic};

/// How long a question for new work may wait at the control plane.
const WORK_WAIT: Duration = Duration::from_secs(20);
const FIRST_BEAT: Duration = Duration::from_secs(5);
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// What the session is rebuilt from.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    pub(super) drone_id: DroneId,
    pub(super) labels: Labels,
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
    /// The work revision that was carried out in full.
    revision: Option<u64>,
    beat_every: Duration,
    failures: u32,
}

impl Session {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, joined: false, revision: None, beat_every: FIRST_BEAT, failures: 0 }
    }

    /// One step: join if need be, else wait for work and carry it out.
    fn step(&mut self) -> ResponseActFuture<Self, ()> {
        let (seed, joined, revision, failures) = (self.seed.clone(), self.joined, self.revision, self.failures);
        let step = async move {
            if failures > 0 {
                let most = MIN_PAUSE.saturating_mul(1 << failures.min(8)).min(MAX_PAUSE);
                tokio::time::sleep(most.mul_f64(rand::random_range(0.5..1.0))).await;
            }
            if !joined { join(&seed).await.map(Progress::Joined) } else { follow(&seed, revision).await }
        };
        Box::pin(step.into_actor(self).map(|progress, actor, _| actor.advance(progress)))
    }

    fn advance(&mut self, progress: Result<Progress, Fault>) {
        match progress {
            Ok(Progress::Joined(beat_every)) => {
                (self.joined, self.revision, self.beat_every) = (true, None, beat_every);
            }
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
        let beat = async move {
            tokio::time::sleep(every).await;
            if !joined {
                return Ok(None);
            }
            let reply = beat(&seed).await?;
            if reply.rotate_key {
                rotate(&seed).await;
            }
            Ok::<_, Fault>(Some(reply.known))
        };
        Box::pin(beat.into_actor(self).map(|known, actor, _| match known {
            Ok(Some(false)) => actor.joined = false,
            Ok(_) => {}
            Err(fault) => tracing::debug!(%fault, "a beat was not heard"),
        }))
    }
}

enum Progress {
    /// Joined; beats come this often.
    Joined(Duration),
    /// This revision's work is carried out.
    Followed(u64),
}

async fn join(seed: &Seed) -> Result<Duration, Fault> {
    let hello = DroneHello {
        drone_id: seed.drone_id.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        labels: seed.labels.clone(),
        clock_ms: Some(seed.clock.now_ms()),
    };
    let registered = seed.control_plane.register(&hello).await?;
    if !registered.store_id.is_empty() {
        seed.outbox.spool().goes_to(&registered.store_id).await?;
    }
    tracing::info!(drone = %seed.drone_id, control_plane = seed.control_plane.url(), "joined");
    Ok(Duration::from_millis(registered.heartbeat_ms.max(100)))
}

async fn beat(seed: &Seed) -> Result<BeatReply, Fault> {
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
        (self.joined, self.revision, self.failures) = (false, None, 0);
    }
}
