//! One answer that counts: its rows made into records. A page counts as a whole or not at all.

use super::cursor;
use super::decode::{self, Document, GridRows, Room, Tables};
use super::fetch::excerpt;
use super::fields::{Tally, holds};
use super::json::{Cell, JsonError, WalkError, Walker, line_and_column, member_names};
use super::judge::{self, Told};
use super::outbox::{Outbox, Put};
use super::paging::PageFacts;
use super::pivot::Pivoted;
use super::request::instant;
use super::sketch::{ROWS_LOOKED_AT, Sketch};
use crate::domain::rejects::cut;
use crate::profiles::plan::{
    Cursor, FIRST_PARAM, Field, Mapping, Scalar, Slot, Source, Until, WINDOW_END, WINDOW_START,
};

/// After so many rows other work of the thread has its turn: a slice takes about a millisecond.
const ROWS_PER_SLICE: u64 = 512;
/// So much of a failed row is taken; less is kept once secrets are taken out.
const MAX_RAW_CHARS: usize = 1_000;

/// Why a page does not count.
#[derive(Debug)]
pub enum PageError {
    /// The text is broken: worth another try.
    Broken(String),
    /// It is not what the profile says.
    Failed(String),
    /// It is larger, unpacked, than what is left of the run's bytes.
    TooLarge,
}

/// The body as text.
pub fn text(body: &[u8]) -> Result<&str, PageError> {
    std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        let near = excerpt(&body[place.saturating_sub(20)..]);
        PageError::Broken(format!("the answer is not UTF-8 at byte {place}, near {near:?}"))
    })
}

/// Says what is wrong with a JSON text, and where.
pub fn not_json(text: &str, error: JsonError) -> PageError {
    let (line, column) = line_and_column(text, error.offset);
    let start = (0..=error.offset.saturating_sub(20)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let near = excerpt(text.get(start..).unwrap_or("").as_bytes());
    let near: String = near.chars().take(40).collect();
    PageError::Broken(format!(
        "the answer is not JSON: {} at line {line}, column {column}, near {near:?}",
        error.message
    ))
}

/// Values that come with the request.
pub struct Given {
    params: Vec<Option<String>>,
    window: Option<(String, String)>,
}

impl Given {
    pub fn new(values: &[Scalar], window: Option<(i64, i64)>) -> Self {
        let text = |value: &Scalar| (*value != Scalar::Null).then(|| value.text());
        let window = window.map(|(start, end)| (instant(start, None), instant(end, None)));
        Self { params: values.iter().map(text).collect(), window }
    }

    fn fill<'g>(&'g self, cells: &mut [Cell<'g>]) {
        if let Some((start, end)) = &self.window {
            cells[usize::from(WINDOW_START)] = Cell::Text(start);
            cells[usize::from(WINDOW_END)] = Cell::Text(end);
        }
        for (index, value) in self.params.iter().enumerate() {
            cells[usize::from(FIRST_PARAM) + index] = value.as_deref().map_or(Cell::Null, Cell::Text);
        }
    }
}

/// What a page gave.
#[derive(Debug, Default)]
pub struct PageResult {
    pub facts: PageFacts,
    /// Rows that were read.
    pub rows: u64,
    /// The largest value of the cursor.
    pub cursor: Option<i64>,
    pub tally: Tally,
    /// More records were there than the run may give.
    pub limited: bool,
    /// What the answer says of itself, to be judged before the records count.
    pub told: Told,
}

/// One answer on its way to records.
pub struct Page<'p> {
    pub document: &'p Document<'p>,
    pub mapping: &'p Mapping,
    pub given: &'p Given,
    /// Headers of the answer, names in lower case.
    pub headers: &'p [(String, String)],
    pub cursor: Option<&'p Cursor>,
    /// For rows that are made ready.
    pub room: Room,
}

/// Rows of either kind of document.
enum Rows<'a> {
    Tree(Box<Walker<'a, 'a>>, &'a str),
    Grid(GridRows<'a>),
}

impl<'a> Rows<'a> {
    fn next_row(&mut self, cells: &mut [Cell<'a>]) -> Result<bool, PageError> {
        match self {
            Self::Tree(walker, text) => walker.next_row(cells).map_err(|error| unwalkable(text, error)),
            Self::Grid(rows) => Ok(rows.next_row(cells)),
        }
    }

    fn outer_rows(&self) -> u64 {
        match self {
            Self::Tree(walker, _) => walker.outer_rows(),
            Self::Grid(rows) => rows.outer_rows(),
        }
    }

    /// Looks at the names and types of the row in hand.
    fn look(&self, mapping: &Mapping, cells: &[Cell<'_>], sketch: &mut Sketch) {
        sketch.look(mapping, cells);
        let columns = match self {
            Self::Tree(walker, _) => walker.column_names(),
            Self::Grid(rows) => rows.column_names(),
        };
        columns.iter().for_each(|name| sketch.name(name, 1));
        if let (true, Self::Tree(walker, _)) = (columns.is_empty(), self) {
            member_names(walker.row_text().unwrap_or(""), |name| sketch.name(name, 1));
        }
    }

    /// What the row in hand says, not longer than an excerpt needs.
    fn excerpt(&self, mapping: &Mapping, cells: &[Cell<'_>]) -> String {
        match self {
            Self::Tree(walker, _) => match walker.row_text() {
                Some(text) => cut(text, MAX_RAW_CHARS).to_owned(),
                None => of_cells(mapping, cells),
            },
            Self::Grid(rows) => pairs(rows.row()),
        }
    }

    fn missing(&self) -> Option<PageError> {
        match self {
            Self::Tree(walker, text) => walker.rows_missing().map(|error| unwalkable(text, error)),
            Self::Grid(_) => None,
        }
    }
}

/// Makes records of all rows; the outbox holds them until the page is settled or forgotten. `records_left` are the
/// records that the run may still give. Gives other tasks their turn between slices.
pub async fn map_rows(page: &Page<'_>, outbox: &mut Outbox, records_left: u64) -> Result<PageResult, PageError> {
    let mapping = page.mapping;
    let text = match page.document {
        Document::Json(text) => decode::prepare(text, mapping, page.room)?,
        Document::Grid(_) => "".into(),
    };
    let (mut rows, tables) = match page.document {
        Document::Json(whole) => {
            let tables = Tables::read(whole, &mapping.lookups, page.room)?;
            (Rows::Tree(Box::new(Walker::new(&text, &mapping.places)), &text), tables)
        }
        Document::Grid(grid) => (Rows::Grid(GridRows::new(grid, &mapping.places)?), Tables::default()),
    };
    let mut cells = page.cells();
    let mut tally = Tally::of(mapping);
    let mut pivoted = mapping.pivot.as_ref().map(Pivoted::new);
    let (mut count, mut limited, mut largest) = (0_u64, false, None);
    while rows.next_row(&mut cells)? {
        count += 1;
        if count <= ROWS_LOOKED_AT {
            rows.look(mapping, &cells, tally.sketch());
        }
        largest = largest.max(page.cursor.and_then(|plan| cursor::value(plan, mapping, &cells)));
        if outbox.page_records() >= records_left {
            // Read on for what the answer says at its end.
            limited = true;
        } else if let Some(pivoted) = &mut pivoted {
            if !outbox.is_filtered(mapping, &cells, &mut tally) {
                pivoted.add(&cells, &mut tally)?;
            }
        } else {
            settled(outbox.put(mapping, &tables, &cells, &mut tally), mapping)?;
            if tally.wants_excerpt() {
                tally.excerpt(&rows.excerpt(mapping, &cells));
            }
        }
        if count.is_multiple_of(ROWS_PER_SLICE) {
            tokio::task::yield_now().await;
        }
    }
    for row in pivoted.iter().flat_map(Pivoted::rows) {
        if outbox.page_records() >= records_left {
            limited = true;
            break;
        }
        settled(outbox.put_unfiltered(mapping, &tables, row, &mut tally), mapping)?;
        if tally.wants_excerpt() {
            tally.excerpt(&of_cells(mapping, row));
        }
    }
    match rows.missing() {
        Some(_) if mapping.rows_may_be_absent => tally.note("an answer has no element at the place of the rows", None),
        Some(error) => return Err(error),
        None => {}
    }
    let mut facts = facts(mapping, &cells, rows.outer_rows(), count);
    if let (Some(selector), Document::Json(whole)) = (&mapping.next_selected, page.document) {
        facts.next = decode::selected_text(whole, selector)?;
    }
    let told = judge::told(&mapping.policy, &cells);
    Ok(PageResult { facts, rows: count, cursor: largest, tally, limited, told })
}

/// A row may speak for the whole answer: two rows with one key and different values, where the profile says that this is
/// an error, or another unit than the profile's.
fn settled(put: Put, mapping: &Mapping) -> Result<(), PageError> {
    match put {
        Put::Added | Put::Duplicate | Put::Dropped => return Ok(()),
        Put::OtherUnit(words) => return Err(PageError::Failed(words)),
        Put::Conflict => {}
    }
    let key = mapping.record.fields.iter().filter(|field| field.in_key).map(|field| field.name.as_str());
    let key = key.collect::<Vec<_>>().join(", ");
    Err(PageError::Failed(format!("two rows have the same key ({key}) and other values (on_duplicate: error)")))
}

impl<'p> Page<'p> {
    /// The cells before the first row.
    fn cells(&self) -> Vec<Cell<'p>> {
        let mut cells = vec![Cell::Absent; self.mapping.places.slots];
        self.given.fill(&mut cells);
        for (name, slot) in &self.mapping.headers {
            if let Some((_, value)) = self.headers.iter().find(|(known, _)| known == name) {
                cells[usize::from(*slot)] = Cell::Text(value);
            }
        }
        cells
    }
}

/// A row told by the fields that are read from it.
fn of_cells(mapping: &Mapping, cells: &[Cell<'_>]) -> String {
    let told = |field: &Field| match &field.source {
        Source::Slot(slot) => cells[usize::from(*slot)].text().map(|text| (field.name.clone(), text.into_owned())),
        _ => None,
    };
    let told: Vec<(String, String)> = mapping.record.fields.iter().filter_map(told).collect();
    pairs(told.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

/// `name: value, name: value`.
fn pairs<'t>(pairs: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut out = String::new();
    for (name, text) in pairs {
        if out.len() >= MAX_RAW_CHARS {
            break;
        }
        let between = if out.is_empty() { "" } else { ", " };
        out.push_str(&format!("{between}{}: {}", cut(name, MAX_RAW_CHARS), cut(text, MAX_RAW_CHARS)));
    }
    cut(&out, MAX_RAW_CHARS).to_owned()
}

/// Says why a document cannot be walked, and where.
pub fn unwalkable(text: &str, error: WalkError) -> PageError {
    match error {
        WalkError::Json(error) => not_json(text, error),
        WalkError::Shape { offset, message } => {
            let (line, column) = line_and_column(text, offset);
            let place = if offset == 0 { String::new() } else { format!(" (line {line}, column {column})") };
            let head = excerpt(text.as_bytes());
            PageError::Failed(format!("{message}{place}; the answer begins {head:?}"))
        }
    }
}

fn facts(mapping: &Mapping, cells: &[Cell<'_>], outer: u64, rows: u64) -> PageFacts {
    let text = |slot: Option<Slot>| slot.and_then(|slot| cells[usize::from(slot)].text()).map(|text| text.into_owned());
    let number = |slot: Option<Slot>| text(slot).and_then(|text| text.trim().parse().ok());
    let stop = &mapping.stop;
    let at_end = stop.until.iter().any(|until| matches!(until, Until::Condition(condition) if holds(condition, cells)));
    PageFacts {
        rows: outer,
        most: outer.max(rows),
        next: text(mapping.next),
        link: None,
        total: number(stop.total),
        last_page: number(stop.last_page),
        at_end,
        has_total: stop.total.is_some(),
        has_last_page: stop.last_page.is_some(),
    }
}
