//! How a field of the record is made of slots.

use super::{Conversion, Grain, Otherwise, Scalar, Slot, Unit};

/// How a record is made of slots.
#[derive(Debug)]
pub struct Record {
    pub fields: Vec<Field>,
    /// Members sorted as canonical JSON wants them.
    pub dims: Vec<Member>,
    pub measures: Vec<Member>,
}

/// What records are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Index into [`Record::fields`].
    Field(u16),
    /// A value of the row that need not be in the record.
    Slot(Slot),
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
    /// Index into `Mapping::lookups`.
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
    /// The slot must name this unit.
    Check(Slot, Box<str>),
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
