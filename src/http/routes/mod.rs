//! The public API, one folder for each area. A handler reads its arguments, asks one client, writes the answer.

pub mod drones;
pub mod live;
pub mod profiles;
pub mod reports;
pub mod results;
pub mod status;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

/// Serves the whole public API.
pub fn all(config: &mut ServiceConfig) {
    for area in [profiles::routes, drones::routes, results::routes, reports::routes, live::routes, status::routes] {
        config.configure(area);
    }
}

/// Documents the whole public API.
pub fn documents() -> [OpenApi; 6] {
    [
        status::Docs::openapi(),
        profiles::Docs::openapi(),
        drones::Docs::openapi(),
        results::Docs::openapi(),
        reports::Docs::openapi(),
        live::Docs::openapi(),
    ]
}
