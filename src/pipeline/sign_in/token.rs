//! A token out of the answer of a sign-in, and how long it is good. Pure.

use secrecy::SecretString;
use serde_json::Value;

use crate::pipeline::fetch::Answer;
use crate::pipeline::judge;
use crate::profiles::Segment;
use crate::profiles::plan::{SignIn, TokenPlace};

const MAX_TOKEN_BYTES: usize = 16 << 10;
/// A token is not used in its last moments: a request takes time.
const MARGIN_MS: i64 = 30_000;

/// What a sign-in gave.
#[derive(Debug, Clone)]
pub struct Token {
    pub value: SecretString,
    /// Unix milliseconds; shortly before it ends.
    pub good_until_ms: Option<i64>,
    /// Tells it from the ones before.
    pub number: u64,
}

impl Token {
    pub fn is_good(&self, now_ms: i64) -> bool {
        self.good_until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

/// Takes the token out of a good answer. The error never quotes the answer, which may hold the token elsewhere.
pub fn read(sign_in: &SignIn, answer: &Answer, now_ms: i64, number: u64) -> Result<Token, String> {
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let text = match &sign_in.token {
        TokenPlace::Header(name) => answer.header(name).map(str::to_owned),
        TokenPlace::Body(path) if path.is_empty() && document.is_null() => {
            std::str::from_utf8(&answer.body).ok().map(|text| text.trim().to_owned())
        }
        TokenPlace::Body(path) => at(&document, path).and_then(text),
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err("the answer holds no token where the profile says".into());
    };
    if text.len() > MAX_TOKEN_BYTES || !text.chars().all(|next| next.is_ascii_graphic()) {
        return Err(format!(
            "what stands in the token's place is none: {} characters, and none but printable ones without spaces are allowed",
            text.chars().count()
        ));
    }
    let said = at(&document, &sign_in.expires_path).filter(|_| !sign_in.expires_path.is_empty()).and_then(self::text);
    let lasts = judge::pause(sign_in.expires.as_ref(), answer, said.as_deref(), now_ms);
    let good_until_ms = lasts.map(|lasts| {
        let lasts_ms = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
        // A token that is short of life is used for most of it.
        now_ms.saturating_add(lasts_ms - MARGIN_MS.min(lasts_ms / 10))
    });
    Ok(Token { value: text.into(), good_until_ms, number })
}

fn at<'v>(document: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(document, |place, segment| match segment {
        Segment::Name(name) => place.get(name),
        Segment::Index(index) => place.get(usize::try_from(*index).ok()?),
        Segment::All => None,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The server's own words on a sign-in that it refuses (RFC 6749, 5.2), or how its answer begins.
pub fn words(answer: &Answer) -> String {
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let member = |name: &str| document.get(name).and_then(text);
    match (member("error"), member("error_description")) {
        (Some(error), Some(description)) => format!("{error}: {description}"),
        (Some(words), None) | (None, Some(words)) => words,
        (None, None) => answer.excerpt(),
    }
}
