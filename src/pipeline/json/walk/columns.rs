//! Rows that are made of columns: tables whose first row names them, and parallel arrays.

use super::{Column, Kind, Result, Walker, accepted, cell, clear, names};
use crate::domain::shape::MAX_NAMES;
use crate::pipeline::json::cell::Cell;
use crate::pipeline::json::scan::Token;
use crate::profiles::plan::{LevelKind, Slot, Unpivot};

impl<'a, 'p: 'a> Walker<'a, 'p> {
    /// Reads a row of a table, the header before the first. `false` when the table has ended.
    pub(super) fn table_row(&mut self, level: u16, cells: &mut [Cell<'a>]) -> Result<bool> {
        let plan = self.level(level);
        let LevelKind::Table { columns, unpivot } = &plan.kind else { return Ok(false) };
        if let Some(unpivot) = unpivot
            && self.next_wide(unpivot, cells)
        {
            return Ok(true);
        }
        let Some(top) = self.frames.last_mut() else { return Ok(false) };
        if std::mem::replace(&mut top.first, false) {
            if !self.scanner.next_element(true)? {
                self.frames.pop();
                return Ok(false);
            }
            self.header(columns, unpivot.as_ref())?;
        }
        if !self.scanner.next_element(false)? {
            self.frames.pop();
            return Ok(false);
        }
        clear(&plan.slots, cells);
        self.outer_rows += u64::from(level == 0);
        self.row_start = self.scanner.offset();
        self.table_cells(cells)?;
        Ok(unpivot.as_ref().is_none_or(|unpivot| self.next_wide(unpivot, cells)))
    }

    /// Fills key and value of the next row that was a cell of the table's row in hand.
    fn next_wide(&mut self, unpivot: &Unpivot, cells: &mut [Cell<'a>]) -> bool {
        let Some((key, value)) = self.wide.pop() else { return false };
        for (slot, cell) in [(unpivot.key, key), (unpivot.value, value)] {
            if let Some(slot) = slot {
                cells[usize::from(slot)] = cell;
            }
        }
        true
    }

    /// Reads the first row of a table: the names of the columns.
    fn header(&mut self, columns: &[(Box<str>, Slot)], unpivot: Option<&'p Unpivot>) -> Result<()> {
        self.columns.clear();
        if self.scanner.value()? != Token::Array {
            return self.shape("the first row of the table should be an array of column names".into());
        }
        let mut names = Vec::new();
        while self.scanner.next_element(names.is_empty())? {
            let cell = cell(self.scanner.value()?);
            let name = cell.text().unwrap_or_default().into_owned();
            let slot = columns.iter().find(|(column, _)| **column == *name).map(|(_, slot)| *slot);
            if slot.is_some() && names.contains(&name) {
                return self.shape(format!("two columns are named {name:?}"));
            }
            let key = unpivot.and_then(|unpivot| accepted(&unpivot.keys, cell));
            self.columns.push(Column { slot, offset: 0, key });
            names.push(name);
        }
        let named = unpivot.map_or(&[][..], |unpivot| unpivot.keys.named());
        let wanted = columns.iter().map(|(column, _)| column).chain(named.iter().map(|(column, _)| column));
        let missing = wanted.into_iter().find(|column| !names.iter().any(|name| **name == ***column));
        if let Some(missing) = missing {
            let listed = names.join(", ");
            let listed: String = listed.chars().take(300).collect();
            return self.shape(format!("there is no column {missing:?}; the columns are {listed}"));
        }
        self.names = names;
        Ok(())
    }

    fn table_cells(&mut self, cells: &mut [Cell<'a>]) -> Result<()> {
        if self.scanner.value()? != Token::Array {
            return self.shape("a row of the table is not an array".into());
        }
        let mut count = 0;
        while self.scanner.next_element(count == 0)? {
            match self.columns.get(count) {
                Some(&Column { slot, key, .. }) if slot.is_some() || key.is_some() => {
                    let cell = self.whole_cell()?;
                    if let Some(slot) = slot {
                        cells[usize::from(slot)] = cell;
                    }
                    self.wide.extend(key.map(|key| (key, cell)));
                }
                _ => self.scanner.skip_value()?,
            }
            count += 1;
        }
        // Taken from the end, so in the order of the columns.
        self.wide.reverse();
        if count != self.columns.len() {
            return self.shape(format!("a row of the table has {count} cells, its header {}", self.columns.len()));
        }
        Ok(())
    }

    /// A value as one cell, containers as they are.
    fn whole_cell(&mut self) -> Result<Cell<'a>> {
        let token = self.scanner.value()?;
        if !matches!(token, Token::Object | Token::Array) {
            return Ok(cell(token));
        }
        let start = self.scanner.offset() - 1;
        self.scanner.skip_rest(token == Token::Object)?;
        Ok(Cell::Tree(self.scanner.since(start)))
    }

    /// Finds the parallel arrays in an object whose bracket was just read.
    pub(super) fn open_zip(&mut self, level: u16) -> Result<()> {
        let LevelKind::Zip { columns } = &self.level(level).kind else { return Ok(()) };
        self.columns.clear();
        self.names.clear();
        self.push(Kind::Zip { level })?;
        let mut first = true;
        while let Some(key) = self.scanner.next_key(first)? {
            first = false;
            let wanted = columns.iter().find(|(name, _)| names(name, key));
            if self.names.len() < MAX_NAMES {
                self.names.push(key.raw.to_owned());
            }
            let Some((name, slot)) = wanted else {
                self.scanner.skip_value()?;
                continue;
            };
            if self.columns.iter().any(|column| column.slot == Some(*slot)) {
                return self.shape(format!("the member {name:?} occurs twice in one object"));
            }
            if self.scanner.value()? != Token::Array {
                return self.shape(format!("{name:?} is not an array, so it cannot stand beside the others"));
            }
            self.columns.push(Column { slot: Some(*slot), offset: self.scanner.offset(), key: None });
            self.scanner.skip_rest(false)?;
        }
        let found = |slot: Slot| self.columns.iter().any(|column| column.slot == Some(slot));
        match columns.iter().find(|(_, slot)| !found(*slot)) {
            Some((name, _)) => self.shape(format!("there is no array {name:?} beside the others")),
            None => Ok(()),
        }
    }

    /// Takes the next element of every parallel array. `false` when all have ended.
    pub(super) fn zip_row(&mut self, level: u16, cells: &mut [Cell<'a>]) -> Result<bool> {
        let behind = self.scanner.offset();
        let Some(top) = self.frames.last_mut() else { return Ok(false) };
        let first = std::mem::replace(&mut top.first, false);
        let mut ended = 0;
        for index in 0..self.columns.len() {
            let Column { slot, offset, .. } = self.columns[index];
            self.scanner.jump(offset);
            if !self.scanner.next_element(first)? {
                ended += 1;
                continue;
            }
            let cell = self.whole_cell()?;
            if let Some(slot) = slot {
                cells[usize::from(slot)] = cell;
            }
            self.columns[index].offset = self.scanner.offset();
        }
        self.scanner.jump(behind);
        if ended == self.columns.len() {
            self.frames.pop();
            return Ok(false);
        }
        self.outer_rows += u64::from(level == 0);
        if ended > 0 {
            return self.shape(format!("the parallel arrays at {} have unequal lengths", self.level(level).path));
        }
        Ok(true)
    }
}
