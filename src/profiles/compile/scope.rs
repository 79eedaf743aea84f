//! Names to slots: everything a row can see, and the shape of the places that are wanted from an answer.

use crate::profiles::nearest::nearest;
use crate::profiles::node::list;
use crate::profiles::path::{Origin, Path, Segment};
use crate::profiles::plan::{
    FIRST_PARAM, Found, Level, LevelKind, NodeId, Shape, ShapeNode, Slot, WINDOW_END, WINDOW_START,
};

/// A row may use at most this many places.
const MAX_SLOTS: usize = 1_000;
/// First names that do not mean a place in the row.
pub const RESERVED: [&str; 3] = ["doc", "param", "window"];

pub struct Scope<'p> {
    params: &'p [String],
    has_window: bool,
    shape: Shape,
    levels: Vec<LevelScope>,
    slots: usize,
    document_slots: Vec<Slot>,
    used_by_rows: Vec<Slot>,
    found: Option<&'p Found>,
    /// Names of the cells of a row, where the profile gives them.
    columns: Vec<String>,
}

/// A level while its slots are still being found.
struct LevelScope {
    name: Option<String>,
    level: Level,
}

impl<'p> Scope<'p> {
    pub fn new(params: &'p [String], has_window: bool, found: Option<&'p Found>) -> Self {
        Self {
            params,
            has_window,
            shape: Shape { nodes: vec![ShapeNode::default()] },
            levels: Vec::new(),
            slots: usize::from(FIRST_PARAM) + params.len(),
            document_slots: Vec::new(),
            used_by_rows: Vec::new(),
            found,
            columns: Vec::new(),
        }
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
        let parent = self.levels.last().map_or(0, |outer| outer.level.element);
        if self.levels.last().is_some_and(|outer| !nests(&outer.level.kind)) {
            return Err("only elements of arrays and members of maps can hold more rows".into());
        }
        let container = self.descend(parent, path)?;
        self.node(container).level = Some(index);
        let element = if matches!(kind, LevelKind::Single) { container } else { self.new_node()? };
        let path = Path { origin: Origin::Document, segments: path.to_vec() }.to_string();
        let level = Level { kind, element, path, slots: Vec::new(), needs: Vec::new() };
        self.levels.push(LevelScope { name: name.map(str::to_owned), level });
        Ok(())
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
        self.columns = names.map(str::to_owned).collect();
        let twice = self.columns.iter().enumerate().find(|(index, name)| self.columns[..*index].contains(name));
        twice.map_or(Ok(()), |(_, name)| Err(format!("two columns are named {name:?}")))
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
        let node = self.descend(0, segments)?;
        let slot = self.slot_at(node)?;
        if !self.document_slots.contains(&slot) {
            self.document_slots.push(slot);
        }
        Ok(slot)
    }

    fn locate(&mut self, path: &Path) -> Result<Slot, String> {
        let rest = path.segments.get(1..).unwrap_or_default();
        match (path.origin, path.first_name()) {
            (Origin::Document, _) => self.document_slot(&path.segments),
            (Origin::Row, _) => self.level_slot(self.innermost()?, &path.segments),
            (Origin::Open, Some("doc")) => self.document_slot(rest),
            (Origin::Open, Some("param")) => self.param_slot(rest),
            (Origin::Open, Some("window")) => self.window_slot(rest),
            (Origin::Open, first) => {
                let named = |level: &LevelScope| level.name.is_some() && level.name.as_deref() == first;
                match self.levels.iter().position(named) {
                    Some(level) => self.level_slot(level, rest),
                    None => self.open_slot(&path.segments),
                }
            }
        }
    }

    /// A path without a mark: in the row, unless the answer's shape showed that it lies outside.
    fn open_slot(&mut self, segments: &[Segment]) -> Result<Slot, String> {
        let level = self.innermost()?;
        let Some(found) = self.found else { return self.level_slot(level, segments) };
        if found.outside.iter().any(|outside| outside == segments) {
            return self.document_slot(segments);
        }
        match segments.strip_prefix(found.under.as_slice()) {
            Some(inside) if !inside.is_empty() => self.level_slot(level, inside),
            _ => self.level_slot(level, segments),
        }
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
        let own = &mut self.levels[index].level.slots;
        if !own.contains(&slot) {
            own.push(slot);
        }
        Ok(slot)
    }

    fn element_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        if let ([Segment::Name(name)], false) = (segments, self.columns.is_empty()) {
            let column = self.columns.iter().position(|column| column == name);
            let column = column.ok_or_else(|| unknown_column(name, &self.columns))?;
            let column = u32::try_from(column).map_err(|_| "too many columns".to_owned())?;
            let cell = self.element(self.levels[index].level.element, column)?;
            return self.slot_at(cell);
        }
        let node = self.descend(self.levels[index].level.element, segments)?;
        self.slot_at(node)
    }

    fn entry_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        match segments {
            [Segment::Name(name)] if name == "key" => {
                let fresh = self.new_slot()?;
                match &mut self.levels[index].level.kind {
                    LevelKind::Entries { key } => Ok(*key.get_or_insert(fresh)),
                    _ => Ok(fresh),
                }
            }
            [Segment::Name(name), rest @ ..] if name == "value" => self.element_slot(index, rest),
            _ => Err("an entry has .key and .value".into()),
        }
    }

    fn column_slot(&mut self, index: usize, segments: &[Segment]) -> Result<Slot, String> {
        let [Segment::Name(name)] = segments else {
            return Err("a column is named by one name".into());
        };
        let fresh = self.slots;
        let (LevelKind::Table { columns } | LevelKind::Zip { columns }) = &mut self.levels[index].level.kind else {
            return Err("there are no columns here".into());
        };
        if let Some((_, slot)) = columns.iter().find(|(column, _)| **column == **name) {
            return Ok(*slot);
        }
        let slot = slot_number(fresh)?;
        columns.push((name.as_str().into(), slot));
        self.slots += 1;
        Ok(slot)
    }

    fn param_slot(&self, rest: &[Segment]) -> Result<Slot, String> {
        let [Segment::Name(name)] = rest else { return Err("param is followed by one name: param.name".into()) };
        let index = self.params.iter().position(|param| param == name);
        let index = index.ok_or_else(|| unknown_param(name, self.params))?;
        slot_number(usize::from(FIRST_PARAM) + index)
    }

    fn window_slot(&self, rest: &[Segment]) -> Result<Slot, String> {
        if !self.has_window {
            return Err("the source has no window".into());
        }
        match rest {
            [Segment::Name(name)] if name == "start" => Ok(WINDOW_START),
            [Segment::Name(name)] if name == "end" => Ok(WINDOW_END),
            _ => Err("window has start and end".into()),
        }
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

    /// The finished parts: number of slots, shape, levels, document slots. The error names rows that other paths
    /// lead into.
    pub fn finish(mut self) -> Result<(usize, Shape, Vec<Level>, Vec<Slot>), String> {
        let mut outer = self.document_slots.clone();
        let mut levels = Vec::with_capacity(self.levels.len());
        for LevelScope { mut level, .. } in self.levels {
            level.needs = outer.iter().copied().filter(|slot| self.used_by_rows.contains(slot)).collect();
            outer.clone_from(&level.slots);
            levels.push(level);
        }
        for node in &mut self.shape.nodes {
            check_rows(node, &levels)?;
            node.elements.sort_unstable_by_key(|(number, _)| *number);
        }
        Ok((self.slots, self.shape, levels, self.document_slots))
    }
}

/// A container of rows is read as rows only; other paths may not lead into it.
fn check_rows(node: &ShapeNode, levels: &[Level]) -> Result<(), String> {
    let Some(level) = node.level.and_then(|index| levels.get(usize::from(index))) else { return Ok(()) };
    let clash = match level.kind {
        LevelKind::Each | LevelKind::Table { .. } => !node.elements.is_empty(),
        LevelKind::Entries { .. } | LevelKind::Zip { .. } => !node.members.is_empty(),
        LevelKind::Single => false,
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
        (None, []) => format!("there is no parameter {name:?}; for_each declares none"),
        (None, names) => format!("there is no parameter {name:?}; for_each declares {}", list(names)),
    }
}

fn unknown_column(name: &str, columns: &[String]) -> String {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    match nearest(name, &names) {
        Some(near) => format!("there is no column {name:?}; did you mean {near:?}?"),
        None => format!("there is no column {name:?}; the columns are {}", list(&names)),
    }
}
