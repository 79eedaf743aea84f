//! Virtual drones around a real fleet. A drone beats every five seconds as long as it runs and reaches the coordinator;
//! what it holds is what it was told last.

use std::collections::{BTreeMap, BTreeSet};

use chartly::actors::coordinator::fleet::{Drone, Fleet, Patience};
use chartly::domain::digest::Digest;
use chartly::domain::fleet::DroneState;
use chartly::domain::ids::{DroneId, ProfileId};
use chartly::domain::needs::{Needs, Offer};
use chartly::protocol::coordinator::{Beat, DroneHello};
use chartly::store::EnabledProfile;

use crate::chance::Chance;

pub const LEASE_MS: i64 = 30_000;
const HEARTBEAT_MS: i64 = 5_000;
/// Between two looks of the coordinator.
const TICK_MS: i64 = 500;
const FORGET_MS: i64 = 3_600_000;

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub drones: usize,
    pub profiles: usize,
    /// Steps of one second.
    pub steps: usize,
    /// Of a thousand drones so many change their lot in each step.
    pub unrest: usize,
}

impl Size {
    pub const SMALL: Self = Self { drones: 40, profiles: 300, steps: 240, unrest: 8 };
    pub const LARGE: Self = Self { drones: 0, profiles: 0, steps: 40, unrest: 1 };
}

/// What becomes of a virtual drone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lot {
    Running,
    /// It runs, and reaches nobody.
    CutOff,
    /// It beats only every fourth time.
    Slow,
    Dead,
}

pub struct Virtual {
    pub id: DroneId,
    pub offer: Offer,
    pub lot: Lot,
    joined: bool,
    next_beat_ms: i64,
    beats: u64,
    starts: u64,
    /// Its clock minus that of the coordinator.
    skew_ms: i64,
}

pub struct World {
    pub fleet: Fleet,
    pub now_ms: i64,
    pub drones: Vec<Virtual>,
    pub profiles: BTreeMap<ProfileId, EnabledProfile>,
    pub draining: BTreeSet<DroneId>,
    chance: Chance,
    size: Size,
}

impl World {
    pub fn new(seed: u64, size: Size) -> Self {
        let now_ms = 1_700_000_000_000;
        let mut world = Self {
            fleet: fleet(now_ms),
            now_ms,
            drones: Vec::new(),
            profiles: BTreeMap::new(),
            draining: BTreeSet::new(),
            chance: Chance::new(seed),
            size,
        };
        for number in 0..size.drones {
            let drone = world.drone(number);
            world.drones.push(drone);
        }
        for number in 0..size.profiles {
            let profile = world.profile(number);
            world.profiles.insert(profile.id.clone(), profile);
        }
        world.publish();
        world
    }

    fn drone(&mut self, number: usize) -> Virtual {
        let region = ["eu", "us"][self.chance.below(2)];
        let weight = if self.chance.percent(10) { 3 } else { 1 };
        let capacity = self.chance.percent(20).then(|| u32::try_from(5 + self.chance.below(20)).unwrap());
        let secrets = self.chance.percent(50).then(|| BTreeSet::from(["KEY".to_owned()]));
        Virtual {
            id: DroneId::parse(&format!("drone-{number}")).unwrap(),
            offer: Offer { labels: [("region".to_owned(), region.to_owned())].into(), secrets, capacity, weight },
            lot: if self.chance.percent(70) { Lot::Running } else { Lot::Dead },
            joined: false,
            next_beat_ms: self.now_ms + i64::try_from(self.chance.below(5_000)).unwrap(),
            beats: 0,
            starts: 1,
            skew_ms: if self.chance.percent(5) { 86_400_000 } else { 0 },
        }
    }

    fn profile(&mut self, number: usize) -> EnabledProfile {
        let region = BTreeSet::from([["eu", "us", "mars"][self.chance.below(3)].to_owned()]);
        let needs = Needs {
            labels: self.chance.percent(30).then(|| ("region".to_owned(), region)).into_iter().collect(),
            secrets: self.chance.percent(20).then(|| "KEY".to_owned()).into_iter().collect(),
            replicas: if self.chance.percent(10) { 2 } else { 1 },
        };
        let id = ProfileId::parse(&format!("profile-{number}")).unwrap();
        EnabledProfile { id, digest: Digest::of(&number.to_be_bytes()), needs }
    }

    fn publish(&mut self) {
        self.fleet.set_profiles(self.profiles.values().cloned().collect());
    }

    /// One second.
    pub fn step(&mut self) {
        self.fate();
        self.pass(1_000);
    }

    /// Chance decides what happens to drones, profiles and the coordinator.
    fn fate(&mut self) {
        for _ in 0..(self.size.drones * self.size.unrest).div_ceil(1_000) {
            let (which, dice) = (self.chance.below(self.drones.len()), self.chance.below(10));
            self.change_lot(which, dice);
        }
        match self.chance.below(40) {
            0 => self.restart_coordinator(),
            1 => self.change_profiles(),
            2 => self.drain_one(),
            3 => self.cut_off_many(),
            _ => {}
        }
    }

    fn change_lot(&mut self, which: usize, dice: usize) {
        let drone = &mut self.drones[which];
        match dice {
            0..=1 => drone.lot = Lot::Dead,
            2 => drone.lot = Lot::CutOff,
            3 => drone.lot = Lot::Slow,
            4 => {
                // Killed and started again at once: it joins as a new process.
                (drone.lot, drone.joined, drone.beats, drone.starts) = (Lot::Running, false, 0, drone.starts + 1);
            }
            _ => drone.lot = Lot::Running,
        }
    }

    fn cut_off_many(&mut self) {
        let first = self.chance.below(self.drones.len());
        let many = self.drones.len() / 3;
        for step in 0..many {
            let which = (first + step) % self.drones.len();
            if self.drones[which].lot == Lot::Running {
                self.drones[which].lot = Lot::CutOff;
            }
        }
    }

    fn change_profiles(&mut self) {
        let number = self.chance.below(self.size.profiles * 2);
        let profile = self.profile(number);
        if self.profiles.remove(&profile.id).is_none() {
            self.profiles.insert(profile.id.clone(), profile);
        }
        self.publish();
    }

    fn drain_one(&mut self) {
        let which = self.chance.below(self.drones.len());
        let id = self.drones[which].id.clone();
        let draining = !self.draining.contains(&id);
        if self.fleet.set_draining(&id, draining).is_ok() {
            if draining {
                self.draining.insert(id)
            } else {
                self.draining.remove(&id)
            };
        }
    }

    /// A new coordinator knows what the store has: drones with an older time of their last beat, and the profiles.
    fn restart_coordinator(&mut self) {
        let views = self.fleet.views(None, usize::MAX);
        let stored = views.into_iter().map(|view| {
            let offer = Offer {
                labels: view.labels,
                secrets: view.secrets,
                capacity: view.capacity,
                weight: view.weight.unwrap_or(1),
            };
            let seen_ms = view.last_seen_ms - LEASE_MS / 2;
            let draining = self.draining.contains(&view.drone_id);
            (view.drone_id, Drone::stored(view.version, offer, view.registered_ms, seen_ms, draining))
        });
        let stored = stored.collect();
        self.now_ms += 2_000;
        self.fleet = fleet(self.now_ms);
        self.fleet.restore(stored, Vec::new(), self.now_ms);
        self.publish();
    }

    fn pass(&mut self, ms: i64) {
        let until_ms = self.now_ms + ms;
        while self.now_ms < until_ms {
            self.now_ms += TICK_MS;
            for which in 0..self.drones.len() {
                self.let_beat(which);
            }
            self.fleet.look(self.now_ms);
            for forgotten in self.fleet.take_forgotten() {
                self.draining.remove(&forgotten);
            }
            self.fleet.take_unsaved();
        }
    }

    fn let_beat(&mut self, which: usize) {
        let now_ms = self.now_ms;
        let drone = &mut self.drones[which];
        if drone.next_beat_ms > now_ms {
            return;
        }
        drone.next_beat_ms = now_ms + if drone.lot == Lot::Slow { HEARTBEAT_MS * 4 } else { HEARTBEAT_MS };
        if matches!(drone.lot, Lot::Dead | Lot::CutOff) {
            return;
        }
        drone.beats += 1;
        if drone.joined {
            let (reply, change) = self.fleet.beat(&drone.beat(now_ms), now_ms);
            drone.joined = reply.known;
            if change.is_some() {}
        }
        if !drone.joined && self.fleet.admit(&drone.hello(now_ms)).is_ok() {
            drone.joined = true;
            self.fleet.register(&drone.hello(now_ms), now_ms);
        }
    }

    /// All is well for long enough that everything finds its place.
    pub fn calm(&mut self) {
        for drone in &mut self.drones {
            if drone.lot != Lot::Dead {
                drone.lot = Lot::Running;
            }
        }
        self.pass(3 * LEASE_MS);
    }

    pub fn rest(&mut self) {
        self.pass(LEASE_MS);
    }

    /// Drones that the coordinator counts on, by what it says itself.
    pub fn online(&self) -> BTreeSet<DroneId> {
        let views = self.fleet.views(None, usize::MAX).into_iter();
        views.filter(|view| view.state == DroneState::Online).map(|view| view.drone_id).collect()
    }

    /// Every lease: profile, drone, epoch, as the drones are told.
    pub fn leases(&self) -> Vec<(ProfileId, DroneId, u64)> {
        let mut all = Vec::new();
        for drone in &self.drones {
            let Ok(work) = self.fleet.work(&drone.id, None) else { continue };
            let leases = work.assignments.into_iter();
            all.extend(leases.map(|one| (one.profile_id, drone.id.clone(), one.epoch.unwrap())));
        }
        all.sort();
        all
    }
}

fn fleet(now_ms: i64) -> Fleet {
    let patience = Patience { lease_ms: LEASE_MS, forget_ms: FORGET_MS };
    Fleet::new(patience, u64::try_from(now_ms).unwrap() * 4_000)
}

impl Virtual {
    fn instance(&self) -> Option<String> {
        Some(format!("{}-{}", self.id, self.starts))
    }

    fn hello(&self, now_ms: i64) -> DroneHello {
        DroneHello {
            drone_id: self.id.clone(),
            version: "1".into(),
            labels: self.offer.labels.clone(),
            clock_ms: Some(now_ms + self.skew_ms),
            instance: self.instance(),
            secrets: self.offer.secrets.clone(),
            capacity: self.offer.capacity,
            weight: Some(self.offer.weight),
        }
    }

    fn beat(&self, now_ms: i64) -> Beat {
        Beat {
            drone_id: self.id.clone(),
            clock_ms: Some(now_ms + self.skew_ms),
            profiles: 0,
            running: 0,
            spooled: 0,
            spool_dropped: 0,
            done_requests: Vec::new(),
            done_replays: Vec::new(),
            kept_runs: 0,
            kept_bytes: 0,
            instance: self.instance(),
            number: self.beats,
        }
    }
}
