//! Reading profiles, their versions, and what a profile may say.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::digest::Digest;
use crate::domain::ids::{ProfileId, TenantId};
use crate::http::accept::{self, JSON, YAML};
use crate::http::extract::{Caller, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::http::{etag, page};
use crate::profiles;
use crate::protocol::coordinator::{GetPlacement, PlacementView};
use crate::protocol::paging::Page;
use crate::protocol::registry::{GetProfile, ListProfiles, ListVersions, ProfileSummary, ProfileView, VersionView};

/// A coordinator that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(1);

/// Profiles in the order of their ids.
#[utoipa::path(tag = "profiles", responses((status = 200, body = Page<ProfileSummary>)), params(
    ("enabled" = Option<bool>, Query, description = "Only those that run, or that do not"),
    ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
))]
#[get("/api/profiles")]
pub(super) async fn list_profiles(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["enabled", "limit", "cursor"])?;
    let message = ListProfiles { tenant: caller.tenant, enabled: params.parse("enabled")?, page: params.page()? };
    let found = clients.registry.ask(message).await?;
    Ok(page::json(&request, &params, &found))
}

/// One profile: JSON, or by `Accept: application/yaml` its text as written. The `ETag` is the text's digest.
#[utoipa::path(tag = "profiles", params(
    ("id" = String, Path),
    ("digest" = Option<String>, Query, description = "A certain version, `sha256:…`; the current one unless said"),
), responses(
    (status = 200, content((ShownProfile = "application/json"), (String = "application/yaml"))),
    (status = 304, description = "The caller has it already (`If-None-Match`)"),
))]
#[get("/api/profiles/{id}")]
pub(super) async fn show_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["digest"])?;
    let form = accept::choose(&request, &[JSON, YAML])?;
    let wanted = params.choice("digest", "sha256: and 64 hex digits", |text| Digest::parse(text).ok())?;
    let tenant = caller.tenant;
    let message = GetProfile { tenant: tenant.clone(), id: id.clone(), digest: wanted };
    let view = clients.registry.ask(message).await?;
    let digest = view.summary.digest;
    if etag::is_known(&request, &digest) {
        return Ok(HttpResponse::NotModified().insert_header(etag::tag(&digest)).finish());
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header(etag::tag(&digest)).insert_header((header::VARY, "accept"));
    if form == YAML {
        return Ok(answer.content_type(YAML).body(view.yaml));
    }
    let placement = placement(&clients, tenant, id).await;
    Ok(answer.json(ShownProfile { view, placement }))
}

/// A profile, and who runs it.
#[derive(Debug, Serialize, ToSchema)]
struct ShownProfile {
    #[serde(flatten)]
    view: ProfileView,
    /// Absent where the coordinator does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<PlacementView>,
}

/// The profile's text is worth showing without it.
async fn placement(clients: &Clients, tenant: TenantId, profile_id: ProfileId) -> Option<PlacementView> {
    let answer = clients.coordinator.ask(GetPlacement { tenant, profile_id });
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

/// All versions of a profile.
#[derive(Debug, Serialize, ToSchema)]
struct Versions {
    items: Vec<VersionView>,
}

/// Every version of a profile, the newest first.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), responses((status = 200, body = Versions)))]
#[get("/api/profiles/{id}/versions")]
pub(super) async fn list_versions(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let items = clients.registry.ask(ListVersions { tenant: caller.tenant, id }).await?;
    Ok(HttpResponse::Ok().json(Versions { items }))
}

/// What a profile may say, as a JSON Schema for editors and checkers.
#[utoipa::path(tag = "profiles", responses(
    (status = 200, body = serde_json::Value, content_type = "application/schema+json"),
))]
#[get("/api/profiles/schema")]
pub(super) async fn show_schema() -> impl Responder {
    HttpResponse::Ok().content_type("application/schema+json").body(profiles::json_schema())
}
