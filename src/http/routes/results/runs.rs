//! Runs and the summary.

use actix_web::{HttpRequest, HttpResponse, Responder, get, web};

use crate::actors::Clients;
use crate::domain::drift::Fate;
use crate::domain::ids::RunId;
use crate::domain::run::RunState;
use crate::http::extract::{Caller, PathId};
use crate::http::page;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::aggregator::{GetRun, GetSummary, ListRuns, RunFilter, RunView, Summary};
use crate::protocol::paging::Page;

/// Runs, the newest first.
#[utoipa::path(tag = "results", responses((status = 200, body = Page<RunView>)), params(
    ("profile_id" = Option<String>, Query),
    ("drone_id" = Option<String>, Query),
    ("state" = Option<RunState>, Query),
    ("quarantine" = Option<Fate>, Query, description = "What became of records that were held, such as `waiting`"),
    ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
))]
#[get("/api/runs")]
pub(super) async fn list_runs(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["profile_id", "drone_id", "state", "quarantine", "limit", "cursor"])?;
    let states = RunState::ALL.map(RunState::as_str).join(", ");
    let fates = Fate::ALL.map(Fate::word).join(", ");
    let filter = RunFilter {
        profile_id: params.parse("profile_id")?,
        drone_id: params.parse("drone_id")?,
        state: params.choice("state", &format!("one of {states}"), RunState::parse)?,
        quarantine: params.choice("quarantine", &format!("one of {fates}"), Fate::parse)?,
    };
    let found = clients.aggregator.ask(ListRuns { tenant: caller.tenant, filter, page: params.page()? }).await?;
    Ok(page::json(&request, &params, &found))
}

/// One run.
#[utoipa::path(tag = "results", params(("id" = String, Path)), responses((status = 200, body = RunView)))]
#[get("/api/runs/{id}")]
pub(super) async fn show_run(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(run_id): PathId<RunId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.aggregator.ask(GetRun { tenant: caller.tenant, run_id }).await?))
}

/// Counts over everything, and for each profile.
#[utoipa::path(tag = "results", responses((status = 200, body = Summary)))]
#[get("/api/results/summary")]
pub(super) async fn show_summary(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(HttpResponse::Ok().json(clients.aggregator.ask(GetSummary { tenant: caller.tenant }).await?))
}
