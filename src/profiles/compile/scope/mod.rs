//! Names to slots: everything a row can see, and the shape of the places that are wanted from an answer.

mod names;

use crate::profiles::nearest::nearest;
use crate::profiles::node::list;
use crate::profiles::path::{Origin, Path, Segment};
use crate::profiles::plan::{
    CubeColumn, FIRST_PARAM, Found, Keys, Level, LevelKind, NodeId, Places, Shape, ShapeNode, Slot, Unpivot,
};

/// A row may use at most this many places.
const MAX_SLOTS: usize = 1_000;
/// First names that do not mean a place in the row.
pub const RESERVED: [&str; 4] = ["doc", "header", "param", "window"];
/// Answers have fewer headers than this.
const MAX_HEADERS: usize = 50;

pub struct Scope<'p> {
    params: &'p [String],
    has_window: bool,
    /// The parameter of which several values share a request.
    batched: Option<&'p str>,
    shape: Shape,
    levels: Vec<LevelScope>,
    slots: usize,
    document_slots: Vec<Slot>,
    used_by_rows: Vec<Slot>,
    found: Option<&'p Found>,
    cells: Cells,
    headers: Vec<(String, Slot)>,
    /// Where the document's own places begin, and those of its rows: apart where the document is prepared.
    document_root: NodeId,
    rows_root: NodeId,
    pivot: Option<PivotScope>,
}

/// What the cells of a row that is an array are called.
enum Cells {
    Unnamed,
    Named(Vec<String>),
    /// Those of a cube, as fields ask for them.
    Cube(Vec<CubeColumn>),
}

/// Names after a pivot: what the rows have in common, and what was measured.
struct PivotScope {
    by: Vec<(Path, Slot)>,
    columns: Vec<(Box<str>, Slot)>,
}

/// What a finished scope gives.
pub struct Finished {
    pub places: Places,
    pub document_slots: Vec<Slot>,
    pub headers: Vec<(String, Slot)>,
    pub cube: Vec<CubeColumn>,
    pub pivot: Vec<(Box<str>, Slot)>,
}

/// A level while its slots are still being found.
struct LevelScope {
    name: Option<String>,
    level: Level,
    /// Where the places of an element begin, and those of the rows inside it: apart where the rows were selected.
    value: NodeId,
    below: NodeId,
    /// Names of key and value, where it makes rows of columns.
    unpivot: Option<(String, String)>,
}

impl<'p> Scope<'p> {
    pub fn new(params: &'p [String], has_window: bool, found: Option<&'p Found>) -> Self {
        Self {
            params,
            has_window,
            batched: None,
            shape: Shape { nodes: vec![ShapeNode::default()] },
            levels: Vec::new(),
            slots: usize::from(FIRST_PARAM) + params.len(),
            document_slots: Vec::new(),
            used_by_rows: Vec::new(),
            found,
            cells: Cells::Unnamed,
            headers: Vec::new(),
            document_root: 0,
            rows_root: 0,
            pivot: None,
        }
    }

    /// This parameter has no single value in an answer.
    pub fn without_value(&mut self, batched: Option<&'p str>) {
        self.batched = batched;
    }

    /// The document will be `[document, rows]`. To be called before anything is named.
    pub fn prepare(&mut self) -> Result<(), String> {
        self.document_root = self.element(0, 0)?;
        self.rows_root = self.element(0, 1)?;
        Ok(())
    }

    /// Adds the rows at `path` below the innermost level (or the document). `[*]` inside the path makes levels of
    /// its own; one at the end is understood.
    pub fn add_levels(&mut self, name: Option<&str>, path: &[Segment], kind: LevelKind) -> Result<(), String> {
        let mut parts: Vec<&[Segment]> = path.split(|segment| *segment == Segment::All).collect();
        if parts.len() > 1 && parts.last().is_some_and(|last| last.is_empty()) {
            parts.pop();
        }
        let Some((last, outer)) = parts.split_last() else { return Ok(()) };
        for part in outer {
            self.add_level(None, part, LevelKind::Each)?;
        }
        self.add_level(name, last, kind)
    }

    fn add_level(&mut self, name: Option<&str>, path: &[Segment], kind: LevelKind) -> Result<(), String> {
        let index = u16::try_from(self.levels.len()).ok().filter(|index| *index < 16).ok_or("more than 16 levels")?;
        let parent = self.levels.last().map_or(self.rows_root, |outer| outer.below);
        if self.levels.last().is_some_and(|outer| !nests(&outer.level.kind)) {
            return Err("only elements of arrays and members of maps can hold more rows".into());
        }
        let container = self.descend(parent, path)?;
        self.node(container).level = Some(index);
        let element = if matches!(kind, LevelKind::Single) { container } else { self.new_node()? };
        let path = Path { origin: Origin::Document, segments: path.to_vec() }.to_string();
        let level = Level { kind, element, path, slots: Vec::new(), needs: Vec::new() };
        let name = name.map(str::to_owned);
        self.levels.push(LevelScope { name, level, value: element, below: element, unpivot: None });
        Ok(())
    }

    /// The elements of the innermost level are `[element, rows]`.
    pub fn split_elements(&mut self) -> Result<(), String> {
        let innermost = self.innermost()?;
        let element = self.levels[innermost].level.element;
        let (value, below) = (self.element(element, 0)?, self.element(element, 1)?);
        (self.levels[innermost].value, self.levels[innermost].below) = (value, below);
        Ok(())
    }

    /// Makes a row of each of the columns `keys` of a row.
    pub fn unpivot(&mut self, keys: Keys, key: &str, value: &str) -> Result<(), String> {
        let innermost = self.innermost()?;
        match &mut self.levels[innermost].level.kind {
            LevelKind::Table { unpivot, .. } => *unpivot = Some(Unpivot { keys, key: None, value: None }),
            LevelKind::Each => self.add_level(None, &[], LevelKind::Entries { key: None, keys })?,
            LevelKind::Zip { .. } => {
                return Err("unpivot does not go with parallel arrays: each of them can be a measure by itself".into());
            }
            _ => return Err("unpivot goes with each, a table with a header, csv and columns".into()),
        }
        if let Some(level) = self.levels.last_mut() {
            level.unpivot = Some((key.to_owned(), value.to_owned()));
        }
        Ok(())
    }

    /// From here on paths name what the rows have in common, and the columns that `pivot` makes.
    pub fn begin_pivot(&mut self, by: Vec<(Path, Slot)>) {
        self.pivot = Some(PivotScope { by, columns: Vec::new() });
    }

    /// The names of the steps.
    pub fn level_names(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().filter_map(|level| level.name.as_deref())
    }

    pub fn innermost_is_entries(&self) -> bool {
        self.levels.last().is_some_and(|level| matches!(level.level.kind, LevelKind::Entries { .. }))
    }

    /// Names the cells of the rows, which are arrays without a header.
    pub fn name_columns<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
        let names: Vec<String> = names.map(str::to_owned).collect();
        let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
        let result = twice.map_or(Ok(()), |(_, name)| Err(format!("two columns are named {name:?}")));
        self.cells = Cells::Named(names);
        result
    }

    /// The rows are cells of a cube.
    pub fn name_cube(&mut self) {
        self.cells = Cells::Cube(Vec::new());
    }

    /// The slot of a path that a row uses.
    pub fn row_slot(&mut self, path: &Path) -> Result<Slot, String> {
        let slot = self.locate(path)?;
        if !self.used_by_rows.contains(&slot) {
            self.used_by_rows.push(slot);
        }
        Ok(slot)
    }

    /// The slot of a path from the root of the answer, for what is judged once an answer.
    pub fn document_slot(&mut self, segments: &[Segment]) -> Result<Slot, String> {
        let node = self.descend(self.document_root, segments)?;
        let slot = self.slot_at(node)?;
        if !self.document_slots.contains(&slot) {
            self.document_slots.push(slot);
        }
        Ok(slot)
    }

    fn innermost(&self) -> Result<usize, String> {
        self.levels.len().checked_sub(1).ok_or_else(|| "there are no rows".to_owned())
    }

    fn level_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        let slot = match &self.levels[index].level.kind {
            LevelKind::Each | LevelKind::Single => self.element_slot(index, segments),
            LevelKind::Entries { .. } => self.entry_slot(index, segments),
            LevelKind::Table { .. } | LevelKind::Zip { .. } => self.column_slot(index, segments),
        }?;
        self.own(index, slot);
        Ok(slot)
    }

    fn element_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        if let Some(column) = self.named_cell(segments)? {
            let column = u32::try_from(column).map_err(|_| "too many columns".to_owned())?;
            let cell = self.element(self.levels[index].value, column)?;
            return self.slot_at(cell);
        }
        let node = self.descend(self.levels[index].value, segments)?;
        self.slot_at(node)
    }

    /// The position of a cell that has a name.
    fn named_cell(&mut self, segments: &[Segment]) -> Result<Option<usize>, String> {
        match (&mut self.cells, segments) {
            (Cells::Named(columns), [Segment::Name(name)]) => {
                let column = columns.iter().position(|column| column == name);
                column.map(Some).ok_or_else(|| unknown_column(name, columns))
            }
            (Cells::Cube(columns), _) => {
                let wanted = cube_column(segments)?;
                let known = columns.iter().position(|column| *column == wanted);
                Ok(Some(known.unwrap_or_else(|| {
                    columns.push(wanted);
                    columns.len() - 1
                })))
            }
            _ => Ok(None),
        }
    }

    fn entry_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        match segments {
            [Segment::Name(name)] if name == "key" => {
                let fresh = self.new_slot()?;
                match &mut self.levels[index].level.kind {
                    LevelKind::Entries { key, .. } => Ok(*key.get_or_insert(fresh)),
                    _ => Ok(fresh),
                }
            }
            [Segment::Name(name), rest @ ..] if name == "value" => self.element_slot(index, rest),
            _ => Err("an entry has .key and .value".into()),
        }
    }

    fn column_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        let name = match segments {
            [Segment::Name(name)] => name.clone(),
            // The columns of an answer without a header are numbered.
            [Segment::Index(number)] => number.to_string(),
            _ => return Err("a column is named by one name".into()),
        };
        let fresh = self.slots;
        let (LevelKind::Table { columns, .. } | LevelKind::Zip { columns }) = &mut self.levels[index].level.kind else {
            return Err("there are no columns here".into());
        };
        if let Some((_, slot)) = columns.iter().find(|(column, _)| **column == *name) {
            return Ok(*slot);
        }
        let slot = slot_number(fresh)?;
        columns.push((name.as_str().into(), slot));
        self.slots += 1;
        Ok(slot)
    }

    fn slot_at(&mut self, node: NodeId) -> Result<Slot, String> {
        if let Some(slot) = self.node(node).slot {
            return Ok(slot);
        }
        let level = self.node(node).level.and_then(|level| self.levels.get(usize::from(level)));
        if level.is_some_and(|level| !matches!(level.level.kind, LevelKind::Single)) {
            return Err("it leads to the rows themselves; name a value inside".into());
        }
        let slot = self.new_slot()?;
        self.node(node).slot = Some(slot);
        Ok(slot)
    }

    fn new_slot(&mut self) -> Result<Slot, String> {
        let slot = slot_number(self.slots)?;
        self.slots += 1;
        Ok(slot)
    }

    fn descend(&mut self, from: NodeId, segments: &[Segment]) -> Result<NodeId, String> {
        let mut at = from;
        for segment in segments {
            at = match segment {
                Segment::All => return Err("[*] is allowed in rows only; name one place, such as [0]".into()),
                Segment::Name(name) => self.member(at, name)?,
                Segment::Index(number) => self.element(at, *number)?,
            };
        }
        Ok(at)
    }

    fn member(&mut self, at: NodeId, name: &str) -> Result<NodeId, String> {
        if let Some((_, child)) = self.node(at).members.iter().find(|(member, _)| &**member == name) {
            return Ok(*child);
        }
        let child = self.new_node()?;
        self.node(at).members.push((name.into(), child));
        Ok(child)
    }

    fn element(&mut self, at: NodeId, number: u32) -> Result<NodeId, String> {
        if let Some((_, child)) = self.node(at).elements.iter().find(|(element, _)| *element == number) {
            return Ok(*child);
        }
        let child = self.new_node()?;
        self.node(at).elements.push((number, child));
        Ok(child)
    }

    fn new_node(&mut self) -> Result<NodeId, String> {
        let id = NodeId::try_from(self.shape.nodes.len()).map_err(|_| "too many places".to_owned())?;
        self.shape.nodes.push(ShapeNode::default());
        Ok(id)
    }

    fn node(&mut self, id: NodeId) -> &mut ShapeNode {
        let index = usize::try_from(id).expect("node ids are made from the length of this list");
        &mut self.shape.nodes[index]
    }

    /// The finished parts. The error names rows that other paths lead into.
    pub fn finish(mut self) -> Result<Finished, String> {
        let mut outer = self.document_slots.clone();
        let mut levels = Vec::with_capacity(self.levels.len());
        for LevelScope { mut level, .. } in self.levels {
            level.needs = outer.iter().copied().filter(|slot| self.used_by_rows.contains(slot)).collect();
            outer.clone_from(&level.slots);
            if let LevelKind::Entries { keys: Keys::Named(named), .. }
            | LevelKind::Table { unpivot: Some(Unpivot { keys: Keys::Named(named), .. }), .. } = &mut level.kind
            {
                named.sort();
            }
            levels.push(level);
        }
        for node in &mut self.shape.nodes {
            check_rows(node, &levels)?;
            node.elements.sort_unstable_by_key(|(number, _)| *number);
        }
        let cube = match self.cells {
            Cells::Cube(columns) => columns,
            _ => Vec::new(),
        };
        Ok(Finished {
            places: Places { slots: self.slots, shape: self.shape, levels },
            document_slots: self.document_slots,
            headers: self.headers,
            cube,
            pivot: self.pivot.map_or_else(Vec::new, |pivot| pivot.columns),
        })
    }
}

/// A container of rows is read as rows only; other paths may not lead into it.
fn check_rows(node: &ShapeNode, levels: &[Level]) -> Result<(), String> {
    let Some(level) = node.level.and_then(|index| levels.get(usize::from(index))) else { return Ok(()) };
    let clash = match level.kind {
        LevelKind::Each | LevelKind::Table { .. } => !node.elements.is_empty(),
        LevelKind::Zip { .. } => !node.members.is_empty(),
        LevelKind::Entries { .. } | LevelKind::Single => false,
    };
    if clash {
        return Err(format!("another path leads into the rows at {}; take it from the row", level.path));
    }
    Ok(())
}

fn nests(kind: &LevelKind) -> bool {
    matches!(kind, LevelKind::Each | LevelKind::Entries { .. })
}

fn slot_number(index: usize) -> Result<Slot, String> {
    if index >= MAX_SLOTS {
        return Err(format!("a profile uses at most {MAX_SLOTS} places"));
    }
    Slot::try_from(index).map_err(|_| "too many places".to_owned())
}

/// Says that there is no such parameter, and which there are.
pub fn unknown_param(name: &str, params: &[String]) -> String {
    let names: Vec<&str> = params.iter().map(String::as_str).collect();
    match (nearest(name, &names), names.as_slice()) {
        (Some(near), _) => format!("there is no parameter {name:?}; did you mean {near:?}?"),
        (None, []) => format!(
            "there is no parameter {name:?}; neither for_each nor first declares any (a brace by itself is {{{{)"
        ),
        (None, names) => format!("there is no parameter {name:?}; the parameters are {}", list(names)),
    }
}

/// What a path names in a row of a cube.
fn cube_column(segments: &[Segment]) -> Result<CubeColumn, String> {
    match segments {
        [Segment::Name(name)] if name == "value" => Ok(CubeColumn::Value),
        [Segment::Name(name)] if name == "status" => Ok(CubeColumn::Status),
        [Segment::Name(dim), Segment::Name(half)] if half == "code" => Ok(CubeColumn::Code(dim.clone())),
        [Segment::Name(dim), Segment::Name(half)] if half == "label" => Ok(CubeColumn::Label(dim.clone())),
        _ => Err("a row of a cube has value, status, and code and label of each dimension, such as geo.code".into()),
    }
}

fn unknown_column(name: &str, columns: &[String]) -> String {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    match nearest(name, &names) {
        Some(near) => format!("there is no column {name:?}; did you mean {near:?}?"),
        None => format!("there is no column {name:?}; the columns are {}", list(&names)),
    }
}
