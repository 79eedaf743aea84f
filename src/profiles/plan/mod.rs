//! What a profile compiles to: numbers instead of names, so that running it looks nothing up by text. Immutable,
//! shared by all runs. Knows nothing of requests in flight or of answers.
//!
//! All values that a row can use have a place in one array, a **slot**: parameters and window first, then places in
//! the document, then places in the rows. Decoders fill slots, fields read them.

use std::sync::Arc;
use std::time::Duration;

mod answer;
mod auth;
mod decoding;
mod field;
mod first;
mod keep;
mod shape;
mod timing;

use super::document::Document;
pub use super::document::fields::{Grain, Otherwise};
pub use super::document::rows::CubeForm;
pub use super::document::source::auth::SecretPlace;
pub use super::document::source::paging::OffsetStep;
pub use super::document::source::request::{Inclusive, Method};
use super::path::Segment;
pub use super::scalar::Scalar;
pub use super::template::{Hole, Part, Template};
pub use super::units::{Conversion, Unit};
use crate::domain::drift::DriftRule;
pub use answer::*;
pub use auth::*;
pub use decoding::*;
pub use field::*;
pub use first::*;
pub use keep::KeepAnswers;
pub use shape::*;
pub use timing::*;

/// Index into the array of values of a row.
pub type Slot = u16;
/// Index into [`Shape::nodes`].
pub type NodeId = u32;

/// The slots that every mapping has.
pub const WINDOW_START: Slot = 0;
pub const WINDOW_END: Slot = 1;
/// Parameters begin here, in the order of [`Plan::params`].
pub const FIRST_PARAM: Slot = 2;

/// All that a run needs.
#[derive(Debug)]
pub struct Plan {
    pub request: Request,
    /// Names of the parameters.
    pub params: Vec<String>,
    /// Values of the parameters, one list for each set. One empty set where there are none.
    pub sets: Vec<Vec<Scalar>>,
    /// Gives more parameters to each set, one list of them for each of its rows.
    pub first: Option<Box<First>>,
    /// How the values of `first` share requests; those of `for_each` are put together in `sets` already.
    pub batch: Option<Batch>,
    pub window: Option<Window>,
    pub paging: Option<Paging>,
    pub answers: Answers,
    pub politeness: Politeness,
    pub decoding: Decoding,
    pub cursor: Option<Cursor>,
    /// What becomes of records with one key.
    pub duplicates: Duplicates,
    pub limits: Limits,
    pub mapping: MappingPlan,
    /// How a run is compared with those before it.
    pub drift: DriftRule,
}

/// How often a source may be asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Politeness {
    pub rate: Option<Rate>,
    pub quota: Option<Rate>,
}

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: u64,
    pub per_ms: i64,
}

/// What one run may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub max_records: u64,
    pub max_pages: u64,
    /// Bytes after decompression, of all answers together.
    pub max_bytes: u64,
    pub max_requests: u64,
    /// For one request, until its last byte.
    pub timeout: Duration,
}

impl Limits {
    pub const DEFAULT: Self = Self {
        max_records: 1_000_000,
        max_pages: 1_000,
        max_bytes: 64 << 20,
        max_requests: 2_000,
        timeout: Duration::from_secs(30),
    };
}

/// The request, with holes.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    pub url: Template,
    pub query: Vec<(String, Vec<Template>)>,
    /// Put before `query` as it is.
    pub raw_query: Option<Template>,
    pub headers: Vec<(String, Template)>,
    pub body: Body,
    pub auth: Option<Auth>,
    pub user_agent: Option<String>,
}

impl Request {
    /// Whether a text of the request holds `{cursor}`.
    pub fn names_cursor(&self) -> bool {
        self.holes().iter().any(|hole| hole.name == "cursor")
    }

    /// All that is filled in.
    pub fn holes(&self) -> Vec<&Hole> {
        let mut holes: Vec<&Hole> = self.url.holes().collect();
        holes.extend(self.raw_query.iter().flat_map(Template::holes));
        holes.extend(listed(&self.query));
        holes.extend(self.headers.iter().flat_map(|(_, value)| value.holes()));
        match &self.body {
            Body::None => {}
            Body::Json(json) => json.holes(&mut holes),
            Body::Form(pairs) => holes.extend(listed(pairs)),
            Body::Text(text) => holes.extend(text.holes()),
        }
        holes
    }
}

fn listed(pairs: &[(String, Vec<Template>)]) -> impl Iterator<Item = &Hole> {
    pairs.iter().flat_map(|(_, values)| values).flat_map(Template::holes)
}

impl JsonTemplate {
    fn holes<'t>(&'t self, holes: &mut Vec<&'t Hole>) {
        match self {
            Self::Fixed(_) => {}
            Self::Typed(hole) => holes.push(hole),
            Self::Text(text) => holes.extend(text.holes()),
            Self::List(items) => items.iter().for_each(|item| item.holes(holes)),
            Self::Map(members) => members.iter().for_each(|(_, value)| value.holes(holes)),
        }
    }
}

#[derive(Debug)]
pub enum Body {
    None,
    Json(JsonTemplate),
    Form(Vec<(String, Vec<Template>)>),
    Text(Template),
}

/// A JSON document with holes.
#[derive(Debug, Clone)]
pub enum JsonTemplate {
    Fixed(serde_json::Value),
    /// A text that is exactly `{name}`: keeps the parameter's type.
    Typed(Hole),
    Text(Template),
    List(Vec<JsonTemplate>),
    Map(Vec<(String, JsonTemplate)>),
}

/// Windows of time.
#[derive(Debug, Clone)]
pub struct Window {
    pub from: Instant,
    pub to: Instant,
    pub step: jiff::Span,
    pub inclusive: Inclusive,
    /// Milliseconds by which a window reaches into the one before.
    pub overlap_ms: i64,
}

/// An instant, fixed or counted from now.
#[derive(Debug, Clone)]
pub enum Instant {
    /// Unix milliseconds.
    Fixed(i64),
    Now {
        minus: jiff::Span,
        /// Cut to the beginning of the day, UTC.
        day: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    pub kind: PagingKind,
    /// Query parameter and number of rows to ask for.
    pub size: Option<(Option<String>, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PagingKind {
    Page { param: String, first: u64 },
    Offset { param: String, first: u64, step: OffsetStep },
    Token { param: String, start: Option<String> },
    Keyset,
    Next,
    Link,
}

impl PagingKind {
    /// The parameter that moves on, where there is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Page { param, .. } | Self::Offset { param, .. } | Self::Token { param, .. } => Some(param),
            Self::Keyset | Self::Next | Self::Link => None,
        }
    }
}

/// The part of the plan that depends on the answer's shape.
#[derive(Debug)]
pub enum MappingPlan {
    Ready(Arc<Mapping>),
    /// The profile does not say where the rows are: found at the first answer.
    ByShape(Box<Document>),
}

/// Where the rows of an answer were found, for a profile that does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: FoundKind,
    /// Path of the rows' container from the root.
    pub under: Vec<Segment>,
    /// Paths of the profile that lead to a value outside the rows.
    pub outside: Vec<Vec<Segment>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    Each,
    Table,
    Zip,
    Single,
}

/// From an answer to records.
#[derive(Debug)]
pub struct Mapping {
    pub places: Places,
    /// An answer without the place of the rows has none: in XML, where an element without children says so.
    pub rows_may_be_absent: bool,
    /// What is done to the document before its rows are walked.
    pub prepare: Prepare,
    pub pivot: Option<Pivot>,
    pub lookups: Vec<Lookup>,
    /// Headers of the answer, lower case, and their slots.
    pub headers: Vec<(String, Slot)>,
    /// The slot of the cursor's value.
    pub cursor: Option<Slot>,
    /// Slots of places in the document outside the rows.
    pub document_slots: Vec<Slot>,
    pub conditions: Vec<Rule>,
    pub record: Record,
    /// By what the largest of several records with one key is found.
    pub rank: Option<Rank>,
    pub policy: Policy,
    pub stop: Stop,
    /// The slot with the next URL or token.
    pub next: Option<Slot>,
    /// The same, where only a JSONPath with a filter finds it.
    pub next_selected: Option<Selector>,
}

/// What a row must meet: any of these.
#[derive(Debug)]
pub struct Rule {
    pub any: Vec<Condition>,
    /// For messages.
    pub text: String,
}

/// A comparison of a slot with fixed values.
#[derive(Debug)]
pub struct Condition {
    pub slot: Slot,
    pub test: Test,
    /// As the author wrote it.
    pub text: String,
}

#[derive(Debug)]
pub enum Test {
    Exists,
    Missing,
    /// There is something: not null, false, 0, "", [] or {}.
    Tells,
    In(Vec<Operand>),
    NotIn(Vec<Operand>),
    Less(f64),
    LessOrEqual(f64),
    Greater(f64),
    GreaterOrEqual(f64),
    Matches(Box<regex_lite::Regex>),
}

/// A value to compare with; text and number are compared alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Operand {
    pub text: Box<str>,
    pub number: Option<f64>,
}

/// When paging ends.
#[derive(Debug, Default)]
pub struct Stop {
    /// Any of them; without one, what is usual for the kind of paging.
    pub until: Vec<Until>,
    pub total: Option<Slot>,
    pub last_page: Option<Slot>,
}

#[derive(Debug)]
pub enum Until {
    Short,
    Empty,
    Condition(Condition),
}
