//! Lines of cells: what csv and columns become. One copy of the text, and where each cell ends.

use crate::pipeline::json::{Cell, accepted};
use crate::pipeline::page::PageError;
use crate::profiles::nearest::nearest;
use crate::profiles::plan::{Csv, LevelKind, LineHeader, Lines, Places, Slot, Unpivot};

/// Names of columns in a message.
const MAX_SHOWN_CHARS: usize = 300;

/// Rows of cells with named columns.
#[derive(Debug, Default)]
pub struct Grid {
    names: Vec<String>,
    /// All cells, one behind the other.
    text: String,
    /// Where each cell ends in `text`.
    ends: Vec<u32>,
    /// For each row: its last cell's number plus one, and its line in the answer.
    rows: Vec<(u32, u32)>,
    /// Rows may be longer than the list of names.
    open_ended: bool,
}

impl Grid {
    /// Reads comma-separated values.
    pub fn read_csv(text: &str, plan: &Csv) -> Result<Self, PageError> {
        let (text, skipped) = without_lines(text, plan.lines.skip);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(plan.delimiter)
            .quoting(plan.quote.is_some())
            .quote(plan.quote.unwrap_or(b'"'))
            .comment(plan.comment)
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let mut builder = Builder::new(&plan.lines, text.len());
        loop {
            let line = skipped + reader.position().line();
            match reader.read_record(&mut record) {
                // A line of white space is as empty as one without.
                Ok(true) if record.len() == 1 && record[0].trim().is_empty() => {}
                Ok(true) => builder.row(record.iter(), line)?,
                Ok(false) => return builder.finish(),
                Err(error) => return Err(PageError::Broken(format!("the answer is not CSV: {error}"))),
            }
        }
    }

    fn cell(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start as usize..self.ends[number] as usize).unwrap_or("")
    }

    /// First cell and the one behind the last.
    fn span(&self, row: usize) -> (usize, usize) {
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].0);
        (start as usize, self.rows[row].0 as usize)
    }
}

/// The text behind the first lines, and how many those were.
pub fn without_lines(text: &str, count: u64) -> (&str, u64) {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    for skipped in 0..count {
        match rest.split_once('\n') {
            Some((_, behind)) => rest = behind,
            None => return ("", skipped),
        }
    }
    (rest, count)
}

/// Collects rows behind a header.
pub struct Builder<'p> {
    lines: &'p Lines,
    grid: Grid,
    /// Lines of the header that are still to come.
    header: bool,
    pass: u64,
}

impl<'p> Builder<'p> {
    pub fn new(lines: &'p Lines, bytes: usize) -> Self {
        let (names, header) = match &lines.header {
            LineHeader::First => (Vec::new(), true),
            LineHeader::Numbers => (Vec::new(), false),
            LineHeader::Names(names) => (names.clone(), false),
        };
        let open_ended = !header;
        let grid = Grid { names, text: String::with_capacity(bytes), open_ended, ..Grid::default() };
        Self { lines, grid, header, pass: if header { 0 } else { lines.after_header } }
    }

    /// The header comes next.
    pub fn wants_header(&self) -> bool {
        self.header
    }

    pub fn row<'t>(&mut self, cells: impl Iterator<Item = &'t str>, line: u64) -> Result<(), PageError> {
        if self.header {
            self.header = false;
            self.pass = self.lines.after_header;
            self.grid.names = cells.map(|cell| cell.trim().to_owned()).collect();
            return Ok(());
        }
        if self.pass > 0 {
            self.pass -= 1;
            return Ok(());
        }
        let before = self.grid.ends.len();
        for cell in cells {
            self.grid.text.push_str(cell);
            self.grid.ends.push(short(self.grid.text.len())?);
        }
        let count = self.grid.ends.len() - before;
        let width = self.grid.names.len();
        if matches!(self.lines.header, LineHeader::Numbers) {
            self.grid.names.extend((width..count).map(|number| number.to_string()));
        } else if count < width || (count > width && !self.grid.open_ended && !self.blank_behind(before + width)) {
            let wants = if self.grid.open_ended { "and there are names for" } else { "its header" };
            return Err(PageError::Failed(format!("line {line} has {count} cells, {wants} {width}")));
        }
        self.grid.rows.push((short(self.grid.ends.len())?, u32::try_from(line).unwrap_or(u32::MAX)));
        Ok(())
    }

    /// Empty cells at the end come from a delimiter too many.
    fn blank_behind(&self, from: usize) -> bool {
        (from..self.grid.ends.len()).all(|number| self.grid.cell(number).trim().is_empty())
    }

    pub fn finish(self) -> Result<Grid, PageError> {
        if self.header {
            return Err(PageError::Failed("the answer ends before its header".into()));
        }
        Ok(self.grid)
    }
}

fn short(length: usize) -> Result<u32, PageError> {
    u32::try_from(length).map_err(|_| PageError::TooLarge)
}

/// Goes through the rows and fills the slots of the columns that are wanted.
pub struct GridRows<'a> {
    grid: &'a Grid,
    columns: Vec<(usize, Slot)>,
    unpivot: Option<&'a Unpivot>,
    /// Columns whose cells become rows, and what stands for their names.
    wide: Vec<(usize, Cell<'a>)>,
    row: usize,
    /// The next of `wide` in the row in hand.
    next: usize,
}

impl<'a> GridRows<'a> {
    /// Finds the columns; the error names one that is not there.
    pub fn new(grid: &'a Grid, places: &'a Places) -> Result<Self, PageError> {
        let Some(LevelKind::Table { columns, unpivot }) = places.levels.first().map(|level| &level.kind) else {
            return Err(PageError::Failed("the profile reads no table".into()));
        };
        let unpivot = unpivot.as_ref();
        let found: Result<Vec<_>, _> =
            columns.iter().map(|(name, slot)| find(grid, name).map(|column| (column, *slot))).collect();
        for (name, _) in unpivot.map_or(&[][..], |unpivot| unpivot.keys.named()) {
            find(grid, name)?;
        }
        let key = |(column, name): (usize, &'a String)| {
            unpivot.and_then(|unpivot| accepted(&unpivot.keys, Cell::Text(name))).map(|key| (column, key))
        };
        let wide = grid.names.iter().enumerate().filter_map(key).collect();
        Ok(Self { grid, columns: found?, unpivot, wide, row: 0, next: 0 })
    }

    /// Fills the next row. `false` at the end.
    pub fn next_row(&mut self, cells: &mut [Cell<'a>]) -> bool {
        let Some(unpivot) = self.unpivot else { return self.fill(cells) };
        loop {
            if self.row > 0 && self.next < self.wide.len() {
                let (column, key) = self.wide[self.next];
                self.next += 1;
                let value = self.cell(self.row - 1, column);
                for (slot, cell) in [(unpivot.key, key), (unpivot.value, value)] {
                    if let Some(slot) = slot {
                        cells[usize::from(slot)] = cell;
                    }
                }
                return true;
            }
            self.next = 0;
            if !self.fill(cells) || self.wide.is_empty() {
                return false;
            }
        }
    }

    /// Names of all columns.
    pub fn column_names(&self) -> &'a [String] {
        &self.grid.names
    }

    /// The cells of the row in hand, with the names of their columns.
    pub fn row(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let row = self.row.checked_sub(1);
        let (start, end) = row.map_or((0, 0), |row| self.grid.span(row));
        self.grid.names.iter().map(String::as_str).zip((start..end).map(|number| self.grid.cell(number)))
    }

    /// Rows of the answer that were passed.
    pub fn outer_rows(&self) -> u64 {
        self.row as u64
    }

    fn fill(&mut self, cells: &mut [Cell<'a>]) -> bool {
        if self.row >= self.grid.rows.len() {
            return false;
        }
        for (column, slot) in &self.columns {
            cells[usize::from(*slot)] = self.cell(self.row, *column);
        }
        self.row += 1;
        true
    }

    fn cell(&self, row: usize, column: usize) -> Cell<'a> {
        let (start, end) = self.grid.span(row);
        if start + column < end { Cell::Text(self.grid.cell(start + column)) } else { Cell::Absent }
    }
}

fn find(grid: &Grid, name: &str) -> Result<usize, PageError> {
    let mut places = grid.names.iter().enumerate().filter(|(_, known)| *known == name).map(|(place, _)| place);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(PageError::Failed(format!("two columns are named {name:?}"))),
        (None, _) => {
            let names: Vec<&str> = grid.names.iter().map(String::as_str).collect();
            let listed: String = names.join(", ").chars().take(MAX_SHOWN_CHARS).collect();
            let hint = nearest(name, &names).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
            Err(PageError::Failed(format!("there is no column {name:?}{hint}; the columns are {listed}")))
        }
    }
}
