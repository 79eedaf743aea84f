//! What came back, and what can be told from its head.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

/// An answer with its whole body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Links of the `Link` header with rel="next".
    pub next_link: Option<String>,
    pub retry_after: Option<String>,
    /// All headers that are text, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Where it came from, after redirects.
    pub url: Url,
}

impl Answer {
    /// A 200 without headers and body, for tests.
    #[cfg(test)]
    pub fn good(url: &str) -> Self {
        Self {
            status: 200,
            body: Vec::new(),
            content_type: None,
            etag: None,
            last_modified: None,
            next_link: None,
            retry_after: None,
            headers: Vec::new(),
            url: Url::parse(url).expect("a test has a good address"),
        }
    }

    /// The first characters of the body, for messages.
    pub fn excerpt(&self) -> String {
        excerpt(&self.body)
    }

    /// There is no body, or nothing but white space.
    pub fn is_blank(&self) -> bool {
        is_blank(&self.body)
    }

    /// The first header of this name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long the source wants to be left alone: seconds, or a date.
    pub fn pause(&self, now_ms: i64) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds.min(366 * 86_400)));
        }
        let at = httpdate::parse_http_date(text).ok()?;
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).ok()?);
        Some(at.duration_since(now).unwrap_or(Duration::ZERO))
    }
}

/// Nothing but white space, behind a byte order mark or not.
pub fn is_blank(body: &[u8]) -> bool {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).iter().all(u8::is_ascii_whitespace)
}

/// At most 120 characters on one line.
pub fn excerpt(body: &[u8]) -> String {
    const MAX_CHARS: usize = 120;
    let head = String::from_utf8_lossy(&body[..body.len().min(MAX_CHARS * 4)]);
    let line = head.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable = line.chars().filter(|next| !next.is_control());
    printable.take(MAX_CHARS).collect()
}

/// The target with rel="next" of a `Link` header (RFC 8288).
pub fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let close = rest[open..].find('>')? + open;
        let target = &rest[open + 1..close];
        // The parameters end where the next link begins.
        let behind = &rest[close + 1..];
        let end = behind.find(",<").or_else(|| behind.find(", <")).unwrap_or(behind.len());
        if behind[..end].split(';').any(is_next) {
            return Some(target.trim().to_owned());
        }
        rest = &behind[end..];
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("rel") && value.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

/// Unix milliseconds of now.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_next_link() {
        let header = r#"<https://a/x?page=1>; rel="prev", <https://a/x?page=3&q=a,b>; title="t"; rel="next last""#;
        assert_eq!(next_link(header).as_deref(), Some("https://a/x?page=3&q=a,b"));
        assert_eq!(next_link("<https://a>; rel=next").as_deref(), Some("https://a"));
        assert_eq!(next_link("<https://a>; rel=\"last\""), None);
        assert_eq!(next_link("nonsense"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_not(header in any::<String>(), shaped in "[<>;, =\"relnxt]{0,30}") {
            let _ = (next_link(&header), next_link(&shaped));
        }
    }

    #[test]
    fn pauses_are_seconds_or_dates() {
        let mut answer = Answer { status: 429, retry_after: Some("7".into()), ..Answer::good("http://a/") };
        assert_eq!(answer.pause(0), Some(Duration::from_secs(7)));
        answer.retry_after = Some("Thu, 01 Jan 1970 00:01:00 GMT".into());
        assert_eq!(answer.pause(45_000), Some(Duration::from_secs(15)));
        assert_eq!(answer.pause(90_000), Some(Duration::ZERO));
        answer.retry_after = Some("soon".into());
        assert_eq!(answer.pause(0), None);
    }
}
