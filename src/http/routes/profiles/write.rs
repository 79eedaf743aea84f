//! Creating, replacing, deleting and checking profiles.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, delete, post, put, web};

use super::announce;
use super::text::{InJson, ProfileText};
use crate::actors::Clients;
use crate::domain::ids::ProfileId;
use crate::http::etag;
use crate::http::extract::{Caller, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::registry::{DeleteProfile, ProfileView, PutMode, PutProfile, ValidateProfile, Validation};

/// Creates a profile from its YAML text. 409 where its id exists already.
#[utoipa::path(tag = "profiles",
    request_body(content((String = "application/yaml"), (InJson = "application/json"))),
    responses((status = 201, body = ProfileView, headers(("Location" = String), ("ETag" = String)))),
)]
#[post("/api/profiles")]
pub(super) async fn create_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    ProfileText(yaml): ProfileText,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let tenant = caller.tenant.clone();
    let message = PutProfile { tenant, yaml, expected_id: None, mode: PutMode::Create, if_match: None };
    let view = clients.registry.ask(message).await?;
    announce(&clients, caller.tenant).await;
    let location = format!("/api/profiles/{}", view.summary.id);
    let mut answer = HttpResponse::Created();
    answer.insert_header((header::LOCATION, location)).insert_header(etag::tag(&view.summary.digest));
    Ok(answer.json(view))
}

/// Creates or replaces a profile; every version is kept. `If-Match` with the last seen `ETag` refuses to overwrite
/// what somebody else changed meanwhile (412).
#[utoipa::path(tag = "profiles",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that is replaced")),
    request_body(content((String = "application/yaml"), (InJson = "application/json"))),
    responses((status = 200, body = ProfileView, headers(("ETag" = String)))),
)]
#[put("/api/profiles/{id}")]
pub(super) async fn replace_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    ProfileText(yaml): ProfileText,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let if_match = etag::if_match(&request)?;
    let tenant = caller.tenant.clone();
    let message = PutProfile { tenant, yaml, expected_id: Some(id), mode: PutMode::Replace, if_match };
    let view = clients.registry.ask(message).await?;
    announce(&clients, caller.tenant).await;
    Ok(HttpResponse::Ok().insert_header(etag::tag(&view.summary.digest)).json(view))
}

/// Deletes a profile. Its records and versions stay.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), responses((status = 204, description = "It is gone")))]
#[delete("/api/profiles/{id}")]
pub(super) async fn delete_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    clients.registry.ask(DeleteProfile { tenant: caller.tenant.clone(), id }).await?;
    announce(&clients, caller.tenant).await;
    Ok(HttpResponse::NoContent().finish())
}

/// Checks a profile's text and changes nothing. 200 also where it has faults: they are the answer.
#[utoipa::path(tag = "profiles",
    request_body(content((String = "application/yaml"), (InJson = "application/json"))),
    responses((status = 200, body = Validation)),
)]
#[post("/api/profiles:validate")]
pub(super) async fn validate_profile(
    clients: web::Data<Clients>,
    ProfileText(yaml): ProfileText,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.registry.ask(ValidateProfile { yaml }).await?))
}
