//! When something may be done again, as an author says it: a length of time, the next day, or what the answer says.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::duration::Duration;
use crate::profiles::node::{At, Node, Read, Value, document, words};
use crate::profiles::problem::Problem;

/// A later moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Moment {
    After(Duration),
    NextDay,
    /// Seconds at a path.
    Path(String),
    Said(At<MomentDoc>),
}

document! {
    /// A moment that an answer names: one of `header` and `path`.
    pub struct MomentDoc {
        /// Name of the header.
        header: At<String>,
        /// Path in the answer.
        path: At<String>,
        /// How it is written. Default `seconds`.
        form as "as": MomentForm,
    }
}

words! {
    pub enum MomentForm {
        /// Seconds from now.
        Seconds "seconds",
        /// Unix seconds.
        EpochSeconds "epoch_s",
        /// Unix milliseconds.
        EpochMilliseconds "epoch_ms",
        /// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
        HttpDate "http_date",
        /// A time by ISO 8601; UTC without a zone.
        Iso "iso",
    }
}

impl Read for Moment {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(word) if word == "next_day" => Some(Self::NextDay),
            Value::Text(path) if path.starts_with('$') => Some(Self::Path(path.clone())),
            Value::Map(_) => At::read(node, problems).map(Self::Said),
            _ => Duration::read(node, problems).map(Self::After),
        }
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let said = generator.subschema_for::<MomentDoc>();
        json_schema!({
            "description": "A later moment: a length of time such as `15m`, `next_day` (00:00 UTC), a path with seconds, or what the answer says.",
            "anyOf": [{ "type": "string" }, said]
        })
    }
}
