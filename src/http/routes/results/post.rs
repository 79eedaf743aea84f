//! Taking in records: a batch as JSON, or lines of any number. They are read on this worker, so that the aggregator
//! gets checked records and nothing else.

use actix_web::{FromRequest, HttpRequest, HttpResponse, post, web};

use super::lines::store_lines;
use super::shapes::{BatchShape, Stored};
use crate::actors::Clients;
use crate::http::body::{expect_json, is_lines};
use crate::http::extract::{Caller, RawBody};
use crate::http::keyring::Keyring;
use crate::http::problem::{HttpError, malformed};
use crate::http::query::Params;
use crate::http::state::AppState;
use crate::protocol::aggregator::{Batch, BatchError, StoreBatch};
use crate::protocol::fault::{Code, Fault};

/// Stores records. The answer means committed; bodies may be packed with gzip or zstd.
///
/// As `application/json` one batch, of which the query says nothing. As `application/x-ndjson` one record a line, any
/// number of them: they are committed in chunks as they arrive, in constant memory, and the query names their run. Send
/// the same again as often as needed: it is stored once. Where a body of lines is not stored to its end, the problem has
/// a member `committed`, of the answer's form.
#[utoipa::path(tag = "results",
    request_body(content((BatchShape = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 200, body = Stored)),
    params(
        ("drone_id" = Option<String>, Query, description = "Of lines: who sends them"),
        ("profile_id" = Option<String>, Query, description = "Of lines: the profile that they belong to"),
        ("run_id" = Option<String>, Query, description = "Of lines: the run that they are all of"),
    ))]
#[post("/api/results")]
pub(super) async fn post_results(
    clients: web::Data<Clients>,
    state: web::Data<AppState>,
    keyring: web::Data<Keyring>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, HttpError> {
    let mut payload = payload.into_inner();
    if is_lines(request.headers()) {
        return store_lines(&clients.aggregator, &keyring, &caller, &state, &request, payload).await;
    }
    Params::of(&request, &[])?;
    expect_json(request.headers())?;
    let body = RawBody::from_request(&request, &mut payload).await?;
    let batch = Batch::from_json(&body.bytes).map_err(fault_of)?;
    drop(body);
    keyring.check_speaker(&caller, &batch.drone_id).await?;
    if let Some(own) = &caller.drone {
        keyring.check_run(&clients, own, &batch.run_id).await?;
    }
    let receipt = clients.aggregator.ask(StoreBatch { tenant: caller.tenant, batch }).await?;
    Ok(HttpResponse::Ok().json(receipt))
}

fn fault_of(error: BatchError) -> Fault {
    let detail = error.to_string();
    match error {
        BatchError::Malformed(text) => malformed(text),
        BatchError::TooManyRecords { .. } => Fault::new(Code::BodyTooLarge, detail).at("data"),
        BatchError::Empty => Fault::invalid("data", detail),
    }
}
