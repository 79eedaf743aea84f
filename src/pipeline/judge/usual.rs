//! What an answer means by HTTP alone, where no rule of the profile speaks of it.

use super::Verdict;
use crate::pipeline::fetch::Answer;
use crate::pipeline::request::shown;
use crate::profiles::plan::{Format, Plan};

/// Judges by status and first bytes.
pub fn usual(answer: &Answer, plan: &Plan, now_ms: i64) -> Result<(), Verdict> {
    let status = answer.status;
    let reason = || in_words(&format!("the source answers {status}"), None, answer);
    match status {
        429 => Err(Verdict::RateLimited { reason: reason(), pause: answer.pause(now_ms) }),
        408 | 425 | 500..=599 => Err(Verdict::Again { reason: reason(), pause: answer.pause(now_ms) }),
        401 => Err(Verdict::SignIn { reason: reason() }),
        200..=299 if answer.is_blank() => {
            let word = if status == 204 { "204" } else { "no_body" };
            let mend = format!("if that means that there is no data, add {word} to empty_on");
            Err(Verdict::failed(format!("the source answers {status} without a body; {mend}")))
        }
        200..=299 => content(answer, plan),
        _ => Err(Verdict::failed(reason())),
    }
}

/// A message with the source's words, or with how the answer begins.
pub fn in_words(message: &str, words: Option<String>, answer: &Answer) -> String {
    let words = words.unwrap_or_else(|| answer.excerpt());
    if words.is_empty() { message.to_owned() } else { format!("{message}: {words:?}") }
}

/// HTML instead of data comes from maintenance pages, blocks and missing keys, often with status 200.
fn content(answer: &Answer, plan: &Plan) -> Result<(), Verdict> {
    let first = answer.body.iter().position(|byte| !byte.is_ascii_whitespace());
    let start = first.map_or(&[][..], |first| &answer.body[first..]);
    let is_page = match plan.decoding.format {
        Format::Xml => is_html(start),
        _ => start.first() == Some(&b'<'),
    };
    if !is_page {
        return Ok(());
    }
    let kind = answer.content_type.as_deref().unwrap_or("no content type");
    let place = shown(&answer.url);
    let expected = plan.decoding.format.word();
    let what = format!("expected {expected}, but {place} answers with a page ({kind})");
    Err(Verdict::failed(in_words(&what, None, answer)))
}

fn is_html(start: &[u8]) -> bool {
    let head = start.get(..14).unwrap_or(start).to_ascii_lowercase();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}
