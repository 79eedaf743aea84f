//! Looking at drones.

use actix_web::{HttpRequest, HttpResponse, Responder, get, web};

use crate::actors::Clients;
use crate::domain::ids::DroneId;
use crate::http::extract::{Caller, PathId};
use crate::http::page;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::coordinator::{DroneStats, DroneView, GetDrone, GetDroneStats, ListDrones};
use crate::protocol::paging::Page;

/// Drones in the order of their ids.
#[utoipa::path(tag = "drones", responses((status = 200, body = Page<DroneView>)), params(
    ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
))]
#[get("/api/drones")]
pub(super) async fn list_drones(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["limit", "cursor"])?;
    let found = clients.coordinator.ask(ListDrones { tenant: caller.tenant, page: params.page()? }).await?;
    Ok(page::json(&request, &params, &found))
}

/// Counts over all drones.
#[utoipa::path(tag = "drones", responses((status = 200, body = DroneStats)))]
#[get("/api/drones/stats")]
pub(super) async fn show_stats(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(GetDroneStats { tenant: caller.tenant }).await?))
}

/// One drone.
#[utoipa::path(tag = "drones", params(("id" = String, Path)), responses((status = 200, body = DroneView)))]
#[get("/api/drones/{id}")]
pub(super) async fn show_drone(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(GetDrone { tenant: caller.tenant, drone_id }).await?))
}
