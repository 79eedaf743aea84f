//! Which drones may run the profile.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::node::{At, Entries, Node, Read, Value, document};
use crate::profiles::problem::Problem;

document! {
    /// Which drones may run the profile. The secrets that it names are needed of a drone without being said here.
    pub struct Placement {
        /// Labels that the drone has, all of them: `{region: eu}`. Of a list of values it has one: `{region: [eu, uk]}`.
        labels: Entries<At<LabelValues>>,
        /// On how many drones it runs at the same time, 1 to 100. Default 1. Each of them asks the source; equal records
        /// are stored once.
        replicas: At<u64>,
    }
}

/// The values of which a label has one.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelValues {
    One(String),
    Any(Vec<At<String>>),
}

impl Read for LabelValues {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self::Any),
            Value::Bool(value) => Some(Self::One(value.to_string())),
            _ => String::read(node, problems).map(Self::One),
        }
    }
}

impl JsonSchema for LabelValues {
    fn schema_name() -> Cow<'static, str> {
        "LabelValues".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({ "type": ["string", "integer", "boolean"] });
        json_schema!({ "description": "A value, or a list of values.",
            "anyOf": [one, { "type": "array", "items": { "type": ["string", "integer"] } }] })
    }
}
