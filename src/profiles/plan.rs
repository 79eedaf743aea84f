//! What a profile compiles to: numbers instead of names, so that running it looks nothing up by text. Immutable,
//! shared by all runs. Knows nothing of requests in flight or of answers.
//!
//! All values that a row can use have a place in one array, a **slot**: parameters and window first, then places in
//! the document, then places in the rows. Decoders fill slots, fields read them.

use std::sync::Arc;
use std::time::Duration;

use super::document::Document;
pub use super::document::fields::{Grain, Otherwise};
pub use super::document::source::{Inclusive, Method, OffsetStep, SecretPlace};
use super::path::Segment;
pub use super::scalar::Scalar;
pub use super::template::{Hole, Part, Template};

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
    pub window: Option<Window>,
    pub paging: Option<Paging>,
    pub empty_on: Vec<u16>,
    pub limits: Limits,
    pub mapping: MappingPlan,
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
    pub headers: Vec<(String, Template)>,
    pub body: Body,
    pub auth: Option<Auth>,
    pub user_agent: Option<String>,
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

/// A secret by name, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    pub secret: String,
    pub place: SecretPlace,
    /// Query parameter, header, or JSON Pointer.
    pub name: String,
    pub optional: bool,
}

/// Windows of time.
#[derive(Debug, Clone)]
pub struct Window {
    pub from: Instant,
    pub to: Instant,
    pub step: jiff::Span,
    pub inclusive: Inclusive,
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
    Next,
    Link,
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
    /// Number of slots.
    pub slots: usize,
    pub shape: Shape,
    /// From the outside in; the elements of the last one are the rows.
    pub levels: Vec<Level>,
    /// Slots of places in the document outside the rows.
    pub document_slots: Vec<Slot>,
    pub conditions: Vec<Condition>,
    pub record: Record,
    pub policy: Policy,
    pub stop: Stop,
    /// The slot with the next URL or token.
    pub next: Option<Slot>,
}

/// The places of an answer that are wanted; all others are skipped.
#[derive(Debug, Default)]
pub struct Shape {
    /// The first node is the document.
    pub nodes: Vec<ShapeNode>,
}

#[derive(Debug, Default, Clone)]
pub struct ShapeNode {
    /// Keep the value here.
    pub slot: Option<Slot>,
    pub members: Vec<(Box<str>, NodeId)>,
    pub elements: Vec<(u32, NodeId)>,
    /// The value here holds the rows of this level.
    pub level: Option<u16>,
}

impl ShapeNode {
    /// Whether anything inside the value is wanted.
    pub fn has_inside(&self) -> bool {
        !self.members.is_empty() || !self.elements.is_empty()
    }
}

#[derive(Debug)]
pub struct Level {
    pub kind: LevelKind,
    /// The node of one element.
    pub element: NodeId,
    /// Path of the container, for messages.
    pub path: String,
    /// Slots of this level; emptied at each element.
    pub slots: Vec<Slot>,
    /// Slots of the enclosing level (or the document) that rows use: must be filled before the rows are read.
    pub needs: Vec<Slot>,
}

#[derive(Debug)]
pub enum LevelKind {
    /// Elements of an array.
    Each,
    /// Members of a map, the key into a slot.
    Entries { key: Option<Slot> },
    /// Rows of an array of arrays whose first row names the columns.
    Table { columns: Vec<(Box<str>, Slot)> },
    /// Parallel arrays in an object.
    Zip { columns: Vec<(Box<str>, Slot)> },
    /// The value itself.
    Single,
}

/// How a record is made of slots.
#[derive(Debug)]
pub struct Record {
    pub fields: Vec<Field>,
    /// Members sorted as canonical JSON wants them.
    pub dims: Vec<Member>,
    pub measures: Vec<Member>,
}

/// A member of the record's dims or measures.
#[derive(Debug)]
pub struct Member {
    /// `"name":`, ready to be written.
    pub prefix: Box<[u8]>,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    /// Index into [`Record::fields`].
    Field(u16),
    Object(Vec<Member>),
}

#[derive(Debug)]
pub struct Field {
    /// Full name, such as `dims.geo.name`.
    pub name: String,
    pub source: Source,
    /// Without it a row gives no record.
    pub in_key: bool,
    pub trim: bool,
    pub missing: Missing,
    pub map: Option<Map>,
    pub kind: Kind,
}

#[derive(Debug)]
pub enum Source {
    Slot(Slot),
    Fixed(Scalar),
    Template(Vec<Piece>),
    FirstOf(Vec<Slot>),
}

#[derive(Debug)]
pub enum Piece {
    Text(Box<str>),
    Slot(Slot),
}

#[derive(Debug)]
pub enum Kind {
    Text { pad: Option<(usize, char)> },
    Number { multiply: Option<f64> },
    Time(Time),
}

/// Values that mean "no value".
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Missing {
    /// Those that are no numbers.
    pub texts: Vec<Box<str>>,
    /// Those that are, however they are written.
    pub numbers: Vec<f64>,
}

#[derive(Debug)]
pub struct Map {
    /// Sorted by the first.
    pub entries: Vec<(Box<str>, Option<Box<str>>)>,
    pub otherwise: Otherwise,
}

#[derive(Debug)]
pub struct Time {
    pub form: TimeForm,
    pub grain: Grain,
    pub zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    Iso,
    EpochSeconds,
    EpochMilliseconds,
    Pattern(String),
}

/// The zone of a time that names none.
#[derive(Debug)]
pub enum Zone {
    /// Not said: such a time is refused where the grain is an instant.
    Unsaid,
    Named(jiff::tz::TimeZone),
    /// Seconds ahead of UTC, in a slot.
    Offset(Slot),
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

/// How an answer is judged.
#[derive(Debug, Default)]
pub struct Policy {
    pub success: Option<Condition>,
    pub failure: Option<Slot>,
    pub message: Option<Slot>,
}

/// When paging ends.
#[derive(Debug, Default)]
pub struct Stop {
    pub until: Until,
    pub total: Option<Slot>,
    pub last_page: Option<Slot>,
}

#[derive(Debug, Default)]
pub enum Until {
    #[default]
    NoNext,
    Short,
    Empty,
    Condition(Condition),
}
