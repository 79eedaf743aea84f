//! What happens to every request before and after its handler, one file each. `startup` puts them in order.

pub mod access_log;
pub mod gate;
pub mod head;
pub mod headers;
pub mod panic_net;
pub mod problems;
pub mod request_id;
pub mod time_cap;
pub mod unread_body;

use actix_web::Error;
use actix_web::dev::ServiceResponse;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;

/// How a request ended: an answer, or the error of a middleware further in, which becomes one.
type Outcome<B> = Result<ServiceResponse<B>, Error>;

fn status_of<B>(outcome: &Outcome<B>) -> StatusCode {
    match outcome {
        Ok(answer) => answer.status(),
        Err(error) => error.as_response_error().status_code(),
    }
}

/// Applies `edit` to the headers of the answer, in whichever way it came.
fn with_headers<B>(outcome: Outcome<B>, edit: impl FnOnce(&mut HeaderMap)) -> Outcome<B> {
    match outcome {
        Ok(mut answer) => {
            edit(answer.headers_mut());
            Ok(answer)
        }
        Err(error) => {
            let mut answer = error.error_response();
            edit(answer.headers_mut());
            Err(InternalError::from_response(error, answer).into())
        }
    }
}
