//! Profiles with the same needs form a group, and each group has its own circle of the drones that meet them. So a
//! choice looks only at drones that fit, however few they are. Pure.

use std::collections::{BTreeSet, HashMap};

use super::Member;
use super::points::{Points, points_of};
use crate::domain::needs::Needs;

/// At most so many different needs in one fleet; profiles beyond are not placed, and say so.
pub(super) const MAX_GROUPS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Group {
    pub(super) needs: Needs,
    points: Points,
    /// Members whose points are to be put in, and whether some are to be taken out.
    fresh: BTreeSet<u32>,
    stale: bool,
    /// Open members that can take one more profile.
    pub(super) roomy: usize,
    /// Items that found too few drones; tried again when one more has room.
    pub(super) stuck: BTreeSet<u32>,
    pub(super) hopeful: bool,
    /// Items that have these needs.
    pub(super) items: usize,
}

#[derive(Debug, Default)]
pub(super) struct Groups {
    pub(super) all: Vec<Group>,
    by_needs: HashMap<Needs, u32>,
}

impl Groups {
    /// The group of these needs; the number of replicas makes no difference. `None`: there are too many.
    pub(super) fn find_or_add(&mut self, needs: &Needs, members: &mut [Member]) -> Option<u32> {
        let needs = Needs { replicas: 1, ..needs.clone() };
        if let Some(known) = self.by_needs.get(&needs) {
            return Some(*known);
        }
        let number = self.vacant()?;
        let mut group = Group::new(needs.clone());
        for (place, member) in members.iter_mut().enumerate() {
            member.groups.retain(|other| *other != number);
            if member.open && needs.are_met_by(&member.offer) {
                member.groups.push(number);
                group.join(u32::try_from(place).unwrap_or(u32::MAX), member.has_room());
            }
        }
        match self.all.get_mut(number as usize) {
            Some(old) => {
                self.by_needs.remove(&old.needs);
                *old = group;
            }
            None => self.all.push(group),
        }
        self.by_needs.insert(needs, number);
        Some(number)
    }

    /// A new place, or that of a group that nobody needs any more.
    fn vacant(&self) -> Option<u32> {
        let number = match self.all.len() {
            fewer if fewer < MAX_GROUPS => Some(fewer),
            _ => self.all.iter().position(|group| group.items == 0),
        };
        number.and_then(|number| u32::try_from(number).ok())
    }

    /// Puts an open member into every group whose needs it meets.
    pub(super) fn join(&mut self, place: u32, member: &mut Member) {
        let roomy = member.has_room();
        for (number, group) in self.all.iter_mut().enumerate() {
            if group.needs.are_met_by(&member.offer) {
                member.groups.push(u32::try_from(number).unwrap_or(u32::MAX));
                group.join(place, roomy);
            }
        }
    }

    /// Takes a member out of all its groups.
    pub(super) fn leave(&mut self, place: u32, member: &mut Member) {
        let roomy = member.has_room();
        for number in std::mem::take(&mut member.groups) {
            let group = &mut self.all[number as usize];
            group.fresh.remove(&place);
            group.stale = true;
            group.roomy -= usize::from(roomy);
        }
    }

    /// Notes that a member has become full, or has room again.
    pub(super) fn set_roomy(&mut self, member: &Member, roomy: bool) {
        for number in &member.groups {
            let group = &mut self.all[*number as usize];
            if roomy {
                group.roomy += 1;
                group.hopeful = true;
            } else {
                group.roomy -= 1;
            }
        }
    }

    /// The group's circle as its members are now.
    pub(super) fn points(&mut self, number: u32, members: &[Member]) -> &Points {
        let group = &mut self.all[number as usize];
        if group.stale || !group.fresh.is_empty() {
            let fresh = std::mem::take(&mut group.fresh);
            let belongs = |place: u32| !fresh.contains(&place) && members[place as usize].groups.contains(&number);
            let points = fresh.iter().flat_map(|place| {
                let member = &members[*place as usize];
                points_of(member.id.as_str(), member.offer.weight).map(|point| (point, *place))
            });
            group.points.change(belongs, points);
            group.stale = false;
        }
        &group.points
    }
}

impl Group {
    fn new(needs: Needs) -> Self {
        Self {
            needs,
            points: Points::default(),
            fresh: BTreeSet::new(),
            stale: false,
            roomy: 0,
            stuck: BTreeSet::new(),
            hopeful: false,
            items: 0,
        }
    }

    fn join(&mut self, place: u32, roomy: bool) {
        self.fresh.insert(place);
        self.roomy += usize::from(roomy);
        self.hopeful |= roomy;
    }
}
