//! What can be done with a profile besides writing it.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::announce;
use crate::actors::Clients;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::http::etag;
use crate::http::extract::{Caller, OptionalJson, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::coordinator::{RunNow, RunRequested};
use crate::protocol::registry::{ProfileSummary, ProfileView, RollBack, SetPaused};

/// Pauses a profile: it is not fetched until it is resumed, whatever new versions say.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), responses((status = 200, body = ProfileSummary)))]
#[post("/api/profiles/{id}:pause")]
pub(super) async fn pause_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    set_paused(&clients, caller, id, true).await
}

/// Resumes a paused profile.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), responses((status = 200, body = ProfileSummary)))]
#[post("/api/profiles/{id}:resume")]
pub(super) async fn resume_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    set_paused(&clients, caller, id, false).await
}

async fn set_paused(clients: &Clients, caller: Caller, id: ProfileId, paused: bool) -> Result<HttpResponse, HttpError> {
    let summary = clients.registry.ask(SetPaused { tenant: caller.tenant.clone(), id, paused }).await?;
    announce(clients, caller.tenant).await;
    Ok(HttpResponse::Ok().json(summary))
}

/// Asks for a run now, beside the schedule. The drone that has the profile takes it up within seconds.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), responses((status = 202, body = RunRequested)))]
#[post("/api/profiles/{id}:run")]
pub(super) async fn run_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = RunNow { tenant: caller.tenant, profile_id: id };
    Ok(HttpResponse::Accepted().json(clients.coordinator.ask(message).await?))
}

/// Where to roll back to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RollBackTo {
    /// A version, `sha256:…`; the one before the current unless said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    to: Option<Digest>,
}

/// Makes an earlier version the current one. The body may be left out.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), request_body = Option<RollBackTo>,
    responses((status = 200, body = ProfileView, headers(("ETag" = String)))))]
#[post("/api/profiles/{id}:rollback")]
pub(super) async fn roll_back_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    OptionalJson(RollBackTo { to }): OptionalJson<RollBackTo>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let view = clients.registry.ask(RollBack { tenant: caller.tenant.clone(), id, to }).await?;
    announce(&clients, caller.tenant).await;
    Ok(HttpResponse::Ok().insert_header(etag::tag(&view.summary.digest)).json(view))
}
