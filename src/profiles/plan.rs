//! What a profile compiles to: numbers instead of names, so that running it looks nothing up by text. Immutable,
//! shared by all runs. Knows nothing of requests in flight or of answers.
//!
//! All values that a row can use have a place in one array, a **slot**: parameters and window first, then places in
//! the document, then places in the rows. Decoders fill slots, fields read them.

use std::sync::Arc;
use std::time::Duration;

use super::document::Document;
pub use super::document::fields::{Grain, Otherwise};
pub use super::document::rows::CubeForm;
pub use super::document::source::{Inclusive, Method, OffsetStep, SecretPlace};
use super::path::Segment;
pub use super::scalar::Scalar;
pub use super::template::{Hole, Part, Template};
pub use super::units::{Conversion, Unit};

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
    pub decoding: Decoding,
    pub cursor: Option<Cursor>,
    /// What becomes of records with one key.
    pub duplicates: Duplicates,
    pub limits: Limits,
    pub mapping: MappingPlan,
}

/// From bytes to what the rows are read from.
#[derive(Debug, Default)]
pub struct Decoding {
    pub gzip: bool,
    /// Name of the file in a zip; `*` stands for anything.
    pub zip: Option<String>,
    pub format: Format,
}

#[derive(Debug, Default)]
pub enum Format {
    #[default]
    Json,
    Ndjson,
    Csv(Csv),
    Columns(Columns),
    Xml,
}

impl Format {
    /// The answer is lines of cells, not a tree.
    pub fn is_grid(&self) -> bool {
        matches!(self, Self::Csv(_) | Self::Columns(_))
    }

    /// The word of the profile.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Ndjson => "JSON lines",
            Self::Csv(_) => "CSV",
            Self::Columns(_) => "columns",
            Self::Xml => "XML",
        }
    }
}

#[derive(Debug)]
pub struct Csv {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub comment: Option<u8>,
    pub lines: Lines,
}

/// The lines around the rows.
#[derive(Debug)]
pub struct Lines {
    /// Lines before the header.
    pub skip: u64,
    pub header: LineHeader,
    /// Lines behind the header.
    pub after_header: u64,
}

#[derive(Debug)]
pub enum LineHeader {
    First,
    /// Named `0`, `1`, ….
    Numbers,
    Names(Vec<String>),
}

#[derive(Debug)]
pub struct Columns {
    /// Name, first character and the one behind the last, counted from 0. `None`: white space separates.
    pub fixed: Option<Vec<(String, usize, usize)>>,
    pub comment: Option<String>,
    pub lines: Lines,
}

/// Where the next run goes on.
#[derive(Debug)]
pub struct Cursor {
    /// Names what is counted: a cursor of another definition is not gone on from.
    pub digest: crate::domain::digest::Digest,
    pub param: Option<String>,
    /// Milliseconds, or units of a number.
    pub lookback: i64,
    pub form: CursorForm,
    /// As the request takes it: a form of `instant`, `None` for RFC 3339.
    pub send: Option<String>,
    /// The value of the first run.
    pub start: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorForm {
    Time(TimeForm),
    Number,
}

/// Which of several records with one key counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Duplicates {
    #[default]
    Last,
    First,
    Error,
    /// The one with the largest value of the measure with this index into [`Record::fields`].
    Max(u16),
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

impl Request {
    /// Whether a text of the request holds `{cursor}`.
    pub fn names_cursor(&self) -> bool {
        let named = |template: &Template| template.holes().any(|hole| hole.name == "cursor");
        let listed = |pairs: &[(String, Vec<Template>)]| pairs.iter().any(|(_, values)| values.iter().any(named));
        let body = match &self.body {
            Body::None => false,
            Body::Json(json) => json.names_cursor(),
            Body::Form(pairs) => listed(pairs),
            Body::Text(text) => named(text),
        };
        body || named(&self.url) || listed(&self.query) || self.headers.iter().any(|(_, value)| named(value))
    }
}

impl JsonTemplate {
    fn names_cursor(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Typed(hole) => hole.name == "cursor",
            Self::Text(text) => text.holes().any(|hole| hole.name == "cursor"),
            Self::List(items) => items.iter().any(Self::names_cursor),
            Self::Map(members) => members.iter().any(|(_, value)| value.names_cursor()),
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
    pub policy: Policy,
    pub stop: Stop,
    /// The slot with the next URL or token.
    pub next: Option<Slot>,
}

/// The places that one walk over a document visits.
#[derive(Debug, Default)]
pub struct Places {
    /// Number of slots.
    pub slots: usize,
    pub shape: Shape,
    /// From the outside in; the elements of the last one are the rows.
    pub levels: Vec<Level>,
}

/// What a walk cannot do in passing. The document becomes `[document, rows]` then.
#[derive(Debug, Default)]
pub enum Prepare {
    #[default]
    Nothing,
    /// The rows are what this selects.
    Select(Box<Selector>),
    JoinPairs(JoinPairs),
    Cube(Cube),
}

/// A JSONPath that only a tree can answer.
#[derive(Debug)]
pub struct Selector {
    pub text: String,
    pub path: serde_json_path::JsonPath,
}

/// Each row is `[key, value of the first list, …]`.
#[derive(Debug)]
pub struct JoinPairs {
    pub on: usize,
    pub value: usize,
    /// Each list in a slot, in the order of the row's cells.
    pub lists: Vec<(String, Slot)>,
    pub places: Places,
}

/// Each row has these cells.
#[derive(Debug)]
pub struct Cube {
    pub form: CubeForm,
    pub under: Vec<Segment>,
    pub columns: Vec<CubeColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CubeColumn {
    Code(String),
    Label(String),
    Value,
    Status,
}

/// One row of those that agree in `by`.
#[derive(Debug)]
pub struct Pivot {
    pub by: Vec<Slot>,
    pub name: Slot,
    pub value: Slot,
    /// Name and slot of each value.
    pub columns: Vec<(Box<str>, Slot)>,
}

/// A table inside the answer.
#[derive(Debug)]
pub struct Lookup {
    pub name: String,
    pub select: Option<Selector>,
    pub places: Places,
    pub keys: Vec<Slot>,
    pub value: Slot,
}

/// Which members or columns make rows.
#[derive(Debug)]
pub enum Keys {
    All,
    /// Sorted; each with the text that stands for it.
    Named(Vec<(Box<str>, Box<str>)>),
    Matching(Box<regex_lite::Regex>),
}

impl Keys {
    /// The columns that are named one by one.
    pub fn named(&self) -> &[(Box<str>, Box<str>)] {
        match self {
            Self::Named(named) => named,
            Self::All | Self::Matching(_) => &[],
        }
    }
}

/// From wide to long.
#[derive(Debug)]
pub struct Unpivot {
    pub keys: Keys,
    pub key: Option<Slot>,
    pub value: Option<Slot>,
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
    Entries { key: Option<Slot>, keys: Keys },
    /// Rows of an array of arrays whose first row names the columns.
    Table { columns: Vec<(Box<str>, Slot)>, unpivot: Option<Unpivot> },
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
    pub missing: Missing,
    /// Slots whose values mean that this field has none.
    pub missing_if: Vec<(Slot, Missing)>,
    /// The slot of a value that means "no value".
    pub missing_from: Option<Slot>,
    pub steps: Vec<Step>,
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

/// What is done to a text before it is read.
#[derive(Debug)]
pub enum Step {
    Trim,
    Replace(Box<regex_lite::Regex>, Box<str>),
    /// The expression and the group that is taken.
    Extract(Box<regex_lite::Regex>, usize),
    Split(Box<str>),
    First,
    Last,
    Join(Box<str>),
    Count,
    Upper,
    Lower,
    Map(Map),
    /// Index into [`Mapping::lookups`].
    Lookup(u16, Otherwise),
    /// Width and what fills it.
    Pad(usize, char),
}

#[derive(Debug)]
pub enum Kind {
    Text,
    Number(Number),
    Time(Time),
}

#[derive(Debug, Default)]
pub struct Number {
    pub decimal_comma: bool,
    pub form: NumberForm,
    pub steps: Vec<NumberStep>,
}

impl Number {
    /// JSON's own numbers go into the record as they stand.
    pub fn is_plain(&self) -> bool {
        self.form == NumberForm::Any && self.steps.is_empty()
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum NumberForm {
    #[default]
    Any,
    Integer,
    /// true is 1, false is 0.
    Boolean,
}

#[derive(Debug)]
pub enum NumberStep {
    Multiply(f64),
    MultiplyBy(Slot),
    Power10(Slot),
    Convert(Conversion),
    /// From the unit that the slot names.
    ConvertBy(Slot, &'static Unit),
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
    /// Seconds ahead of UTC, or `+01:00`, in a slot.
    Offset(Slot),
    /// The name of the zone, in a slot.
    Field(Slot),
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
