//! Who runs what. Each enabled profile is leased to as many of the drones that meet its needs as it wants, the first
//! in the order of its choice (`points`). What lost its drone is leased anew at once; what would now choose another
//! drone moves there little by little, so that one that came back is not flooded. Nothing moves without a reason.
//! Pure: no clock, no store, and the same steps give the same leases.

mod groups;
mod leases;
mod points;
mod reasons;

use std::collections::{BTreeSet, HashMap};

use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId};
use crate::domain::needs::{Needs, Offer};
use crate::store::EnabledProfile;

use groups::Groups;

/// Profiles that are looked at between two looks at the clock, whether another drone would be their choice now.
const SWEPT_AT_ONCE: usize = 20_000;
/// Of all profiles this part moves at most between two looks, without need.
const MOVED_PART: usize = 50;
const MOVED_AT_LEAST: usize = 50;

/// A drone as placement sees it. Its place in the list is its name in here.
#[derive(Debug)]
struct Member {
    id: DroneId,
    offer: Offer,
    /// It takes work.
    open: bool,
    /// It takes work from others, too. One that has just come back does not yet.
    settled: bool,
    holds: BTreeSet<u32>,
    groups: Vec<u32>,
    /// Grows whenever its work changes.
    revision: u64,
}

impl Member {
    fn has_room(&self) -> bool {
        self.offer.capacity.is_none_or(|most| self.holds.len() < most as usize)
    }
}

/// An enabled profile.
#[derive(Debug)]
struct Item {
    id: ProfileId,
    digest: Digest,
    seed: u64,
    replicas: u32,
    /// `None`: there are too many different needs.
    group: Option<u32>,
    pin: Option<DroneId>,
    leases: Vec<Lease>,
    /// The round of `set_profiles` that named it last.
    round: u64,
}

/// The right of one drone to run one profile. An epoch is given once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    member: u32,
    epoch: u64,
}

#[derive(Debug)]
pub(super) struct Placement {
    members: Vec<Member>,
    by_drone: HashMap<DroneId, u32>,
    free_members: Vec<u32>,
    items: Vec<Item>,
    by_profile: HashMap<ProfileId, u32>,
    free_items: Vec<u32>,
    groups: Groups,
    pins: HashMap<ProfileId, DroneId>,
    /// Items that may have too few leases.
    loose: BTreeSet<u32>,
    /// Items whose needs are one kind too many.
    too_many: BTreeSet<u32>,
    /// Where the sweep goes on, and how many items it has to look at still.
    swept: usize,
    to_sweep: usize,
    sweeps_left: usize,
    moves_left: usize,
    leased: usize,
    round: u64,
    last_number: u64,
}

/// What a drone runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) profile: ProfileId,
    pub(super) digest: Digest,
    pub(super) epoch: u64,
}

impl Placement {
    /// Revisions and epochs are above `first_number`, which must be above all that were given before.
    pub(super) fn new(first_number: u64) -> Self {
        Self {
            members: Vec::new(),
            by_drone: HashMap::new(),
            free_members: Vec::new(),
            items: Vec::new(),
            by_profile: HashMap::new(),
            free_items: Vec::new(),
            groups: Groups::default(),
            pins: HashMap::new(),
            loose: BTreeSet::new(),
            too_many: BTreeSet::new(),
            swept: 0,
            to_sweep: 0,
            sweeps_left: SWEPT_AT_ONCE,
            moves_left: MOVED_AT_LEAST,
            leased: 0,
            round: 0,
            last_number: first_number,
        }
    }

    /// A drone takes work, with this offer. `settled`: also such as others have.
    pub(super) fn open(&mut self, drone: &DroneId, offer: &Offer, settled: bool) {
        let place = self.member_of(drone);
        let known = &self.members[place as usize];
        if known.open && known.offer == *offer {
            self.members[place as usize].settled |= settled;
            return;
        }
        self.leave(place);
        let joining = &mut self.members[place as usize];
        (joining.offer, joining.open, joining.settled) = (offer.clone(), true, settled);
        self.groups.join(place, joining);
        let member = &self.members[place as usize];
        let fits = |item: u32| self.items[item as usize].group.is_some_and(|group| member.groups.contains(&group));
        let unfit: Vec<u32> = member.holds.iter().copied().filter(|item| !fits(*item)).collect();
        self.release_all(place, &unfit);
        let held = &self.members[place as usize].holds;
        let most = offer.capacity.map_or(usize::MAX, |most| most as usize);
        let excess: Vec<u32> = held.iter().skip(most).copied().collect();
        self.release_all(place, &excess);
        self.loosen_pinned(drone);
        if settled {
            self.sweep_all();
        }
    }

    /// A drone that came back has been there long enough to take over what others have.
    pub(super) fn settle(&mut self, drone: &DroneId) {
        if let Some(place) = self.by_drone.get(drone).copied()
            && !std::mem::replace(&mut self.members[place as usize].settled, true)
        {
            self.sweep_all();
        }
    }

    /// A drone takes no work any more; what it had is for others.
    pub(super) fn close(&mut self, drone: &DroneId) {
        let Some(place) = self.by_drone.get(drone).copied() else { return };
        self.leave(place);
        let held: Vec<u32> = self.members[place as usize].holds.iter().copied().collect();
        self.release_all(place, &held);
    }

    /// A drone is gone for good.
    pub(super) fn forget(&mut self, drone: &DroneId) {
        self.close(drone);
        let Some(place) = self.by_drone.remove(drone) else { return };
        // Its points must be gone before another drone gets its place.
        for number in 0..self.groups.all.len() {
            self.groups.points(u32::try_from(number).unwrap_or(u32::MAX), &self.members);
        }
        self.free_members.push(place);
    }

    fn member_of(&mut self, drone: &DroneId) -> u32 {
        if let Some(known) = self.by_drone.get(drone) {
            return *known;
        }
        let (offer, holds, groups) = (Offer::default(), BTreeSet::new(), Vec::new());
        let revision = self.next_number();
        let member = Member { id: drone.clone(), offer, open: false, settled: false, holds, groups, revision };
        let place = match self.free_members.pop() {
            Some(place) => {
                self.members[place as usize] = member;
                place
            }
            None => {
                self.members.push(member);
                u32::try_from(self.members.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.by_drone.insert(drone.clone(), place);
        place
    }

    fn leave(&mut self, place: u32) {
        let member = &mut self.members[place as usize];
        if std::mem::take(&mut member.open) {
            self.groups.leave(place, member);
        }
    }

    /// Takes in the enabled profiles with their current versions.
    pub(super) fn set_profiles(&mut self, profiles: Vec<EnabledProfile>) {
        self.round += 1;
        for EnabledProfile { id, digest, needs } in profiles {
            match self.by_profile.get(&id).copied() {
                Some(item) => self.change_item(item, digest, &needs),
                None => self.add_item(id, digest, &needs),
            }
        }
        let gone = |item: &u32| self.items[*item as usize].round != self.round;
        let gone: Vec<u32> = self.by_profile.values().copied().filter(gone).collect();
        for item in gone {
            self.remove_item(item);
        }
    }

    fn add_item(&mut self, id: ProfileId, digest: Digest, needs: &Needs) {
        let group = self.groups.find_or_add(needs, &mut self.members);
        let (seed, pin) = (points::seed_of(id.as_str()), self.pins.get(&id).cloned());
        let round = self.round;
        let new = Item { id, digest, seed, replicas: needs.replicas, group, pin, leases: Vec::new(), round };
        let name = new.id.clone();
        let item = match self.free_items.pop() {
            Some(item) => {
                self.items[item as usize] = new;
                item
            }
            None => {
                self.items.push(new);
                u32::try_from(self.items.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.by_profile.insert(name, item);
        self.enter(item);
    }

    fn change_item(&mut self, item: u32, digest: Digest, needs: &Needs) {
        let known = &mut self.items[item as usize];
        known.round = self.round;
        let replicas = known.replicas;
        if known.digest != digest {
            known.digest = digest;
            self.touch_holders(item);
        }
        let old = self.items[item as usize].group;
        let group = self.groups.find_or_add(needs, &mut self.members);
        if group == old && group.is_some() && replicas == needs.replicas {
            return;
        }
        self.withdraw(item);
        let changed = &mut self.items[item as usize];
        (changed.group, changed.replicas) = (group, needs.replicas);
        self.enter(item);
        self.drop_unfit(item);
    }

    fn remove_item(&mut self, item: u32) {
        for lease in self.items[item as usize].leases.clone() {
            self.release(item, lease.member);
        }
        self.withdraw(item);
        self.by_profile.remove(&self.items[item as usize].id);
        self.items[item as usize].group = None;
        self.free_items.push(item);
    }

    /// Counts an item in its group, and has leases looked for.
    fn enter(&mut self, item: u32) {
        match self.items[item as usize].group {
            Some(group) => {
                self.groups.all[group as usize].items += 1;
                self.loose.insert(item);
            }
            None => {
                self.too_many.insert(item);
            }
        }
    }

    fn withdraw(&mut self, item: u32) {
        self.loose.remove(&item);
        self.too_many.remove(&item);
        if let Some(group) = self.items[item as usize].group {
            let group = &mut self.groups.all[group as usize];
            group.items -= 1;
            group.stuck.remove(&item);
        }
    }

    /// Keeps a profile on one drone, or on none in particular.
    pub(super) fn set_pin(&mut self, profile: &ProfileId, drone: Option<&DroneId>) {
        match drone {
            Some(drone) => self.pins.insert(profile.clone(), drone.clone()),
            None => self.pins.remove(profile),
        };
        let Some(item) = self.by_profile.get(profile).copied() else { return };
        self.items[item as usize].pin = drone.cloned();
        self.drop_unfit(item);
        self.loose.insert(item);
    }

    /// What is pinned to a drone waits for it alone.
    fn loosen_pinned(&mut self, drone: &DroneId) {
        let pinned = self.pins.iter().filter(|(_, other)| *other == drone);
        let pinned: Vec<u32> = pinned.filter_map(|(profile, _)| self.by_profile.get(profile).copied()).collect();
        self.loose.extend(pinned);
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn sweep_all(&mut self) {
        self.to_sweep = self.items.len();
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
