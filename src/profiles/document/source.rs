//! What to ask a source, and how its answers are judged.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::duration::{Duration, Step};
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
        format: At<Format>,
        /// How a csv answer is written.
        csv: At<Csv>,
        /// How an answer in columns is written.
        columns: At<ColumnsDoc>,
        /// `gzip`: the answer is a gzip file. (What HTTP compresses is unpacked without saying so.)
        compression: Compression,
        /// The answer is a zip file; `{zip: stops.txt}` names the file in it that is read.
        archive: At<Archive>,
        /// Asks only for what is new since the last run.
        cursor: At<Cursor>,
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

document! {
    /// Where the last run stopped: the largest value that was seen is what the next run asks from. It moves on only
    /// after a run that read everything and whose records are safe.
    pub struct Cursor {
        /// Path of the value in a row, such as `properties.updated`.
        #[schemars(required)]
        field: At<String>,
        /// Query parameter that takes the value. Left out: a text of the request holds `{cursor}` or
        /// `{cursor:%Y-%m-%d}`.
        param: At<String>,
        /// How the field writes it, as `in` of `time` does: `iso` (default), `epoch_s`, `epoch_ms`, a pattern of
        /// strftime; or `number`. A time without a zone is UTC.
        format: At<String>,
        /// How the parameter wants it; default as `format` (`iso`: RFC 3339).
        send: At<String>,
        /// So much earlier than the largest value is asked from, for what the source adds late: `P1D`.
        lookback: At<Duration>,
        /// The value of the first run. Left out: the first run asks without the parameter.
        start: At<Scalar>,
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
        /// Query parameter that takes the page number, the offset or the token; a JSON Pointer such as `/page` puts it
        /// into the JSON body.
        param: At<String>,
        /// Number of the first page, or the first offset. Default: 1 for `page`, 0 for `offset`.
        first: At<u64>,
        /// Query parameter (or JSON Pointer into the body) that takes the page size.
        size_param: At<String>,
        /// Rows to ask for in one page.
        size: At<u64>,
        /// What an `offset` grows by: `size` (default) or the rows `received`.
        step: OffsetStep,
        /// Path of the next URL (absolute, relative, or a query fragment `&page=2`), of the token, or of the object whose
        /// members become parameters.
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
        /// An object that the answer gives: each of its members becomes a query parameter.
        Keyset "keyset",
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
