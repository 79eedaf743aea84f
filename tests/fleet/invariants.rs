//! What must hold at each step of every history.

use std::collections::{BTreeMap, BTreeSet};

use chartly::domain::ids::{DroneId, ProfileId};
use chartly::domain::needs::Offer;

use crate::world::{Lot, World};

type Leases = BTreeMap<ProfileId, Vec<DroneId>>;

pub fn check(world: &World) -> Result<(), String> {
    let all = world.leases();
    let epochs: BTreeSet<u64> = all.iter().map(|(_, _, epoch)| *epoch).collect();
    if epochs.len() != all.len() {
        return Err("two leases have one epoch".into());
    }
    let mut leases = Leases::new();
    for (profile, drone, _) in all {
        leases.entry(profile).or_default().push(drone);
    }
    let online = world.online();
    let offers: BTreeMap<&DroneId, &Offer> = world.drones.iter().map(|drone| (&drone.id, &drone.offer)).collect();
    nothing_forbidden(world, &leases, &online, &offers)?;
    nothing_left_out(world, &leases, &online, &offers)?;
    capacities_hold(&leases, &offers)
}

/// Never more leases than replicas, never on a drone that is away, drains, or lacks what is needed.
fn nothing_forbidden(
    world: &World,
    leases: &Leases,
    online: &BTreeSet<DroneId>,
    offers: &BTreeMap<&DroneId, &Offer>,
) -> Result<(), String> {
    for (profile, drones) in leases {
        let Some(enabled) = world.profiles.get(profile) else { return Err(format!("{profile} runs and is gone")) };
        if drones.len() > enabled.needs.replicas as usize {
            return Err(format!("{profile} is leased to {drones:?}"));
        }
        for drone in drones {
            if !online.contains(drone) {
                return Err(format!("{profile} is leased to {drone}, which is away or drains"));
            }
            if !enabled.needs.are_met_by(offers[drone]) {
                return Err(format!("{profile} is leased to {drone}, which lacks something"));
            }
        }
    }
    Ok(())
}

/// Every profile that can be placed is placed: the coordinator leases at once what it sees, and sees a silence within
/// one lease time.
fn nothing_left_out(
    world: &World,
    leases: &Leases,
    online: &BTreeSet<DroneId>,
    offers: &BTreeMap<&DroneId, &Offer>,
) -> Result<(), String> {
    let mut loads: BTreeMap<&DroneId, usize> = BTreeMap::new();
    for drone in leases.values().flatten() {
        *loads.entry(drone).or_default() += 1;
    }
    let has_room = |drone: &DroneId| {
        offers[drone].capacity.is_none_or(|most| loads.get(drone).copied().unwrap_or(0) < most as usize)
    };
    // Few kinds of needs: what each could use is found once.
    let mut free: BTreeMap<String, Vec<&DroneId>> = BTreeMap::new();
    for enabled in world.profiles.values() {
        let none = Vec::new();
        let held = leases.get(&enabled.id).unwrap_or(&none);
        if held.len() == enabled.needs.replicas as usize {
            continue;
        }
        let fitting = free.entry(format!("{:?}", enabled.needs)).or_insert_with(|| {
            let fit = online.iter().filter(|drone| enabled.needs.are_met_by(offers[drone]));
            fit.filter(|drone| has_room(drone)).collect()
        });
        if let Some(drone) = fitting.iter().find(|drone| !held.contains(drone)) {
            return Err(format!("{} has {held:?}, and could run on {drone}", enabled.id));
        }
        if world.fleet.placement_of(&enabled.id).reason.is_none() {
            return Err(format!("{} runs on too few drones, and nothing says why", enabled.id));
        }
    }
    Ok(())
}

fn capacities_hold(leases: &Leases, offers: &BTreeMap<&DroneId, &Offer>) -> Result<(), String> {
    let mut loads: BTreeMap<&DroneId, usize> = BTreeMap::new();
    for drone in leases.values().flatten() {
        *loads.entry(drone).or_default() += 1;
    }
    match loads.iter().find(|(drone, load)| offers[*drone].capacity.is_some_and(|most| **load > most as usize)) {
        Some((drone, load)) => Err(format!("{drone} holds {load} profiles, more than it takes")),
        None => Ok(()),
    }
}

/// After a calm while every running drone is counted on, and nothing moves any more.
pub fn at_rest(world: &mut World) -> Result<(), String> {
    check(world)?;
    let online = world.online();
    let running = world.drones.iter().filter(|drone| drone.lot == Lot::Running);
    for drone in running {
        if !online.contains(&drone.id) && !world.draining.contains(&drone.id) {
            return Err(format!("{} runs and is not counted on", drone.id));
        }
    }
    let before = world.leases();
    world.rest();
    if world.leases() != before {
        return Err("leases moved without a change".into());
    }
    Ok(())
}
