//! The id of the request that is being answered, for whoever writes a problem or a log line on its behalf.

use std::future::Future;

use actix_web::http::header::{HeaderMap, HeaderName};
use uuid::Uuid;

pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken over from a caller.
const MAX_CHARS: usize = 64;

tokio::task_local! {
    static CURRENT: Box<str>;
}

/// The caller's id where it is short and harmless, else a new UUID v7.
pub fn choose_request_id(headers: &HeaderMap) -> Box<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_harmless(id));
    given.map_or_else(|| Uuid::now_v7().to_string().into(), Into::into)
}

/// The id ends up in logs and headers, so its alphabet is small.
fn is_harmless(id: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !id.is_empty() && id.len() <= MAX_CHARS && id.chars().all(safe)
}

/// Runs `work` as the answering of request `id`.
pub async fn with_request_id<F: Future>(id: Box<str>, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// Runs `work`, which waits for nothing, as part of the answering of request `id`.
pub fn with_request_id_now<T>(id: Box<str>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(id, work)
}

/// The id of the request that is being answered, if one is.
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|id| id.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn chosen(given: &[u8]) -> Box<str> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(given).unwrap());
        choose_request_id(&headers)
    }

    #[test]
    fn a_harmless_id_is_kept_and_any_other_replaced() {
        assert_eq!(&*chosen(b"job-7.a:b_c"), "job-7.a:b_c");
        for bad in [&b""[..], b"two words", b"<script>", b"\xff", &[b'a'; 65]] {
            assert!(Uuid::parse_str(&chosen(bad)).is_ok(), "{bad:?} was kept");
        }
    }
}
