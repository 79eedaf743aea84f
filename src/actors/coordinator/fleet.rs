//! The state of a fleet: drones, the profiles to run, who runs what, and what was asked for by hand. Pure: time comes
//! in as an argument, and what must be kept is told to the caller, who stores it first.

use std::collections::BTreeMap;

pub use super::drone::Drone;
use super::drone::{self, Sign};
use super::placement::Placement;
use super::replays::Replays;
use super::views;
use crate::domain::fleet::DroneState;
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::coordinator::{
    Assignment, Beat, BeatReply, DroneHello, DroneStats, DroneView, PlacementView, ReplayRequest, ReplaysRequested,
    RunRequest, RunRequested, Work,
};
use crate::protocol::fault::{Code, Fault};
use crate::store::EnabledProfile;

/// At most this many drones in one fleet, live or not.
pub const MAX_DRONES: usize = 100_000;

/// A drone whose state changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub drone_id: DroneId,
    pub state: DroneState,
}

/// How long a fleet waits for a drone.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a sign of life for this long a drone's work goes to others.
    pub lease_ms: i64,
    /// Without one for this long the drone is forgotten.
    pub forget_ms: i64,
}

#[derive(Debug)]
pub struct Fleet {
    patience: Patience,
    pub(super) drones: BTreeMap<DroneId, Drone>,
    pub(super) placement: Placement,
    requests: BTreeMap<i64, ProfileId>,
    pub(super) replays: Replays,
    /// Drones that are forgotten here and not in the store yet.
    forgotten: Vec<DroneId>,
    looked_ms: i64,
}

impl Fleet {
    /// `first_number` must be above any revision or epoch that an earlier coordinator gave: a drone must see a
    /// difference, and an epoch is given once.
    pub fn new(patience: Patience, first_number: u64) -> Self {
        Self {
            patience,
            drones: BTreeMap::new(),
            placement: Placement::new(first_number),
            requests: BTreeMap::new(),
            replays: Replays::default(),
            forgotten: Vec::new(),
            looked_ms: 0,
        }
    }

    /// Takes in what the store kept. Drones that were here when the coordinator was last get a lease time to be heard
    /// of: their work must not go to whoever is first to speak.
    pub fn restore(&mut self, drones: Vec<(DroneId, Drone)>, requests: Vec<RunRequest>, now_ms: i64) {
        self.drones = drones.into_iter().collect();
        self.requests = requests.into_iter().map(|request| (request.request_id, request.profile_id)).collect();
        let newest_ms = self.drones.values().map(|drone| drone.last_seen_ms).max().unwrap_or(0);
        for (drone_id, drone) in &mut self.drones {
            drone.live = newest_ms.saturating_sub(drone.last_seen_ms) < self.patience.lease_ms.saturating_mul(2);
            if drone.live {
                drone.last_seen_ms = drone.last_seen_ms.max(now_ms);
            }
            if drone.state() == DroneState::Online {
                self.placement.open(drone_id, &drone.offer, true);
            }
        }
    }

    /// Lets a drone join, or says why not; asked before its registration is stored. Tells whether it is draining:
    /// joining again does not undo that.
    pub fn admit(&self, hello: &DroneHello) -> Result<bool, Fault> {
        drone::check(hello)?;
        let Some(known) = self.drones.get(&hello.drone_id) else { return self.has_place().map(|()| false) };
        if known.is_followed(hello) {
            let detail = format!(
                "another process has joined as {} since, and is alive; give each drone an id and a data folder of its own",
                hello.drone_id
            );
            return Err(Fault::new(Code::TwinDrone, detail));
        }
        Ok(known.draining)
    }

    fn has_place(&self) -> Result<(), Fault> {
        if self.drones.len() < MAX_DRONES || self.drones.values().any(|drone| !drone.live) {
            return Ok(());
        }
        let detail = format!("the fleet has {MAX_DRONES} drones, all of them alive, which is the most");
        Err(Fault::new(Code::Overloaded, detail).retry_after(60))
    }

    pub fn register(&mut self, hello: &DroneHello, now_ms: i64) -> Option<Change> {
        let is_new = !self.drones.contains_key(&hello.drone_id);
        if is_new && self.drones.len() >= MAX_DRONES {
            self.forget_longest_away();
        }
        let drone = self
            .drones
            .entry(hello.drone_id.clone())
            .or_insert_with(|| Drone::stored(String::new(), drone::offer(hello), now_ms, now_ms, false));
        drone.join(hello, now_ms);
        let was_live = std::mem::replace(&mut drone.live, true);
        if !was_live && !is_new {
            drone.back_ms = Some(now_ms);
        }
        let state = drone.state();
        self.welcome(&hello.drone_id);
        self.placement.touch(&hello.drone_id);
        (!was_live).then(|| Change { drone_id: hello.drone_id.clone(), state })
    }

    /// A beat of a drone that is not known asks it to register again.
    pub fn beat(&mut self, beat: &Beat, now_ms: i64) -> (BeatReply, Option<Change>) {
        let revision = self.placement.revision(&beat.drone_id);
        let reply = |known, superseded| BeatReply { known, revision, server_ms: now_ms, rotate_key: false, superseded };
        let Some(drone) = self.drones.get_mut(&beat.drone_id) else { return (reply(false, false), None) };
        match drone.judge(beat) {
            // The other process may have ended: then this one may join.
            Sign::Twin if !drone.live => return (reply(false, false), None),
            Sign::Twin => {
                drone.twin_ms = Some(now_ms);
                return (reply(true, true), None);
            }
            Sign::Stale => {
                drone.stale_beats += 1;
                return (reply(true, false), None);
            }
            Sign::Fresh => drone.hear(beat, now_ms),
        }
        if std::mem::replace(&mut drone.live, true) {
            return (reply(true, false), None);
        }
        drone.back_ms = Some(now_ms);
        let change = Change { drone_id: beat.drone_id.clone(), state: drone.state() };
        self.welcome(&beat.drone_id);
        (reply(true, false), Some(change))
    }

    /// Gives a live drone work, unless it drains.
    fn welcome(&mut self, drone_id: &DroneId) {
        let Some(drone) = self.drones.get(drone_id) else { return };
        if drone.state() == DroneState::Online {
            self.placement.open(drone_id, &drone.offer, drone.back_ms.is_none());
        }
        self.placement.place();
    }

    /// Looks who is within the lease. Returns whose state changed.
    pub fn look(&mut self, now_ms: i64) -> Vec<Change> {
        self.looked_ms = now_ms;
        let mut changes = Vec::new();
        let mut long_gone = Vec::new();
        for (drone_id, drone) in &mut self.drones {
            let silent_ms = now_ms.saturating_sub(drone.last_seen_ms);
            let live = silent_ms < self.patience.lease_ms;
            if live != drone.live {
                drone.live = live;
                changes.push(Change { drone_id: drone_id.clone(), state: drone.state() });
            }
            if drone.back_ms.is_some_and(|back_ms| live && now_ms.saturating_sub(back_ms) >= self.patience.lease_ms) {
                drone.back_ms = None;
                self.placement.settle(drone_id);
            }
            if !live {
                self.placement.close(drone_id);
                if silent_ms >= self.patience.forget_ms {
                    long_gone.push(drone_id.clone());
                }
            }
        }
        for drone_id in long_gone {
            self.forget(&drone_id);
        }
        self.placement.allow_moves();
        self.placement.place();
        changes
    }

    fn forget(&mut self, drone_id: &DroneId) {
        self.drones.remove(drone_id);
        self.placement.forget(drone_id);
        self.forgotten.push(drone_id.clone());
    }

    fn forget_longest_away(&mut self) {
        let away = self.drones.iter().filter(|(_, drone)| !drone.live);
        let longest = away.min_by_key(|(_, drone)| drone.last_seen_ms).map(|(id, _)| id.clone());
        if let Some(drone_id) = longest {
            self.forget(&drone_id);
        }
    }

    /// Drones to take out of the store.
    pub fn take_forgotten(&mut self) -> Vec<DroneId> {
        std::mem::take(&mut self.forgotten)
    }

    /// Takes in the enabled profiles with their current versions. Returns the open requests of profiles that are gone:
    /// they can never be carried out.
    pub fn set_profiles(&mut self, profiles: Vec<EnabledProfile>) -> Vec<i64> {
        self.placement.set_profiles(profiles);
        self.placement.place();
        let gone = self.requests.iter().filter(|(_, profile)| !self.placement.is_enabled(profile));
        gone.map(|(id, _)| *id).collect()
    }

    pub fn set_draining(&mut self, drone_id: &DroneId, draining: bool) -> Result<Change, Fault> {
        let drone = self.drones.get_mut(drone_id).ok_or_else(|| unknown(drone_id))?;
        drone.draining = draining;
        let change = Change { drone_id: drone_id.clone(), state: drone.state() };
        if draining {
            self.placement.close(drone_id);
        }
        self.welcome(drone_id);
        Ok(change)
    }

    /// Whether a profile may be kept on this drone; asked before it is stored.
    pub fn may_pin(&self, drone_id: Option<&DroneId>) -> Result<(), Fault> {
        match drone_id {
            Some(drone_id) if !self.drones.contains_key(drone_id) => Err(unknown(drone_id)),
            _ => Ok(()),
        }
    }

    /// Keeps a profile on one drone, or on none in particular.
    pub fn set_pin(&mut self, profile: &ProfileId, drone_id: Option<&DroneId>) {
        self.placement.set_pin(profile, drone_id);
        self.placement.place();
    }

    /// Whether a run of this profile can be asked for; asked before the request is stored.
    pub fn may_run(&self, profile: &ProfileId) -> Result<(), Fault> {
        if self.placement.is_enabled(profile) {
            return Ok(());
        }
        let detail = format!("profile {profile} is unknown, disabled or paused; only an enabled profile can be run");
        Err(Fault::new(Code::UnknownProfile, detail))
    }

    pub fn add_request(&mut self, request_id: i64, profile: &ProfileId) -> RunRequested {
        self.requests.insert(request_id, profile.clone());
        self.placement.touch_profile(profile);
        let drone_id = self.placement.holders(profile).into_iter().next().map(|(drone, _)| drone);
        RunRequested { request_id, drone_id }
    }

    /// Those of `done` that are open: what the caller removes from the store.
    pub fn open_requests(&self, done: &[i64]) -> Vec<i64> {
        done.iter().copied().filter(|id| self.requests.contains_key(id)).collect()
    }

    pub fn finish_requests(&mut self, done: &[i64]) {
        for id in done {
            self.requests.remove(id);
        }
    }

    /// What a drone should do; empty lists where it has `seen` this revision.
    pub fn work(&self, drone_id: &DroneId, seen: Option<u64>) -> Result<Work, Fault> {
        if !self.drones.contains_key(drone_id) {
            return Err(unknown(drone_id));
        }
        let revision = self.placement.revision(drone_id);
        if seen == Some(revision) {
            return Ok(Work { revision, assignments: Vec::new(), run_now: Vec::new(), replays: Vec::new() });
        }
        let held = self.placement.held_by(drone_id);
        let is_mine = |profile: &ProfileId| held.binary_search_by(|one| one.profile.cmp(profile)).is_ok();
        let run_now = self.requests.iter().filter(|(_, profile)| is_mine(profile));
        let run_now = run_now
            .map(|(request_id, profile_id)| RunRequest { request_id: *request_id, profile_id: profile_id.clone() });
        let (run_now, replays) = (run_now.collect(), self.replays.of(drone_id));
        let assignments = held.into_iter().map(|one| Assignment {
            profile_id: one.profile,
            digest: one.digest,
            epoch: Some(one.epoch),
        });
        Ok(Work { revision, assignments: assignments.collect(), run_now, replays })
    }

    /// Drones that may hold kept answers and can be asked for them.
    pub(super) fn live_drones(&self) -> Vec<DroneId> {
        self.drones.iter().filter(|(_, drone)| drone.live).map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn add_replays(&mut self, requests: Vec<(DroneId, ReplayRequest)>) -> ReplaysRequested {
        for (drone_id, _) in &requests {
            self.placement.touch(drone_id);
        }
        self.replays.add(requests)
    }

    pub fn view(&self, drone_id: &DroneId) -> Result<DroneView, Fault> {
        let drone = self.drones.get(drone_id).ok_or_else(|| unknown(drone_id))?;
        Ok(views::view(drone_id, drone, self.placement.count_of(drone_id)))
    }

    /// Drones after `after`, in the order of their ids.
    pub fn views(&self, after: Option<&str>, limit: usize) -> Vec<DroneView> {
        let later = self.drones.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after));
        later.take(limit).map(|(id, drone)| views::view(id, drone, self.placement.count_of(id))).collect()
    }

    pub fn stats(&self) -> DroneStats {
        let stats = views::stats(&self.drones, &self.placement, self.requests.len(), self.looked_ms);
        DroneStats { pending_replays: u32::try_from(self.replays.len()).unwrap_or(u32::MAX), ..stats }
    }

    /// Who runs a profile, and why not more.
    pub fn placement_of(&self, profile: &ProfileId) -> PlacementView {
        views::placement(&self.placement, profile)
    }

    /// Beats that the store should know; they count as saved from now on. A drone's come often, and the store needs
    /// them only to tell whom it may count on after a restart.
    pub fn take_unsaved(&mut self) -> Vec<(DroneId, i64)> {
        let often_ms = self.patience.lease_ms / 2;
        let due = self.drones.iter_mut().filter(|(_, drone)| {
            let unsaved_ms = drone.last_seen_ms.saturating_sub(drone.saved_ms);
            unsaved_ms >= often_ms || (unsaved_ms > 0 && !drone.live)
        });
        let beats = due.map(|(id, drone)| {
            drone.saved_ms = drone.last_seen_ms;
            (id.clone(), drone.last_seen_ms)
        });
        beats.collect()
    }
}

fn unknown(drone_id: &DroneId) -> Fault {
    Fault::new(Code::UnknownDrone, format!("no drone {drone_id} has registered"))
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
