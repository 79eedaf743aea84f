//! The one door: who is calling, is that enough for this route, and is it not too often. Stands before all routes,
//! so that none can be added past it.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use crate::domain::digest::Digest;
use crate::http::auth::{Identity, is_always_open, shown_drone_key};
use crate::http::keyring::{Keyring, check_route};
use crate::http::problem::{nothing_at, problem};
use crate::http::state::AppState;
use crate::protocol::fault::{Code, Fault};

pub async fn gate<B: MessageBody>(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match admit(&state, &request).await {
        Ok(identity) => {
            if let Some(identity) = identity {
                request.extensions_mut().insert(identity);
            }
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(fault) => Ok(request.into_response(problem(&fault)).map_into_right_body()),
    }
}

async fn admit(state: &AppState, request: &ServiceRequest) -> Result<Option<Identity>, Fault> {
    // The path as the router sees it, its escapes resolved: what is checked must be what is matched.
    let path = request.match_info().as_str();
    let drone = shown_drone_key(request.headers()).filter(|_| !path.starts_with("/internal/") && !is_always_open(path));
    let admitted = match (drone, request.app_data::<web::Data<Keyring>>()) {
        (Some(key), Some(keyring)) => admit_drone(state, request, key, keyring).await.map(Some),
        _ => admit_key(state, request, path),
    };
    // Where there is nothing to guard, no key helps. Said here, since nothing may pass that was not admitted.
    admitted.map_err(|fault| match request.resource_map().match_pattern(path) {
        None if fault.code == Code::Unauthenticated => nothing_at(request.method(), path),
        _ => fault,
    })
}

async fn admit_drone(
    state: &AppState,
    request: &ServiceRequest,
    key: Digest,
    keyring: &Keyring,
) -> Result<Identity, Fault> {
    let (path, peer) = (request.match_info().as_str(), request.peer_addr().map(|peer| peer.ip()));
    let identity = keyring.admit(key, peer, &state.limiter).await?;
    if let Some(drone) = &identity.drone {
        check_route(&drone.drone_id, request.method(), path, state.gate.reads_are_open(), peer)?;
    }
    Ok(identity)
}

/// A wrong key counts against the address, so that guessing keys is as slow as anything else. Probes are not counted,
/// nor is what one role asks another.
fn admit_key(state: &AppState, request: &ServiceRequest, path: &str) -> Result<Option<Identity>, Fault> {
    let admitted = state.gate.admit(request.method(), path, request.headers());
    let key = admitted.as_ref().ok().and_then(Option::as_ref).map(|identity| &identity.key);
    if is_counted(path, key.is_some()) {
        state.limiter.admit(key, request.peer_addr().map(|peer| peer.ip()))?;
    }
    admitted
}

fn is_counted(path: &str, has_key: bool) -> bool {
    let probe = matches!(path, "/health" | "/ready" | "/metrics");
    let between_roles = has_key && path.starts_with("/internal/");
    !probe && !between_roles
}
