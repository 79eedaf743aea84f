//! From the bytes of an answer to what its rows are read from: a JSON text, or lines of cells. XML and JSON lines become
//! JSON text; a step that a walk cannot do in passing (a filter, a cube, joined lists) puts its rows beside the document.

mod columns;
mod cube;
mod grid;
mod join;
mod lines;
mod lookup;
mod room;
mod sdmx;
mod select;
mod stat;
mod unpack;
mod xml;

use std::borrow::Cow;

pub use grid::{Grid, GridRows};
pub use lookup::Tables;
pub use room::Room;
pub use select::first_text as selected_text;
pub use unpack::{unpack, zip_entries, zip_reader};

use super::page::{PageError, text};
use crate::profiles::plan::{Format, Mapping, Prepare};

/// What the rows of an answer are read from.
#[derive(Debug)]
pub enum Document<'b> {
    Json(Cow<'b, str>),
    Grid(Grid),
}

/// Decodes the bytes of an answer.
pub fn decode<'b>(bytes: &'b [u8], format: &Format, room: Room) -> Result<Document<'b>, PageError> {
    let text = text(bytes)?;
    Ok(match format {
        Format::Json => Document::Json(Cow::Borrowed(text)),
        Format::Ndjson => Document::Json(Cow::Owned(lines::to_json(text)?)),
        Format::Xml => Document::Json(Cow::Owned(xml::to_json(text, room)?)),
        Format::Csv(plan) => Document::Grid(Grid::read_csv(text, plan)?),
        Format::Columns(plan) => Document::Grid(columns::read(text, plan)?),
    })
}

/// Does what must be done before the rows are walked.
pub fn prepare<'b>(text: &'b str, mapping: &Mapping, room: Room) -> Result<Cow<'b, str>, PageError> {
    let rows = match &mapping.prepare {
        Prepare::Nothing => return Ok(Cow::Borrowed(text)),
        Prepare::Select(steps) => select::rows(text, steps, room)?,
        Prepare::Place(selector) => select::place(text, selector)?,
        Prepare::JoinPairs(join) => join::rows(text, join, room)?,
        Prepare::Cube(cube) => cube::rows(text, cube, room)?,
    };
    Ok(Cow::Owned(beside(text, &rows)))
}

/// `[document, rows]`.
fn beside(text: &str, rows: &str) -> String {
    format!("[{},{rows}]", text.strip_prefix('\u{feff}').unwrap_or(text))
}
