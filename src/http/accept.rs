//! Which form an answer takes: of the offered ones, the one that the caller's `Accept` rates highest.

use actix_web::HttpRequest;
use actix_web::http::header::{self, Accept, Header, Quality};

use crate::protocol::fault::{Code, Fault};

pub const JSON: &str = "application/json";
pub const NDJSON: &str = "application/x-ndjson";
pub const YAML: &str = "application/yaml";
pub const CSV: &str = "text/csv";

/// The offered form that fits best; among equals the first. Where none fits: 406 with the list.
pub fn choose(request: &HttpRequest, offered: &[&'static str]) -> Result<&'static str, Fault> {
    if !request.headers().contains_key(header::ACCEPT) {
        return Ok(offered[0]);
    }
    let accept = Accept::parse(request)
        .map_err(|_| Fault::invalid("Accept", "the Accept header cannot be read; expected types such as text/csv"))?;
    let mut best = None;
    for form in offered {
        let rating = rate(&accept, form);
        if rating > best {
            best = rating;
        }
    }
    let fits = offered.iter().find(|form| best.is_some() && rate(&accept, form) == best);
    fits.copied().ok_or_else(|| Fault::new(Code::NotAcceptable, format!("offered are {}", offered.join(", "))))
}

/// What `accept` thinks of `form`: the quality that its narrowest range gives, and how narrow that is.
fn rate(accept: &Accept, form: &str) -> Option<(Quality, u8)> {
    let (kind, _) = form.split_once('/').unwrap_or((form, ""));
    let narrowness = |range: &str| match range {
        "*/*" => Some(0),
        any if any.strip_suffix("/*") == Some(kind) => Some(1),
        exact if canonical(exact) == form => Some(2),
        _ => None,
    };
    let ranges = accept.iter().filter_map(|item| Some((narrowness(item.item.essence_str())?, item.quality)));
    let (narrow, quality) = ranges.max()?;
    (quality > Quality::ZERO).then_some((quality, narrow))
}

/// YAML went by other names before it was registered.
fn canonical(form: &str) -> &str {
    match form {
        "text/yaml" | "text/x-yaml" | "application/x-yaml" => YAML,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn chosen(accept: &str) -> Result<&'static str, Fault> {
        let request = TestRequest::get().insert_header((header::ACCEPT, accept)).to_http_request();
        choose(&request, &[JSON, NDJSON, YAML])
    }

    #[test]
    fn the_best_rated_form_wins() {
        assert_eq!(choose(&TestRequest::get().to_http_request(), &[JSON, CSV]), Ok(JSON));
        for (accept, form) in [
            ("*/*", JSON),
            ("application/*", JSON),
            ("application/x-ndjson", NDJSON),
            ("text/yaml", YAML),
            ("application/json;q=0.5, application/x-ndjson", NDJSON),
            ("*/*;q=0.1, application/yaml", YAML),
            ("text/html, */*;q=0.8", JSON),
            ("application/json;q=0, */*", NDJSON),
        ] {
            assert_eq!(chosen(accept), Ok(form), "{accept}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_with_the_list() {
        for accept in ["application/vnd.apache.parquet", "image/*", "application/json;q=0"] {
            let fault = chosen(accept).unwrap_err();
            assert_eq!(fault.code, Code::NotAcceptable, "{accept}");
            assert!(fault.detail.contains("application/x-ndjson"), "{}", fault.detail);
        }
    }
}
