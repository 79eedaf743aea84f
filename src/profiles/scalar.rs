//! Single values as an author writes them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::node::{At, Node, Read, Value, mismatch};
use super::plan::Several;
use super::problem::Problem;

/// Text, a number, true, false or null.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    /// Values that share a request; no author writes one.
    Several(Box<Several>),
}

impl Scalar {
    /// The value as it is put into texts.
    pub fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Several(list) => list.values.iter().map(Self::text).collect::<Vec<_>>().join(&list.separator),
        }
    }

    /// The value as it is put into JSON.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(number) => (*number).into(),
            Self::Decimal(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
            Self::Several(list) => list.values.iter().map(Self::json).collect(),
        }
    }
}

impl Read for Scalar {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        Some(match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Integer(number) => Self::Integer(*number),
            Value::Decimal(number) => Self::Decimal(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::List(_) | Value::Map(_) => {
                mismatch(node, "a single value", problems);
                return None;
            }
        })
    }
}

impl JsonSchema for Scalar {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean", "null"] })
    }
}

/// One value or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalars(pub Vec<At<Scalar>>);

impl Read for Scalars {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self),
            _ => At::read(node, problems).map(|value| Self(vec![value])),
        }
    }
}

impl JsonSchema for Scalars {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Scalars".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Scalar>();
        let many = generator.subschema_for::<Vec<Scalar>>();
        json_schema!({ "anyOf": [one, many] })
    }
}

/// One text or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts(pub Vec<At<String>>);

impl Read for Texts {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self),
            _ => At::read(node, problems).map(|value| Self(vec![value])),
        }
    }
}

impl JsonSchema for Texts {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Read for Number {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        #[expect(clippy::cast_precision_loss, reason = "a factor beyond 2^53 is rounded as any JSON number is")]
        match node.value {
            Value::Integer(number) => Some(Self(number as f64)),
            Value::Decimal(number) if number.is_finite() => Some(Self(number)),
            _ => {
                mismatch(node, "a number", problems);
                None
            }
        }
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}
