//! Lines of values with white space between them, or in columns of fixed width.

use super::grid::{Builder, Grid, without_lines};
use crate::pipeline::page::PageError;
use crate::profiles::plan::{Columns, LineHeader, Lines};

pub fn read(text: &str, plan: &Columns) -> Result<Grid, PageError> {
    let (text, skipped) = without_lines(text, plan.lines.skip);
    let fixed = plan.fixed.as_deref();
    let named = fixed.map(|fixed| Lines {
        skip: 0,
        header: LineHeader::Names(fixed.iter().map(|(name, ..)| name.clone()).collect()),
        after_header: plan.lines.after_header,
    });
    let mut builder = Builder::new(named.as_ref().unwrap_or(&plan.lines), text.len());
    for (line, number) in text.lines().zip(skipped + 1..) {
        let marked = plan.comment.as_deref().and_then(|mark| line.trim_start().strip_prefix(mark));
        // A header may itself begin with the mark of a comment.
        let line = match (marked, builder.wants_header()) {
            (Some(header), true) => header,
            (Some(_), false) => continue,
            (None, _) => line,
        };
        if line.trim().is_empty() {
            continue;
        }
        match fixed {
            Some(fixed) => builder.row(fixed.iter().map(|(_, from, to)| cut(line, *from, *to)), number)?,
            None => builder.row(line.split_whitespace(), number)?,
        }
    }
    builder.finish()
}

/// The characters from one to another, without the white space around them.
fn cut(line: &str, from: usize, to: usize) -> &str {
    if line.is_ascii() {
        return line.get(from..to.min(line.len())).unwrap_or("").trim();
    }
    let place = |count: usize| line.char_indices().nth(count).map_or(line.len(), |(at, _)| at);
    line.get(place(from)..place(to)).unwrap_or("").trim()
}
