//! Faults as HTTP answers: problem+json (RFC 9457) with the status of the one table, `Retry-After` where a later
//! try makes sense, and the request's id.

use std::fmt;

use actix_web::error::ResponseError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use super::context;
use crate::protocol::fault::{Code, Fault, Problem, Retry};

pub const PROBLEM_JSON: &str = "application/problem+json";

/// A fault on its way out. Handlers return it with `?`.
#[derive(Debug)]
pub struct HttpError(pub Fault);

impl From<Fault> for HttpError {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        status(self.0.code)
    }

    fn error_response(&self) -> HttpResponse {
        problem(&self.0)
    }
}

/// The answer for `fault`.
pub fn problem(fault: &Fault) -> HttpResponse {
    problem_with(fault, ())
}

/// The answer for `fault` with the members of `more` beside its own.
pub fn problem_with(fault: &Fault, more: impl Serialize) -> HttpResponse {
    #[derive(Serialize)]
    struct With<M: Serialize> {
        #[serde(flatten)]
        problem: Problem,
        #[serde(flatten)]
        more: M,
    }
    let mut answer = HttpResponseBuilder::new(status(fault.code));
    answer.content_type(PROBLEM_JSON);
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(seconds) = retry_after_s(fault) {
        answer.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    if fault.code == Code::Unauthenticated {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"chartly\""));
    }
    let problem = Problem { request_id: context::request_id(), ..Problem::from(fault) };
    answer.json(With { problem, more })
}

/// The fault that stands for a bare status of the web library.
pub fn fault_of(status: StatusCode, detail: Option<String>) -> Fault {
    let code = match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        405 => Code::MethodNotAllowed,
        406 => Code::NotAcceptable,
        408 => Code::RequestTimeout,
        413 => Code::BodyTooLarge,
        415 => Code::UnsupportedType,
        400..=499 => Code::InvalidRequest,
        503 => Code::Unavailable,
        504 => Code::Deadline,
        _ => Code::Internal,
    };
    Fault::new(code, detail.unwrap_or_else(|| code.title().to_owned()))
}

/// What is wrong with a JSON body, with line and column.
pub fn malformed_json(error: &serde_json::Error) -> Fault {
    malformed(error.to_string())
}

/// As [`malformed_json`], from the error's text, which ends with `at line 2 column 7`.
pub fn malformed(text: String) -> Fault {
    let place =
        text.rsplit_once(" at line ").map(|(_, place)| format!("line {}", place.replace(" column", ", column")));
    let fault = Fault::new(Code::MalformedJson, text);
    match place {
        Some(place) => fault.at(place),
        None => fault,
    }
}

/// No route has this path.
pub fn nothing_at(method: &Method, path: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no {method} {path} here; /api/docs lists what there is"))
}

/// Whoever may send again is told when; a second where the fault itself does not say.
fn retry_after_s(fault: &Fault) -> Option<u32> {
    fault.retry_after_s.or_else(|| (fault.code.retry() == Retry::Safe).then_some(1))
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_true_status_and_the_right_headers() {
        for &code in Code::ALL {
            let answer = problem(&Fault::new(code, "x"));
            assert_eq!(answer.status().as_u16(), code.status());
            let headers = answer.headers();
            assert_eq!(headers.get(header::CONTENT_TYPE).unwrap(), PROBLEM_JSON);
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), code == Code::Unauthenticated);
            assert_eq!(headers.contains_key(header::RETRY_AFTER), code.retry() == Retry::Safe);
        }
        let slow = problem(&Fault::new(Code::StoreFailed, "x").retry_after(7));
        assert_eq!(slow.headers().get(header::RETRY_AFTER).unwrap(), "7");
    }

    #[test]
    fn a_bare_status_keeps_its_meaning() {
        for status in [400, 401, 403, 404, 405, 406, 408, 413, 415, 500, 503, 504] {
            let fault = fault_of(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!(fault.code.status(), status);
        }
        assert_eq!(fault_of(StatusCode::CONFLICT, None).code, Code::InvalidRequest);
    }
}
