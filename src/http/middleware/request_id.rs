//! Gives each request its id: in the log's span, in the answer's header, in the problem's body.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use tracing::Instrument;

use super::with_headers;
use crate::http::context::{REQUEST_ID, choose_request_id, with_request_id, with_request_id_now};

pub async fn request_id<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let id = choose_request_id(request.headers());
    let span = tracing::info_span!("request", request_id = %id);
    let outcome = with_request_id(id.clone(), next.call(request)).instrument(span).await;
    let header = HeaderValue::from_str(&id);
    with_request_id_now(id, || {
        with_headers(outcome, |headers| {
            if let Ok(header) = header {
                headers.insert(REQUEST_ID, header);
            }
        })
    })
}
