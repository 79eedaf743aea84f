//! From the names of a path to a slot.

use super::{LevelScope, MAX_HEADERS, Scope, slot_number, unknown_param};
use crate::profiles::path::{Origin, Path, Segment};
use crate::profiles::plan::{FIRST_PARAM, LevelKind, Slot, WINDOW_END, WINDOW_START};

impl Scope<'_> {
    pub(super) fn locate(&mut self, path: &Path) -> Result<Slot, String> {
        let rest = path.segments.get(1..).unwrap_or_default();
        match (path.origin, path.first_name()) {
            (Origin::Document, _) => self.document_slot(&path.segments),
            (Origin::Open, Some("doc")) => self.document_slot(rest),
            (Origin::Open, Some("param")) => self.param_slot(rest),
            (Origin::Open, Some("window")) => self.window_slot(rest),
            (Origin::Open, Some("header")) => self.header_slot(rest),
            _ if self.pivot.is_some() => self.pivot_slot(path),
            (Origin::Row, _) => self.level_slot(self.innermost_row()?, &path.segments),
            (Origin::Open, first) => {
                let named = |level: &LevelScope| level.name.is_some() && level.name.as_deref() == first;
                match self.levels.iter().position(named) {
                    Some(level) => self.level_slot(level, rest),
                    None => self.open_slot(&path.segments),
                }
            }
        }
    }

    /// The slot of what is judged once an answer: a place in it, or a header.
    pub fn answer_slot(&mut self, origin: Origin, segments: &[Segment]) -> Result<Slot, String> {
        let rest = segments.get(1..).unwrap_or_default();
        match (origin, segments.first()) {
            (Origin::Open, Some(Segment::Name(name))) if name == "header" && !rest.is_empty() => self.header_slot(rest),
            (Origin::Open, Some(Segment::Name(name))) if name == "doc" => self.document_slot(rest),
            _ => self.document_slot(segments),
        }
    }

    /// A path without a mark: in the row, unless the answer's shape showed that it lies outside.
    fn open_slot(&mut self, segments: &[Segment]) -> Result<Slot, String> {
        if let Some(slot) = self.unpivoted_slot(segments)? {
            return Ok(slot);
        }
        let level = self.innermost_row()?;
        let Some(found) = self.found else { return self.level_slot(level, segments) };
        if found.outside.iter().any(|outside| outside == segments) {
            return self.document_slot(segments);
        }
        match segments.strip_prefix(found.under.as_slice()) {
            Some(inside) if !inside.is_empty() => self.level_slot(level, inside),
            _ => self.level_slot(level, segments),
        }
    }

    /// Key or value of a row that was a column.
    fn unpivoted_slot(&mut self, segments: &[Segment]) -> Result<Option<Slot>, String> {
        let Some(last) = self.levels.len().checked_sub(1) else { return Ok(None) };
        let Some((key, value)) = self.levels[last].unpivot.clone() else { return Ok(None) };
        let [Segment::Name(first), rest @ ..] = segments else { return Ok(None) };
        let half = if *first == key {
            "key"
        } else if *first == value {
            "value"
        } else {
            return Ok(None);
        };
        if matches!(self.levels[last].level.kind, LevelKind::Entries { .. }) {
            let path: Vec<Segment> = [Segment::Name(half.to_owned())].iter().chain(rest).cloned().collect();
            return self.level_slot(last, &path).map(Some);
        }
        if !rest.is_empty() {
            return Err(format!("{first:?} is a single cell"));
        }
        let fresh = self.new_slot()?;
        let LevelKind::Table { unpivot: Some(unpivot), .. } = &mut self.levels[last].level.kind else {
            return Ok(None);
        };
        let place = if half == "key" { &mut unpivot.key } else { &mut unpivot.value };
        let slot = *place.get_or_insert(fresh);
        self.own(last, slot);
        Ok(Some(slot))
    }

    pub(super) fn own(&mut self, level: usize, slot: Slot) {
        let own = &mut self.levels[level].level.slots;
        if !own.contains(&slot) {
            own.push(slot);
        }
    }

    fn pivot_slot(&mut self, path: &Path) -> Result<Slot, String> {
        let fresh = self.slots;
        let Some(pivot) = &mut self.pivot else { return Err("there is no pivot".into()) };
        if let Some((_, slot)) = pivot.by.iter().find(|(by, _)| by == path) {
            return Ok(*slot);
        }
        let [Segment::Name(name)] = path.segments.as_slice() else {
            let by: Vec<String> = pivot.by.iter().map(|(by, _)| by.to_string()).collect();
            return Err(format!(
                "after a pivot a field names one of its by ({}) or one value of its name",
                by.join(", ")
            ));
        };
        if let Some((_, slot)) = pivot.columns.iter().find(|(column, _)| **column == **name) {
            return Ok(*slot);
        }
        let slot = slot_number(fresh)?;
        pivot.columns.push((name.as_str().into(), slot));
        self.slots += 1;
        Ok(slot)
    }

    fn header_slot(&mut self, rest: &[Segment]) -> Result<Slot, String> {
        let [Segment::Name(name)] = rest else { return Err("header is followed by one name: header.X-Total".into()) };
        let name = name.to_ascii_lowercase();
        if let Some((_, slot)) = self.headers.iter().find(|(known, _)| *known == name) {
            return Ok(*slot);
        }
        if self.headers.len() >= MAX_HEADERS {
            return Err(format!("at most {MAX_HEADERS} headers are read"));
        }
        let slot = self.new_slot()?;
        self.headers.push((name, slot));
        Ok(slot)
    }

    /// The innermost level that stands in the answer as it is: not one that was made of columns.
    fn innermost_row(&self) -> Result<usize, String> {
        let innermost = self.innermost()?;
        let level = &self.levels[innermost];
        match (&level.unpivot, &level.level.kind) {
            (Some(_), LevelKind::Entries { .. }) => Ok(innermost - 1),
            _ => Ok(innermost),
        }
    }

    fn param_slot(&self, rest: &[Segment]) -> Result<Slot, String> {
        let [Segment::Name(name)] = rest else { return Err("param is followed by one name: param.name".into()) };
        if self.batched == Some(name.as_str()) {
            return Err(format!("batch puts several values of {name:?} into one request; take it from the answer"));
        }
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
}
