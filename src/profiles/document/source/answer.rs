//! How an answer is judged beyond its status.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::node::{At, Node, Read, Value, document, mismatch};
use crate::profiles::problem::Problem;

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
