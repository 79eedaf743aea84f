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
    /// One field of the record: exactly one of `from`, `first_of` and `const`, and what is done to the value. The steps
    /// on text (`trim`, `replace`, `extract`, `split`, `first`, `last`, `join`, `count`, `upper`, `lower`, `map`,
    /// `lookup`, `pad`) are taken in the order in which they are written, then `as` or `time` reads the value, then the
    /// steps on numbers (`multiply`, `multiply_by`, `power10`, `unit`), again as written.
    pub struct FieldDoc {
        /// A path in the row (`country.value`, `["City / Ville"]`, `coordinates[0]`), a field of a named step
        /// (`series.id`), `param.name`, `window.start`, `doc.path` (the whole answer), `header.name` (a header of
        /// the answer), or a template of such: `"{state}{county}"`.
        from: At<String>,
        /// The first of these sources that has a value.
        first_of: Vec<At<String>>,
        /// A fixed value.
        constant as "const": At<Scalar>,
        /// `text` (default for dims); for measures `number` (default), `integer` (what is no whole number is not
        /// read) or `boolean` (true, yes, y, t, 1 are 1; false, no, n, f, 0 are 0).
        kind as "as": At<FieldKind>,
        /// Mark of the fraction in a number: `point` (default, a comma groups digits) or `comma` (a point does).
        decimal: Decimal,
        /// More values that mean "no value" in this field.
        missing: Vec<At<Scalar>>,
        /// Other fields whose values mean that this one has none: `{qualityControl: [X]}`.
        missing_if: Entries<Vec<At<Scalar>>>,
        /// Path of a value in the answer that means "no value", such as `doc.noDataValue`.
        missing_from: At<String>,
        /// `true`: white space at both ends is taken off.
        trim: At<bool>,
        /// Replaces what regular expressions match: `{"^CIK0*": ""}`; `$1` is the first group.
        replace: At<Entries<At<String>>>,
        /// Takes what a regular expression matches, or its first group: `"/stations/(\\w+)$"`; `[expression, 2]` takes
        /// the second. Without a match there is no value.
        extract: At<Extract>,
        /// Cuts the text into a list at this separator.
        split: At<String>,
        /// `true`: the first element of a list.
        first: At<bool>,
        /// `true`: the last element of a list.
        last: At<bool>,
        /// Puts the elements of a list together, with this between them.
        join: At<String>,
        /// `true`: the number of elements of a list.
        count: At<bool>,
        /// `true`: upper case.
        upper: At<bool>,
        /// `true`: lower case.
        lower: At<bool>,
        /// Replaces whole values: `{LNS14000000: Unemployment rate}`.
        map: At<Entries<At<Scalar>>>,
        /// What a value outside `map` or `lookup` becomes: `keep` (default of map), `missing` (default of lookup) or
        /// `fail`.
        otherwise as "else": Otherwise,
        /// Takes the value from a table of `lookups`.
        lookup: At<String>,
        /// Fills up to a width at the left: `[10, "0"]`.
        pad: At<Pad>,
        /// Reads the value as a time.
        time: At<Time>,
        /// Multiplies a number.
        multiply: At<Number>,
        /// Path of a number to multiply with.
        multiply_by: At<String>,
        /// Path of a whole number: the value is multiplied with ten to the power of it.
        power10: At<String>,
        /// Unit of a measure, as UCUM writes it: `USD`, `Cel`; not part of the record. A map converts:
        /// `{from: "[degF]", to: Cel}`, or `{by: unitCode, to: Cel}` where the answer names the unit; or it is checked
        /// against the answer: `{is: Cel, told_by: doc.units.temperature}`.
        unit: At<Unit>,
        /// What the field says. Not part of the record.
        description: String,
    }
}

words! {
    pub enum FieldKind {
        Text "text",
        Number "number",
        Integer "integer",
        Boolean "boolean",
    }
}

words! {
    pub enum Decimal {
        Point "point",
        Comma "comma",
    }
}

/// A regular expression, and the group that is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Extract {
    pub expression: String,
    /// `None`: the first group, or all where there is none.
    pub group: Option<usize>,
}

impl Read for Extract {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => return Some(Self { expression: text.clone(), group: None }),
            Value::List(items) => {
                if let [text, group] = items.as_slice()
                    && let (Value::Text(text), Value::Integer(group)) = (&text.value, &group.value)
                    && let Ok(group) = usize::try_from(*group)
                {
                    return Some(Self { expression: text.clone(), group: Some(group) });
                }
            }
            _ => {}
        }
        mismatch(node, "a regular expression, or [expression, number of the group]", problems);
        None
    }
}

impl JsonSchema for Extract {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Extract".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "prefixItems": [{ "type": "string" },
            { "type": "integer", "minimum": 0 }], "minItems": 2, "maxItems": 2 }] })
    }
}

/// A unit alone, or a conversion.
#[derive(Debug, Clone, PartialEq)]
pub enum Unit {
    Name(String),
    Convert(UnitDoc),
}

document! {
    /// A conversion of units, or a check. Known are the units of weather, length, mass, time, energy and volume; a value whose
    /// unit is not known, or measures something else, is not read.
    pub struct UnitDoc {
        /// The unit of the answer, as UCUM or the WMO write it: `[degF]`, `wmoUnit:degC`, `m/s`.
        from: At<String>,
        /// Path of the value that names the unit.
        by: At<String>,
        /// The unit of the measure, of a conversion.
        to: At<String>,
        /// The unit of the measure, as the answer has it: nothing is converted.
        is: At<String>,
        /// Path of the value in which the answer names the unit. Where that is not `is`, the run fails: its numbers
        /// mean something else.
        told_by: At<String>,
    }
}

impl Read for Unit {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(text) => Some(Self::Name(text.clone())),
            Value::Map(_) => UnitDoc::read(node, problems).map(Self::Convert),
            _ => {
                mismatch(node, "a unit, or a map with from or by, and to, or with is and told_by", problems);
                None
            }
        }
    }
}

impl JsonSchema for Unit {
    fn schema_name() -> Cow<'static, str> {
        "Unit".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<UnitDoc>();
        json_schema!({ "description": "A unit, or a conversion.", "anyOf": [{ "type": "string" }, full] })
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
        /// `iso` (default: ISO 8601 and RFC 3339, also `2024`, `2024.0`, `2024-01`, `2024-Q1`, `2024M01`, `2024W05`,
        /// `20240115`, and hours from 24 on, which are of the next day), `epoch_s`, `epoch_ms`, or a pattern of
        /// strftime such as `%m/%d/%y`. Several columns are put together by a template in `from`.
        form as "in": At<String>,
        /// Finest part that is kept. Default: the last name of the dim (`time.month`).
        grain: At<Grain>,
        /// Zone of times that name none: `UTC` or an IANA name such as `America/Chicago`.
        zone: At<String>,
        /// Path of a field that holds the offset from UTC, in seconds or as `+01:00`, for times that name no zone.
        offset: At<String>,
        /// Path of a field that names the zone (`America/Chicago`), for times that name none.
        zone_from: At<String>,
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
