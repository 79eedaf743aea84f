//! What is wrong with a profile: every problem with its place, in the author's words.

use std::fmt::{self, Write as _};

use super::node::Place;
use crate::protocol::fault;

/// At most this many problems of one profile are told.
pub const MAX_PROBLEMS: usize = 100;

/// One thing that is wrong. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub line: u32,
    pub column: u32,
    pub message: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

impl Problem {
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { line: place.line, column: place.column, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All problems of one profile in the order of the file, with the lines they speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    lines: Vec<String>,
}

/// A line is shown up to this many characters.
const MAX_LINE_CHARS: usize = 200;

impl Problems {
    /// Sorts the problems and keeps the lines that they point at.
    pub fn new(text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| (problem.line, problem.column));
        list.dedup();
        if list.len() > MAX_PROBLEMS {
            list.truncate(MAX_PROBLEMS);
            let place = list.last().map_or(Place::START, |last| Place { line: last.line, column: last.column });
            list.push(Problem::new(
                place,
                format!("there are more than {MAX_PROBLEMS} problems; the rest is not told"),
            ));
        }
        let line = |problem: &Problem| {
            let index = usize::try_from(problem.line).unwrap_or(usize::MAX).saturating_sub(1);
            text.lines().nth(index).unwrap_or("").chars().take(MAX_LINE_CHARS).collect()
        };
        let lines = list.iter().map(line).collect();
        Self { list, lines }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems in the form that crosses the wire.
    pub fn places(&self, file: Option<&str>) -> Vec<fault::Place> {
        let at = |problem: &Problem| match file {
            Some(file) => format!("{file}:{}:{}", problem.line, problem.column),
            None => format!("line {}, column {}", problem.line, problem.column),
        };
        let reason = |problem: &Problem| match &problem.hint {
            Some(hint) => format!("{}; {hint}", problem.message),
            None => problem.message.clone(),
        };
        self.list.iter().map(|problem| fault::Place { at: at(problem), reason: reason(problem) }).collect()
    }
}

impl From<Problems> for fault::Fault {
    /// What a caller of the API is told.
    fn from(problems: Problems) -> Self {
        let places = problems.places(None);
        let detail = match places.as_slice() {
            [only] => format!("{}: {}", only.at, only.reason),
            several => format!("{} faults; the first at {}: {}", several.len(), several[0].at, several[0].reason),
        };
        Self::new(fault::Code::InvalidProfile, detail).with_places(places)
    }
}

impl fmt::Display for Problems {
    /// Each problem with its line and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write("", f)
    }
}

/// Problems that name their file.
#[derive(Debug)]
pub struct InFile<'p> {
    problems: &'p Problems,
    file: &'p str,
}

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problems.write(&format!("{}:", self.file), f)
    }
}

impl Problems {
    /// For showing: each place begins with the file, as compilers write it.
    pub fn in_file<'p>(&'p self, file: &'p str) -> InFile<'p> {
        InFile { problems: self, file }
    }

    fn write(&self, before: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (problem, line)) in self.list.iter().zip(&self.lines).enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            writeln!(f, "{before}{}:{}: {}", problem.line, problem.column, problem.message)?;
            let number = problem.line.to_string();
            let margin = " ".repeat(number.len());
            writeln!(f, "{number} | {}", line.replace('\t', " "))?;
            let column = usize::try_from(problem.column).unwrap_or(1).saturating_sub(1).min(MAX_LINE_CHARS);
            writeln!(f, "{margin} | {}^", " ".repeat(column))?;
            if let Some(hint) = &problem.hint {
                writeln!(f, "{margin} = {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
