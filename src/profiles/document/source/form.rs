//! How the bytes of an answer are written: its format, and what packs it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::node::{At, Entries, Node, Read, Value, document, mismatch, words};
use crate::profiles::problem::Problem;

words! {
    pub enum Format {
        Json "json",
        /// One JSON value on each line.
        Ndjson "ndjson",
        /// Lines of values with a separator between them (RFC 4180).
        Csv "csv",
        /// Lines of values with white space between them, or in columns of fixed width.
        Columns "columns",
        /// XML as a tree: `$` is the root element, an attribute is `@name`, text is `#text`, child elements are always
        /// lists, prefixes of namespaces are dropped.
        Xml "xml",
    }
}

words! {
    pub enum Compression {
        None "none",
        Gzip "gzip",
    }
}

document! {
    /// A file that holds files.
    pub struct Archive {
        /// Name of the file in the zip that is read; a `*` stands for anything: `"API_*.csv"`.
        #[schemars(required)]
        zip: At<String>,
    }
}

document! {
    /// How a csv answer is written. Its rows are a table: fields name the columns.
    pub struct Csv {
        /// What stands between the values, one character. Default a comma.
        delimiter: At<String>,
        /// What stands around values that hold a delimiter, one character; `""`: nothing does. Default `"`.
        quote: At<String>,
        /// Lines before the header that are passed over.
        skip_lines: u64,
        /// Lines that begin with this character are passed over.
        comment: At<String>,
        /// `first` (default): the first line names the columns. `none`: they are named `0`, `1`, … A list: their names.
        header: At<LineHeader>,
        /// Lines behind the header that are passed over, such as a line of units.
        after_header: u64,
    }
}

document! {
    /// How an answer in columns is written. Its rows are a table: fields name the columns.
    pub struct ColumnsDoc {
        /// Columns of fixed width: the first and the last character of each, counted from 1: `{ID: [1, 11]}`. Such an
        /// answer has no header. Left out: white space separates the values.
        fixed: At<Entries<At<Span>>>,
        /// Lines before the header that are passed over.
        skip_lines: u64,
        /// Lines that begin with this are passed over; a header that begins with it is read all the same, without it.
        comment: At<String>,
        /// `first` (default): the first line names the columns. `none`: they are named `0`, `1`, … A list: their names.
        header: At<LineHeader>,
        /// Lines behind the header that are passed over, such as a line of units.
        after_header: u64,
    }
}

/// Where the names of columns come from.
#[derive(Debug, Clone, PartialEq)]
pub enum LineHeader {
    First,
    None,
    Names(Vec<At<String>>),
}

impl Read for LineHeader {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(word) if word == "first" => Some(Self::First),
            Value::Text(word) if word == "none" => Some(Self::None),
            Value::List(_) => Vec::read(node, problems).map(Self::Names),
            _ => {
                mismatch(node, "first, none or a list of names", problems);
                None
            }
        }
    }
}

impl JsonSchema for LineHeader {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "LineHeader".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "enum": ["first", "none"] }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// First and last character, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: usize,
    pub last: usize,
}

impl Read for Span {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::List(items) = &node.value
            && let [first, last] = items.as_slice()
            && let (Value::Integer(first @ 1..=10_000), Value::Integer(last @ 1..=10_000)) = (&first.value, &last.value)
            && first <= last
        {
            return Some(Self { first: usize::try_from(*first).ok()?, last: usize::try_from(*last).ok()? });
        }
        mismatch(node, "the first and the last character of the column, such as [1, 11]", problems);
        None
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 10000 },
            "minItems": 2, "maxItems": 2 })
    }
}
