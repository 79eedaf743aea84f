//! From long to wide: rows that agree in what they have in common become one.

use std::collections::HashMap;

use super::fields::Tally;
use super::json::Cell;
use super::page::PageError;
use crate::profiles::plan::{Pivot, Slot};

/// Cells that a pivot may hold at once.
const MAX_CELLS: usize = 4_000_000;

/// The rows so far, in the order in which they began.
pub struct Pivoted<'a> {
    plan: &'a Pivot,
    places: HashMap<String, usize>,
    rows: Vec<Vec<Cell<'a>>>,
}

impl<'a> Pivoted<'a> {
    pub fn new(plan: &'a Pivot) -> Self {
        Self { plan, places: HashMap::new(), rows: Vec::new() }
    }

    /// Takes a row of the answer.
    pub fn add(&mut self, cells: &[Cell<'a>], tally: &mut Tally) -> Result<(), PageError> {
        let cell = |slot: Slot| cells[usize::from(slot)];
        let Some(name) = cell(self.plan.name).text() else { return Ok(()) };
        let Some((_, slot)) = self.plan.columns.iter().find(|(column, _)| **column == *name) else { return Ok(()) };
        let mut key = String::new();
        for by in &self.plan.by {
            key.push_str(&cell(*by).text().unwrap_or_default());
            key.push('\u{1f}');
        }
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => {
                if (self.rows.len() + 1) * cells.len() > MAX_CELLS {
                    let message = "a pivot of this size takes too much memory; ask for less at once";
                    return Err(PageError::Failed(message.into()));
                }
                self.rows.push(cells.to_vec());
                self.places.insert(key, self.rows.len() - 1);
                self.rows.len() - 1
            }
        };
        let target = &mut self.rows[place][usize::from(*slot)];
        let value = cell(self.plan.value);
        if *target == Cell::Absent {
            *target = value;
        } else if *target != value {
            tally.note(&format!("{name} stands twice in one row of the pivot; the first counts"), None);
        }
        Ok(())
    }

    pub fn rows(&self) -> impl Iterator<Item = &[Cell<'a>]> {
        self.rows.iter().map(Vec::as_slice)
    }
}
