//! Conditional answers: a body's ETag is its hash, and who has it already gets 304 without the body.

use actix_web::http::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// Answers 200 with `body` as JSON, or 304 where the request names this body's ETag.
pub(super) fn json(request: &HttpRequest, body: &impl Serialize) -> HttpResponse {
    let body = serde_json::to_vec(body).expect("plain texts and finite numbers always serialize");
    let etag = format!("\"{:016x}\"", xxh3_64(&body));
    if is_known(request.headers(), &etag) {
        return HttpResponse::NotModified().insert_header((ETAG, etag)).finish();
    }
    HttpResponse::Ok().insert_header((ETAG, etag)).content_type("application/json").body(body)
}

/// Weak comparison, as RFC 9110 13.1.2 asks for If-None-Match.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let listed = headers.get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    listed
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (sent, known) in [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static(sent));
            assert_eq!(is_known(&headers, "\"a\""), known, "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"a\""));
    }
}
