//! Where the rows are in an answer.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::node::{At, Node, Read, Value, document, mismatch};
use super::super::problem::Problem;

document! {
    /// Where the rows are: exactly one of `each`, `table`, `zip` and `single`.
    pub struct Rows {
        /// Every element of an array: a path such as `$.data`, or a list of steps for nested lists.
        each: At<Each>,
        /// An array of arrays.
        table: At<Table>,
        /// Parallel arrays: the n-th elements of all arrays make the n-th row.
        zip: At<Zip>,
        /// The value at this path is the one row.
        single: At<String>,
    }
}

/// One path, or steps from the outside in.
#[derive(Debug, Clone, PartialEq)]
pub enum Each {
    Path(At<String>),
    Steps(Vec<At<StepDoc>>),
}

document! {
    /// One step into nested lists. Fields of every step stay in reach by its name: `series.seriesID`.
    pub struct StepDoc {
        /// Name of the step.
        name as "as": At<String>,
        /// Path of an array, from the element of the step before.
        path: At<String>,
        /// Path of a map whose keys are data, from the element of the step before. Gives `name.key` and `name.value`.
        entries: At<String>,
    }
}

impl Read for Each {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::Path),
            Value::List(_) => Vec::read(node, problems).map(Self::Steps),
            _ => {
                mismatch(node, "a path or a list of steps", problems);
                None
            }
        }
    }
}

impl JsonSchema for Each {
    fn schema_name() -> Cow<'static, str> {
        "Each".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let steps = generator.subschema_for::<Vec<StepDoc>>();
        json_schema!({ "description": "A path, or steps from the outside in.", "anyOf": [{ "type": "string" }, steps] })
    }
}

document! {
    /// An array of arrays.
    pub struct Table {
        /// Path of the array. Default: the whole answer.
        under: At<String>,
        /// `first`: the first row names the columns.
        header: Header,
        /// Names of the columns, where the answer has none.
        names: Vec<At<String>>,
    }
}

super::super::node::words! {
    pub enum Header {
        First "first",
    }
}

document! {
    /// Parallel arrays.
    pub struct Zip {
        /// Path of the object that holds the arrays. Default: the whole answer.
        under: At<String>,
    }
}
