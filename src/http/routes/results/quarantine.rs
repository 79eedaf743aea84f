//! Rows that failed, and runs whose records wait until somebody says what becomes of them.

use actix_web::{HttpRequest, HttpResponse, Responder, get, post, web};

use crate::actors::Clients;
use crate::domain::ids::RunId;
use crate::http::extract::{Caller, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::aggregator::{ListRejects, RejectsPage, RunView, SettleRun};

/// The rows of a run that failed: how many, why, and what the first of them say. Records that were refused when they
/// were posted are among them.
#[utoipa::path(tag = "results", responses((status = 200, body = RejectsPage)), params(
    ("id" = String, Path),
    ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
))]
#[get("/api/runs/{id}/rejects")]
pub(super) async fn list_rejects(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(run_id): PathId<RunId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["limit", "cursor"])?;
    let message = ListRejects { tenant: caller.tenant, run_id, page: params.page()? };
    Ok(HttpResponse::Ok().json(clients.aggregator.ask(message).await?))
}

/// Stores the records of a run that waits in quarantine. What the run looked like is what the next ones are compared
/// with. Safe to repeat.
#[utoipa::path(tag = "results", params(("id" = String, Path)), responses((status = 200, body = RunView)))]
#[post("/api/runs/{id}:release")]
pub(super) async fn release_run(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(run_id): PathId<RunId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    settle(&clients, caller, run_id, true).await
}

/// Gives up the records of a run that waits in quarantine. The next run asks the source for them again. Safe to
/// repeat.
#[utoipa::path(tag = "results", params(("id" = String, Path)), responses((status = 200, body = RunView)))]
#[post("/api/runs/{id}:discard")]
pub(super) async fn discard_run(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(run_id): PathId<RunId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    settle(&clients, caller, run_id, false).await
}

async fn settle(clients: &Clients, caller: Caller, run_id: RunId, release: bool) -> Result<HttpResponse, HttpError> {
    let message = SettleRun { tenant: caller.tenant, run_id, release };
    Ok(HttpResponse::Ok().json(clients.aggregator.ask(message).await?))
}
