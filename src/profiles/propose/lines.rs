//! Lines of cells: which character parts them, where the header is, and what stands around it.

use serde_json::Value;

use super::columns::reads_as_number;
use super::missing;

/// Lines that are looked at.
const MAX_LINES: usize = 2_000;
/// Lines before the header, at most.
const MAX_HEAD: usize = 200;
const MAX_CELLS: usize = 2_000;
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];
const COMMENTS: [char; 2] = ['#', '%'];

/// How the lines are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// None: white space.
    pub delimiter: Option<char>,
    pub skip: usize,
    pub comment: Option<char>,
    /// The answer names no columns: these are made up.
    pub names: Vec<String>,
    /// Lines of units and the like behind the header.
    pub after_header: usize,
}

/// A line that is not empty: its place in the text, its cells, and whether it is a comment.
struct Line<'t> {
    place: usize,
    text: &'t str,
    comment: Option<char>,
}

/// The form, and all rows as an array of arrays, the header first.
pub fn read(text: &str) -> Option<(Lines, Value)> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .take(MAX_LINES)
        .map(|(place, text)| Line { place, text, comment: text.trim_start().chars().next().filter(is_mark) })
        .collect();
    let plain: Vec<&str> = lines.iter().filter(|line| line.comment.is_none()).map(|line| line.text).collect();
    let (delimiter, width) = parting(&plain)?;
    let fits = |line: &str| cells(line, delimiter).is_some_and(|cells| cells.len() == width);
    let first = lines.iter().position(|line| line.comment.is_none() && fits(line.text))?;
    let marked = marked_header(&lines[..first], delimiter, width);
    let first = marked.unwrap_or(first);
    if first > MAX_HEAD {
        return None;
    }
    let mut form = Lines { delimiter, ..Lines::default() };
    form.comment = lines[first + 1..].iter().chain(&lines[..first]).find_map(|line| line.comment);
    // A marked header is read by `columns`; csv takes it as it is, behind the lines before it.
    let is_csv_header = marked.is_some() && delimiter.is_some();
    if lines[..first].iter().any(|line| line.comment.is_none()) || is_csv_header {
        form.skip = lines[first].place;
    }
    if is_csv_header {
        form.comment = None;
    }
    let row = |line: &Line<'_>| cells(line.text, delimiter).filter(|cells| cells.len() == width);
    let mut rows: Vec<Vec<String>> =
        lines[first + 1..].iter().filter(|line| line.comment.is_none()).filter_map(row).collect();
    let header = header_cells(lines[first].text, delimiter, marked.is_some() && !is_csv_header)?;
    let units = units(&rows);
    let header = if marked.is_some() || is_header(&header, &rows[units..]) {
        form.after_header = units;
        rows.drain(..form.after_header);
        header
    } else {
        rows.insert(0, header);
        form.names = (0..width).map(|number| format!("c{number}")).collect();
        form.names.clone()
    };
    let all = std::iter::once(header).chain(rows);
    Some((form, all.map(|cells| cells.into_iter().map(Value::from).collect::<Value>()).collect()))
}

fn is_mark(next: &char) -> bool {
    COMMENTS.contains(next)
}

/// The character that parts most lines into one number of cells, and that number.
fn parting(lines: &[&str]) -> Option<(Option<char>, usize)> {
    let score = |delimiter: Option<char>| {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for width in lines.iter().filter_map(|line| cells(line, delimiter)).map(|cells| cells.len()) {
            match counts.iter_mut().find(|(own, _)| *own == width) {
                Some((_, count)) => *count += 1,
                None => counts.push((width, 1)),
            }
        }
        let (width, count) = counts.into_iter().filter(|(width, _)| *width > 1).max_by_key(|(_, count)| *count)?;
        // Free text has lines of any number of words.
        let needed = if delimiter.is_some() { lines.len() / 2 } else { lines.len() * 9 / 10 };
        (count >= 2 && count >= needed).then_some((count, width, delimiter))
    };
    let best = DELIMITERS.iter().filter_map(|mark| score(Some(*mark))).max_by_key(|(count, width, _)| (*count, *width));
    best.or_else(|| score(None)).map(|(_, width, delimiter)| (delimiter, width))
}

/// The cells of one line; a quoted cell that goes over several lines is not followed.
fn cells(line: &str, delimiter: Option<char>) -> Option<Vec<String>> {
    let Some(delimiter) = delimiter.and_then(|mark| u8::try_from(mark).ok()) else {
        return Some(line.split_whitespace().take(MAX_CELLS).map(str::to_owned).collect());
    };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    let read = reader.read_record(&mut record).ok()?;
    (read && record.len() <= MAX_CELLS).then(|| record.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// A header that is written as a comment: the last one that has a name for each column, the first of two.
fn marked_header(head: &[Line<'_>], delimiter: Option<char>, width: usize) -> Option<usize> {
    let fits = |line: &Line<'_>| {
        let cells = header_cells(line.text, delimiter, true).unwrap_or_default();
        line.comment.is_some() && cells.len() == width && cells.iter().all(|cell| !reads_as_number(cell))
    };
    // White space parts every sentence: only the first line of the answer is taken for a header then.
    match delimiter {
        Some(_) => head.iter().rposition(fits),
        None => head.first().filter(|line| fits(line)).map(|_| 0),
    }
}

fn header_cells(line: &str, delimiter: Option<char>, without_mark: bool) -> Option<Vec<String>> {
    let bare = if without_mark { line.trim_start().trim_start_matches(|next| is_mark(&next)) } else { line };
    cells(bare, delimiter)
}

/// Whether the first row names the columns: it differs in kind from what stands below it.
fn is_header(first: &[String], rows: &[Vec<String>]) -> bool {
    let is_year = |text: &str| text.parse::<u16>().is_ok_and(|year| (1500..2200).contains(&year));
    let number_below = |column: usize| {
        let below = || rows.iter().filter_map(|row| row.get(column)).filter(|cell| !missing::is_spelling(cell));
        below().count() > 0 && below().all(|cell| reads_as_number(cell))
    };
    let numbers = first.iter().filter(|cell| reads_as_number(cell) && !is_year(cell)).count();
    let named = (0..first.len()).any(|column| number_below(column) && !reads_as_number(&first[column]));
    let years = first.iter().filter(|cell| is_year(cell)).count();
    numbers == 0 && (named || (years >= 2 && years < first.len()) || rows.is_empty() || !any_number(rows))
}

fn any_number(rows: &[Vec<String>]) -> bool {
    rows.iter().flatten().any(|cell| reads_as_number(cell))
}

/// Lines behind the header without any number, while what follows has some in every line.
fn units(rows: &[Vec<String>]) -> usize {
    let has_number = |row: &Vec<String>| row.iter().any(|cell| reads_as_number(cell));
    let without = rows.iter().take_while(|row| !has_number(row)).count();
    let follows = rows.len() > without && rows[without..].iter().all(has_number);
    if (1..=2).contains(&without) && follows && rows.len() > without { without } else { 0 }
}
