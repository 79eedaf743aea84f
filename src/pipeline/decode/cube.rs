//! Statistical cubes as rows: one for each cell that has a value or a status.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::select::tree;
use super::{Room, sdmx, select, stat};
use crate::domain::canonical::write_text;
use crate::pipeline::page::PageError;
use crate::profiles::Segment;
use crate::profiles::nearest::nearest;
use crate::profiles::plan::{Cube, CubeColumn, CubeForm, Pick};

/// The rows, each an array of the plan's columns.
pub fn rows(text: &str, plan: &Cube, room: Room) -> Result<String, PageError> {
    let part = match &plan.under {
        Pick::Plain(path) => Cow::Borrowed(place(text, path)?),
        Pick::Path(selector) => Cow::Owned(select::place(text, selector)?),
    };
    match plan.form {
        CubeForm::JsonStat => stat::rows(&part, &plan.columns, room),
        CubeForm::SdmxJson => sdmx::rows(&part, &plan.columns, room),
    }
}

/// The part of the document at a path.
fn place<'t>(text: &'t str, path: &[Segment]) -> Result<&'t str, PageError> {
    let mut part = text;
    for segment in path {
        let inner: Option<&RawValue> = match segment {
            Segment::Name(name) => {
                let mut members: std::collections::HashMap<Cow<'t, str>, &'t RawValue> = tree(part)?;
                members.remove(name.as_str())
            }
            Segment::Index(index) => {
                let elements: Vec<&'t RawValue> = tree(part)?;
                elements.get(*index as usize).copied()
            }
            Segment::All => None,
        };
        part = inner.ok_or_else(|| PageError::Failed(format!("there is no cube at {segment:?}")))?.get();
    }
    Ok(part)
}

/// A code of a dimension, ready to be written.
#[derive(Debug)]
pub struct Code {
    pub code: Vec<u8>,
    pub label: Vec<u8>,
}

impl Code {
    pub fn new(code: &str, label: Option<&str>) -> Self {
        let json = |text: &str| {
            let mut out = Vec::new();
            write_text(&mut out, text);
            out
        };
        Self { code: json(code), label: json(label.unwrap_or(code)) }
    }
}

/// A dimension (or attribute) with its codes in order.
#[derive(Debug)]
pub struct Dimension {
    pub name: String,
    pub codes: Vec<Code>,
}

/// Where a cell of a row comes from.
#[derive(Debug, Clone, Copy)]
pub enum From {
    Code(usize),
    Label(usize),
    Value,
    Status,
}

/// The columns of the plan, by the number of their dimension.
pub fn resolve(columns: &[CubeColumn], dimensions: &[Dimension]) -> Result<Vec<From>, PageError> {
    let find = |name: &String| {
        let names: Vec<&str> = dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
        names.iter().position(|known| known == name).ok_or_else(|| {
            let hint = nearest(name, &names).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
            let listed = names.join(", ");
            PageError::Failed(format!("the cube has no dimension {name:?}{hint}; its dimensions are {listed}"))
        })
    };
    let column = |column: &CubeColumn| {
        Ok(match column {
            CubeColumn::Code(name) => From::Code(find(name)?),
            CubeColumn::Label(name) => From::Label(find(name)?),
            CubeColumn::Value => From::Value,
            CubeColumn::Status => From::Status,
        })
    };
    columns.iter().map(column).collect()
}

/// Writes rows as an array of arrays.
pub struct Writer<'c> {
    columns: Vec<From>,
    dimensions: &'c [Dimension],
    out: Vec<u8>,
    room: Room,
}

impl<'c> Writer<'c> {
    pub fn new(columns: &[CubeColumn], dimensions: &'c [Dimension], room: Room) -> Result<Self, PageError> {
        Ok(Self { columns: resolve(columns, dimensions)?, dimensions, out: b"[".to_vec(), room })
    }

    /// Adds a cell; `place` holds the number of the code in each dimension, `None` where it has none. `value` and
    /// `status` are JSON.
    pub fn cell(&mut self, place: &[Option<usize>], value: &str, status: &str) -> Result<(), PageError> {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.push(b'[');
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let code = |dimension: usize| {
                let number = place.get(dimension).copied().flatten()?;
                self.dimensions[dimension].codes.get(number)
            };
            let text: &[u8] = match *column {
                From::Code(dimension) => code(dimension).map_or(b"null", |code| &code.code),
                From::Label(dimension) => code(dimension).map_or(b"null", |code| &code.label),
                From::Value => value.as_bytes(),
                From::Status => status.as_bytes(),
            };
            self.out.extend_from_slice(text);
        }
        self.out.push(b']');
        self.room.check(self.out.len())
    }

    pub fn finish(mut self) -> Result<String, PageError> {
        self.out.push(b']');
        String::from_utf8(self.out).map_err(|error| PageError::Failed(error.to_string()))
    }
}
