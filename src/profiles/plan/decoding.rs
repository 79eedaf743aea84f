//! How answers are decoded, where the next run goes on, and which of several records counts.

use super::TimeForm;
use crate::domain::digest::Digest;

/// From bytes to what the rows are read from.
#[derive(Debug, Default)]
pub struct Decoding {
    pub gzip: bool,
    /// Name of the file in a zip; `*` stands for anything.
    pub zip: Option<String>,
    pub format: Format,
}

#[derive(Debug, Default)]
pub enum Format {
    #[default]
    Json,
    Ndjson,
    Csv(Csv),
    Columns(Columns),
    Xml,
}

impl Format {
    /// The answer is lines of cells, not a tree.
    pub fn is_grid(&self) -> bool {
        matches!(self, Self::Csv(_) | Self::Columns(_))
    }

    /// The word of the profile.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Ndjson => "JSON lines",
            Self::Csv(_) => "CSV",
            Self::Columns(_) => "columns",
            Self::Xml => "XML",
        }
    }
}

#[derive(Debug)]
pub struct Csv {
    pub delimiter: u8,
    pub quote: Option<u8>,
    pub comment: Option<u8>,
    pub lines: Lines,
}

/// The lines around the rows.
#[derive(Debug)]
pub struct Lines {
    /// Lines before the header.
    pub skip: u64,
    pub header: LineHeader,
    /// Lines behind the header.
    pub after_header: u64,
}

#[derive(Debug)]
pub enum LineHeader {
    First,
    /// Named `0`, `1`, ….
    Numbers,
    Names(Vec<String>),
}

#[derive(Debug)]
pub struct Columns {
    /// Name, first character and the one behind the last, counted from 0. `None`: white space separates.
    pub fixed: Option<Vec<(String, usize, usize)>>,
    pub comment: Option<String>,
    pub lines: Lines,
}

/// Where the next run goes on.
#[derive(Debug)]
pub struct Cursor {
    /// Names what is counted: a cursor of another definition is not gone on from.
    pub digest: Digest,
    pub param: Option<String>,
    /// Milliseconds, or units of a number.
    pub lookback: i64,
    pub form: CursorForm,
    /// As the request takes it: a form of `instant`, `None` for RFC 3339.
    pub send: Option<String>,
    /// The value of the first run.
    pub start: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorForm {
    Time(TimeForm),
    Number,
}

/// Which of several records with one key counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Duplicates {
    #[default]
    Last,
    First,
    Error,
    /// The one with the largest value of `Mapping::rank`.
    Max,
}
