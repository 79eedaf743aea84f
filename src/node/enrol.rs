//! How a drone comes to its control plane: with its own key, else with a token that gives it one, else with the shared
//! key. What can never work is an error at the start; what is only away is waited for.

use std::io;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::error::StartError;
use crate::actors::drone::OwnKey;
use crate::clients::{ControlPlane, Unfit};
use crate::domain::ids::DroneId;
use crate::protocol::fault::{Fault, Retry};
use crate::settings::Settings;

const MIN_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// A drone's way in, and whether the key it shows is its own.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) control_plane: ControlPlane,
    pub(super) own_key: Option<OwnKey>,
}

pub(super) async fn join(
    settings: &Settings,
    drone_id: &DroneId,
    url: &str,
    folder: &Path,
) -> Result<Joined, StartError> {
    let failed = |error| StartError::DataFolder { path: folder.to_owned(), error };
    let own = OwnKey::in_folder(folder);
    let token = settings.drone.enrol_token.as_ref();
    let held = own.read().map_err(failed)?;
    let has_own = held.is_some();
    if has_own || token.is_none() {
        let control_plane = ControlPlane::new(url, held.or_else(|| settings.api_key.clone()));
        match (control_plane.greet(drone_id).await, token) {
            (Ok(()), _) => return Ok(Joined { control_plane, own_key: has_own.then_some(own) }),
            (Err(unfit), _) if unfit.mends_itself() => {
                tracing::warn!(%unfit, "the control plane is not there yet; trying again");
                return Ok(Joined { control_plane, own_key: has_own.then_some(own) });
            }
            (Err(unfit @ (Unfit::Key { .. } | Unfit::Revoked { .. })), Some(_)) => {
                tracing::warn!(%unfit, "the drone's key is not taken; it joins again with its token");
            }
            (Err(unfit), _) => return Err(StartError::Peer(unfit)),
        }
    }
    let Some(token) = token else { return Err(StartError::Other("there is neither key nor token".into())) };
    let key = enrol(token, drone_id, url, &own, &failed).await?;
    Ok(Joined { control_plane: ControlPlane::new(url, Some(key)), own_key: Some(own) })
}

/// Asks until there is an answer.
async fn enrol(
    token: &SecretString,
    drone_id: &DroneId,
    url: &str,
    own: &OwnKey,
    failed: &impl Fn(io::Error) -> StartError,
) -> Result<SecretString, StartError> {
    let control_plane = ControlPlane::new(url, Some(token.clone()));
    let secret = own.draft().map_err(failed)?;
    let mut pause = MIN_PAUSE;
    loop {
        let reason = match control_plane.look().await {
            Ok(()) => match control_plane.enrol(drone_id, secret.digest).await {
                Ok(_) => break,
                Err(fault) if fault.code.retry() == Retry::Never => return Err(StartError::Enrol(fault)),
                Err(Fault { detail, .. }) => detail,
            },
            Err(unfit) if unfit.mends_itself() => unfit.to_string(),
            Err(unfit) => return Err(StartError::Peer(unfit)),
        };
        if pause == MIN_PAUSE {
            tracing::warn!(reason, "the control plane cannot be joined yet; trying again");
        }
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
    own.adopt().map_err(failed)?;
    tracing::info!(drone = %drone_id, control_plane = url, "the drone has joined and keeps a key of its own");
    Ok(secret.key)
}
