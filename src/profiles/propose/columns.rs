//! What each column is: a time, a dim, a measure, or nothing that a record needs.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::composed::{self, Texts};
use super::dims::{dim_name, is_code, measure_name};
use super::missing;
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
    pub is_template: bool,
    /// The part of the text that is taken.
    pub extract: Option<&'static str>,
    /// The fraction of its numbers stands behind a comma.
    pub has_comma: bool,
}

impl Proposed {
    pub fn new(name: &str, from: &str, kind: Kind) -> Self {
        Self {
            name: name.into(),
            from: from.into(),
            kind,
            comment: None,
            is_template: false,
            extract: None,
            has_comma: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Time {
        form: TimeForm,
        zone: Zone,
    },
    Dim,
    Measure,
    /// A fixed text.
    Fixed(String),
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
#[derive(Debug, Default, Clone)]
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
    /// Columns that become rows.
    pub wide: Option<super::wide::Wide>,
    /// Texts that are the same in every row, or stand at the root of the answer.
    pub said_already: Vec<String>,
}

impl Fields {
    /// Adds a dim that the answer does not tell, also to the key, under a name of its own.
    pub fn add_dim(&mut self, mut dim: Proposed) {
        let base = dim.name.clone();
        let is_taken = |dims: &[Proposed], name: &str| dims.iter().any(|own| own.name == name);
        for number in 2.. {
            if !is_taken(&self.dims, &dim.name) {
                break;
            }
            dim.name = format!("{base}_{number}");
        }
        if !self.key.is_empty() {
            self.key.insert(0, dim.name.clone());
        }
        self.dims.push(dim);
    }
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
pub fn reads_as_number(text: &str) -> bool {
    let inner = text.trim().trim_start_matches('(').trim_end_matches(')').trim_end_matches('%').trim();
    let inner = inner.strip_prefix(['-', '+', '\u{2212}']).unwrap_or(inner);
    let plain: String = inner.chars().filter(|next| !matches!(next, ',' | '\u{a0}' | '\u{202f}')).collect();
    plain.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && plain.parse::<f64>().is_ok_and(f64::is_finite)
        && !inner.starts_with(',')
}

/// `1,5` and `1.234,56`: what follows the last mark is no group of three.
fn ends_in_fraction(text: &str, mark: char) -> bool {
    let fraction = text.trim().trim_end_matches(['%', ')']).rsplit_once(mark).map(|(_, fraction)| fraction);
    fraction.is_some_and(|fraction| fraction.len() != 3 && fraction.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `06` is a code, `0.6` and `0` are numbers.
fn has_leading_zero(text: &str) -> bool {
    let text = text.trim();
    text.len() > 1 && text.starts_with('0') && !text.starts_with("0.")
}

pub fn judge(document: &Value, sheet: &Sheet<'_>) -> Fields {
    let mut fields = Fields { steps: sheet.steps.clone(), wide: sheet.wide.clone(), ..Fields::default() };
    fields.left_out.clone_from(&sheet.left_out);
    let mut texts: Texts<'_, '_> = sheet.columns.iter().map(|column| (column, column.texts())).collect();
    let composed = composed::take(&mut texts, &mut fields);
    fields.dims = std::mem::take(&mut fields.dims).into_iter().map(|time| with_zone(document, time)).collect();
    let mut times = Vec::new();
    for (column, values) in &texts {
        self::column(column, values, &mut fields, &mut times);
    }
    choose_time(document, times, &mut fields);
    from_document(document, sheet, &mut fields);
    unique_names(&mut fields);
    fields.missing.sort();
    fields.missing.dedup();
    super::key::choose(&texts, composed.as_ref(), sheet.rows, &mut fields);
    for (_, values) in &texts {
        let mut distinct = values.iter().flatten();
        if let Some(first) = distinct.next().filter(|first| values.iter().flatten().all(|text| text == *first)) {
            fields.said_already.push(first.clone());
        }
    }
    fields
}

fn column(column: &Column<'_>, values: &[Option<String>], fields: &mut Fields, times: &mut Vec<(Proposed, bool)>) {
    let name = column.names.last().map_or("", String::as_str);
    let there: Vec<&str> = values.iter().flatten().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let Some(first) = there.first().copied() else {
        fields.left_out.push(format!("{}: no value in the answer seen", column.from));
        return;
    };
    let said: Vec<&str> = there.iter().copied().filter(|text| !missing::is_spelling(text)).collect();
    let distinct: BTreeSet<&str> = said.iter().copied().collect();
    let form = if said.is_empty() { None } else { time_form(column, name, &said) };
    if let Some(form) = form {
        let kind = Kind::Time { form, zone: Zone::Unsaid };
        let mut dim = Proposed::new("", &column.from, kind);
        (dim.is_template, dim.extract) = (column.is_template, column.extract);
        times.push((dim, distinct.len() > 1));
        fields.missing.extend(there.iter().filter(|text| missing::is_spelling(text)).map(|text| (*text).to_owned()));
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
    let comment = Some(format!("such as {:?}", cut(first)));
    fields.dims.push(Proposed { comment, ..Proposed::new(&dim_name(&named(column)), &column.from, Kind::Dim) });
}

/// The form of a column's times. A column that was made of times has them for sure.
fn time_form(column: &Column<'_>, name: &str, said: &[&str]) -> Option<TimeForm> {
    times::form_of(name, said).or_else(|| {
        let is_key = !column.keys.is_empty();
        is_key.then(|| times::form_of("date", said)).flatten()
    })
}

/// The names by which a column is called: an outer step's own name stands before its members.
fn named(column: &Column<'_>) -> Vec<String> {
    let step = column.from.split(['.', '[']).next().filter(|_| column.outer && column.keys.is_empty());
    let first = column.names.first().map(|name| name.to_lowercase()).unwrap_or_default();
    let step = step.filter(|step| !first.contains(*step));
    step.map(str::to_owned).into_iter().chain(column.names.iter().cloned()).collect()
}

/// Takes the column for a measure where its values are numbers, and what says that there is none.
fn measure(column: &Column<'_>, there: &[&str], fields: &mut Fields) -> bool {
    if there.iter().any(|text| has_leading_zero(text) && text.len() > 1 && !text.contains('.')) {
        return false;
    }
    if matches!(column.cells.iter().flatten().next(), Some(Value::Bool(_))) {
        return false;
    }
    let Some(missing) = missing::of_numbers(there) else { return false };
    let name = column.names.last().map(|name| name.to_lowercase()).unwrap_or_default();
    if matches!(name.as_str(), "decimal" | "decimals" | "precision") {
        fields.left_out.push(format!("{}: how a number is written", column.from));
        return true;
    }
    let example = there.iter().find(|text| reads_as_number(text) && !missing.iter().any(|own| own == *text));
    let comment = Some(format!("such as {}", cut(example.unwrap_or(&""))));
    fields.missing.extend(missing);
    let has_comma =
        there.iter().any(|text| ends_in_fraction(text, ',')) && !there.iter().any(|text| ends_in_fraction(text, '.'));
    let field = Proposed::new(&measure_name(&column.names), &column.from, Kind::Measure);
    fields.measures.push(Proposed { comment, has_comma, ..field });
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
        if let Kind::Time { form, .. } = &time.kind {
            time.name = format!("time.{}", form.grain);
        }
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
            let comment = Some(format!("{:?} in the answer seen, the same for all rows", cut(&text)));
            let name = dim_name(std::slice::from_ref(name));
            fields.dims.push(Proposed { comment, ..Proposed::new(&name, &from, Kind::Dim) });
        }
    }
}

/// No two fields are called alike.
pub fn unique_names(fields: &mut Fields) {
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

pub fn cut(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let short: String = text.chars().take(MAX_CHARS).map(|next| if next.is_control() { ' ' } else { next }).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}
