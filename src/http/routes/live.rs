//! Live events, as they happen.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, get, web};

use crate::http::area::area;
use crate::http::live::Live;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::fault::Fault;

area!(watch_events);

/// Server-sent events: `run`, `drone` and `profile` as they happen, `missed` where the watcher was too slow. What was
/// before the connection is not told.
#[utoipa::path(tag = "live", responses((status = 200, body = String, content_type = "text/event-stream")))]
#[get("/api/events")]
async fn watch_events(live: web::Data<Live>, request: HttpRequest) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    Ok(stream(&live)?)
}

/// The events from now on, as an answer.
pub fn stream(live: &Live) -> Result<HttpResponse, Fault> {
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/event-stream");
    // Neither packed nor gathered on the way: an event is of use at once or not at all.
    answer.insert_header((header::CONTENT_ENCODING, "identity"));
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header(("x-accel-buffering", "no"));
    Ok(answer.streaming(live.watch()?))
}
