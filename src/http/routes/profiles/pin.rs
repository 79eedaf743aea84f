//! Keeping a profile on one drone.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::ids::{DroneId, ProfileId};
use crate::http::extract::{Caller, Json, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::coordinator::{PinProfile, PlacementView};

/// The drone to keep a profile on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// `null`: on none in particular.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<String>)]
    drone_id: Option<DroneId>,
}

/// Keeps a profile on one drone, whatever its placement says, until `{"drone_id": null}` ends it. While that drone is
/// away the profile does not run.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), request_body = Pin,
    responses((status = 200, body = PlacementView)))]
#[post("/api/profiles/{id}:pin")]
pub(super) async fn pin_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(profile_id): PathId<ProfileId>,
    Json(Pin { drone_id }): Json<Pin>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = PinProfile { tenant: caller.tenant, profile_id, drone_id };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}
