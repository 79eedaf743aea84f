//! What to ask a source, and how its answers are judged.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::duration::Step;
use super::super::node::{At, Entries, Node, Read, Value, document, mismatch, words};
use super::super::problem::Problem;
use super::super::scalar::{Scalar, Scalars};

document! {
    /// One HTTP source. Texts may hold `{name}`: a parameter of `for_each`, or `{window.start}`,
    /// `{window.end:%Y-%m-%d}`, `{now:%Y}`; `{{` is a brace.
    pub struct Source {
        /// Kind of source; `http_rest` is the only one.
        kind as "type": Kind,
        /// Address, http or https. `{name}` is encoded, `{+name}` is put in as it is.
        #[schemars(required)]
        url: At<String>,
        /// Request method. Default `GET`.
        method: Method,
        /// Query parameters; a list repeats the parameter.
        query: Entries<At<Scalars>>,
        /// Request headers.
        headers: Entries<At<String>>,
        /// Body of a POST.
        body: At<Body>,
        /// Sign-in: `none`, or the name of a secret and where it goes. A profile never holds the secret itself.
        auth: At<Auth>,
        /// Form of the answers. Default `json`.
        format: Format,
        /// Parameter sets; the request is made once for each: a list of maps, or a map of lists (every combination).
        for_each: At<ForEach>,
        /// Time windows; the request is made once for each.
        window: At<Window>,
        /// How to come to the next page.
        paging: At<Paging>,
        /// A condition that a good answer meets, such as `$.status == 'REQUEST_SUCCEEDED'`.
        success: At<String>,
        /// A path that exists only in an answer which reports a failure.
        failure: At<Failure>,
        /// Path of the source's own words on a failure.
        message: At<String>,
        /// Statuses that mean "no data", such as `[204, 404]`.
        empty_on: Vec<At<u64>>,
        /// Put before the drone's own User-Agent; some sources want a contact here.
        user_agent: At<String>,
    }
}

words! {
    pub enum Kind {
        HttpRest "http_rest",
    }
}

words! {
    pub enum Method {
        Get "GET",
        Post "POST",
    }
}

words! {
    pub enum Format {
        Json "json",
    }
}

document! {
    /// Body of a request: one of `json`, `form` and `text`. In `json` a text that is exactly `{name}` keeps the
    /// parameter's type.
    pub struct Body {
        /// A JSON document.
        json: At<Json>,
        /// Form fields; a list repeats the field.
        form: Entries<At<Scalars>>,
        /// A text, sent as it is.
        text: At<String>,
    }
}

/// A JSON document written in YAML.
#[derive(Debug, Clone, PartialEq)]
pub struct Json(pub serde_json::Value);

impl Read for Json {
    fn read(node: &Node, _: &mut Vec<Problem>) -> Option<Self> {
        Some(Self(json(node)))
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(number) => (*number).into(),
        Value::Decimal(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(members) => {
            let members = members.iter().map(|member| (member.key.clone(), json(&member.node)));
            serde_json::Value::Object(members.collect())
        }
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

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

/// Parameter sets: a list of maps, or a map of lists.
#[derive(Debug, Clone, PartialEq)]
pub enum ForEach {
    Sets(Vec<At<Entries<At<Scalar>>>>),
    Product(Entries<Vec<At<Scalar>>>),
}

impl Read for ForEach {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(_) => Vec::read(node, problems).map(Self::Sets),
            Value::Map(_) => Entries::read(node, problems).map(Self::Product),
            _ => {
                mismatch(node, "a list of maps or a map of lists", problems);
                None
            }
        }
    }
}

impl JsonSchema for ForEach {
    fn schema_name() -> Cow<'static, str> {
        "ForEach".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let sets = generator.subschema_for::<Vec<Entries<Scalar>>>();
        let product = generator.subschema_for::<Entries<Vec<Scalar>>>();
        json_schema!({ "description": "Parameter sets.", "anyOf": [sets, product] })
    }
}

document! {
    /// Time windows from `from` to `to`, each `step` long: `{window.start}` and `{window.end}` in the request.
    pub struct Window {
        /// First instant: a year, a date, a time, `now`, `now-P30D` or `now/day`.
        #[schemars(required)]
        from: At<Scalar>,
        /// The instant at which the last window ends. Default `now`.
        to: At<Scalar>,
        /// Length of a window, such as `P7D`, `P1M` or `P20Y`.
        #[schemars(required)]
        step: At<Step>,
        /// Which ends the source counts as inside. `start` (default): a window ends where the next begins; what
        /// arrives twice is kept once. `both`: a window ends one millisecond before the next begins, so that
        /// `{window.end:%Y-%m-%d}` is its last day.
        inclusive: Inclusive,
    }
}

words! {
    pub enum Inclusive {
        Start "start",
        Both "both",
    }
}

document! {
    /// How to come to the next page, and when to stop. Without an end test: `page` and `offset` stop at a page
    /// with fewer rows than `size` (without a size: at an empty one), the others when there is no next.
    pub struct Paging {
        /// How pages are asked for.
        #[schemars(required)]
        kind: PagingKind,
        /// Query parameter that takes the page number, the offset or the token.
        param: At<String>,
        /// Number of the first page, or the first offset. Default: 1 for `page`, 0 for `offset`.
        first: At<u64>,
        /// Query parameter that takes the page size.
        size_param: At<String>,
        /// Rows to ask for in one page.
        size: At<u64>,
        /// What an `offset` grows by: `size` (default) or the rows `received`.
        step: OffsetStep,
        /// Path of the next URL (absolute, relative, or a query fragment `&page=2`), or of the token.
        next: At<String>,
        /// The token of the first page, such as `*`, where the source wants one.
        start: At<Scalar>,
        /// When to stop: `short` (a page with fewer rows than size), `empty` (a page without rows), or a
        /// condition on the answer such as `$.has_more == false`.
        until: At<String>,
        /// Path of the total number of rows: stop when they are there.
        total: At<String>,
        /// Path of the number of the last page.
        last_page: At<String>,
    }
}

words! {
    pub enum PagingKind {
        /// A page number.
        Page "page",
        /// The number of rows to skip.
        Offset "offset",
        /// A token that the answer gives.
        Token "token",
        /// A URL that the answer gives.
        Next "next",
        /// The `Link` header, rel="next" (RFC 8288).
        Link "link",
    }
}

words! {
    pub enum OffsetStep {
        Size "size",
        Received "received",
    }
}

/// A path that exists only in failures, and where the words are.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    Path(At<String>),
    Full(FailureDoc),
}

document! {
    /// A failure reported in the body.
    pub struct FailureDoc {
        /// A path that exists only in an answer which reports a failure.
        #[schemars(required)]
        path: At<String>,
        /// Path of the source's own words.
        message: At<String>,
    }
}

impl Read for Failure {
    fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::Text(_) => At::read(node, problems).map(Self::Path),
            Value::Map(_) => FailureDoc::read(node, problems).map(Self::Full),
            _ => {
                mismatch(node, "a path, or a map with path and message", problems);
                None
            }
        }
    }
}

impl JsonSchema for Failure {
    fn schema_name() -> Cow<'static, str> {
        "Failure".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = generator.subschema_for::<FailureDoc>();
        json_schema!({ "description": "A failure reported in the body.", "anyOf": [{ "type": "string" }, full] })
    }
}
