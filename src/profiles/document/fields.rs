//! Where a dim or a measure comes from, and what is done to it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::node::{At, Entries, Node, Read, Value, document, mismatch, words};
use super::super::problem::Problem;
use super::super::scalar::{Number, Scalar};

/// A field: a source alone, or a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    From(At<String>),
    Full(Box<FieldDoc>),
}

document! {
    /// One field of the record: exactly one of `from`, `first_of` and `const`, and what is done to the value, in
    /// this order: `trim`, `missing`, `map`, `as`, `multiply`, `time`, `pad`.
    pub struct FieldDoc {
        /// A path in the row (`country.value`, `["City / Ville"]`, `coordinates[0]`), a field of a named step
        /// (`series.id`), `param.name`, `window.start`, `doc.path` (the whole answer), or a template of such:
        /// `"{state}{county}"`.
        from: At<String>,
        /// The first of these sources that has a value.
        first_of: Vec<At<String>>,
        /// A fixed value.
        constant as "const": At<Scalar>,
        /// `text` (default for dims) or `number` (default for measures).
        kind as "as": FieldKind,
        /// More values that mean "no value" in this field.
        missing: Vec<At<Scalar>>,
        /// `true`: white space at both ends is taken off.
        trim: bool,
        /// Replaces values: `{LNS14000000: Unemployment rate}`.
        map: At<Entries<At<Scalar>>>,
        /// What a value outside `map` becomes: `keep` (default), `missing` or `fail`.
        otherwise as "else": Otherwise,
        /// Multiplies a number.
        multiply: At<Number>,
        /// Fills up to a width at the left: `[10, "0"]`.
        pad: At<Pad>,
        /// Reads the value as a time.
        time: At<Time>,
        /// Unit of a measure, as UCUM writes it: `USD`, `Cel`. Not part of the record.
        unit: String,
        /// What the field says. Not part of the record.
        description: String,
    }
}

words! {
    pub enum FieldKind {
        Text "text",
        Number "number",
    }
}

words! {
    pub enum Otherwise {
        Keep "keep",
        Missing "missing",
        Fail "fail",
    }
}

impl Read for Field {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::From),
            Value::Map(_) => FieldDoc::read(node, problems).map(|field| Self::Full(Box::new(field))),
            _ => {
                mismatch(node, "a path, a template or a map with from, first_of or const", problems);
                None
            }
        }
    }
}

impl JsonSchema for Field {
    fn schema_name() -> Cow<'static, str> {
        "Field".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<FieldDoc>();
        json_schema!({ "description": "A source path or template alone, or a map.",
            "anyOf": [{ "type": "string" }, full] })
    }
}

/// `[width, fill]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    pub width: u64,
    pub fill: char,
}

impl Read for Pad {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        if let Value::List(items) = &node.value
            && let [width, fill] = items.as_slice()
            && let (Value::Integer(width @ 1..=200), Value::Text(fill)) = (&width.value, &fill.value)
            && let (Ok(width), [fill]) = (u64::try_from(*width), fill.chars().collect::<Vec<_>>().as_slice())
        {
            return Some(Self { width, fill: *fill });
        }
        mismatch(node, "a width from 1 to 200 and one character, such as [10, \"0\"]", problems);
        None
    }
}

impl JsonSchema for Pad {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Pad".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "prefixItems": [{ "type": "integer", "minimum": 1, "maximum": 200 },
            { "type": "string", "minLength": 1, "maxLength": 1 }], "minItems": 2, "maxItems": 2 })
    }
}

/// How a time is written: a form alone, or a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Time {
    Form(At<String>),
    Full(TimeDoc),
}

document! {
    /// How a time is written, and how fine it is.
    pub struct TimeDoc {
        /// `iso` (default: ISO 8601 and RFC 3339, also `2024`, `2024-01`, `2024-Q1`, `2024M01`), `epoch_s`,
        /// `epoch_ms`, or a pattern of strftime such as `%Y%m%d`.
        form as "in": At<String>,
        /// Finest part that is kept. Default: the last name of the dim (`time.month`).
        grain: At<Grain>,
        /// Zone of times that name none: `UTC` or an IANA name such as `America/Chicago`.
        zone: At<String>,
        /// Path of a field that holds the offset from UTC in seconds, for times that name no zone.
        offset: At<String>,
    }
}

words! {
    /// How fine a time is.
    pub enum Grain {
        Year "year",
        Quarter "quarter",
        Month "month",
        Week "week",
        Date "date",
        At "at",
    }
}

impl Read for Time {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::Form),
            Value::Map(_) => TimeDoc::read(node, problems).map(Self::Full),
            _ => {
                mismatch(node, "a form such as iso or epoch_ms, or a map with in, grain, zone, offset", problems);
                None
            }
        }
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<TimeDoc>();
        json_schema!({ "description": "How a time is written.", "anyOf": [{ "type": "string" }, full] })
    }
}
