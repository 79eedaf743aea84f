//! What the rows of a run look like, counted in passing: how each field fared for every row, and the names and types of
//! the first rows of each page. Takes no memory for a row, and next to no time.

use std::collections::HashMap;

use super::json::Cell;
use crate::domain::rejects::cut;
use crate::domain::shape::{FieldShape, JsonType, MAX_NAME_CHARS, MAX_NAMES, RunShape};
use crate::profiles::plan::{Field, Mapping, Source};

/// Rows of each page whose names and types are looked at.
pub const ROWS_LOOKED_AT: u64 = 32;

#[derive(Debug, Default)]
pub struct Sketch {
    /// By the place of the field in the record.
    fields: Vec<Counts>,
    names: HashMap<Box<str>, u64>,
    looked_at: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    present: u64,
    missing: u64,
    unread: u64,
    /// One bit for each type.
    types: u8,
}

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fared {
    Present,
    Missing,
    Unread,
}

impl Sketch {
    pub fn of(mapping: &Mapping) -> Self {
        Self { fields: vec![Counts::default(); mapping.record.fields.len()], ..Self::default() }
    }

    /// Counts one field of one row.
    pub fn count(&mut self, field: u16, fared: Fared) {
        let Some(counts) = self.fields.get_mut(usize::from(field)) else { return };
        match fared {
            Fared::Present => counts.present += 1,
            Fared::Missing => counts.missing += 1,
            Fared::Unread => counts.unread += 1,
        }
    }

    /// Looks at the types of one row.
    pub fn look(&mut self, mapping: &Mapping, cells: &[Cell<'_>]) {
        self.looked_at += 1;
        for (field, counts) in mapping.record.fields.iter().zip(&mut self.fields) {
            if let Source::Slot(slot) = &field.source {
                counts.types |= bit(cells[usize::from(*slot)]);
            }
        }
    }

    /// Notes that a looked at row, or so many of them, have this member.
    pub fn name(&mut self, name: &str, rows: u64) {
        let name = cut(name, MAX_NAME_CHARS);
        if let Some(known) = self.names.get_mut(name) {
            *known += rows;
        } else if self.names.len() < MAX_NAMES {
            self.names.insert(name.into(), rows);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.looked_at += other.looked_at;
        other.names.iter().for_each(|(name, rows)| self.name(name, *rows));
        self.fields.resize(self.fields.len().max(other.fields.len()), Counts::default());
        for (own, more) in self.fields.iter_mut().zip(&other.fields) {
            own.present += more.present;
            own.missing += more.missing;
            own.unread += more.unread;
            own.types |= more.types;
        }
    }

    /// The shape of a run of so many rows, with these fields.
    pub fn shape(&self, fields: &[Field], rows: u64) -> RunShape {
        let named = |(field, counts): (&Field, &Counts)| FieldShape {
            name: field.name.clone(),
            present: counts.present,
            missing: counts.missing,
            unread: counts.unread,
            types: JsonType::ALL.into_iter().filter(|kind| counts.types & (1 << (*kind as u8)) != 0).collect(),
        };
        RunShape {
            rows,
            looked_at: self.looked_at,
            names: self.names.iter().map(|(name, seen)| (name.to_string(), *seen)).collect(),
            fields: fields.iter().zip(&self.fields).map(named).collect(),
        }
    }
}

fn bit(cell: Cell<'_>) -> u8 {
    let kind = match cell {
        Cell::Absent => return 0,
        Cell::Null => JsonType::Null,
        Cell::Bool(_) => JsonType::Boolean,
        Cell::Number(_) => JsonType::Number,
        Cell::Clean(_) | Cell::Escaped(_) | Cell::Text(_) => JsonType::Text,
        Cell::Tree(_) => JsonType::Tree,
    };
    1 << (kind as u8)
}
