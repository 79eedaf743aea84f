//! Judges an answer: by status, headers and first bytes before it is decoded, and by what its body says. The profile's
//! rules come first, in order; without one that matches it is what HTTP says. Pure.

mod told;
mod usual;
mod wait;

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::time::Duration;

use super::fetch::{Answer, excerpt};
use super::fields::meets;
use crate::profiles::plan::{AnswerRule, Format, Plan, VerdictWord};
pub use told::{Told, told};
pub use wait::pause;

/// What an answer is that does not count.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has changed since the last run.
    Unchanged,
    /// The declared sign for "no data".
    Empty,
    /// Worth another try, after this pause where the source names one.
    Again { reason: String, pause: Option<Duration> },
    /// Too much was asked, with this key where there are several.
    RateLimited { reason: String, pause: Option<Duration> },
    /// The sign-in is not taken, or no longer.
    SignIn { reason: String },
    /// No other try will do, before this time where the source names one.
    Failed { reason: String, pause: Option<Duration> },
}

impl Verdict {
    fn failed(reason: String) -> Self {
        Self::Failed { reason, pause: None }
    }
}

/// Only a part of a body is searched for a rule's `text`.
const MAX_SEARCHED: usize = 64 << 10;

/// Judges an answer before it is mapped. `Ok`: it counts, as far as can be told without reading its rows.
pub fn judge(answer: &Answer, plan: &Plan, conditional: bool, now_ms: i64) -> Result<(), Verdict> {
    if answer.status == 304 && conditional {
        return Err(Verdict::Unchanged);
    }
    let probe = OnceCell::new();
    let probed = || probe.get_or_init(|| told::probe(plan, answer)).as_ref();
    let usual = usual::usual(answer, plan, now_ms);
    // A body that is walked row by row is judged in passing, see `judge_told`.
    let is_walked = usual.is_ok() && !matches!(plan.decoding.format, Format::Csv(_) | Format::Columns(_));
    for (index, rule) in plan.answers.rules.iter().enumerate().filter(|(_, rule)| head_holds(rule, answer)) {
        if rule.reads_body && is_walked {
            return Ok(());
        }
        if !rule.reads_body || probed().is_some_and(|told| told.rules[index].holds) {
            return carry_out(index, answer, plan, probed(), now_ms);
        }
    }
    match usual {
        Err(Verdict::Failed { pause, .. }) if answer.status >= 300 && plan.answers.probe.policy.message.is_some() => {
            let words = probed().and_then(|told| told.message.clone());
            let reason = usual::in_words(&format!("the source answers {}", answer.status), words, answer);
            Err(Verdict::Failed { reason, pause })
        }
        other => other,
    }
}

/// Judges an answer by what its walked body said.
pub fn judge_told(answer: &Answer, plan: &Plan, told: &Told, now_ms: i64) -> Result<(), Verdict> {
    let holds = |(index, rule): &(usize, &AnswerRule)| {
        head_holds(rule, answer) && told.rules.get(*index).is_none_or(|told| told.holds)
    };
    match plan.answers.rules.iter().enumerate().find(holds) {
        Some((index, _)) => carry_out(index, answer, plan, Some(told), now_ms),
        None => Ok(()),
    }
}

/// Judges an answer whose rows could not be read: it may say itself that it is none.
pub fn judge_unread(answer: &Answer, plan: &Plan, now_ms: i64) -> Result<(), Verdict> {
    match told::probe(plan, answer) {
        Some(told) => judge_told(answer, plan, &told, now_ms),
        None => Ok(()),
    }
}

/// Judges an answer whose file holds nothing, as one without a body.
pub fn judge_blank(answer: &Answer, plan: &Plan, now_ms: i64) -> Result<(), Verdict> {
    judge(&Answer { body: Vec::new(), ..answer.clone() }, plan, false, now_ms)
}

/// The earliest next poll that an answer names.
pub fn next_poll_ms(answer: &Answer, plan: &Plan, told: &Told, now_ms: i64) -> Option<i64> {
    wait::moment_ms(plan.answers.ttl.as_ref()?, answer, told.ttl.as_deref(), now_ms)
}

fn head_holds(rule: &AnswerRule, answer: &Answer) -> bool {
    let status =
        rule.statuses.is_empty() || rule.statuses.iter().any(|(first, last)| (*first..=*last).contains(&answer.status));
    status
        && rule.headers.iter().all(|header| meets(&header.test, answer.header(&header.name)))
        && (rule.content_types.is_empty() || rule.content_types.iter().any(|wanted| is_type(answer, wanted)))
        && rule.no_body.is_none_or(|wanted| wanted == answer.is_blank())
        && rule.text.as_ref().is_none_or(|pattern| pattern.is_match(&head_text(&answer.body)))
}

fn is_type(answer: &Answer, wanted: &str) -> bool {
    let said = answer.content_type.as_deref().unwrap_or("");
    said.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(wanted)
}

fn head_text(body: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&body[..body.len().min(MAX_SEARCHED)])
}

fn carry_out(index: usize, answer: &Answer, plan: &Plan, told: Option<&Told>, now_ms: i64) -> Result<(), Verdict> {
    let rule = &plan.answers.rules[index];
    let said = told.and_then(|told| told.rules.get(index));
    let pause = || {
        let text = said.and_then(|said| said.wait.as_deref());
        wait::pause(rule.wait.as_ref(), answer, text, now_ms).or_else(|| answer.pause(now_ms))
    };
    let reason = || {
        if let Some(words) = &rule.words {
            return words.clone();
        }
        let general = || told.and_then(|told| told.message.clone());
        let words = said.and_then(|said| said.message.clone()).or_else(general);
        reason(rule, answer, words.or_else(|| said.and_then(|said| said.value.clone())))
    };
    Err(match rule.then {
        VerdictWord::Success => return Ok(()),
        VerdictWord::Empty => Verdict::Empty,
        VerdictWord::Retry => Verdict::Again { reason: reason(), pause: pause() },
        VerdictWord::RateLimited => Verdict::RateLimited { reason: reason(), pause: pause() },
        VerdictWord::SignIn => Verdict::SignIn { reason: reason() },
        VerdictWord::Fail => Verdict::Failed { reason: reason(), pause: rule.wait.as_ref().and_then(|_| pause()) },
    })
}

/// Why a rule does not let an answer count, in the source's words where there are any.
fn reason(rule: &AnswerRule, answer: &Answer, words: Option<String>) -> String {
    let is_good = (200..300).contains(&answer.status);
    let what = match rule.then {
        _ if !is_good => format!("the source answers {}", answer.status),
        VerdictWord::Retry => "the source asks for another try".to_owned(),
        VerdictWord::RateLimited => "the source limits the rate of requests".to_owned(),
        VerdictWord::SignIn => "the source does not take the sign-in".to_owned(),
        _ if words.is_none() && rule.reads_body => return format!("the answer does not meet {}", rule.shown),
        _ => "the source reports a failure".to_owned(),
    };
    usual::in_words(&what, words.map(|words| excerpt(words.as_bytes())), answer)
}
