//! Turns the bare errors of the web library and its guests into problems, so that a caller meets one form only.

use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;

use crate::http::problem::{PROBLEM_JSON, fault_of, problem};

pub async fn problems<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let answer = next.call(request).await?;
    if is_well_formed(&answer) {
        return Ok(answer.map_into_left_body());
    }
    let detail = answer.response().error().map(ToString::to_string);
    let mut better = problem(&fault_of(answer.status(), detail));
    if let Some(methods) = answer.headers().get(header::ALLOW) {
        better.headers_mut().insert(header::ALLOW, methods.clone());
    }
    Ok(answer.into_response(better).map_into_right_body())
}

fn is_well_formed<B>(answer: &ServiceResponse<B>) -> bool {
    let status = answer.status();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    !(status.is_client_error() || status.is_server_error()) || kind.is_some_and(|kind| kind == PROBLEM_JSON)
}
