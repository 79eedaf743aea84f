//! A profile as its author writes it: the keys, their types and their meaning. The doc comments here are the
//! reference and the editor's help; nothing is checked beyond the types (see `compile`).

pub mod drift;
pub mod fields;
pub mod keep;
pub mod placement;
pub mod retention;
pub mod rows;
pub mod schedule;
pub mod source;
pub mod test;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::duration::Duration;
use super::node::{At, Entries, Node, Place, Read, Value, document};
use super::problem::Problem;
use super::scalar::Scalar;
use drift::DriftDoc;
use fields::Field;
use keep::Keep;
use placement::Placement;
use retention::RetentionDoc;
use rows::{LookupDoc, Rows};
use schedule::Schedule;
use source::Source;
use test::TestDoc;

document! {
    /// One HTTP source and how its answers become records.
    pub struct Document {
        /// Names the source for ever: 1 to 100 letters, digits, `-` and `_`. Records, runs and reports refer to it.
        #[schemars(required)]
        id: At<String>,
        /// The name that people read.
        name: String,
        /// Semantic version of the profile, such as `1.0.0`.
        version: At<String>,
        /// What the source is, who publishes it, under which terms.
        description: String,
        /// What to ask, and how.
        #[schemars(required)]
        source: At<Source>,
        /// Where the rows are in an answer. Left out: found by the answer's shape (a root array, a table with a
        /// header row, parallel arrays, or the one array of objects).
        rows: At<Rows>,
        /// Tables inside the answer by which values are looked up: `{route: {each: $.included, key: id, value:
        /// attributes.name}}`, used in a field by `lookup: route`.
        lookups: Entries<At<LookupDoc>>,
        /// Conditions that a row must meet, all of them: `period != M13`, `form in [10-K, 10-Q]`, `frame exists`,
        /// `mag >= 4.5`, `id matches ^us`. Of `{any: [...]}` it must meet one.
        where_ as "where": Vec<At<Where>>,
        /// Values that mean "no value", in every field: `[null, "", ".", -666666666]`. Text and number are
        /// compared alike. null and "" always mean it.
        missing: Vec<At<Scalar>>,
        /// The record's dims: `geo.name: {from: NAME}`. All dims are text.
        dims: Entries<At<Field>>,
        /// The record's measures: `population: {from: B01003_001E}`. All measures are finite numbers.
        measures: Entries<At<Field>>,
        /// The short form of dims and measures: source path to record path, `NAME: dims.geo.name`.
        mapping: Entries<At<String>>,
        /// The dims that identify an observation, such as `[geo.fips, time.year]`. A new value under the same key
        /// is a new version of the observation. A row that lacks one of them gives no record.
        key: Vec<At<String>>,
        /// What becomes of rows of one run that have the same `key` and other values: `last` (default: the later
        /// one counts), `first`, `error` (the run fails), or `max(field)`: the one with the largest value of a measure or dim,
        /// such as `max(time.at)`, or of a path in the row, `max(@.filed)`. Numbers are compared as numbers, all else as
        /// text. Equal rows are kept once in any case. Rows so far apart that the first was sent already, about 1,000 records, are
        /// told apart by `first` and `error` only: of two versions sent in one run it is not settled yet which one stands.
        on_duplicate: At<String>,
        /// When to run.
        schedule: At<Schedule>,
        /// Which drones may run it: `{labels: {region: eu}}`.
        placement: At<Placement>,
        /// What one run may cost. Reaching a limit ends the run as `partial`, never silently.
        limits: At<Limits>,
        /// What the drone keeps of the source beside the records: `{answers: true}`.
        keep: At<Keep>,
        /// Saved answers and the records that they must give.
        test: At<TestDoc>,
        /// What is done when the source's answers change their shape.
        drift: At<DriftDoc>,
        /// What the store lets go of records and runs, and when: `{records: P2Y, versions: 5}`. Default: nothing.
        retention: At<RetentionDoc>,
    }
}

/// One condition, or several of which one is enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Where {
    One(String),
    Any(AnyOf),
}

document! {
    /// Conditions of which one is enough.
    pub struct AnyOf {
        /// The conditions.
        #[schemars(required)]
        any: Vec<At<String>>,
    }
}

impl Where {
    /// The conditions; `place` is where a single one stands.
    pub fn texts(&self, place: Place) -> Vec<At<String>> {
        match self {
            Self::One(text) => vec![At { value: text.clone(), place }],
            Self::Any(doc) => doc.any.clone().unwrap_or_default(),
        }
    }
}

impl Read for Where {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => AnyOf::read(node, problems).map(Self::Any),
            _ => String::read(node, problems).map(Self::One),
        }
    }
}

impl JsonSchema for Where {
    fn schema_name() -> Cow<'static, str> {
        "Where".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let any = generator.subschema_for::<AnyOf>();
        json_schema!({ "description": "A condition.", "anyOf": [{ "type": "string" }, any] })
    }
}

document! {
    /// What one run may cost.
    pub struct Limits {
        /// Records of one run. Default 1,000,000.
        max_records: At<u64>,
        /// Answers of one run that hold rows, over all parameters and windows. Default 1,000.
        max_pages: At<u64>,
        /// Bytes of all answers of one run, after decompression. Default 64 MiB.
        max_bytes: At<u64>,
        /// Requests of one run, retries and redirects included. Default 2,000.
        max_requests: At<u64>,
        /// Time for one request, until the last byte of its answer. Default `30s`.
        timeout: At<Duration>,
    }
}

/// Reads a whole document; notes all problems of its form.
pub fn read(node: &super::node::Node, problems: &mut Vec<Problem>) -> Document {
    let empty = || super::node::Node { place: Place::START, value: super::node::Value::Map(Vec::new()) };
    match Document::read(node, problems) {
        Some(document) => document,
        None => Document::read(&empty(), &mut Vec::new()).expect("an empty map is a document without members"),
    }
}
