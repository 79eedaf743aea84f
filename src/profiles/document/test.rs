//! The profile's own test, as its author writes it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::node::{At, Entries, Node, Read, Value, document, mismatch};
use super::super::problem::Problem;
use super::super::scalar::Scalar;
use super::source::request::Json;

document! {
    /// The profile's own test: saved answers, and the records that they must give. Answers and records written here
    /// are played whenever a version is published, and one that fails is refused; files beside the profile are played
    /// by `chartly profile test` and where the registry loads the profile from its folder. Without this block, a
    /// folder `<name>.test` beside the profile is its test.
    pub struct TestDoc {
        /// The time at which the test runs, for windows and `{now}`: `2024-01-15` or `2024-01-15T12:00:00Z`.
        now: At<Scalar>,
        /// Saved answers, given in this order to whatever is asked.
        answers: Vec<At<AnswerDoc>>,
        /// Folder of saved answers beside the profile: `index.json`, a list of
        /// `{request: {method, url}, status, headers, file}`, and the bodies. Default `<name>.test/pages`.
        pages: At<String>,
        /// The records that must come, `{dims: …, measures: …}`, or a file of them beside the profile, one a line.
        /// Default `<name>.test/expected.jsonl`.
        expected: At<ExpectedDoc>,
    }
}

document! {
    /// One saved answer: a body as `json` or as `text`.
    pub struct AnswerDoc {
        /// What it answers, such as `GET https://api.example.org/v1?page=2`. Default: whatever is asked next.
        request: At<String>,
        /// Default 200.
        status: At<u64>,
        /// Headers that matter, such as `Link`.
        headers: Entries<At<String>>,
        /// The body, a JSON document.
        json: At<Json>,
        /// The body as it is.
        text: At<String>,
    }
}

/// Records, or the file that holds them.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedDoc {
    File(At<String>),
    Records(Vec<At<Json>>),
}

impl Read for ExpectedDoc {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::File),
            Value::List(_) => Vec::read(node, problems).map(Self::Records),
            _ => {
                mismatch(node, "a list of records or the name of a file", problems);
                None
            }
        }
    }
}

impl JsonSchema for ExpectedDoc {
    fn schema_name() -> Cow<'static, str> {
        "ExpectedDoc".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Records, or the file that holds them.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "object" } }] })
    }
}
