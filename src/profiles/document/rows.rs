//! Where the rows are in an answer.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::node::{At, Entries, Node, Read, Value, document, mismatch};
use super::super::problem::Problem;

document! {
    /// Where the rows are: exactly one of `each`, `table`, `zip`, `join_pairs`, `cube` and `single`; `unpivot` or
    /// `pivot` may stand beside it.
    pub struct Rows {
        /// Every element of an array: a path such as `$.data`, or a list of steps for nested lists. Each may be
        /// any JSONPath (RFC 9535), with filters: `$.included[?@.type=='route']`.
        each: At<Each>,
        /// An array of arrays. Answers in csv or columns are tables without saying so.
        table: At<Table>,
        /// Parallel arrays: the n-th elements of all arrays make the n-th row.
        zip: At<Zip>,
        /// Several lists of `[key, value]`, joined on the key.
        join_pairs: At<JoinPairs>,
        /// A statistical cube: one row for each of its cells, with `dim.code` and `dim.label` for each dimension `dim`,
        /// `value` and `status`.
        cube: At<Cube>,
        /// The value at this path is the one row.
        single: At<String>,
        /// Makes a row of each of several columns (or members).
        unpivot: At<Unpivot>,
        /// Makes one row of several that differ in what they measure.
        pivot: At<Pivot>,
    }
}

document! {
    /// From wide to long: one row for each of the columns.
    pub struct Unpivot {
        /// The columns: a map from each to the text that stands for it, `{Jan: "01"}`, a list of them, or a regular
        /// expression that all of a name matches, between slashes: `/Y\\d+/`.
        #[schemars(required)]
        columns: At<Columns>,
        /// Name under which a row finds the column's name. Default `key`.
        key: At<String>,
        /// Name under which a row finds the cell. Default `value`.
        value: At<String>,
    }
}

/// Which columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Columns {
    Named(Vec<(At<String>, String)>),
    Matching(String),
}

impl Read for Columns {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => {
                let entries = Entries::<String>::read(node, problems)?;
                Some(Self::Named(entries.0))
            }
            Value::List(_) => {
                let names = Vec::<At<String>>::read(node, problems)?;
                Some(Self::Named(names.into_iter().map(|name| (name.clone(), name.value)).collect()))
            }
            Value::Text(text) if text.len() > 2 && text.starts_with('/') && text.ends_with('/') => {
                Some(Self::Matching(text[1..text.len() - 1].to_owned()))
            }
            _ => {
                mismatch(node, "a map or a list of columns, or /a regular expression/", problems);
                None
            }
        }
    }
}

impl JsonSchema for Columns {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Columns".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "object", "additionalProperties": { "type": ["string", "integer"] } },
            { "type": "array", "items": { "type": "string" } }, { "type": "string", "pattern": "^/.+/$" }] })
    }
}

document! {
    /// From long to wide, within one answer. Fields then name the values of `name` as if they were columns; `where`
    /// sees the rows as they are in the answer.
    pub struct Pivot {
        /// Paths of the fields that the rows of one record have in common.
        #[schemars(required)]
        by: Vec<At<String>>,
        /// Path of the field that says what is measured.
        #[schemars(required)]
        name: At<String>,
        /// Path of the value.
        #[schemars(required)]
        value: At<String>,
    }
}

document! {
    /// Several lists of `[key, value]`. A key that is in one list only makes a row all the same.
    pub struct JoinPairs {
        /// Position of the key in a pair. Default 0.
        on: At<u64>,
        /// Position of the value. Default 1.
        value: At<u64>,
        /// Name under which a row finds the key. Default `key`.
        key: At<String>,
        /// The lists, by the name under which a row finds their values: `{price: $.prices, cap: $.market_caps}`.
        #[schemars(required)]
        lists: Entries<At<String>>,
    }
}

/// The form alone, or a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Cube {
    Form(CubeForm),
    Full(CubeDoc),
}

document! {
    /// A statistical cube.
    pub struct CubeDoc {
        /// Its form.
        #[schemars(required)]
        form: At<CubeForm>,
        /// Path of the cube. Default: the whole answer.
        under: At<String>,
    }
}

super::super::node::words! {
    pub enum CubeForm {
        /// JSON-stat, versions 1 and 2.
        JsonStat "json-stat",
        /// SDMX-JSON, versions 1.0 and 2.0.
        SdmxJson "sdmx-json",
    }
}

impl Read for Cube {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => CubeDoc::read(node, problems).map(Self::Full),
            _ => CubeForm::read(node, problems).map(Self::Form),
        }
    }
}

impl JsonSchema for Cube {
    fn schema_name() -> Cow<'static, str> {
        "Cube".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let form = generator.subschema_for::<CubeForm>();
        let full = generator.subschema_for::<CubeDoc>();
        json_schema!({ "description": "A statistical cube.", "anyOf": [form, full] })
    }
}

document! {
    /// A table inside the answer: exactly one of `each` and `entries`, and what is taken from its rows.
    pub struct LookupDoc {
        /// Path of an array; any JSONPath (RFC 9535).
        each: At<String>,
        /// Path of a map, or a JSONPath that selects maps; its rows have `key` and `value`.
        entries: At<String>,
        /// Path of the field by which a row is found. Of a list of paths, the values are put together with `|` between
        /// them, as a field does by `from: "{a}|{b}"`.
        #[schemars(required)]
        key: At<Paths>,
        /// Path of the value that is taken.
        #[schemars(required)]
        value: At<String>,
    }
}

/// One path or several.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths(pub Vec<At<String>>);

impl Read for Paths {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self),
            _ => At::read(node, problems).map(|path| Self(vec![path])),
        }
    }
}

impl JsonSchema for Paths {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// One path, or steps from the outside in.
#[derive(Debug, Clone, PartialEq)]
pub enum Each {
    Path(At<String>),
    Steps(Vec<At<StepDoc>>),
}

document! {
    /// One step into nested lists: one of `path`, `entries`, `zip` and `table`. Fields of every step stay in reach by its name: `series.seriesID`. Where one of the steps
    /// is more than a plain path, the answer is read as a whole tree: it then takes several times its size in memory, and
    /// numbers keep 64 bits.
    pub struct StepDoc {
        /// Name of the step.
        name as "as": At<String>,
        /// Path of an array, from the element of the step before; or a JSONPath that selects the rows themselves:
        /// `values[?@.quality != 'X']`, with `match()` and `search()` for regular expressions.
        path: At<String>,
        /// Path of a map whose keys are data, from the element of the step before. Gives `name.key` and `name.value`.
        entries: At<String>,
        /// Path of an object with parallel arrays, from the element of the step before; for the last step.
        zip: At<String>,
        /// Path of an array of arrays whose first row names the columns, from the element of the step before; for the last
        /// step.
        table: At<String>,
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
        /// Path of the object that holds the arrays. Default: the whole answer. Where each element of a list holds such an
        /// object, `each` with a last step `zip` keeps the element in reach.
        under: At<String>,
    }
}
