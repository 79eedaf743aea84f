//! Lists of records and results, as JSON or one row a line.

use actix_web::{HttpRequest, Responder, get, web};

use super::shapes::RecordRowShape;
use crate::actors::Clients;
use crate::http::extract::Caller;
use crate::http::page;
use crate::http::problem::HttpError;
use crate::http::query::{ANY_DIM, Params};
use crate::protocol::aggregator::{ListRecords, ListResults, RecordFilter};
use crate::protocol::fault::Fault;
use crate::protocol::paging::Page;

const FILTERS: &[&str] = &["profile_id", "drone_id", "run_id", "since", "limit", "cursor", ANY_DIM];

/// Stored records: each once, however often it was seen.
#[utoipa::path(tag = "results",
    responses((status = 200, content((Page<RecordRowShape> = "application/json"), (String = "application/x-ndjson")))),
    params(
        ("profile_id" = Option<String>, Query),
        ("drone_id" = Option<String>, Query),
        ("run_id" = Option<String>, Query),
        ("since" = Option<String>, Query, description = "Unix milliseconds or RFC 3339, inclusive"),
        ("dims.*" = Option<String>, Query, description = "Such as `dims.geo.state=CA`: the dim equals the text"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ))]
#[get("/api/records")]
pub(super) async fn list_records(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, FILTERS)?;
    let message = ListRecords { tenant: caller.tenant, filter: filter(&params)?, page: params.page()? };
    let found = clients.aggregator.ask(message).await?;
    Ok(page::json_or_lines(&request, &params, &found)?)
}

/// Results: what each run saw, also what was known already.
#[utoipa::path(tag = "results",
    responses((status = 200, content((Page<RecordRowShape> = "application/json"), (String = "application/x-ndjson")))),
    params(
        ("profile_id" = Option<String>, Query),
        ("drone_id" = Option<String>, Query),
        ("run_id" = Option<String>, Query),
        ("since" = Option<String>, Query, description = "Unix milliseconds or RFC 3339, inclusive"),
        ("dims.*" = Option<String>, Query, description = "Such as `dims.geo.state=CA`: the dim equals the text"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ))]
#[get("/api/results")]
pub(super) async fn list_results(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, FILTERS)?;
    let message = ListResults { tenant: caller.tenant, filter: filter(&params)?, page: params.page()? };
    let found = clients.aggregator.ask(message).await?;
    Ok(page::json_or_lines(&request, &params, &found)?)
}

fn filter(params: &Params<'_>) -> Result<RecordFilter, Fault> {
    Ok(RecordFilter {
        profile_id: params.parse("profile_id")?,
        drone_id: params.parse("drone_id")?,
        run_id: params.parse("run_id")?,
        since_ms: params.moment_ms("since")?,
        dims: params.dims(),
    })
}
