//! The state of a fleet: drones, the profiles to run, who runs what, and what was asked for by hand. Pure: time comes
//! in as an argument, and what must be kept is told to the caller, who stores it first.

use std::collections::BTreeMap;

use super::placement::place;
use super::replays::Replays;
use super::views;
use crate::domain::digest::Digest;
use crate::domain::fleet::{DroneState, Labels, MAX_LABEL_CHARS, MAX_LABELS};
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::coordinator::{
    Assignment, Beat, BeatReply, DroneHello, DroneStats, DroneView, ReplayRequest, ReplaysRequested, RunRequest,
    RunRequested, Work,
};
use crate::protocol::fault::{Code, Fault};

/// At most this many drones in one fleet, live or not.
pub(super) const MAX_DRONES: usize = 100_000;

/// One drone as the coordinator knows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drone {
    pub(super) version: String,
    pub(super) labels: Labels,
    pub(super) registered_ms: i64,
    pub(super) last_seen_ms: i64,
    pub(super) draining: bool,
    pub(super) clock_skew_ms: Option<i64>,
    pub(super) running: u32,
    pub(super) spooled: u64,
    pub(super) spool_dropped: u64,
    pub(super) kept_runs: u64,
    pub(super) kept_bytes: u64,
    /// Whether the last look found it within its lease.
    pub(super) live: bool,
    /// Its last beat is not in the store yet.
    unsaved: bool,
}

impl Drone {
    /// A drone as the store kept it. Whether it lives, the next look decides.
    pub(super) fn stored(version: String, labels: Labels, registered_ms: i64, seen_ms: i64, draining: bool) -> Self {
        Self {
            version,
            labels,
            registered_ms,
            last_seen_ms: seen_ms,
            draining,
            clock_skew_ms: None,
            running: 0,
            spooled: 0,
            spool_dropped: 0,
            kept_runs: 0,
            kept_bytes: 0,
            live: false,
            unsaved: false,
        }
    }

    pub(super) fn state(&self) -> DroneState {
        match (self.live, self.draining) {
            (false, _) => DroneState::Offline,
            (true, true) => DroneState::Draining,
            (true, false) => DroneState::Online,
        }
    }

    fn hear(&mut self, beat: &Beat, now_ms: i64) {
        self.last_seen_ms = self.last_seen_ms.max(now_ms);
        self.clock_skew_ms = beat.clock_ms.map(|clock| clock.saturating_sub(now_ms));
        (self.running, self.spooled, self.spool_dropped) = (beat.running, beat.spooled, beat.spool_dropped);
        (self.kept_runs, self.kept_bytes) = (beat.kept_runs, beat.kept_bytes);
        self.unsaved = true;
    }
}

/// A drone whose state changed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) drone_id: DroneId,
    pub(super) state: DroneState,
}

#[derive(Debug)]
pub(super) struct Fleet {
    lease_ms: i64,
    drones: BTreeMap<DroneId, Drone>,
    profiles: BTreeMap<ProfileId, Digest>,
    placed: BTreeMap<ProfileId, DroneId>,
    requests: BTreeMap<i64, ProfileId>,
    pub(super) replays: Replays,
    revision: u64,
}

impl Fleet {
    /// `first_revision` must be above any that an earlier coordinator gave, so that a drone sees a difference.
    pub(super) fn new(lease_ms: i64, first_revision: u64) -> Self {
        Self {
            lease_ms,
            drones: BTreeMap::new(),
            profiles: BTreeMap::new(),
            placed: BTreeMap::new(),
            requests: BTreeMap::new(),
            replays: Replays::default(),
            revision: first_revision,
        }
    }

    /// Takes in what the store kept.
    pub(super) fn restore(&mut self, drones: Vec<(DroneId, Drone)>, requests: Vec<RunRequest>) {
        self.drones = drones.into_iter().collect();
        self.requests = requests.into_iter().map(|request| (request.request_id, request.profile_id)).collect();
    }

    /// Lets a drone join, or says why not; asked before its registration is stored. Tells whether it is draining:
    /// joining again does not undo that.
    pub(super) fn admit(&self, hello: &DroneHello) -> Result<bool, Fault> {
        check_labels(&hello.labels)?;
        if !self.drones.contains_key(&hello.drone_id) && self.drones.len() >= MAX_DRONES {
            let detail = format!("the fleet has {MAX_DRONES} drones, which is the most");
            return Err(Fault::new(Code::Overloaded, detail).retry_after(60));
        }
        Ok(self.drones.get(&hello.drone_id).is_some_and(|drone| drone.draining))
    }

    pub(super) fn register(&mut self, hello: &DroneHello, now_ms: i64) -> Option<Change> {
        let known = self.drones.get(&hello.drone_id);
        let registered_ms = known.map_or(now_ms, |drone| drone.registered_ms);
        let (was_live, draining) = known.map_or((false, false), |drone| (drone.live, drone.draining));
        let mut drone = Drone::stored(hello.version.clone(), hello.labels.clone(), registered_ms, now_ms, draining);
        drone.live = true;
        drone.clock_skew_ms = hello.clock_ms.map(|clock| clock.saturating_sub(now_ms));
        let state = drone.state();
        self.drones.insert(hello.drone_id.clone(), drone);
        if was_live {
            return None;
        }
        self.place_anew();
        Some(Change { drone_id: hello.drone_id.clone(), state })
    }

    /// A beat of a drone that is not known asks it to register again.
    pub(super) fn beat(&mut self, beat: &Beat, now_ms: i64) -> (BeatReply, Option<Change>) {
        let Some(drone) = self.drones.get_mut(&beat.drone_id) else {
            return (BeatReply { known: false, revision: self.revision, server_ms: now_ms, rotate_key: false }, None);
        };
        drone.hear(beat, now_ms);
        let came_back = !std::mem::replace(&mut drone.live, true);
        let change = came_back.then(|| Change { drone_id: beat.drone_id.clone(), state: drone.state() });
        if came_back {
            self.place_anew();
        }
        (BeatReply { known: true, revision: self.revision, server_ms: now_ms, rotate_key: false }, change)
    }

    /// Looks who is within the lease. Returns whose state changed.
    pub(super) fn look(&mut self, now_ms: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        for (drone_id, drone) in &mut self.drones {
            let live = now_ms.saturating_sub(drone.last_seen_ms) < self.lease_ms;
            if live != drone.live {
                drone.live = live;
                changes.push(Change { drone_id: drone_id.clone(), state: drone.state() });
            }
        }
        if !changes.is_empty() {
            self.place_anew();
        }
        changes
    }

    /// Takes in the enabled profiles with their current versions. Returns the open requests of profiles that are gone:
    /// they can never be carried out.
    pub(super) fn set_profiles(&mut self, profiles: Vec<(ProfileId, Digest)>) -> Vec<i64> {
        let profiles: BTreeMap<_, _> = profiles.into_iter().collect();
        if profiles == self.profiles {
            return Vec::new();
        }
        self.profiles = profiles;
        self.revision += 1;
        self.place_anew();
        let gone = self.requests.iter().filter(|(_, profile)| !self.profiles.contains_key(profile));
        gone.map(|(id, _)| *id).collect()
    }

    pub(super) fn set_draining(&mut self, drone_id: &DroneId, draining: bool) -> Result<Change, Fault> {
        let drone = self.drones.get_mut(drone_id).ok_or_else(|| unknown(drone_id))?;
        drone.draining = draining;
        let state = drone.state();
        self.place_anew();
        Ok(Change { drone_id: drone_id.clone(), state })
    }

    /// Whether a run of this profile can be asked for; asked before the request is stored.
    pub(super) fn may_run(&self, profile: &ProfileId) -> Result<(), Fault> {
        if self.profiles.contains_key(profile) {
            return Ok(());
        }
        let detail = format!("profile {profile} is unknown, disabled or paused; only an enabled profile can be run");
        Err(Fault::new(Code::UnknownProfile, detail))
    }

    pub(super) fn add_request(&mut self, request_id: i64, profile: &ProfileId) -> RunRequested {
        self.requests.insert(request_id, profile.clone());
        self.revision += 1;
        RunRequested { request_id, drone_id: self.placed.get(profile).cloned() }
    }

    /// Those of `done` that are open: what the caller removes from the store.
    pub(super) fn open_requests(&self, done: &[i64]) -> Vec<i64> {
        done.iter().copied().filter(|id| self.requests.contains_key(id)).collect()
    }

    pub(super) fn finish_requests(&mut self, done: &[i64]) {
        for id in done {
            self.requests.remove(id);
        }
    }

    /// What a drone should do; empty lists where it has `seen` this revision.
    pub(super) fn work(&self, drone_id: &DroneId, seen: Option<u64>) -> Result<Work, Fault> {
        if !self.drones.contains_key(drone_id) {
            return Err(unknown(drone_id));
        }
        if seen == Some(self.revision) {
            let (assignments, run_now, replays) = (Vec::new(), Vec::new(), Vec::new());
            return Ok(Work { revision: self.revision, assignments, run_now, replays });
        }
        let mine = |profile: &ProfileId| self.placed.get(profile) == Some(drone_id);
        let assignments = self.profiles.iter().filter(|(profile, _)| mine(profile));
        let assignments =
            assignments.map(|(profile_id, digest)| Assignment { profile_id: profile_id.clone(), digest: *digest });
        let run_now = self.requests.iter().filter(|(_, profile)| mine(profile));
        let run_now = run_now
            .map(|(request_id, profile_id)| RunRequest { request_id: *request_id, profile_id: profile_id.clone() });
        let (assignments, run_now) = (assignments.collect(), run_now.collect());
        Ok(Work { revision: self.revision, assignments, run_now, replays: self.replays.of(drone_id) })
    }

    /// Drones that may hold kept answers and can be asked for them.
    pub(super) fn live_drones(&self) -> Vec<DroneId> {
        self.drones.iter().filter(|(_, drone)| drone.live).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn add_replays(&mut self, requests: Vec<(DroneId, ReplayRequest)>) -> ReplaysRequested {
        self.revision += 1;
        self.replays.add(requests)
    }

    pub(super) fn view(&self, drone_id: &DroneId) -> Result<DroneView, Fault> {
        let drone = self.drones.get(drone_id).ok_or_else(|| unknown(drone_id))?;
        let assigned = self.placed.values().filter(|placed| *placed == drone_id).count();
        Ok(views::view(drone_id, drone, assigned))
    }

    /// Drones after `after`, in the order of their ids.
    pub(super) fn views(&self, after: Option<&str>, limit: usize) -> Vec<DroneView> {
        views::list(&self.drones, &self.placed, after, limit)
    }

    pub(super) fn stats(&self) -> DroneStats {
        let stats = views::stats(&self.drones, self.profiles.len(), self.placed.len(), self.requests.len());
        DroneStats { pending_replays: u32::try_from(self.replays.len()).unwrap_or(u32::MAX), ..stats }
    }

    /// Beats that are not in the store yet; they count as saved from now on.
    pub(super) fn take_unsaved(&mut self) -> Vec<(DroneId, i64)> {
        let drones = self.drones.iter_mut();
        let unsaved = drones.filter_map(|(id, drone)| {
            let beat = (id.clone(), drone.last_seen_ms);
            std::mem::take(&mut drone.unsaved).then_some(beat)
        });
        unsaved.collect()
    }

    /// Places all profiles anew; the revision grows only when something moved.
    fn place_anew(&mut self) {
        let online = self.drones.iter().filter(|(_, drone)| drone.state() == DroneState::Online);
        let online: Vec<&DroneId> = online.map(|(id, _)| id).collect();
        let placed = place(self.profiles.keys(), &online);
        if placed != self.placed {
            self.placed = placed;
            self.revision += 1;
        }
    }
}

fn check_labels(labels: &Labels) -> Result<(), Fault> {
    if labels.len() > MAX_LABELS {
        return Err(Fault::invalid("labels", format!("{} labels; at most {MAX_LABELS}", labels.len())));
    }
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= MAX_LABEL_CHARS;
    if labels.iter().all(|(key, value)| fits(key) && fits(value)) {
        return Ok(());
    }
    Err(Fault::invalid("labels", format!("a key or value is empty or over {MAX_LABEL_CHARS} characters")))
}

fn unknown(drone_id: &DroneId) -> Fault {
    Fault::new(Code::UnknownDrone, format!("no drone {drone_id} has registered"))
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
