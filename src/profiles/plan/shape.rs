//! Which places of a document are visited, and what is done to it before or after.

use super::{CubeForm, NodeId, Slot};
pub use crate::profiles::jsonpath::Selector;
use crate::profiles::path::Segment;

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
    /// The rows are what these steps select, from the outside in. An element that holds more rows is `[element, rows]`.
    Select(Vec<SelectStep>),
    /// The one place that this selects holds the rows.
    Place(Selector),
    JoinPairs(JoinPairs),
    Cube(Cube),
}

/// One step into the answer, or into the element of the step before.
#[derive(Debug)]
pub struct SelectStep {
    pub pick: Pick,
    pub take: Take,
}

/// What the rows are of the places that were picked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Elements of arrays.
    Elements,
    /// Members of maps.
    Members,
    /// The one place as it is: a table, or parallel arrays.
    Whole,
}

/// Places of a tree.
#[derive(Debug)]
pub enum Pick {
    /// The container of the rows.
    Plain(Vec<Segment>),
    /// The rows themselves, or the maps whose members they are.
    Path(Selector),
}

/// Each row is `[key, value of the first list, …]`.
#[derive(Debug)]
pub struct JoinPairs {
    pub on: usize,
    pub value: usize,
    /// Each list in a slot, or what a JSONPath selects, in the order of the row's cells.
    pub lists: Vec<(String, ListPlace)>,
    pub places: Places,
}

#[derive(Debug)]
pub enum ListPlace {
    Slot(Slot),
    Selected(Selector),
}

/// Each row has these cells.
#[derive(Debug)]
pub struct Cube {
    pub form: CubeForm,
    pub under: Pick,
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
    pub select: Option<SelectStep>,
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
