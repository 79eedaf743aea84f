//! What is said of drones, tokens and keys, a line each.

use crate::cli::moment;
use crate::domain::fleet::DroneState;
use crate::domain::ids::ProfileId;
use crate::protocol::coordinator::{DroneView, PlacementView};
use crate::protocol::enrolment::{DroneKeyView, InviteView};

pub(super) fn invite(view: &InviteView) -> String {
    let InviteView { invite_id, note, uses, used, expires_ms, withdrawn_ms, .. } = view;
    let end = match withdrawn_ms {
        Some(ms) => format!("withdrawn {}", moment(*ms)),
        None => format!("ends {}", moment(*expires_ms)),
    };
    format!("{invite_id}  {used} of {uses} used  {end}  {note}").trim_end().to_owned()
}

pub(super) fn drone(drone: &DroneView) -> String {
    let DroneView { drone_id, assigned, running, spooled, version, .. } = drone;
    let state = match drone.state {
        DroneState::Online => "online",
        DroneState::Draining => "draining",
        DroneState::Offline => "offline",
    };
    let labels: Vec<String> = drone.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (seen, key, labels) = (moment(drone.last_seen_ms), key(drone.key.as_ref()), labels.join(","));
    let line = format!(
        "{drone_id}  {state}  seen {seen}  profiles {assigned}  running {running}  spooled {spooled}  {version}  {key}  {labels}"
    );
    line.trim_end().to_owned()
}

pub(super) fn placement(profile: &ProfileId, placement: &PlacementView) -> String {
    let drones: Vec<&str> = placement.leases.iter().map(|lease| lease.drone_id.as_str()).collect();
    let reason = placement.reason.as_deref().map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{profile}  drones: {}{reason}", if drones.is_empty() { "none".into() } else { drones.join(", ") })
}

pub(super) fn key(key: Option<&DroneKeyView>) -> String {
    let Some(key) = key else { return "shared key".into() };
    match (key.revoked_ms, key.rotation_asked, key.rotated_ms) {
        (Some(ms), ..) => format!("key revoked {}, refused {} times since", moment(ms), key.refused),
        (None, true, _) => "own key, a new one is asked for".into(),
        (None, false, Some(ms)) => format!("own key, made {}", moment(ms)),
        (None, false, None) => format!("own key, made {}", moment(key.enrolled_ms)),
    }
}
