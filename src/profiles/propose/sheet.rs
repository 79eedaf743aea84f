//! The answer as a sheet: a column for each place that a row can see, a cell for each row.

use serde_json::Value;

use super::shape::{Shape, Step, path_text};
use super::wide::Wide;
use crate::profiles::path::{Origin, Path};

/// Rows and columns that are looked at.
const MAX_ROWS: usize = 2_000;
const MAX_COLUMNS: usize = 400;
/// Objects inside a row, and elements of an array inside a row, that are looked into.
const MAX_DEPTH: usize = 4;
const MAX_ELEMENTS: usize = 6;

/// A place that a row can see.
#[derive(Debug, Clone)]
pub struct Column<'d> {
    /// As a field of a profile names it.
    pub from: String,
    /// Names on the way from the row, the last one innermost.
    pub names: Vec<String>,
    pub cells: Vec<Option<&'d Value>>,
    /// Keys of maps are texts of their own.
    pub keys: Vec<Option<String>>,
    /// Outside the innermost step.
    pub outer: bool,
    /// Through a list of one element.
    pub in_list: bool,
    /// `from` is a template.
    pub is_template: bool,
    /// The part of the text that is taken.
    pub extract: Option<&'static str>,
}

impl Column<'_> {
    pub fn new(from: String, names: Vec<String>) -> Self {
        Self {
            from,
            names,
            cells: Vec::new(),
            keys: Vec::new(),
            outer: false,
            in_list: false,
            is_template: false,
            extract: None,
        }
    }

    /// The text of each cell; `None` where there is no value.
    pub fn texts(&self) -> Vec<Option<String>> {
        if !self.keys.is_empty() {
            return self.keys.clone();
        }
        let text = |cell: &Option<&Value>| match cell {
            None | Some(Value::Null | Value::Array(_) | Value::Object(_)) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        self.cells.iter().map(text).collect()
    }
}

/// A step with a name, as `rows.each` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedStep {
    pub name: String,
    pub path: String,
    pub entries: bool,
}

#[derive(Debug, Default)]
pub struct Sheet<'d> {
    pub columns: Vec<Column<'d>>,
    pub rows: usize,
    /// More than one: the rows are nested.
    pub steps: Vec<NamedStep>,
    /// Columns that became rows.
    pub wide: Option<Wide>,
    /// Columns that are not looked at, and why.
    pub left_out: Vec<String>,
}

impl<'d> Sheet<'d> {
    pub fn of(document: &'d Value, shape: &Shape, is_xml: bool) -> Self {
        let mut sheet = Self::default();
        match shape {
            Shape::Each(steps) => sheet = Self::of_lists(document, steps),
            Shape::Table(under) => sheet.table(at(document, under)),
            Shape::Cells(under, width) => sheet.cells(at(document, under), *width),
            Shape::Zip(under) => sheet.zip(at(document, under)),
            Shape::Single(under) => sheet.row("", &[], at(document, under), false),
            Shape::Cube(_) => {}
        }
        if !is_xml {
            // A list that has one element here may have more elsewhere.
            let rows = sheet.rows;
            sheet
                .columns
                .retain(|column| !column.in_list || column.cells.iter().filter(|cell| cell.is_some()).count() == rows);
        }
        match shape {
            Shape::Each(_) | Shape::Table(_) => super::wide::to_rows(sheet),
            _ => sheet,
        }
    }

    /// Outer steps that say nothing of their rows become a part of the next one's path.
    fn of_lists(document: &'d Value, steps: &[Step]) -> Self {
        let mut parts = split(steps);
        loop {
            let mut sheet = Self::default();
            sheet.each(document, &parts);
            let says_something = |step: &NamedStep| {
                step.entries || sheet.columns.iter().any(|column| begins_with(&column.from, &step.name))
            };
            let is_bare = sheet.steps.len() > 1 && !says_something(&sheet.steps[0]) && !sheet.steps[1].entries;
            if !is_bare {
                return sheet;
            }
            let (mut path, kind) = parts.remove(0);
            path.push(kind);
            path.append(&mut parts[0].0);
            parts[0].0 = path;
        }
    }

    fn each(&mut self, document: &'d Value, parts: &[(Vec<Step>, Step)]) {
        self.steps = named(parts);
        let nested = self.steps.len() > 1 || self.steps.iter().any(|step| step.entries);
        let mut rows = Vec::new();
        expand(document, parts, &mut Vec::new(), &mut rows);
        rows.truncate(MAX_ROWS);
        for row in &rows {
            for (index, (key, value)) in row.iter().enumerate() {
                let step = self.steps[index].clone();
                let before = if nested { step.name.clone() } else { String::new() };
                if let Some(key) = key {
                    self.key(&format!("{before}.key"), &step.name, key);
                }
                // A member of a map is reached through `value`.
                let before = if step.entries { format!("{before}.value") } else { before };
                match parts.get(index + 1) {
                    None => self.row(&before, &[], value, false),
                    Some((path, _)) => self.outer(&before, value, path),
                }
            }
            self.end_row();
        }
    }

    /// What an outer step says of all its rows; `inward` leads to them.
    fn outer(&mut self, before: &str, value: &'d Value, inward: &[Step]) {
        let Value::Object(members) = value else { return };
        for (name, inner) in members {
            let leads_inward = match inward.first() {
                Some(step) => *step == Step::Name(name.clone()),
                None => inner.is_object() || inner.is_array(),
            };
            if !leads_inward {
                self.row(&join(before, name), std::slice::from_ref(name), inner, true);
            }
        }
    }

    fn table(&mut self, value: &'d Value) {
        let rows: Vec<&Vec<Value>> = value.as_array().into_iter().flatten().filter_map(Value::as_array).collect();
        let Some((header, rows)) = rows.split_first() else { return };
        // Of two columns of one name none can be meant.
        let is_twice = |name: &Value| header.iter().filter(|other| *other == name).count() > 1;
        for row in rows.iter().take(MAX_ROWS) {
            for (name, cell) in header.iter().zip(*row).filter(|(name, _)| !is_twice(name)) {
                let name = name.as_str().unwrap_or("");
                self.put(join("", name), vec![name.to_owned()], cell, false);
            }
            self.end_row();
        }
    }

    fn cells(&mut self, value: &'d Value, width: usize) {
        for row in value.as_array().into_iter().flatten().filter_map(Value::as_array).take(MAX_ROWS) {
            for (index, cell) in row.iter().take(width).enumerate() {
                self.put(format!("c{index}"), vec![format!("c{index}")], cell, false);
            }
            self.end_row();
        }
    }

    fn zip(&mut self, value: &'d Value) {
        let arrays =
            value.as_object().into_iter().flatten().filter_map(|(name, array)| Some((name, array.as_array()?)));
        let arrays: Vec<(&String, &Vec<Value>)> = arrays.collect();
        let rows = arrays.iter().map(|(_, array)| array.len()).max().unwrap_or(0).min(MAX_ROWS);
        for index in 0..rows {
            for (name, array) in &arrays {
                if let Some(cell) = array.get(index) {
                    self.put(join("", name), vec![(*name).clone()], cell, false);
                }
            }
            self.end_row();
        }
    }

    /// All single values in a row.
    fn row(&mut self, before: &str, names: &[String], value: &'d Value, outer: bool) {
        if names.len() > MAX_DEPTH {
            return;
        }
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let names: Vec<String> = names.iter().cloned().chain([name.clone()]).collect();
                    let from = join(before, name);
                    self.row(&from, &names, inner, outer);
                }
            }
            Value::Array(items)
                if items.len() <= MAX_ELEMENTS && items.iter().all(|item| !item.is_object() && !item.is_array()) =>
            {
                for (index, inner) in items.iter().enumerate() {
                    let names: Vec<String> = names.iter().cloned().chain([index.to_string()]).collect();
                    self.put(format!("{before}[{index}]"), names, inner, outer);
                }
            }
            Value::Array(items) => {
                // An element of XML, or what may be one everywhere.
                if let [Value::Object(_)] = items.as_slice() {
                    let known = self.columns.len();
                    self.row(&format!("{before}[0]"), names, &items[0], outer);
                    self.columns.iter_mut().skip(known).for_each(|column| column.in_list = true);
                }
            }
            single => self.put(before.to_owned(), names.to_vec(), single, outer),
        }
    }

    fn put(&mut self, from: String, names: Vec<String>, cell: &'d Value, outer: bool) {
        let rows = self.rows;
        let Some(column) = self.column(from, names, outer) else { return };
        column.cells.resize(rows, None);
        column.cells.push(Some(cell));
    }

    fn key(&mut self, from: &str, step: &str, key: &str) {
        let rows = self.rows;
        let Some(column) = self.column(from.to_owned(), vec![step.to_owned()], false) else { return };
        column.keys.resize(rows, None);
        column.keys.push(Some(key.to_owned()));
        column.cells.resize(rows + 1, None);
    }

    fn column(&mut self, from: String, names: Vec<String>, outer: bool) -> Option<&mut Column<'d>> {
        if let Some(at) = self.columns.iter().position(|column| column.from == from) {
            return self.columns.get_mut(at);
        }
        if self.columns.len() >= MAX_COLUMNS || Path::parse(&from).is_err() {
            return None;
        }
        self.columns.push(Column { outer, ..Column::new(from, names) });
        self.columns.last_mut()
    }

    fn end_row(&mut self) {
        self.rows += 1;
        for column in &mut self.columns {
            column.cells.resize(self.rows, None);
            if !column.keys.is_empty() {
                column.keys.resize(self.rows, None);
            }
        }
    }
}

fn join(before: &str, name: &str) -> String {
    let own = path_text(&[Step::Name(name.to_owned())], Origin::Open);
    // An attribute of XML needs no brackets.
    let attribute = name.strip_prefix('@').filter(|rest| !rest.is_empty() && rest.chars().all(is_of_name));
    let own = if attribute.is_some() { name.to_owned() } else { own };
    // No name at all has a place in brackets only.
    let own = if name.is_empty() { "[\"\"]".to_owned() } else { own };
    match before {
        "" if matches!(name, "doc" | "param" | "window" | "header") => format!("@.{own}"),
        "" => own,
        _ if own.starts_with('[') => format!("{before}{own}"),
        _ => format!("{before}.{own}"),
    }
}

fn is_of_name(next: char) -> bool {
    next.is_ascii_alphanumeric() || next == '_' || next == '-'
}

/// The path goes through the step of this name.
fn begins_with(from: &str, step: &str) -> bool {
    from.strip_prefix(step).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The value at a place without lists.
pub fn at<'d>(document: &'d Value, steps: &[Step]) -> &'d Value {
    steps.iter().fold(document, |value, step| match step {
        Step::Name(name) => value.get(name).unwrap_or(&Value::Null),
        Step::Index(index) => value.get(*index as usize).unwrap_or(&Value::Null),
        Step::All | Step::Entries => value,
    })
}

/// The path of each list, from the element of the list before.
fn split(steps: &[Step]) -> Vec<(Vec<Step>, Step)> {
    let mut parts = Vec::new();
    let mut open = Vec::new();
    for step in steps {
        match step {
            Step::All | Step::Entries => parts.push((std::mem::take(&mut open), step.clone())),
            other => open.push(other.clone()),
        }
    }
    parts
}

/// All rows, each with the key (of a map) and the value of every step.
type Row<'d> = Vec<(Option<String>, &'d Value)>;

fn expand<'d>(value: &'d Value, parts: &[(Vec<Step>, Step)], above: &mut Row<'d>, rows: &mut Vec<Row<'d>>) {
    let Some(((path, kind), rest)) = parts.split_first() else {
        rows.push(above.clone());
        return;
    };
    let mut into = |key: Option<String>, inner: &'d Value| {
        if rows.len() < MAX_ROWS {
            above.push((key, inner));
            expand(inner, rest, above, rows);
            above.pop();
        }
    };
    for place in places(value, path) {
        match (place, kind) {
            (Value::Array(items), Step::All) => items.iter().for_each(|item| into(None, item)),
            (Value::Object(members), Step::Entries) => {
                members.iter().for_each(|(key, inner)| into(Some(key.clone()), inner));
            }
            _ => {}
        }
    }
}

/// All values at a place that may lie in lists.
fn places<'d>(value: &'d Value, path: &[Step]) -> Vec<&'d Value> {
    let Some(list) = path.iter().position(|step| *step == Step::All) else { return vec![at(value, path)] };
    let items = at(value, &path[..list]).as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().flat_map(|item| places(item, &path[list + 1..])).collect()
}

/// Steps with names: the singular of the member that holds them, each once.
fn named(parts: &[(Vec<Step>, Step)]) -> Vec<NamedStep> {
    let mut named: Vec<NamedStep> = Vec::new();
    for (index, (path, kind)) in parts.iter().enumerate() {
        let last = path.iter().rev().find_map(|step| match step {
            Step::Name(name) => Some(super::dims::clean(name)),
            _ => None,
        });
        let base = singular(&last.unwrap_or_else(|| if index == 0 { "item".into() } else { "part".into() }));
        let is_taken = |name: &str| {
            matches!(name, "doc" | "param" | "window" | "header" | "key" | "value")
                || named.iter().any(|step| step.name == name)
        };
        let mut name = base.clone();
        for number in 2.. {
            if !is_taken(&name) {
                break;
            }
            name = format!("{base}_{number}");
        }
        let inner = named.last().is_some_and(|outer: &NamedStep| outer.entries);
        let path = match (index, path.is_empty()) {
            (0, _) => path_text(path, Origin::Document),
            (_, true) if inner => format!("{}.value", named[index - 1].name),
            (_, true) => "@".to_owned(),
            (_, false) if inner => join_path(&format!("{}.value", named[index - 1].name), path),
            // A path that begins as the outer step is called would be taken for that step.
            (_, false) => {
                let like_outer =
                    |step: &Step| matches!((step, named.last()), (Step::Name(own), Some(outer)) if *own == outer.name);
                path_text(path, if like_outer(&path[0]) { Origin::Row } else { Origin::Open })
            }
        };
        named.push(NamedStep { name, path, entries: *kind == Step::Entries });
    }
    named
}

fn join_path(before: &str, path: &[Step]) -> String {
    let own = path_text(path, Origin::Open);
    if own.starts_with('[') { format!("{before}{own}") } else { format!("{before}.{own}") }
}

fn singular(name: &str) -> String {
    match name {
        "series" | "data" | "news" => name.to_owned(),
        _ => match (name.strip_suffix("ies"), name.strip_suffix('s')) {
            (Some(stem), _) if stem.len() > 1 => format!("{stem}y"),
            (_, Some(stem)) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
            _ => name.to_owned(),
        },
    }
}
