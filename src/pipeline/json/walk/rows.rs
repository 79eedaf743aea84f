//! The elements of a list (or a map) of rows, one after the other.

use super::{Kind, Result, Walker, clear};
use crate::pipeline::json::cell::Cell;
use crate::profiles::plan::{Keys, LevelKind};

impl<'a, 'p: 'a> Walker<'a, 'p> {
    /// Goes to the next element of a level. `true`: it is a row, and is ready.
    pub(super) fn rows(&mut self, level: u16, cells: &mut [Cell<'a>]) -> Result<bool> {
        let plan = &self.places.levels[usize::from(level)];
        let Some(top) = self.frames.last_mut() else { return Ok(false) };
        let first = std::mem::replace(&mut top.first, false);
        let more = match &plan.kind {
            LevelKind::Entries { key, keys } => match self.next_entry(first, keys)? {
                Some(text) => {
                    clear(&plan.slots, cells);
                    if let Some(slot) = key {
                        cells[usize::from(*slot)] = text;
                    }
                    true
                }
                None => false,
            },
            _ => {
                clear(&plan.slots, cells);
                self.scanner.next_element(first)?
            }
        };
        if !more {
            self.frames.pop();
            return Ok(false);
        }
        self.outer_rows += u64::from(level == 0);
        self.row_start = self.scanner.offset();
        if self.is_innermost(level) {
            if self.layout.repeats(&mut self.scanner, cells) {
                return Ok(true);
            }
            self.layout.begin(self.scanner.offset());
        }
        self.push(Kind::Element { level })?;
        self.enter(plan.element, cells)?;
        Ok(false)
    }

    /// The key of the next member that makes a row.
    fn next_entry(&mut self, first: bool, keys: &'p Keys) -> Result<Option<Cell<'a>>> {
        let mut first = first;
        while let Some(key) = self.scanner.next_key(first)? {
            if let Some(cell) = accepted(keys, key.into()) {
                return Ok(Some(cell));
            }
            first = false;
            self.scanner.skip_value()?;
        }
        Ok(None)
    }
}

/// What stands for a name that makes a row; `None` where it makes none.
pub fn accepted<'a, 'p: 'a>(keys: &'p Keys, name: Cell<'a>) -> Option<Cell<'a>> {
    match keys {
        Keys::All => Some(name),
        Keys::Named(named) => {
            let text = name.text()?;
            let at = named.binary_search_by(|(column, _)| (**column).cmp(&text)).ok()?;
            Some(Cell::Text(&named[at].1))
        }
        Keys::Matching(pattern) => pattern.is_match(&name.text()?).then_some(name),
    }
}
