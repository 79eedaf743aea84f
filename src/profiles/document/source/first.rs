//! Requests that depend on another one, and values that share a request.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::answer::{AnswerRule, Failure, Statuses};
use super::form::{Archive, ColumnsDoc, Compression, Csv, Format};
use super::moment::Moment;
use super::paging::Paging;
use super::request::{Body, Method};
use crate::profiles::document::Where;
use crate::profiles::document::fields::Field;
use crate::profiles::document::rows::Rows;
use crate::profiles::node::{At, Entries, Node, Read, Value, document, mismatch};
use crate::profiles::problem::Problem;
use crate::profiles::scalar::{Scalar, Scalars, Texts};

document! {
    /// A list that is asked for first; the source is then asked once for each of its rows, whose `values` are
    /// parameters as those of `for_each` are. It is asked once for each set of `for_each`, whose parameters it may name.
    /// The sign-in of the source goes along where both are of one host.
    pub struct First {
        /// Address of the list.
        #[schemars(required)]
        url: At<String>,
        /// Request method. Default `GET`, with a body `POST`.
        method: Method,
        /// Query parameters; a list repeats the parameter.
        query: Entries<At<Scalars>>,
        /// A query that is put in as it is written, but for `{name}`.
        raw_query: At<String>,
        /// Request headers. Default: those of the source.
        headers: Entries<At<String>>,
        /// Body of a POST.
        body: At<Body>,
        /// Form of the list. Default `json`.
        format: At<Format>,
        /// How a csv list is written.
        csv: At<Csv>,
        /// How a list in columns is written.
        columns: At<ColumnsDoc>,
        /// `gzip`: the list is a gzip file.
        compression: Compression,
        /// The list is a file in a zip.
        archive: At<Archive>,
        /// How to come to the next page of the list.
        paging: At<Paging>,
        /// What answers of the list mean, as in `answers` of a source. The short forms below become rules behind these;
        /// `rate_reset` of the source holds for the list too.
        answers: Vec<At<AnswerRule>>,
        /// A condition that a good answer meets.
        success: At<Texts>,
        /// A path that exists only in an answer which reports a failure.
        failure: At<Failure>,
        /// Path of the source's own words on a failure.
        message: At<String>,
        /// Statuses that mean "no list", such as `[204, 404]`; `no_body`: a good answer without a body.
        empty_on: At<Statuses>,
        /// A condition on the answer that means "no list".
        empty_if: At<Texts>,
        /// A condition on the answer that asks for another try.
        retry_if: At<Texts>,
        /// When to ask again after `retry_if`, such as `next_day`.
        not_before: At<Moment>,
        /// Where the rows of the list are, as in `rows` of a profile.
        rows: At<Rows>,
        /// Conditions that a row of the list must meet, all of them.
        where_ as "where": Vec<At<Where>>,
        /// Values of the list that mean "no value".
        missing: Vec<At<Scalar>>,
        /// The parameters that each row gives, by name: `{station: id}`, or fields with steps:
        /// `{station: {from: url, extract: "(\\d+)$"}}`. They are texts, or numbers where `as` says so. A row that lacks
        /// one of them is passed over; rows that give the same are asked for once.
        #[schemars(required)]
        values: Entries<At<Field>>,
    }
}

/// How many values go into one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    Size(At<u64>),
    Full(BatchDoc),
}

document! {
    /// Several values of a parameter in one request. Where the other parameters differ, the requests do too.
    pub struct BatchDoc {
        /// The most values of one request.
        #[schemars(required)]
        size: At<u64>,
        /// The parameter, of `for_each` or of `first`. May be left out where there is only one.
        param: At<String>,
        /// What stands between the values in a text. Default a comma.
        separator: At<String>,
        /// `true`: a query parameter (or form field) that is exactly `{name}` is repeated, once for each value.
        repeat: bool,
    }
}

impl Read for Batch {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Integer(_) => At::read(node, problems).map(Self::Size),
            Value::Map(_) => BatchDoc::read(node, problems).map(Self::Full),
            _ => {
                mismatch(node, "a number of values, or a map with size and param", problems);
                None
            }
        }
    }
}

impl JsonSchema for Batch {
    fn schema_name() -> Cow<'static, str> {
        "Batch".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<BatchDoc>();
        json_schema!({ "description": "How many values go into one request.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, full] })
    }
}
