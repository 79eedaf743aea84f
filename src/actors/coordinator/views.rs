//! The fleet as operators see it. Only reads.

use std::collections::BTreeMap;

use super::drone::Drone;
use super::placement::Placement;
use crate::domain::fleet::DroneState;
use crate::domain::ids::{DroneId, ProfileId};
use crate::protocol::coordinator::{DroneStats, DroneView, LeaseView, PlacementView, Unplaced};

/// A clock that is further off is shown as a problem.
const MAX_SKEW_MS: u64 = 300_000;
/// A twin that was silent for this long is no problem any more.
const TWIN_SHOWN_MS: i64 = 600_000;
/// Profiles and drones that the status names.
const MOST_NAMED: usize = 10;

pub(super) fn view(drone_id: &DroneId, drone: &Drone, assigned: usize) -> DroneView {
    DroneView {
        drone_id: drone_id.clone(),
        state: drone.state(),
        version: drone.version.clone(),
        labels: drone.offer.labels.clone(),
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
        capacity: drone.offer.capacity,
        weight: Some(drone.offer.weight),
        secrets: drone.offer.secrets.clone(),
        twin_ms: drone.twin_ms,
        stale_beats: drone.stale_beats,
    }
}

pub(super) fn stats(
    drones: &BTreeMap<DroneId, Drone>,
    placement: &Placement,
    requests: usize,
    now_ms: i64,
) -> DroneStats {
    let count = |state| count_of(drones.values().filter(|drone| drone.state() == state).count());
    let skewed =
        |drone: &&Drone| drone.live && drone.clock_skew_ms.is_some_and(|skew| skew.unsigned_abs() > MAX_SKEW_MS);
    let is_twin = |drone: &Drone| drone.twin_ms.is_some_and(|twin_ms| now_ms.saturating_sub(twin_ms) < TWIN_SHOWN_MS);
    let twins = drones.iter().filter(|(_, drone)| is_twin(drone)).take(MOST_NAMED).map(|(id, _)| id.clone());
    let unplaced = placement.unplaced(MOST_NAMED).into_iter();
    let (profiles, leased) = placement.counts();
    DroneStats {
        skewed_clocks: count_of(drones.values().filter(skewed).count()),
        online: count(DroneState::Online),
        draining: count(DroneState::Draining),
        offline: count(DroneState::Offline),
        assigned_profiles: count_of(leased),
        unassigned_profiles: count_of(profiles - leased),
        pending_run_requests: count_of(requests),
        pending_replays: 0,
        unplaced: unplaced.map(|(profile_id, reason)| Unplaced { profile_id, reason }).collect(),
        twins: twins.collect(),
    }
}

pub(super) fn placement(placement: &Placement, profile: &ProfileId) -> PlacementView {
    let (wanted, reason) = placement.state_of(profile).unwrap_or((0, None));
    let leases = placement.holders(profile).into_iter();
    PlacementView {
        leases: leases.map(|(drone_id, epoch)| LeaseView { drone_id, epoch }).collect(),
        wanted,
        reason,
        pinned_to: placement.pin_of(profile).cloned(),
    }
}

fn count_of(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
