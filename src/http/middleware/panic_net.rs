//! A panic in a handler costs its caller a 500 and nobody else anything: the worker and its other connections go on.

use std::panic::AssertUnwindSafe;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use futures_util::FutureExt;
use metrics::counter;

use crate::http::problem::HttpError;
use crate::protocol::fault::{Code, Fault};

pub async fn panic_net<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    // A handler keeps nothing across requests but what is made to be shared, so nothing half-changed is seen again.
    let outcome = AssertUnwindSafe(async move { next.call(request).await }).catch_unwind().await;
    outcome.unwrap_or_else(|_panic| {
        counter!("chartly_http_panics_total").increment(1);
        tracing::error!("a handler panicked; its caller got a 500");
        let fault = Fault::new(Code::Crashed, "the service failed while it handled this; the log has the request's id");
        Err(HttpError(fault).into())
    })
}
