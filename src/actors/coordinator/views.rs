//! The fleet as operators see it. Only reads.

use std::collections::BTreeMap;

use super::fleet::Drone;
use crate::domain::fleet::DroneState;
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::coordinator::{DroneStats, DroneView};

/// A clock that is further off is shown as a problem.
const MAX_SKEW_MS: u64 = 300_000;

pub(super) fn view(drone_id: &DroneId, drone: &Drone, assigned: usize) -> DroneView {
    DroneView {
        drone_id: drone_id.clone(),
        state: drone.state(),
        version: drone.version.clone(),
        labels: drone.labels.clone(),
        registered_ms: drone.registered_ms,
        last_seen_ms: drone.last_seen_ms,
        clock_skew_ms: drone.clock_skew_ms,
        assigned: count_of(assigned),
        running: drone.running,
        spooled: drone.spooled,
        spool_dropped: drone.spool_dropped,
        kept_runs: drone.kept_runs,
        kept_bytes: drone.kept_bytes,
        key: None,
    }
}

/// Drones after `after`, in the order of their ids.
pub(super) fn list(
    drones: &BTreeMap<DroneId, Drone>,
    placed: &BTreeMap<ProfileId, DroneId>,
    after: Option<&str>,
    limit: usize,
) -> Vec<DroneView> {
    let mut assigned: BTreeMap<&DroneId, usize> = BTreeMap::new();
    for drone in placed.values() {
        *assigned.entry(drone).or_default() += 1;
    }
    let later = drones.iter().filter(|(id, _)| after.is_none_or(|after| id.as_str() > after));
    later.take(limit).map(|(id, drone)| view(id, drone, assigned.get(id).copied().unwrap_or(0))).collect()
}

pub(super) fn stats(drones: &BTreeMap<DroneId, Drone>, profiles: usize, placed: usize, requests: usize) -> DroneStats {
    let count = |state| count_of(drones.values().filter(|drone| drone.state() == state).count());
    let skewed =
        |drone: &&Drone| drone.live && drone.clock_skew_ms.is_some_and(|skew| skew.unsigned_abs() > MAX_SKEW_MS);
    DroneStats {
        skewed_clocks: count_of(drones.values().filter(skewed).count()),
        online: count(DroneState::Online),
        draining: count(DroneState::Draining),
        offline: count(DroneState::Offline),
        assigned_profiles: count_of(placed),
        unassigned_profiles: count_of(profiles - placed),
        pending_run_requests: count_of(requests),
        pending_replays: 0,
    }
}

fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
