//! A page of a list on its way out: JSON, or one row a line for programs that read as they go. The next page is in
//! the `Link` header, in JSON also as `next`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::accept::{self, JSON, NDJSON};
use super::query::Params;
use crate::protocol::fault::{Code, Fault};
use crate::protocol::paging::Page;

/// The page as JSON.
pub fn json<T: Serialize>(request: &HttpRequest, params: &Params<'_>, page: &Page<T>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Some(link) = next_link(request, params, page) {
        answer.insert_header((header::LINK, link));
    }
    answer.json(page)
}

/// The page in the form that the caller prefers.
pub fn json_or_lines<T: Serialize>(
    request: &HttpRequest,
    params: &Params<'_>,
    page: &Page<T>,
) -> Result<HttpResponse, Fault> {
    if accept::choose(request, &[JSON, NDJSON])? == JSON {
        return Ok(json(request, params, page));
    }
    let mut lines = Vec::new();
    for item in &page.items {
        serde_json::to_writer(&mut lines, item)
            .map_err(|error| Fault::new(Code::Internal, format!("a row cannot be written: {error}")))?;
        lines.push(b'\n');
    }
    let mut answer = HttpResponse::Ok();
    answer.content_type(NDJSON).insert_header((header::VARY, "accept"));
    if let Some(link) = next_link(request, params, page) {
        answer.insert_header((header::LINK, link));
    }
    Ok(answer.body(lines))
}

/// RFC 8288. The query is escaped, so it cannot end the reference.
fn next_link<T>(request: &HttpRequest, params: &Params<'_>, page: &Page<T>) -> Option<String> {
    let next = page.next.as_deref()?;
    Some(format!("<{}?{}>; rel=\"next\"", request.path(), params.with_cursor(next)))
}
