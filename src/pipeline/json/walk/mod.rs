//! Walks an answer along a mapping's shape and stops at every row. Rows that stand before a field of their parent
//! are put off until the parent is read; nothing else is read twice.

mod columns;
mod layout;
#[cfg(test)]
mod layout_tests;
mod rows;

use super::cell::Cell;
use super::scan::{JsonError, MAX_DEPTH, Scanner, Text, Token};
use super::strings::unescape;
use crate::profiles::plan::{Level, LevelKind, NodeId, Places, ShapeNode, Slot};
use layout::Layout;
pub use rows::accepted;

/// Why an answer cannot be read along the mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkError {
    /// It is not JSON.
    Json(JsonError),
    /// It is, but not of the shape that the profile expects.
    Shape { offset: usize, message: String },
}

impl From<JsonError> for WalkError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

type Result<T> = std::result::Result<T, WalkError>;

/// What is open, from the outside in.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    /// Nothing was read inside yet.
    first: bool,
    /// Elements or members passed.
    index: u32,
    /// Offset of the opening bracket.
    start: usize,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The bottom: the answer.
    Document,
    Object {
        node: NodeId,
        seen: u64,
        expect: usize,
    },
    Array {
        node: NodeId,
    },
    /// The array (or map) whose elements are of this level.
    Rows {
        level: u16,
    },
    /// An element of this level; on top again when it has been read.
    Element {
        level: u16,
    },
    Table {
        level: u16,
    },
    Zip {
        level: u16,
    },
    /// Rows were put off; go on from here after them.
    Return {
        offset: usize,
    },
}

/// Rows that wait until their parent is read.
#[derive(Debug)]
struct Deferred {
    /// Level of the parent; `None` for the document.
    parent: Option<u16>,
    level: u16,
    start: usize,
}

/// The columns of a table, or the arrays of a zip.
#[derive(Debug, Clone, Copy)]
struct Column<'a> {
    slot: Option<Slot>,
    offset: usize,
    /// What stands for the column's name, where its cells become rows.
    key: Option<Cell<'a>>,
}

pub struct Walker<'a, 'p: 'a> {
    scanner: Scanner<'a>,
    places: &'p Places,
    frames: Vec<Frame>,
    deferred: Vec<Deferred>,
    columns: Vec<Column<'a>>,
    /// The container of the outermost rows was there.
    found: bool,
    /// Instead of the rows there was something else.
    misplaced: Option<WalkError>,
    single_done: bool,
    started: bool,
    /// Elements of the outermost rows.
    outer_rows: u64,
    /// Cells of a table's row that become rows of their own, the next one at the end.
    wide: Vec<(Cell<'a>, Cell<'a>)>,
    /// How the last row of the innermost list was written.
    layout: Layout<'a>,
    /// Where the row in hand begins.
    row_start: usize,
    /// Names of a table's columns, or of parallel arrays.
    names: Vec<String>,
}

impl<'a, 'p> Walker<'a, 'p> {
    /// Starts at the beginning of `text`.
    pub fn new(text: &'a str, places: &'p Places) -> Self {
        Self {
            scanner: Scanner::new(text),
            places,
            frames: Vec::with_capacity(16),
            deferred: Vec::new(),
            columns: Vec::new(),
            found: false,
            misplaced: None,
            single_done: false,
            started: false,
            outer_rows: 0,
            wide: Vec::new(),
            layout: Layout::new(),
            row_start: 0,
            names: Vec::new(),
        }
    }

    /// Elements of the outermost list of rows that were passed.
    pub fn outer_rows(&self) -> u64 {
        self.outer_rows
    }

    /// The row in hand as the answer has it; none where it is put together from several places.
    pub fn row_text(&self) -> Option<&'a str> {
        match self.places.levels.last()?.kind {
            LevelKind::Each | LevelKind::Entries { .. } | LevelKind::Table { .. } => {
                Some(self.scanner.since(self.row_start).trim())
            }
            LevelKind::Zip { .. } | LevelKind::Single => None,
        }
    }

    /// Names that all rows share: of a table's columns, or of parallel arrays.
    pub fn column_names(&self) -> &[String] {
        &self.names
    }

    /// Why there are no rows, after the last one: the place is not there, or is not what it should be.
    pub fn rows_missing(&self) -> Option<WalkError> {
        if self.found || self.misplaced.is_some() {
            return self.misplaced.clone();
        }
        let path = self.places.levels.first().map_or("$", |level| level.path.as_str());
        Some(WalkError::Shape { offset: 0, message: format!("there are no rows at {path}") })
    }

    /// Goes to the next row and fills its cells. `false` at the end; all cells of the document are filled then.
    pub fn next_row(&mut self, cells: &mut [Cell<'a>]) -> Result<bool> {
        if !self.started {
            self.started = true;
            self.push(Kind::Document)?;
            self.enter(0, cells)?;
        }
        while let Some(kind) = self.frames.last().map(|top| top.kind) {
            if self.step(kind, cells)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads on in the innermost open place. `true`: a row is ready.
    fn step(&mut self, kind: Kind, cells: &mut [Cell<'a>]) -> Result<bool> {
        match kind {
            Kind::Object { .. } => self.object(cells)?,
            Kind::Array { node } => self.array(node, cells)?,
            Kind::Rows { level } => return self.rows(level, cells),
            Kind::Table { level } => return self.table_row(level, cells),
            Kind::Zip { level } => return self.zip_row(level, cells),
            Kind::Element { level } => {
                if !self.take_deferred(Some(level))? {
                    self.frames.pop();
                    self.layout.end(&self.scanner);
                    return Ok(self.is_innermost(level));
                }
            }
            Kind::Return { offset } => {
                self.frames.pop();
                self.scanner.jump(offset);
            }
            Kind::Document => {
                if !self.take_deferred(None)? {
                    return self.document_end();
                }
            }
        }
        Ok(false)
    }

    /// The one row of a single value comes when all of the answer is read.
    fn document_end(&mut self) -> Result<bool> {
        let single = self.places.levels.first().is_some_and(|level| matches!(level.kind, LevelKind::Single));
        if single && self.found && !self.single_done {
            self.single_done = true;
            return Ok(true);
        }
        self.scanner.end()?;
        self.frames.pop();
        Ok(false)
    }

    fn push(&mut self, kind: Kind) -> Result<()> {
        if self.frames.len() >= MAX_DEPTH {
            return Ok(self.scanner.fail("nested too deep")?);
        }
        let start = self.scanner.offset().saturating_sub(1);
        self.frames.push(Frame { kind, first: true, index: 0, start });
        Ok(())
    }

    fn node(&self, id: NodeId) -> &'p ShapeNode {
        &self.places.shape.nodes[id as usize]
    }

    /// Whether the elements of a level are the rows.
    fn is_innermost(&self, level: u16) -> bool {
        usize::from(level) + 1 == self.places.levels.len()
    }

    fn level(&self, level: u16) -> &'p Level {
        &self.places.levels[usize::from(level)]
    }

    fn shape<T>(&self, message: String) -> Result<T> {
        Err(WalkError::Shape { offset: self.scanner.offset(), message })
    }

    /// Reads the value at a wanted place.
    fn enter(&mut self, id: NodeId, cells: &mut [Cell<'a>]) -> Result<()> {
        let node = self.node(id);
        self.scanner.skip_space();
        let start = self.scanner.offset();
        let token = self.scanner.value()?;
        if let Some(level) = node.level {
            return self.enter_level(id, level, token, cells);
        }
        let value = match token {
            Token::Object if !node.members.is_empty() => {
                return self.push(Kind::Object { node: id, seen: 0, expect: 0 });
            }
            Token::Array if !node.elements.is_empty() => return self.push(Kind::Array { node: id }),
            Token::Object | Token::Array => {
                self.scanner.skip_rest(token == Token::Object)?;
                Cell::Tree(self.scanner.since(start))
            }
            scalar => cell(scalar),
        };
        if let Some(slot) = node.slot {
            cells[usize::from(slot)] = value;
        }
        self.layout.value(&self.scanner, start, Some(node));
        Ok(())
    }

    /// Passes over a value that is not wanted.
    fn pass_over(&mut self) -> Result<()> {
        self.scanner.skip_space();
        let start = self.scanner.offset();
        self.scanner.skip_value()?;
        self.layout.value(&self.scanner, start, None);
        Ok(())
    }

    /// Reads the value that holds rows.
    fn enter_level(&mut self, id: NodeId, level: u16, token: Token<'a>, cells: &mut [Cell<'a>]) -> Result<()> {
        let kind = &self.level(level).kind;
        let is_rows = match (kind, token) {
            (LevelKind::Single, _) => return self.enter_single(id, token, cells),
            (LevelKind::Each | LevelKind::Table { .. }, Token::Array) => true,
            (LevelKind::Entries { .. } | LevelKind::Zip { .. }, Token::Object) => true,
            _ => false,
        };
        if is_rows {
            self.found = true;
            if token == Token::Object && !self.node(id).members.is_empty() {
                return self.rows_behind_members(id, level);
            }
            return self.begin_rows(level, token == Token::Object, cells);
        }
        match token {
            // Nothing there means no rows.
            Token::Null => self.found = true,
            other => self.misplace(level, other),
        }
        match token {
            Token::Object if !self.node(id).members.is_empty() => {
                self.push(Kind::Object { node: id, seen: 0, expect: 0 })
            }
            Token::Array if !self.node(id).elements.is_empty() => self.push(Kind::Array { node: id }),
            Token::Object | Token::Array => Ok(self.scanner.skip_rest(token == Token::Object)?),
            _ => Ok(()),
        }
    }

    /// A map whose members are rows, some of which are wanted by name too: those first.
    fn rows_behind_members(&mut self, id: NodeId, level: u16) -> Result<()> {
        let start = self.scanner.offset();
        self.deferred.push(Deferred { parent: level.checked_sub(1), level, start });
        self.push(Kind::Object { node: id, seen: 0, expect: 0 })
    }

    /// Remembers that something else stands where the rows should be; the answer may say why further on.
    fn misplace(&mut self, level: u16, token: Token<'_>) {
        let level = self.level(level);
        let wanted = match level.kind {
            LevelKind::Entries { .. } | LevelKind::Zip { .. } => "an object",
            _ => "an array",
        };
        let found = match token {
            Token::Object => "an object",
            Token::Array => "an array",
            Token::Text(_) => "a text",
            Token::Number(_) => "a number",
            Token::Bool(_) => "true or false",
            Token::Null => "null",
        };
        let message = format!("expected {wanted} of rows at {}, found {found}", level.path);
        self.misplaced.get_or_insert(WalkError::Shape { offset: self.scanner.offset(), message });
    }

    fn enter_single(&mut self, id: NodeId, token: Token<'a>, cells: &mut [Cell<'a>]) -> Result<()> {
        self.found = true;
        let node = self.node(id);
        match token {
            Token::Null => self.single_done = true,
            Token::Object => return self.push(Kind::Object { node: id, seen: 0, expect: 0 }),
            Token::Array => return self.push(Kind::Array { node: id }),
            scalar => {
                if let Some(slot) = node.slot {
                    cells[usize::from(slot)] = cell(scalar);
                }
            }
        }
        Ok(())
    }

    /// Starts with the rows of a container whose bracket was just read, or puts them off.
    fn begin_rows(&mut self, level: u16, object: bool, cells: &[Cell<'a>]) -> Result<()> {
        let waits = self.level(level).needs.iter().any(|slot| cells[usize::from(*slot)] == Cell::Absent);
        if waits {
            let start = self.scanner.offset();
            self.scanner.skip_rest(object)?;
            self.deferred.push(Deferred { parent: level.checked_sub(1), level, start });
            return Ok(());
        }
        self.open_rows(level)
    }

    fn open_rows(&mut self, level: u16) -> Result<()> {
        match self.level(level).kind {
            LevelKind::Table { .. } => self.push(Kind::Table { level })?,
            LevelKind::Zip { .. } => return self.open_zip(level),
            _ => self.push(Kind::Rows { level })?,
        }
        Ok(())
    }

    /// Goes back to rows that were put off until now.
    fn take_deferred(&mut self, parent: Option<u16>) -> Result<bool> {
        if self.deferred.last().is_none_or(|deferred| deferred.parent != parent) {
            return Ok(false);
        }
        let Some(Deferred { level, start, .. }) = self.deferred.pop() else { return Ok(false) };
        let offset = self.scanner.offset();
        self.push(Kind::Return { offset })?;
        self.scanner.jump(start);
        self.open_rows(level)?;
        Ok(true)
    }

    fn object(&mut self, cells: &mut [Cell<'a>]) -> Result<()> {
        let Some(Frame { kind: Kind::Object { node, seen, expect }, first, .. }) = self.frames.last_mut() else {
            return Ok(());
        };
        let id = *node;
        let Some(key) = self.scanner.next_key(*first)? else { return self.close(id, cells) };
        *first = false;
        let members = &self.places.shape.nodes[id as usize].members;
        let Some(at) = member(members, key, *expect)? else { return self.pass_over() };
        *expect = at + 1;
        let bit = 1_u64.checked_shl(u32::try_from(at).unwrap_or(64)).unwrap_or(0);
        if *seen & bit != 0 {
            let message = format!("the member {:?} occurs twice in one object", members[at].0);
            return self.shape(message);
        }
        *seen |= bit;
        self.enter(members[at].1, cells)
    }

    /// Leaves a container and keeps it as a whole, where that is wanted.
    fn close(&mut self, id: NodeId, cells: &mut [Cell<'a>]) -> Result<()> {
        let Some(frame) = self.frames.pop() else { return Ok(()) };
        if let Some(slot) = self.node(id).slot {
            cells[usize::from(slot)] = Cell::Tree(self.scanner.since(frame.start));
            self.layout.forget();
        }
        Ok(())
    }

    fn array(&mut self, id: NodeId, cells: &mut [Cell<'a>]) -> Result<()> {
        let Some(top) = self.frames.last_mut() else { return Ok(()) };
        if !self.scanner.next_element(top.first)? {
            return self.close(id, cells);
        }
        top.first = false;
        let index = top.index;
        top.index = index.saturating_add(1);
        let elements = &self.places.shape.nodes[id as usize].elements;
        match elements.iter().find(|(number, _)| *number == index) {
            Some((_, child)) => self.enter(*child, cells),
            None => self.pass_over(),
        }
    }
}

fn clear(slots: &[Slot], cells: &mut [Cell<'_>]) {
    for slot in slots {
        cells[usize::from(*slot)] = Cell::Absent;
    }
}

fn cell(token: Token<'_>) -> Cell<'_> {
    match token {
        Token::Text(text) => text.into(),
        Token::Number(text) => Cell::Number(text),
        Token::Bool(value) => Cell::Bool(value),
        Token::Null | Token::Object | Token::Array => Cell::Null,
    }
}

/// Whether `key` spells `name`.
fn names(name: &str, key: Text<'_>) -> bool {
    if !key.escaped {
        return name == key.raw;
    }
    let mut plain = String::with_capacity(key.raw.len());
    unescape(key.raw, &mut plain).is_some() && plain == name
}

/// Place of `key` among the wanted members; most often the one behind the last.
fn member(members: &[(Box<str>, NodeId)], key: Text<'_>, expect: usize) -> Result<Option<usize>> {
    if let Some((name, _)) = members.get(expect)
        && names(name, key)
    {
        return Ok(Some(expect));
    }
    Ok(members.iter().position(|(name, _)| names(name, key)))
}
