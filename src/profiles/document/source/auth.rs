//! How a request signs in. Secrets are named here, never held.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::profiles::node::{At, Node, Read, Value, document, mismatch, words};
use crate::profiles::problem::Problem;

/// Sign-in.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    None,
    Secret(SecretUse),
}

document! {
    /// A secret by name, and where it goes.
    pub struct SecretUse {
        /// Name of the secret; the drone's operator holds the value.
        #[schemars(required)]
        secret: At<String>,
        /// Where the secret goes.
        #[schemars(required)]
        place as "in": SecretPlace,
        /// Name of the query parameter or header, or JSON Pointer into the body, such as `/registrationkey`.
        name: At<String>,
        /// `true`: without the secret the request is made all the same. Default `false`.
        optional: bool,
    }
}

words! {
    pub enum SecretPlace {
        /// A query parameter.
        Query "query",
        /// A header.
        Header "header",
        /// `Authorization: Bearer …`.
        Bearer "bearer",
        /// `Authorization: Basic …`; the secret is `user:password`.
        Basic "basic",
        /// A place in the JSON body.
        Body "body",
    }
}

impl Read for Auth {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(word) if word == "none" => Some(Self::None),
            Value::Map(_) => SecretUse::read(node, problems).map(Self::Secret),
            _ => {
                mismatch(node, "none or a map with secret and in", problems);
                None
            }
        }
    }
}

impl JsonSchema for Auth {
    fn schema_name() -> Cow<'static, str> {
        "Auth".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretUse>();
        json_schema!({ "description": "Sign-in.", "anyOf": [{ "const": "none" }, secret] })
    }
}
