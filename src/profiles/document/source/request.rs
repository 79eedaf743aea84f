//! What varies from request to request: body, parameter sets, windows, the cursor.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::duration::{Duration, Step};
use crate::profiles::node::{At, Entries, Node, Read, Value, document, mismatch, words};
use crate::profiles::problem::Problem;
use crate::profiles::scalar::{Scalar, Scalars};

words! {
    pub enum Method {
        Get "GET",
        Post "POST",
    }
}

document! {
    /// Where the last run stopped: the largest value that was seen is what the next run asks from. It moves on only
    /// after a run that read everything and whose records are safe.
    pub struct Cursor {
        /// Path of the value in a row, such as `properties.updated`.
        #[schemars(required)]
        field: At<String>,
        /// Query parameter that takes the value. Left out: a text of the request holds `{cursor}` or
        /// `{cursor:%Y-%m-%d}`.
        param: At<String>,
        /// How the field writes it, as `in` of `time` does: `iso` (default), `epoch_s`, `epoch_ms`, a pattern of
        /// strftime; or `number`. A time without a zone is UTC.
        format: At<String>,
        /// How the parameter wants it; default as `format` (`iso`: RFC 3339).
        send: At<String>,
        /// So much earlier than the largest value is asked from, for what the source adds late: `P1D`.
        lookback: At<Duration>,
        /// The value of the first run. Left out: the first run asks without the parameter.
        start: At<Scalar>,
    }
}

document! {
    /// Body of a request: one of `json`, `form` and `text`. In `json` a text that is exactly `{name}` keeps the
    /// parameter's type.
    pub struct Body {
        /// A JSON document.
        json: At<Json>,
        /// Form fields; a list repeats the field.
        form: Entries<At<Scalars>>,
        /// A text, sent as it is.
        text: At<String>,
    }
}

/// A JSON document written in YAML.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

impl Read for Json {
    fn read(node: &Node, _: &mut Vec<Problem>) -> Option<Self> {
        Some(Self(json(node)))
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::Decimal(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(members) => {
            let members = members.iter().map(|member| (member.key.clone(), json(&member.node)));
            serde_json::Value::Object(members.collect())
        }
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// Parameter sets: a list of maps, or a map of lists.
#[derive(Debug, Clone, PartialEq)]
pub enum ForEach {
    Sets(Vec<At<Entries<At<Scalar>>>>),
    Product(Entries<Vec<At<Scalar>>>),
}

impl Read for ForEach {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self::Sets),
            Value::Map(_) => Entries::read(node, problems).map(Self::Product),
            _ => {
                mismatch(node, "a list of maps or a map of lists", problems);
                None
            }
        }
    }
}

impl JsonSchema for ForEach {
    fn schema_name() -> Cow<'static, str> {
        "ForEach".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let sets = generator.subschema_for::<Vec<Entries<Scalar>>>();
        let product = generator.subschema_for::<Entries<Vec<Scalar>>>();
        json_schema!({ "description": "Parameter sets.", "anyOf": [sets, product] })
    }
}

document! {
    /// Time windows from `from` to `to`, each `step` long: `{window.start}` and `{window.end}` in the request.
    pub struct Window {
        /// First instant: a year, a date, a time, `now`, `now-P30D` or `now/day`.
        #[schemars(required)]
        from: At<Scalar>,
        /// The instant at which the last window ends. Default `now`.
        to: At<Scalar>,
        /// Length of a window, such as `P7D`, `P1M` or `P20Y`.
        #[schemars(required)]
        step: At<Step>,
        /// Which ends the source counts as inside. `start` (default): a window ends where the next begins; what
        /// arrives twice is kept once. `both`: a window ends one millisecond before the next begins, so that
        /// `{window.end:%Y-%m-%d}` is its last day.
        inclusive: Inclusive,
        /// So much earlier than the window before ends does a window begin, for sources that lose what lies at the edge:
        /// `PT1H`. Default: none.
        overlap: At<Duration>,
    }
}

words! {
    pub enum Inclusive {
        Start "start",
        Both "both",
    }
}
