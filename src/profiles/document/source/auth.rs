//! How a request signs in. Secrets are named here, never held.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::moment::Moment;
use super::request::{Body, Method};
use crate::profiles::node::{At, Entries, Node, Read, Value, document, mismatch, words};
use crate::profiles::problem::Problem;
use crate::profiles::scalar::{Scalars, Texts};

/// Sign-in.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    None,
    By(Box<AuthDoc>),
}

document! {
    /// How requests sign in: exactly one of `secret`, `oauth2` and `login`, and where the secret or token goes. It goes to
    /// the source's own host only, and is taken out of every message.
    pub struct AuthDoc {
        /// Name of the secret; the drone's operator holds the value. A list of names: they are taken by turns, and one
        /// that is refused or at its rate limit rests while the others go on.
        secret: At<Texts>,
        /// OAuth 2 client credentials (RFC 6749, 4.4): a token is fetched, used until shortly before it ends, and fetched
        /// anew on 401.
        oauth2: At<OAuth2>,
        /// A request that signs in: the token in its answer is used until it ends, and fetched anew on 401.
        login: At<Login>,
        /// Where the secret or token goes. Default `bearer` for a token.
        place as "in": SecretPlace,
        /// Name of the query parameter or header, or JSON Pointer into the body, such as `/registrationkey`.
        name: At<String>,
        /// `true`: without the secret the request is made all the same. Default `false`.
        optional: bool,
    }
}

document! {
    /// OAuth 2 client credentials.
    pub struct OAuth2 {
        /// Address of the token endpoint.
        #[schemars(required)]
        token_url: At<String>,
        /// Name of the secret that holds the client's id.
        #[schemars(required)]
        client_id: At<String>,
        /// Name of the secret that holds the client's secret.
        #[schemars(required)]
        client_secret: At<String>,
        /// Scopes that are asked for.
        scopes: Vec<At<String>>,
        /// Audience that is asked for, where the server wants one.
        audience: At<String>,
        /// How the client's id and secret are sent. Default `basic`.
        auth_style: AuthStyle,
    }
}

words! {
    pub enum AuthStyle {
        /// `Authorization: Basic …`.
        Basic "basic",
        /// As `client_id` and `client_secret` in the form.
        Body "body",
    }
}

document! {
    /// A request that signs in. Texts of `query`, `headers` and `body` may hold `{secret.NAME}`.
    pub struct Login {
        /// Address of the sign-in. Redirects to another host are not followed.
        #[schemars(required)]
        url: At<String>,
        /// Request method. Default `POST` with a body, else `GET`.
        method: Method,
        /// Query parameters; a list repeats the parameter.
        query: Entries<At<Scalars>>,
        /// Request headers.
        headers: Entries<At<String>>,
        /// Body of the request.
        body: At<Body>,
        /// Where the token is in the answer: a path such as `$.access_token` (`$`: the whole answer), or
        /// `{header: X-Auth-Token}`.
        #[schemars(required)]
        token: At<TokenPlace>,
        /// How long the token holds: a time such as `50m`, a path with seconds, or `{path: $.expires, as: epoch_s}`.
        /// Left out: until it is refused.
        expires: At<Moment>,
    }
}

/// Where a token is in the answer of a sign-in.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenPlace {
    Path(String),
    Header(At<HeaderName>),
}

document! {
    /// A header of an answer.
    pub struct HeaderName {
        /// Name of the header.
        #[schemars(required)]
        header: At<String>,
    }
}

impl Read for TokenPlace {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(path) => Some(Self::Path(path.clone())),
            Value::Map(_) => At::read(node, problems).map(Self::Header),
            _ => {
                mismatch(node, "a path such as $.access_token, or {header: X-Auth-Token}", problems);
                None
            }
        }
    }
}

impl JsonSchema for TokenPlace {
    fn schema_name() -> Cow<'static, str> {
        "TokenPlace".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let header = generator.subschema_for::<HeaderName>();
        json_schema!({ "description": "Where a token is: a path, or a header.", "anyOf": [{ "type": "string" }, header] })
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
            Value::Map(_) => AuthDoc::read(node, problems).map(|doc| Self::By(Box::new(doc))),
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
        let by = generator.subschema_for::<AuthDoc>();
        json_schema!({ "description": "Sign-in.", "anyOf": [{ "const": "none" }, by] })
    }
}
