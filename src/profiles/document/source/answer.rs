//! How answers are judged: rules, and the short forms that become rules (see `profiles::answers`).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::moment::{Moment, MomentForm};
use crate::profiles::nearest::nearest;
use crate::profiles::node::{At, Node, Read, Value, document, mismatch, words};
use crate::profiles::problem::Problem;
use crate::profiles::scalar::Texts;

document! {
    /// What an answer of a certain kind means. All conditions that are given must hold; without any it is every answer.
    pub struct AnswerRule {
        /// The status: `404`, a range such as `500..599`, or a list of them.
        status: At<Statuses>,
        /// A condition on a header, or a list of conditions: `x-ratelimit-remaining == 0`, `retry-after exists`.
        header: At<Texts>,
        /// The media type, or a list of them: `text/html`. A charset behind it does not count.
        content_type: At<Texts>,
        /// A condition on the decoded answer, or a list: `$.error.code == 'quota'`. A path alone holds where there is
        /// something: not null, false, 0, `""`, `[]` or `{}`. A body that cannot be read meets no condition.
        body: At<Texts>,
        /// The same, but it must not hold: `$.status == 'OK'`.
        unless: At<Texts>,
        /// A regular expression that the first 64 KiB of the answer, as text, must contain: `/no data/`.
        text: At<String>,
        /// `true`: the answer has no body, or one of white space only. `false`: it has one.
        no_body: bool,
        /// What such an answer means.
        #[schemars(required)]
        then: At<VerdictWord>,
        /// When to ask again, for `retry`, `rate_limited` and `fail`: a time such as `15m`, `next_day` (00:00 UTC),
        /// `$.retry_in` (seconds), or `{header: X-RateLimit-Reset, as: epoch_s}`. Default: `Retry-After`. What is
        /// longer than a run waits is when the next run comes.
        wait: At<Moment>,
        /// The words of the failure: a path such as `$.error.message`, or a fixed text.
        message: At<String>,
    }
}

words! {
    pub enum VerdictWord {
        /// It counts, whatever its status.
        Success "success",
        /// It holds no data, and that is no failure.
        Empty "empty",
        /// Asked again after a pause.
        Retry "retry",
        /// Asked again after a pause; of several keys this one rests, and the next one is taken.
        RateLimited "rate_limited",
        /// The sign-in is made anew, and the request once more.
        SignIn "sign_in",
        /// The run fails.
        Fail "fail",
    }
}

const STATUS: &str = "a status from 100 to 599, or a range such as 500..599";
const NO_BODY: &str = "an answer without a body is told by empty_on: [no_body], or in a rule by no_body: true";

/// Ranges of statuses.
#[derive(Debug, Clone, PartialEq)]
pub struct Statuses(pub Vec<At<(u16, u16)>>);

impl Read for Statuses {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        let nodes = match &node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut one = |item: &Node| {
            let range = range(&item.value);
            if range.is_none() {
                let message = format!("expected {STATUS}, found {}", item.value.kind());
                let problem = Problem::new(item.place, message);
                let is_word = matches!(&item.value, Value::Text(word) if nearest(word, &["no_body"]).is_some());
                problems.push(if is_word { problem.hint(NO_BODY) } else { problem });
            }
            range.map(|value| At { value, place: item.place })
        };
        Some(Self(nodes.iter().filter_map(&mut one).collect()))
    }
}

fn range(value: &Value) -> Option<(u16, u16)> {
    let status = |number: i64| u16::try_from(number).ok().filter(|status| (100..600).contains(status));
    match value {
        Value::Integer(number) => status(*number).map(|status| (status, status)),
        Value::Text(text) => {
            let (first, last) = text.split_once("..")?;
            let bound = |end: &str| end.trim().parse().ok().and_then(status);
            Some((bound(first)?, bound(last)?)).filter(|(first, last)| first <= last)
        }
        _ => None,
    }
}

impl JsonSchema for Statuses {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({ "type": ["integer", "string"] });
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

/// A path that exists only in failures, and where the words are.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    Path(At<String>),
    Full(FailureDoc),
}

document! {
    /// A failure reported in the body.
    pub struct FailureDoc {
        /// A path that exists only in an answer which reports a failure.
        #[schemars(required)]
        path: At<String>,
        /// Path of the source's own words.
        message: At<String>,
    }
}

impl Read for Failure {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::Path),
            Value::Map(_) => FailureDoc::read(node, problems).map(Self::Full),
            _ => {
                mismatch(node, "a path, or a map with path and message", problems);
                None
            }
        }
    }
}

impl JsonSchema for Failure {
    fn schema_name() -> Cow<'static, str> {
        "Failure".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<FailureDoc>();
        json_schema!({ "description": "A failure reported in the body.", "anyOf": [{ "type": "string" }, full] })
    }
}

document! {
    /// The header that says when the source may be asked again.
    pub struct RateReset {
        /// Name of the header, such as `X-RateLimit-Reset`.
        #[schemars(required)]
        header: At<String>,
        /// How it is written. Default `epoch_s`.
        form as "as": MomentForm,
        /// Statuses that say that the rate is used up. Default `429`.
        status: At<Statuses>,
    }
}
