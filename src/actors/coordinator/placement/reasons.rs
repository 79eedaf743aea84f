//! Why a profile has no drone, or too few, in words for whoever can mend it.

use super::{Item, Placement};
use crate::actors::coordinator::placement::groups::MAX_GROUPS;
use crate::domain::ids::ProfileId;
use crate::domain::needs::Needs;

impl Placement {
    /// The first profiles that run on too few drones, by no particular order, each with the reason.
    pub(in super::super) fn unplaced(&self, most: usize) -> Vec<(ProfileId, String)> {
        let stuck = self.groups.all.iter().flat_map(|group| &group.stuck);
        let short = self.too_many.iter().chain(stuck).chain(&self.loose).take(most);
        short.filter_map(|item| Some((self.items[*item as usize].id.clone(), self.reason(*item)?))).collect()
    }

    /// How many drones a profile should run on, and why it runs on fewer; `None`: it is not enabled.
    pub(in super::super) fn state_of(&self, profile: &ProfileId) -> Option<(u32, Option<String>)> {
        let item = *self.by_profile.get(profile)?;
        let it = &self.items[item as usize];
        Some((if it.pin.is_some() { 1 } else { it.replicas }, self.reason(item)))
    }

    pub(in super::super) fn pin_of(&self, profile: &ProfileId) -> Option<&crate::domain::ids::DroneId> {
        self.pins.get(profile)
    }

    fn reason(&self, item: u32) -> Option<String> {
        let it = &self.items[item as usize];
        let wanted = if it.pin.is_some() { 1 } else { it.replicas as usize };
        if it.leases.len() >= wanted {
            return None;
        }
        if let Some(pin) = &it.pin {
            return Some(format!("it is pinned to drone {pin}, which is not online, or drains"));
        }
        let Some(group) = it.group else {
            return Some(format!("the fleet's profiles have {MAX_GROUPS} different needs already, which is the most"));
        };
        Some(self.shortage(it, &self.groups.all[group as usize].needs, group))
    }

    fn shortage(&self, it: &Item, needs: &Needs, group: u32) -> String {
        let open = self.members.iter().filter(|member| member.open);
        if open.clone().count() == 0 {
            return "no drone takes work: none is online, or they drain".into();
        }
        let fit = open.clone().filter(|member| member.groups.contains(&group)).count();
        if fit == 0 {
            let missing = needs.each().find(|need| !open.clone().any(|member| need.is_met_by(&member.offer)));
            return match missing {
                Some(need) => format!("no drone that is online has {need}"),
                None => {
                    let all: Vec<_> = needs.each().map(|need| need.to_string()).collect();
                    format!("no drone that is online has all of: {}", all.join(", "))
                }
            };
        }
        let runs = it.leases.len();
        if fit < it.replicas as usize {
            return format!("it runs on {runs} of {} drones: {fit} that are online meet its needs", it.replicas);
        }
        format!("it runs on {runs} of {} drones: all others that meet its needs are at their capacity", it.replicas)
    }
}
