//! What each column is: a time, a dim, a measure, or nothing that a record needs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value;

use super::dims::{dim_name, is_code, measure_name};
use super::sheet::{Column, Sheet};
use super::times::{self, TimeForm};

/// A field of the proposed profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Name below `dims` or `measures`.
    pub name: String,
    pub from: String,
    pub kind: Kind,
    /// What the reader should know.
    pub comment: Option<String>,
    /// Spellings of "no value" among its values.
    pub missing: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Time { form: TimeForm, zone: Zone },
    Dim,
    Measure,
}

/// The zone of times that name none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    Unsaid,
    /// A zone that the answer names, or UTC for want of it.
    Named(String),
    /// Path of seconds ahead of UTC.
    Offset(String),
}

/// All fields of a proposal.
#[derive(Debug, Default)]
pub struct Fields {
    pub dims: Vec<Proposed>,
    pub measures: Vec<Proposed>,
    /// Spellings of "no value" that no number can be.
    pub missing: Vec<String>,
    pub conditions: Vec<String>,
    pub key: Vec<String>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// Steps for nested rows.
    pub steps: Vec<super::sheet::NamedStep>,
}

/// A value that is a number, or a text that reads as one.
pub fn is_measured(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => reads_as_number(text) && !has_leading_zero(text),
        _ => false,
    }
}

/// As sources write numbers: `1,234.5`, `12.5%`, `(2.5%)`, `.87`.
fn reads_as_number(text: &str) -> bool {
    let inner = text.trim().trim_start_matches('(').trim_end_matches(')').trim_end_matches('%').trim();
    let inner = inner.strip_prefix(['-', '+', '\u{2212}']).unwrap_or(inner);
    let plain: String = inner.chars().filter(|next| !matches!(next, ',' | '\u{a0}' | '\u{202f}')).collect();
    plain.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && plain.parse::<f64>().is_ok_and(f64::is_finite)
        && !inner.starts_with(',')
}

/// `06` is a code, `0.6` and `0` are numbers.
fn has_leading_zero(text: &str) -> bool {
    let text = text.trim();
    text.len() > 1 && text.starts_with('0') && !text.starts_with("0.")
}

/// -666666666 and the like stand for "no value".
fn is_sentinel(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('-') else { return false };
    let digits = digits.split('.').next().unwrap_or("");
    let first = digits.chars().next();
    digits.len() >= 4 && (digits.chars().all(|next| Some(next) == first) || digits.chars().all(|next| next == '9'))
}

pub fn judge(document: &Value, sheet: &Sheet<'_>) -> Fields {
    let mut fields = Fields { steps: sheet.steps.clone(), ..Fields::default() };
    let mut texts: Vec<(&Column<'_>, Vec<Option<String>>)> =
        sheet.columns.iter().map(|column| (column, column.texts())).collect();
    period(&mut texts, &mut fields);
    let mut times = Vec::new();
    for (column, values) in &texts {
        self::column(column, values, &mut fields, &mut times);
    }
    choose_time(document, times, &mut fields);
    from_document(document, sheet, &mut fields);
    unique_names(&mut fields);
    fields.missing.sort();
    fields.missing.dedup();
    key(&texts, sheet.rows, &mut fields);
    fields
}

/// A column of years beside one of codes such as M01 is one time.
fn period(texts: &mut Vec<(&Column<'_>, Vec<Option<String>>)>, fields: &mut Fields) {
    let last = |column: &Column<'_>| column.names.last().map(|name| name.to_lowercase()).unwrap_or_default();
    let find = |name: &str| texts.iter().position(|(column, _)| last(column) == name);
    let (Some(year), Some(period)) = (find("year"), find("period")) else { return };
    let codes: Vec<&str> = texts[period].1.iter().flatten().map(String::as_str).collect();
    let has_braces = [year, period].iter().any(|at| texts[*at].0.from.contains(['{', '}']));
    if has_braces || codes.is_empty() || !times::is_period(&codes) {
        return;
    }
    let (year_from, period_from) = (texts[year].0.from.clone(), texts[period].0.from.clone());
    let monthly = codes.iter().all(|code| code.starts_with('M'));
    let form = TimeForm { grain: if monthly { "month" } else { "quarter" }, form: "iso", needs_zone: false };
    let pattern = if monthly { "^M(0[1-9]|1[0-2])$" } else { "^Q0?[1-4]$" };
    fields.conditions.push(format!("{period_from} matches {pattern}"));
    fields.dims.push(Proposed {
        name: format!("time.{}", form.grain),
        from: format!("{{{year_from}}}{{{period_from}}}"),
        kind: Kind::Time { form, zone: Zone::Unsaid },
        comment: Some("averages of the year (M13) are left out by where".into()),
        missing: Vec::new(),
    });
    texts.retain(|(column, _)| column.from != year_from && column.from != period_from);
}

fn column(column: &Column<'_>, values: &[Option<String>], fields: &mut Fields, times: &mut Vec<(Proposed, bool)>) {
    let name = column.names.last().map_or("", String::as_str);
    let there: Vec<&str> = values.iter().flatten().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let Some(first) = there.first().copied() else {
        fields.left_out.push(format!("{}: no value in the answer seen", column.from));
        return;
    };
    let distinct: BTreeSet<&str> = there.iter().copied().collect();
    if let Some(form) = times::form_of(name, &there) {
        let dim = Proposed {
            name: format!("time.{}", form.grain),
            from: column.from.clone(),
            kind: Kind::Time { form, zone: Zone::Unsaid },
            comment: None,
            missing: Vec::new(),
        };
        times.push((dim, distinct.len() > 1));
        return;
    }
    if column.keys.is_empty() && !is_code(name) && measure(column, &there, fields) {
        return;
    }
    let longest = there.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    if longest > 80 || first.starts_with("http://") || first.starts_with("https://") {
        fields.left_out.push(format!("{}: long text or an address, such as {:?}", column.from, cut(first)));
        return;
    }
    fields.dims.push(Proposed {
        name: dim_name(&named(column)),
        from: column.from.clone(),
        kind: Kind::Dim,
        comment: Some(format!("such as {:?}", cut(first))),
        missing: Vec::new(),
    });
}

/// The names by which a column is called: an outer step's own name stands before its members.
fn named(column: &Column<'_>) -> Vec<String> {
    let step = column.from.split(['.', '[']).next().filter(|_| column.outer && column.keys.is_empty());
    let first = column.names.first().map(|name| name.to_lowercase()).unwrap_or_default();
    let step = step.filter(|step| !first.contains(*step));
    step.map(str::to_owned).into_iter().chain(column.names.iter().cloned()).collect()
}

/// Takes the column for a measure where most of its values are numbers and the others few and short.
fn measure(column: &Column<'_>, there: &[&str], fields: &mut Fields) -> bool {
    if there.iter().any(|text| has_leading_zero(text) && text.len() > 1 && !text.contains('.')) {
        return false;
    }
    let numbers = there.iter().filter(|text| reads_as_number(text)).count();
    let others: BTreeSet<&str> = there.iter().copied().filter(|text| !reads_as_number(text)).collect();
    if numbers == 0
        || numbers * 2 < there.len()
        || others.len() > 5
        || others.iter().any(|text| text.chars().count() > 5)
    {
        return false;
    }
    if matches!(column.cells.iter().flatten().next(), Some(Value::Bool(_))) {
        return false;
    }
    let sentinels: BTreeSet<&str> = there.iter().copied().filter(|text| is_sentinel(text)).collect();
    let missing: Vec<String> = others.into_iter().chain(sentinels).map(str::to_owned).collect();
    fields.missing.extend(missing.iter().cloned());
    let example = there.iter().find(|text| reads_as_number(text) && !is_sentinel(text)).unwrap_or(&"");
    fields.measures.push(Proposed {
        name: measure_name(&column.names),
        from: column.from.clone(),
        kind: Kind::Measure,
        comment: Some(format!("such as {}", cut(example))),
        missing,
    });
    true
}

/// The time that varies and is named best; `start` beside `end` is kept, others are left out.
fn choose_time(document: &Value, times: Vec<(Proposed, bool)>, fields: &mut Fields) {
    let last = |from: &str| from.rsplit('.').next().unwrap_or(from).to_owned();
    let has_own = fields.dims.iter().any(|dim| matches!(dim.kind, Kind::Time { .. }));
    let best = if has_own {
        None
    } else {
        times
            .iter()
            .enumerate()
            .min_by_key(|(at, (time, varies))| (!varies, times::rank(&last(&time.from)), *at))
            .map(|(at, _)| at)
    };
    let ends = best.is_some_and(|at| last(&times[at].0.from) == "end");
    for (at, (mut time, _)) in times.into_iter().enumerate() {
        if Some(at) == best {
            fields.dims.insert(0, with_zone(document, time));
        } else if ends && last(&time.from) == "start" {
            time.name = "time.start".into();
            fields.dims.push(with_zone(document, time));
        } else {
            fields.left_out.push(format!("{}: another time", time.from));
        }
    }
}

/// A zone for instants that name none: what the answer says, else UTC with a warning.
fn with_zone(document: &Value, mut time: Proposed) -> Proposed {
    let Kind::Time { form, zone } = &mut time.kind else { return time };
    if !form.needs_zone {
        return time;
    }
    if document.get("utc_offset_seconds").is_some_and(Value::is_i64) {
        *zone = Zone::Offset("$.utc_offset_seconds".into());
        return time;
    }
    let named = ["timezone", "time_zone", "timeZone", "tz"].iter().find_map(|name| document.get(*name)?.as_str());
    match named.filter(|name| jiff::tz::TimeZone::get(name).is_ok()) {
        Some(name) => *zone = Zone::Named(name.to_owned()),
        None => {
            *zone = Zone::Named("UTC".into());
            time.comment = Some("these times name no zone: say which one it is, such as America/Chicago".into());
        }
    }
    time
}

/// Names and codes at the root of the answer that hold for all rows.
fn from_document(document: &Value, sheet: &Sheet<'_>, fields: &mut Fields) {
    const NAMES: [&str; 11] =
        ["name", "entityname", "cik", "symbol", "ticker", "currency", "base", "country", "station", "city", "location"];
    let Some(members) = document.as_object().filter(|_| sheet.rows > 0) else { return };
    for (name, value) in members.iter().filter(|(name, _)| NAMES.contains(&name.to_lowercase().as_str())) {
        let single = value.as_str().map(str::to_owned).or_else(|| value.is_number().then(|| value.to_string()));
        let from =
            super::shape::path_text(&[super::shape::Step::Name(name.clone())], crate::profiles::path::Origin::Document);
        let is_seen = sheet.columns.iter().any(|column| column.from == *name);
        if let Some(text) = single.filter(|text| !text.is_empty() && text.chars().count() <= 80 && !is_seen) {
            fields.dims.push(Proposed {
                name: dim_name(std::slice::from_ref(name)),
                from,
                kind: Kind::Dim,
                comment: Some(format!("{:?} in the answer seen, the same for all rows", cut(&text))),
                missing: Vec::new(),
            });
        }
    }
}

/// No two fields are called alike.
fn unique_names(fields: &mut Fields) {
    for list in [&mut fields.dims, &mut fields.measures] {
        let mut seen: HashSet<String> = HashSet::new();
        for field in list {
            let base = field.name.clone();
            for number in 2.. {
                if seen.insert(field.name.clone()) {
                    break;
                }
                field.name = format!("{base}_{number}");
            }
        }
    }
}

/// The fewest dims that tell the rows apart: the time first, then what tells most.
fn key(texts: &[(&Column<'_>, Vec<Option<String>>)], rows: usize, fields: &mut Fields) {
    let by_from: BTreeMap<&str, &Vec<Option<String>>> =
        texts.iter().map(|(column, values)| (column.from.as_str(), values)).collect();
    let whole = |dim: &&Proposed| match by_from.get(dim.from.as_str()) {
        Some(values) => values.iter().all(|value| value.as_ref().is_some_and(|text| !text.is_empty())),
        None => dim.from.starts_with('{'),
    };
    let candidates: Vec<&Proposed> = fields.dims.iter().filter(whole).collect();
    let mut chosen: Vec<&Proposed> =
        candidates.iter().copied().filter(|dim| matches!(dim.kind, Kind::Time { .. })).take(1).collect();
    let distinct = |dims: &[&Proposed]| {
        let cell = |dim: &&Proposed, row: usize| by_from.get(dim.from.as_str()).and_then(|values| values[row].clone());
        (0..rows).map(|row| dims.iter().map(|dim| cell(dim, row)).collect::<Vec<_>>()).collect::<HashSet<_>>().len()
    };
    let is_template = chosen.first().is_some_and(|dim| dim.from.starts_with('{'));
    while !is_template && distinct(&chosen) < rows && chosen.len() < 6 {
        let rest = candidates.iter().filter(|dim| !chosen.iter().any(|own| own.from == dim.from));
        let more = |dim: &&&Proposed| {
            let with: Vec<&Proposed> = chosen.iter().copied().chain([**dim]).collect();
            (distinct(&with), is_code(&dim.name))
        };
        let Some(best) = rest.max_by_key(more).filter(|dim| more(dim).0 > distinct(&chosen)) else { break };
        chosen.push(best);
    }
    if !is_template && !chosen.is_empty() && distinct(&chosen) == rows {
        fields.key = chosen.iter().map(|dim| dim.name.clone()).collect();
    }
}

fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let short: String = text.chars().take(MAX_CHARS).map(|next| if next.is_control() { ' ' } else { next }).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
