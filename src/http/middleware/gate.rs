//! The one door: who is calling, is that enough for this route, and is it not too often. Stands before all routes,
//! so that none can be added past it.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use crate::http::auth::Identity;
use crate::http::problem::{nothing_at, problem};
use crate::http::state::AppState;
use crate::protocol::fault::Fault;

pub async fn gate<B: MessageBody>(
    state: web::Data<AppState>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match admit(&state, &request) {
        Ok(identity) => {
            if let Some(identity) = identity {
                request.extensions_mut().insert(identity);
            }
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(fault) => Ok(request.into_response(problem(&fault)).map_into_right_body()),
    }
}

/// A wrong key counts against the address, so that guessing keys is as slow as anything else. Probes are not counted,
/// nor is what one role asks another.
fn admit(state: &AppState, request: &ServiceRequest) -> Result<Option<Identity>, Fault> {
    // The path as the router sees it, its escapes resolved: what is checked must be what is matched.
    let path = request.match_info().as_str();
    let admitted = state.gate.admit(request.method(), path, request.headers());
    let key = admitted.as_ref().ok().and_then(Option::as_ref).map(|identity| &identity.key);
    if is_counted(path, key.is_some()) {
        state.limiter.admit(key, request.peer_addr().map(|peer| peer.ip()))?;
    }
    // Where there is nothing to guard, no key helps. Said here, since nothing may pass that was not admitted.
    admitted.map_err(|fault| match request.resource_map().match_pattern(path) {
        Some(_) => fault,
        None => nothing_at(request.method(), path),
    })
}

fn is_counted(path: &str, has_key: bool) -> bool {
    let probe = matches!(path, "/health" | "/ready" | "/metrics");
    let between_roles = has_key && path.starts_with("/internal/");
    !probe && !between_roles
}
