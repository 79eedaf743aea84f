//! The keys of drones that joined with a token: rotated and revoked by operators, renewed by the drones.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::digest::Digest;
use crate::domain::ids::DroneId;
use crate::http::extract::{Caller, Json, PathId};
use crate::http::keyring::Keyring;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::call::Done;
use crate::protocol::enrolment::{AskRotation, DroneKeyView, RevokeKey, SetNextKey};

/// Asks a drone for a new key. It makes one at its next sign of life; the one before is good until the new one is used.
#[utoipa::path(tag = "drones", params(("id" = String, Path)), responses((status = 200, body = DroneKeyView)))]
#[post("/api/drones/{id}:rotate-key")]
pub(super) async fn ask_rotation(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = AskRotation { tenant: caller.tenant, drone_id };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}

/// Revokes a drone's key, within ten seconds on every gateway. The drone says so once and ends with code 67; its work
/// goes to others when its lease is over. The token it joined with stays as it is.
#[utoipa::path(tag = "drones", params(("id" = String, Path)), responses((status = 200, body = DroneKeyView)))]
#[post("/api/drones/{id}:revoke-key")]
pub(super) async fn revoke_key(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = RevokeKey { tenant: caller.tenant, drone_id };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}

/// A drone's next key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NextKey {
    /// Digest of the new key.
    #[schema(value_type = String)]
    key: Digest,
}

/// Makes a drone's next key known. It is in force when it is first used.
#[utoipa::path(tag = "drones", params(("id" = String, Path)), request_body = NextKey,
    responses((status = 200, body = Done)))]
#[post("/api/drones/{id}/key")]
pub(super) async fn set_next_key(
    clients: web::Data<Clients>,
    keyring: web::Data<Keyring>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    Json(NextKey { key }): Json<NextKey>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    keyring.check_speaker(&caller, &drone_id).await?;
    let message = SetNextKey { tenant: caller.tenant, drone_id, key };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}
