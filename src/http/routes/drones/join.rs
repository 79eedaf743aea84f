//! A drone joins, gives signs of life, and is told to finish.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::ids::DroneId;
use crate::http::extract::{Caller, Json, OptionalJson, PathId};
use crate::http::keyring::Keyring;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::coordinator::{
    Beat, BeatReply, DrainDrone, DroneHello, DroneView, Heartbeat, Register, Registered,
};

/// Joins the fleet. Joining again is harmless and refreshes what is known of the drone.
#[utoipa::path(tag = "drones", request_body = DroneHello, responses((status = 200, body = Registered)))]
#[post("/api/drones/register")]
pub(super) async fn register_drone(
    clients: web::Data<Clients>,
    keyring: web::Data<Keyring>,
    caller: Caller,
    Json(hello): Json<DroneHello>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    keyring.check_speaker(&caller, &hello.drone_id).await?;
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(Register { tenant: caller.tenant, hello }).await?))
}

/// A sign of life. `known: false` says that the drone must join again.
#[utoipa::path(tag = "drones", request_body = Beat, responses((status = 200, body = BeatReply)))]
#[post("/api/drones/heartbeat")]
pub(super) async fn beat(
    clients: web::Data<Clients>,
    keyring: web::Data<Keyring>,
    caller: Caller,
    Json(heartbeat): Json<Beat>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    keyring.check_speaker(&caller, &heartbeat.drone_id).await?;
    let message = Heartbeat { tenant: caller.tenant, beat: heartbeat };
    let reply = clients.coordinator.ask(message).await?;
    let rotate_key = caller.drone.is_some_and(|own| own.rotate);
    Ok(HttpResponse::Ok().json(BeatReply { rotate_key, ..reply }))
}

/// Whether to drain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Drain {
    /// False takes a drone back into service.
    draining: bool,
}

impl Default for Drain {
    fn default() -> Self {
        Self { draining: true }
    }
}

/// Lets a drone finish what it has and gives it no new work. The body may be left out or empty (`{}`).
#[utoipa::path(tag = "drones", params(("id" = String, Path)), request_body = Option<Drain>,
    responses((status = 200, body = DroneView)))]
#[post("/api/drones/{id}:drain")]
pub(super) async fn drain_drone(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    OptionalJson(Drain { draining }): OptionalJson<Drain>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = DrainDrone { tenant: caller.tenant, drone_id, draining };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}
