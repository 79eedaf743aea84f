//! Taking in a batch. It is read on this worker, so that the aggregator gets checked records and nothing else.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};

use super::shapes::BatchShape;
use crate::actors::Clients;
use crate::http::body::expect_json;
use crate::http::extract::{Caller, RawBody};
use crate::http::problem::{HttpError, malformed};
use crate::http::query::Params;
use crate::protocol::aggregator::{Batch, BatchError, Receipt, StoreBatch};
use crate::protocol::fault::{Code, Fault};

/// Stores a batch. The answer means committed; bodies may be packed with gzip or zstd.
#[utoipa::path(tag = "results", request_body = BatchShape, responses((status = 200, body = Receipt)))]
#[post("/api/results")]
pub(super) async fn post_results(
    clients: web::Data<Clients>,
    caller: Caller,
    body: RawBody,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    expect_json(request.headers())?;
    let batch = Batch::from_json(&body.bytes).map_err(fault_of)?;
    drop(body);
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
