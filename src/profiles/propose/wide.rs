//! Columns whose names are times: a column for each month or year. They become rows.

use std::borrow::Cow;

use serde_json::Value;

use super::missing;
use super::sheet::{Column, Sheet};
use super::times::{self, TimeForm};

/// Fewer columns are columns of their own.
const MIN_COLUMNS: usize = 2;
const MIN_MONTHS: usize = 6;
/// Cells that are looked at.
const MAX_ROWS: usize = 20_000;
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// As `rows.unpivot` says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wide {
    /// The value of `columns`, in YAML.
    pub columns: String,
    pub key: &'static str,
    pub value: &'static str,
}

/// Places of columns, with the text that stands for each.
type Members = Vec<(usize, String)>;

/// The columns that are times, and how their names are written.
struct Group {
    members: Members,
    columns: String,
    key: &'static str,
    /// Of months: the column of their year.
    year: Option<usize>,
    extract: Option<&'static str>,
}

/// Makes rows of such columns, where there are any.
pub fn to_rows(sheet: Sheet<'_>) -> Sheet<'_> {
    let Some(group) = months(&sheet).or_else(|| named_times(&sheet)) else { return sheet };
    let texts: Vec<String> = group
        .members
        .iter()
        .flat_map(|(place, _)| sheet.columns[*place].texts())
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    if missing::of_numbers(&texts).is_none() {
        return sheet;
    }
    turned(sheet, &group)
}

fn candidates<'s>(sheet: &'s Sheet<'_>) -> impl Iterator<Item = (usize, &'s str)> {
    let own = |(place, column): (usize, &'s Column<'_>)| match column.names.as_slice() {
        [name] if !column.outer && column.keys.is_empty() => Some((place, name.as_str())),
        _ => None,
    };
    sheet.columns.iter().enumerate().filter_map(own)
}

fn month_of(name: &str) -> Option<usize> {
    let name = name.trim().trim_end_matches('.').to_lowercase();
    MONTHS.iter().position(|month| name == *month || name == month[..3]).map(|index| index + 1)
}

/// Jan, Feb, … beside a column of years.
fn months(sheet: &Sheet<'_>) -> Option<Group> {
    let members: Vec<(usize, String)> =
        candidates(sheet).filter_map(|(place, name)| Some((place, format!("{:02}", month_of(name)?)))).collect();
    let year = candidates(sheet).find(|(place, name)| {
        let texts = sheet.columns[*place].texts();
        let there: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
        !there.is_empty() && times::form_of(name, &there).is_some_and(|form| form.grain == "year")
    });
    let (year, _) = year.filter(|_| members.len() >= MIN_MONTHS)?;
    if sheet.columns[year].from.contains(['{', '}']) {
        return None;
    }
    let pair = |(place, number): &(usize, String)| {
        format!("{}: \"{number}\"", crate::profiles::write_yaml::scalar(&sheet.columns[*place].names[0]))
    };
    let columns = format!("{{{}}}", members.iter().map(pair).collect::<Vec<_>>().join(", "));
    Some(Group { members, columns, key: "month", year: Some(year), extract: None })
}

/// Names that are times themselves: 2023, 2024-01, 1/22/20, 2019 [YR2019].
fn named_times(sheet: &Sheet<'_>) -> Option<Group> {
    let mut groups: Vec<(TimeForm, String, Members)> = Vec::new();
    for (place, name) in candidates(sheet) {
        let Some((form, time)) = time_in(name) else { continue };
        let pattern = pattern_of(name);
        match groups.iter_mut().find(|(own, shape, _)| *own == form && *shape == pattern) {
            Some((.., members)) => members.push((place, time.into_owned())),
            None => groups.push((form, pattern, vec![(place, time.into_owned())])),
        }
    }
    let (form, pattern, members) = groups.into_iter().max_by_key(|(.., members)| members.len())?;
    let regex = regex_lite::Regex::new(&format!("^(?:{pattern})$")).ok()?;
    let others = candidates(sheet)
        .filter(|(place, name)| regex.is_match(name) && !members.iter().any(|(member, _)| member == place));
    if members.len() < MIN_COLUMNS || others.count() > 0 {
        return None;
    }
    let is_bare = members.iter().all(|(place, time)| sheet.columns[*place].names[0] == *time);
    let key = if form.grain == "at" { "time" } else { form.grain };
    let columns = serde_json::Value::from(format!("/{pattern}/")).to_string();
    Some(Group { members, columns, key, year: None, extract: (!is_bare).then_some("\\d{4}") })
}

/// The time that a name says.
fn time_in(name: &str) -> Option<(TimeForm, Cow<'_, str>)> {
    if let Some(form) = times::form_of("date", &[name]).filter(|form| !form.form.starts_with("epoch")) {
        return Some((form, Cow::Borrowed(name)));
    }
    let digits: Vec<&str> = name.split(|next: char| !next.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let year = digits.first().filter(|first| digits.iter().all(|part| part == *first))?;
    let is_short = name.chars().count() <= 16 && name.chars().filter(|next| next.is_alphabetic()).count() <= 2;
    let form = times::form_of("year", &[year]).filter(|form| is_short && form.grain == "year")?;
    Some((form, Cow::Owned((*year).to_owned())))
}

/// A regular expression for names that differ in their digits.
fn pattern_of(name: &str) -> String {
    let mut pattern = String::new();
    for next in name.chars() {
        if next.is_ascii_digit() {
            if !pattern.ends_with("\\d+") {
                pattern.push_str("\\d+");
            }
        } else {
            if !next.is_alphanumeric() && next.is_ascii() && next != ' ' && next != '-' {
                pattern.push('\\');
            }
            pattern.push(next);
        }
    }
    pattern
}

/// A row for each of the group's cells.
fn turned<'d>(sheet: Sheet<'d>, group: &Group) -> Sheet<'d> {
    let rows = sheet.rows.min(MAX_ROWS / group.members.len().max(1)).max(1).min(sheet.rows);
    let is_member = |place: usize| group.members.iter().any(|(member, _)| *member == place);
    let taken = |name: &str| sheet.columns.iter().any(|column| column.from == name);
    let value = if taken("value") { "cell" } else { "value" };
    let key = if taken(group.key) { "column" } else { group.key };
    let years = group.year.map(|year| sheet.columns[year].texts());
    let mut columns = Vec::new();
    let mut left_out = sheet.left_out.clone();
    for (place, column) in sheet.columns.iter().enumerate().filter(|(place, _)| Some(*place) != group.year) {
        let texts = column.texts();
        let there: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
        if is_member(place) {
            continue;
        }
        // A mean of the year, say, would be told again with every month.
        if missing::of_numbers(&there).is_some()
            && !super::dims::is_code(column.names.last().map_or("", String::as_str))
        {
            left_out.push(format!("{}: numbers that would be told again with every {}", column.from, group.key));
        } else {
            columns.push(repeated(column, rows, group.members.len()));
        }
    }
    let from = match group.year {
        Some(year) => format!("{{{}}}-{{{key}}}", sheet.columns[year].from),
        None => key.to_owned(),
    };
    let mut time = Column::new(from, vec![group.key.to_owned()]);
    time.is_template = group.year.is_some();
    time.extract = group.extract;
    let mut cells = Column::new(value.to_owned(), vec!["value".to_owned()]);
    for row in 0..rows {
        for (place, text) in &group.members {
            let year = years.as_ref().map(|years| years[row].clone().unwrap_or_default());
            time.keys.push(Some(year.map_or_else(|| text.clone(), |year| format!("{year}-{text}"))));
            cells.cells.push(sheet.columns[*place].cells.get(row).copied().flatten());
        }
    }
    time.cells = vec![None; time.keys.len()];
    columns.splice(0..0, [time, cells]);
    let wide = Wide { columns: group.columns.clone(), key, value };
    Sheet { columns, rows: rows * group.members.len(), wide: Some(wide), left_out, ..sheet }
}

fn repeated<'d>(column: &Column<'d>, rows: usize, times: usize) -> Column<'d> {
    let cell = |row: usize| column.cells.get(row).copied().flatten();
    let cells: Vec<Option<&'d Value>> = (0..rows).flat_map(|row| std::iter::repeat_n(cell(row), times)).collect();
    let key = |row: usize| column.keys.get(row).cloned().flatten();
    let keys = match column.keys.is_empty() {
        true => Vec::new(),
        false => (0..rows).flat_map(|row| std::iter::repeat_n(key(row), times)).collect(),
    };
    Column { cells, keys, ..column.clone() }
}
