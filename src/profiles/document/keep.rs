//! What the drone keeps of a source beside the records.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::duration::Duration;
use crate::profiles::node::{At, Node, Read, Value, document, mismatch};
use crate::profiles::problem::Problem;

document! {
    /// What the drone keeps of the source beside the records.
    pub struct Keep {
        /// `true`: the drone that asked the source keeps its raw answers in its own folder, so that a mended version
        /// can be replayed over them without asking the source again; or their bounds. They never leave the drone.
        /// Default `false`.
        #[schemars(required)]
        answers: At<KeepAnswers>,
    }
}

/// Whether answers are kept, and within which bounds.
#[derive(Debug, Clone, PartialEq)]
pub enum KeepAnswers {
    Switch(bool),
    Within(KeepBounds),
}

document! {
    /// How much is kept. At a bound the oldest runs go, each as a whole.
    pub struct KeepBounds {
        /// Bytes on disk, compressed, of all kept runs of this profile. Default 50,000,000. A run that is larger by
        /// itself is not kept.
        max_bytes: At<u64>,
        /// Age at which a kept run goes, such as `P30D`. Default `P30D`.
        max_age: At<Duration>,
    }
}

impl Read for KeepAnswers {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Bool(kept) => Some(Self::Switch(*kept)),
            Value::Map(_) => KeepBounds::read(node, problems).map(Self::Within),
            _ => {
                mismatch(node, "true, false or a map with max_bytes and max_age", problems);
                None
            }
        }
    }
}

impl JsonSchema for KeepAnswers {
    fn schema_name() -> Cow<'static, str> {
        "KeepAnswers".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bounds = generator.subschema_for::<KeepBounds>();
        json_schema!({ "description": "Whether answers are kept, and within which bounds.",
            "anyOf": [{ "type": "boolean" }, bounds] })
    }
}
