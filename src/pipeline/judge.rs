//! Judges an answer by status, headers and first bytes, before it is decoded: does it count, is it worth another try?

use std::time::Duration;

use super::fetch::Answer;
use crate::profiles::plan::{Format, Plan};

/// How an answer is taken.
#[derive(Debug)]
pub enum Verdict {
    /// It counts.
    Good,
    /// Nothing has changed since the last run.
    Unchanged,
    /// The declared sign for "no data".
    Empty,
    /// Worth another try, after this pause where the source names one.
    Again {
        reason: String,
        pause: Option<Duration>,
    },
    Failed(String),
}

/// Judges an answer by status and first bytes, before it is decoded.
pub fn judge(answer: &Answer, plan: &Plan, conditional: bool, now_ms: i64) -> Verdict {
    let status = answer.status;
    if plan.empty_on.contains(&status) {
        return Verdict::Empty;
    }
    match status {
        304 if conditional => Verdict::Unchanged,
        408 | 425 | 429 | 500..=599 => {
            let reason = with_excerpt(&format!("the source answers {status}"), answer);
            Verdict::Again { reason, pause: answer.pause(now_ms) }
        }
        200..=299 if answer.body.iter().all(u8::is_ascii_whitespace) => Verdict::Failed(format!(
            "the source answers {status} without a body; if that means that there is no data, add {status} to empty_on"
        )),
        200..=299 => content(answer, plan),
        _ => Verdict::Failed(with_excerpt(&format!("the source answers {status}"), answer)),
    }
}

fn with_excerpt(message: &str, answer: &Answer) -> String {
    let excerpt = answer.excerpt();
    if excerpt.is_empty() { message.to_owned() } else { format!("{message}: {excerpt:?}") }
}

/// HTML instead of data comes from maintenance pages, blocks and missing keys, often with status 200.
fn content(answer: &Answer, plan: &Plan) -> Verdict {
    let first = answer.body.iter().position(|byte| !byte.is_ascii_whitespace());
    let start = first.map_or(&[][..], |first| &answer.body[first..]);
    let is_page = match plan.decoding.format {
        Format::Xml => is_html(start),
        _ => start.first() == Some(&b'<'),
    };
    if !is_page {
        return Verdict::Good;
    }
    let kind = answer.content_type.as_deref().unwrap_or("no content type");
    let place = super::request::shown(&answer.url);
    let expected = plan.decoding.format.word();
    Verdict::Failed(with_excerpt(&format!("expected {expected}, but {place} answers with a page ({kind})"), answer))
}

fn is_html(start: &[u8]) -> bool {
    let head = start.get(..14).unwrap_or(start).to_ascii_lowercase();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}
