//! Lists of records and results, as JSON or one row a line.

use actix_web::{HttpRequest, Responder, get, web};

use super::shapes::RecordRowShape;
use crate::actors::Clients;
use crate::http::extract::Caller;
use crate::http::page;
use crate::http::problem::HttpError;
use crate::http::query::{ANY_DIM, Params};
use crate::protocol::aggregator::{GetHistory, ListRecords, ListResults, RecordFilter, Versions};
use crate::protocol::fault::{Code, Fault};
use crate::protocol::paging::Page;

const FILTERS: &[&str] = &["profile_id", "drone_id", "run_id", "since", "limit", "cursor", ANY_DIM];
const RECORD_FILTERS: &[&str] =
    &["profile_id", "drone_id", "run_id", "since", "versions", "as_of", "limit", "cursor", ANY_DIM];
const HISTORY_FILTERS: &[&str] = &["profile_id", "limit", "cursor", ANY_DIM];

/// Stored records: each once, however often it was seen. Of several versions of an observation the one that stands.
#[utoipa::path(tag = "results",
    responses((status = 200, content((Page<RecordRowShape> = "application/json"), (String = "application/x-ndjson")))),
    params(
        ("profile_id" = Option<String>, Query),
        ("drone_id" = Option<String>, Query),
        ("run_id" = Option<String>, Query),
        ("since" = Option<String>, Query, description = "Unix milliseconds or RFC 3339, inclusive"),
        ("versions" = Option<String>, Query, description = "`latest` (default), or `all` versions of each observation"),
        ("as_of" = Option<String>, Query, description = "Unix milliseconds or RFC 3339: what stood then"),
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
    let params = Params::of(&request, RECORD_FILTERS)?;
    let filter = RecordFilter { versions: versions(&params)?, ..filter(&params)? };
    let message = ListRecords { tenant: caller.tenant, filter, page: params.page()? };
    let found = clients.aggregator.ask(message).await?;
    Ok(page::json_or_lines(&request, &params, &found)?)
}

/// The versions of one observation, the earliest first, each with the time during which it stood.
#[utoipa::path(tag = "results",
    responses((status = 200, content((Page<RecordRowShape> = "application/json"), (String = "application/x-ndjson")))),
    params(
        ("profile_id" = String, Query),
        ("dims.*" = Option<String>, Query, description = "Every dim of the profile's key, such as `dims.geo.state=CA`"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ))]
#[get("/api/records/history")]
pub(super) async fn record_history(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, HISTORY_FILTERS)?;
    let missing = || Fault::invalid("profile_id", "profile_id is missing; whose history is wanted?");
    let profile_id = params.parse("profile_id")?.ok_or_else(missing)?;
    let message = GetHistory { tenant: caller.tenant, profile_id, dims: params.dims(), page: params.page()? };
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
        versions: Versions::Latest,
    })
}

fn versions(params: &Params<'_>) -> Result<Versions, Fault> {
    let named = params.choice("versions", "latest or all", |text| match text {
        "latest" => Some(Versions::Latest),
        "all" => Some(Versions::All),
        _ => None,
    })?;
    match (named, params.moment_ms("as_of")?) {
        (Some(_), Some(_)) => {
            Err(Fault::new(Code::InvalidRequest, "versions and as_of exclude each other; give one").at("as_of"))
        }
        (None, Some(time_ms)) => Ok(Versions::AsOf(time_ms)),
        (named, None) => Ok(named.unwrap_or_default()),
    }
}
