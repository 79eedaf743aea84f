//! Giving and taking leases, and what is seen of them from outside.

use super::{Held, Lease, MOVED_AT_LEAST, MOVED_PART, Member, Placement, SWEPT_AT_ONCE};
use crate::domain::ids::{DroneId, ProfileId};

impl Placement {
    /// As much as may move without need from one look at the clock to the next.
    pub(in super::super) fn allow_moves(&mut self) {
        self.moves_left = (self.items.len() / MOVED_PART).max(MOVED_AT_LEAST);
        self.sweeps_left = SWEPT_AT_ONCE;
    }

    /// Leases what has too few leases, and moves what would choose otherwise now, as far as that is allowed.
    pub(in super::super) fn place(&mut self) {
        self.complete_all();
        self.sweep();
        // What moved has made room.
        self.complete_all();
    }

    fn complete_all(&mut self) {
        for group in &mut self.groups.all {
            if std::mem::take(&mut group.hopeful) {
                self.loose.append(&mut group.stuck);
            }
        }
        for item in std::mem::take(&mut self.loose) {
            let complete = self.complete(item);
            let Some(group) = self.items[item as usize].group else { continue };
            let stuck = &mut self.groups.all[group as usize].stuck;
            if complete {
                stuck.remove(&item)
            } else {
                stuck.insert(item)
            };
        }
    }

    /// Gives an item the leases that it lacks. False: there are too few drones for it.
    fn complete(&mut self, item: u32) -> bool {
        let Some(group) = self.items[item as usize].group else { return false };
        let wanted = self.wanted_count(item);
        if self.items[item as usize].leases.len() >= wanted {
            return true;
        }
        if self.groups.all[group as usize].roomy == 0 && self.items[item as usize].pin.is_none() {
            return false;
        }
        for member in self.choice(item) {
            if self.items[item as usize].leases.len() < wanted && !self.holds(member, item) {
                self.grant(item, member);
            }
        }
        self.items[item as usize].leases.len() >= wanted
    }

    fn wanted_count(&self, item: u32) -> usize {
        let item = &self.items[item as usize];
        if item.pin.is_some() { 1 } else { item.replicas as usize }
    }

    fn holds(&self, member: u32, item: u32) -> bool {
        self.items[item as usize].leases.iter().any(|lease| lease.member == member)
    }

    /// The drones that should run it: those with room, or that run it already, in the order of its choice.
    fn choice(&mut self, item: u32) -> Vec<u32> {
        let Some(group) = self.items[item as usize].group else { return Vec::new() };
        if let Some(pin) = &self.items[item as usize].pin {
            let member = self.by_drone.get(pin).copied();
            return member.filter(|member| self.members[*member as usize].open).into_iter().collect();
        }
        let (members, it) = (&self.members, &self.items[item as usize]);
        let roomy = self.groups.all[group as usize].roomy;
        let full_holders = it.leases.iter().filter(|lease| !members[lease.member as usize].has_room()).count();
        let most = (it.replicas as usize).min(roomy + full_holders);
        let mut chosen = Vec::with_capacity(most);
        if most == 0 {
            return chosen;
        }
        for member in self.groups.points(group, members).ranked(it.seed) {
            let fits = members[member as usize].has_room() || it.leases.iter().any(|lease| lease.member == member);
            if fits && !chosen.contains(&member) {
                chosen.push(member);
                if chosen.len() == most {
                    break;
                }
            }
        }
        chosen
    }

    /// Looks at some items, whether they would choose other drones now.
    fn sweep(&mut self) {
        while self.to_sweep > 0 && self.sweeps_left > 0 && self.moves_left > 0 {
            self.sweeps_left -= 1;
            self.to_sweep -= 1;
            self.swept = if self.swept + 1 >= self.items.len() { 0 } else { self.swept + 1 };
            if let Ok(item) = u32::try_from(self.swept) {
                self.follow_choice(item);
            }
        }
    }

    fn follow_choice(&mut self, item: u32) {
        if self.items[item as usize].leases.is_empty() {
            return;
        }
        let choice = self.choice(item);
        let better = choice.iter().copied().filter(|member| !self.holds(*member, item));
        let better: Vec<u32> = better.filter(|member| self.members[*member as usize].settled).collect();
        let worse: Vec<u32> = self.items[item as usize].leases.iter().map(|lease| lease.member).collect();
        let worse = worse.into_iter().filter(|member| !choice.contains(member));
        for (new, old) in better.into_iter().zip(worse) {
            self.release(item, old);
            self.loose.remove(&item);
            self.grant(item, new);
            self.moves_left = self.moves_left.saturating_sub(1);
        }
    }

    fn grant(&mut self, item: u32, member: u32) {
        let (epoch, revision) = (self.next_number(), self.next_number());
        let leases = &mut self.items[item as usize].leases;
        self.leased += usize::from(leases.is_empty());
        leases.push(Lease { member, epoch });
        let holder = &mut self.members[member as usize];
        let had_room = holder.has_room();
        holder.holds.insert(item);
        holder.revision = revision;
        if had_room && !holder.has_room() && holder.open {
            self.groups.set_roomy(holder, false);
        }
    }

    /// Takes a lease back; the item is loose then.
    pub(super) fn release(&mut self, item: u32, member: u32) {
        let revision = self.next_number();
        let leases = &mut self.items[item as usize].leases;
        leases.retain(|lease| lease.member != member);
        self.leased -= usize::from(leases.is_empty());
        self.loose.insert(item);
        let holder = &mut self.members[member as usize];
        let had_room = holder.has_room();
        holder.holds.remove(&item);
        holder.revision = revision;
        if !had_room && holder.has_room() && holder.open {
            self.groups.set_roomy(holder, true);
        }
    }

    pub(super) fn release_all(&mut self, member: u32, items: &[u32]) {
        for item in items {
            self.release(*item, member);
        }
    }

    /// Takes the leases of drones that do not fit any more, or are too many.
    pub(super) fn drop_unfit(&mut self, item: u32) {
        let it = &self.items[item as usize];
        let most = self.wanted_count(item);
        let fits = |member: u32| {
            let member = &self.members[member as usize];
            match &it.pin {
                Some(pin) => member.id == *pin,
                None => it.group.is_some_and(|group| member.groups.contains(&group)) && !self.is_overfull(member),
            }
        };
        let (fit, unfit): (Vec<u32>, Vec<u32>) =
            it.leases.iter().map(|lease| lease.member).partition(|member| fits(*member));
        for member in unfit.into_iter().chain(fit.into_iter().skip(most)) {
            self.release(item, member);
        }
    }

    /// Whether a drone holds more than it takes, those that are pinned to it not counted: what is pinned no more is one
    /// too many then.
    fn is_overfull(&self, member: &Member) -> bool {
        let Some(most) = member.offer.capacity.map(|most| most as usize) else { return false };
        if member.holds.len() <= most {
            return false;
        }
        let is_pinned = |item: &&u32| self.items[**item as usize].pin.as_ref() == Some(&member.id);
        member.holds.len() > most + member.holds.iter().filter(is_pinned).count()
    }

    pub(super) fn touch_holders(&mut self, item: u32) {
        for place in 0..self.items[item as usize].leases.len() {
            let member = self.items[item as usize].leases[place].member;
            self.members[member as usize].revision = self.next_number();
        }
    }

    /// Makes drones look at their work anew.
    pub(in super::super) fn touch(&mut self, drone: &DroneId) {
        if let Some(member) = self.by_drone.get(drone).copied() {
            self.members[member as usize].revision = self.next_number();
        }
    }

    pub(in super::super) fn touch_profile(&mut self, profile: &ProfileId) {
        if let Some(item) = self.by_profile.get(profile).copied() {
            self.touch_holders(item);
        }
    }

    /// Grows whenever the drone's work changes.
    pub(in super::super) fn revision(&self, drone: &DroneId) -> u64 {
        self.by_drone.get(drone).map_or(self.last_number, |member| self.members[*member as usize].revision)
    }

    /// What a drone runs, by profile.
    pub(in super::super) fn held_by(&self, drone: &DroneId) -> Vec<Held> {
        let Some(member) = self.by_drone.get(drone).copied() else { return Vec::new() };
        let held = self.members[member as usize].holds.iter().filter_map(|item| {
            let item = &self.items[*item as usize];
            let lease = item.leases.iter().find(|lease| lease.member == member)?;
            Some(Held { profile: item.id.clone(), digest: item.digest, epoch: lease.epoch })
        });
        let mut held: Vec<Held> = held.collect();
        held.sort_by(|one, other| one.profile.cmp(&other.profile));
        held
    }

    pub(in super::super) fn count_of(&self, drone: &DroneId) -> usize {
        self.by_drone.get(drone).map_or(0, |member| self.members[*member as usize].holds.len())
    }

    /// The drones that run a profile, each with its lease's epoch.
    pub(in super::super) fn holders(&self, profile: &ProfileId) -> Vec<(DroneId, u64)> {
        let leases = self.by_profile.get(profile).map_or(&[][..], |item| &self.items[*item as usize].leases);
        leases.iter().map(|lease| (self.members[lease.member as usize].id.clone(), lease.epoch)).collect()
    }

    pub(in super::super) fn is_enabled(&self, profile: &ProfileId) -> bool {
        self.by_profile.contains_key(profile)
    }

    /// Enabled profiles, and those of them that some drone runs.
    pub(in super::super) fn counts(&self) -> (usize, usize) {
        (self.by_profile.len(), self.leased)
    }
}
