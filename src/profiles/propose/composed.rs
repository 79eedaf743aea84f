//! Times that several columns say together: a year beside a code of a period, or year, month, day and clock apart.

use super::columns::{Fields, Kind, Proposed, Zone};
use super::sheet::Column;
use super::times::{self, TimeForm};

/// A column with the text of each cell.
pub type Texts<'c, 'd> = Vec<(&'c Column<'d>, Vec<Option<String>>)>;

/// The template of such a time and its texts; where there is one, its parts are taken out of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    pub from: String,
    pub texts: Vec<Option<String>>,
}

/// Finds one, puts it among the dims, and takes its parts out.
pub fn take(columns: &mut Texts<'_, '_>, fields: &mut Fields) -> Option<Composed> {
    period(columns, fields).or_else(|| parts(columns, fields))
}

fn last<'c>(column: &'c Column<'_>) -> &'c str {
    column.names.last().map_or("", String::as_str)
}

/// Paths that a template can hold.
fn is_plain(column: &Column<'_>) -> bool {
    !column.from.contains(['{', '}', ':', '[', '"']) && column.keys.is_empty()
}

fn all<'t>(texts: &'t [Option<String>], test: impl Fn(&str) -> bool + 't) -> bool {
    !texts.is_empty() && texts.iter().all(|text| text.as_deref().is_some_and(&test))
}

/// A column of years beside one of codes such as M01 is one time.
fn period(columns: &mut Texts<'_, '_>, fields: &mut Fields) -> Option<Composed> {
    let find = |name: &str| columns.iter().position(|(column, _)| last(column).eq_ignore_ascii_case(name));
    let (year, period) = (find("year")?, find("period")?);
    let codes: Vec<&str> = columns[period].1.iter().flatten().map(String::as_str).collect();
    if !is_plain(columns[year].0) || !is_plain(columns[period].0) || codes.is_empty() || !times::is_period(&codes) {
        return None;
    }
    let (year_from, period_from) = (columns[year].0.from.clone(), columns[period].0.from.clone());
    let monthly = codes.iter().all(|code| code.starts_with('M'));
    let (grain, pattern) = if monthly { ("month", "^M(0[1-9]|1[0-2])$") } else { ("quarter", "^Q0?[1-4]$") };
    fields.conditions.push(format!("{period_from} matches {pattern}"));
    let from = format!("{{{year_from}}}{{{period_from}}}");
    let form = TimeForm::new(grain, "iso", false);
    fields.dims.push(Proposed {
        is_template: true,
        comment: Some("averages of the year (M13) are left out by where".into()),
        ..Proposed::new(&format!("time.{grain}"), &from, Kind::Time { form, zone: Zone::Unsaid })
    });
    let is_kept = |code: &str| code.len() < 3 || (1..=12).contains(&code[1..].parse::<u8>().unwrap_or(0));
    let pair = |(of_year, part): (&Option<String>, &Option<String>)| {
        let part = part.as_ref().filter(|code| is_kept(code))?;
        Some(format!("{}{part}", of_year.as_ref()?))
    };
    let texts = columns[year].1.iter().zip(&columns[period].1).map(pair).collect();
    columns.retain(|(column, _)| column.from != year_from && column.from != period_from);
    Some(Composed { from, texts })
}

/// Names of the parts, as sources write them; capital letters tell months from minutes.
const PARTS: [&[&str]; 5] = [
    &["YY", "YYYY", "year", "Year", "YEAR", "yr"],
    &["MM", "month", "Month", "MONTH", "mo", "MO"],
    &["DD", "day", "Day", "DAY", "dy"],
    &["hh", "HH", "hour", "Hour", "HOUR", "hr", "HR"],
    &["mm", "minute", "Minute", "MINUTE", "min", "mn", "MN"],
];
const RANGES: [(u16, u16); 5] = [(0, 2199), (1, 12), (1, 31), (0, 24), (0, 59)];
const PATTERNS: [&str; 5] = ["%Y", "-%m", "-%d", " %H", ":%M"];

/// Year and month, and what follows them, in columns of their own.
fn parts(columns: &mut Texts<'_, '_>, fields: &mut Fields) -> Option<Composed> {
    let mut found = Vec::new();
    for (names, (least, most)) in PARTS.iter().zip(RANGES) {
        let in_range = |text: &str| text.trim().parse::<u16>().is_ok_and(|part| (least..=most).contains(&part));
        let fits = |(column, texts): &(&Column<'_>, Vec<Option<String>>)| {
            names.contains(&last(column)) && is_plain(column) && all(texts, in_range)
        };
        let Some(place) = columns.iter().position(fits) else { break };
        found.push(place);
    }
    // Hours alone would be read as such of the full hour only with their minutes.
    found.truncate(if found.len() == 4 { 3 } else { found.len() });
    let grain = ["month", "date", "at"].get(found.len().checked_sub(2)?.min(2))?;
    let grain = if found.len() == 5 { "at" } else { grain };
    let short = all(&columns[found[0]].1, |text| text.trim().len() == 2);
    let mut form: String = PATTERNS[..found.len()].concat();
    if short {
        form = form.replace("%Y", "%y");
    } else if !all(&columns[found[0]].1, |text| text.trim().len() == 4) {
        return None;
    }
    let marks = ["", "-", "-", " ", ":"];
    let from: String =
        found.iter().zip(marks).map(|(place, mark)| format!("{mark}{{{}}}", columns[*place].0.from)).collect();
    let row = |row: usize| {
        let part = |place: &usize| columns[*place].1.get(row).cloned().flatten();
        Some(found.iter().map(part).collect::<Option<Vec<String>>>()?.join("-"))
    };
    let texts = (0..columns[found[0]].1.len()).map(row).collect();
    let time = Kind::Time { form: TimeForm::new(grain, &form, grain == "at"), zone: Zone::Unsaid };
    fields.dims.push(Proposed { is_template: true, ..Proposed::new(&format!("time.{grain}"), &from, time) });
    let taken: Vec<String> = found.iter().map(|place| columns[*place].0.from.clone()).collect();
    columns.retain(|(column, _)| !taken.contains(&column.from));
    Some(Composed { from, texts })
}
