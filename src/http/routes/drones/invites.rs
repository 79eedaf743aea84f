//! Tokens that drones join with.

use actix_web::{HttpRequest, HttpResponse, Responder, delete, get, post, web};

use crate::actors::Clients;
use crate::http::extract::{Caller, OptionalJson, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::enrolment::{Invite, InviteSpec, InviteView, Invited, ListInvites, WithdrawInvite};

/// Makes a token for one drone or several. It is shown this once; only its digest is kept.
#[utoipa::path(tag = "drones", request_body = Option<InviteSpec>, responses((status = 201, body = Invited)))]
#[post("/api/drones/invites")]
pub(super) async fn invite_drones(
    clients: web::Data<Clients>,
    caller: Caller,
    OptionalJson(spec): OptionalJson<InviteSpec>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let invited = clients.coordinator.ask(Invite { tenant: caller.tenant, spec }).await?;
    Ok(HttpResponse::Created().json(invited))
}

/// Tokens, the newest first, without the tokens themselves. Needs the key, also where reads are open.
#[utoipa::path(tag = "drones", responses((status = 200, body = Vec<InviteView>)))]
#[get("/api/drones/invites")]
pub(super) async fn list_invites(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(ListInvites { tenant: caller.tenant }).await?))
}

/// Withdraws a token: nobody joins with it any more. Drones that have joined keep their keys.
#[utoipa::path(tag = "drones", params(("id" = i64, Path)), responses((status = 200, body = InviteView)))]
#[delete("/api/drones/invites/{id}")]
pub(super) async fn withdraw_invite(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(invite_id): PathId<i64>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = WithdrawInvite { tenant: caller.tenant, invite_id };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}
