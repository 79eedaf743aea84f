//! Where the rows are in an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::columns::is_measured;
use crate::profiles::path::{Origin, Path, Segment};

/// Values deeper than this, or beyond so many, are not looked at.
const MAX_DEPTH: usize = 12;
const MAX_CONTAINERS: usize = 20_000;
/// Rows that are looked at.
const MAX_SAMPLE: usize = 50;

/// One step of the way to the rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(u32),
    /// Every element of an array.
    All,
    /// Every member of a map whose keys are data.
    Entries,
}

/// Where the rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Elements of arrays or members of maps; the last step is `All` or `Entries`.
    Each(Vec<Step>),
    /// An array of arrays whose first names the columns.
    Table(Vec<Step>),
    /// An array of arrays of this many cells, without names.
    Cells(Vec<Step>, usize),
    /// Parallel arrays.
    Zip(Vec<Step>),
    /// One object.
    Single(Vec<Step>),
    /// A statistical cube.
    Cube(super::cube::Cube),
}

impl Shape {
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Each(steps) | Self::Table(steps) | Self::Cells(steps, _) | Self::Zip(steps) | Self::Single(steps) => {
                steps
            }
            Self::Cube(cube) => &cube.under,
        }
    }
}

/// A path from the document, as a profile writes it.
pub fn path_text(steps: &[Step], origin: Origin) -> String {
    let segment = |step: &Step| match step {
        Step::Name(name) => Segment::Name(name.clone()),
        Step::Index(index) => Segment::Index(*index),
        Step::All | Step::Entries => Segment::All,
    };
    Path { origin, segments: steps.iter().map(segment).collect() }.to_string()
}

/// Lists of objects, by their place with every element of an array taken together.
type Lists<'d> = BTreeMap<Vec<Step>, Vec<&'d Value>>;

/// The rows that tell most: those with measures before those without, long lists before short ones.
pub fn find(document: &Value, is_xml: bool) -> Option<Shape> {
    if let Some(cube) = super::cube::find(document) {
        return Some(Shape::Cube(cube));
    }
    let mut walk = Walk { lists: Lists::new(), others: Vec::new(), left: MAX_CONTAINERS, is_xml };
    walk.visit(document, &mut Vec::new());
    let lists = generalise(walk.lists);
    let best = lists
        .iter()
        .map(|(steps, rows)| (score(rows, is_xml), steps))
        .max_by(|left, right| left.0.cmp(&right.0).then(right.1.len().cmp(&left.1.len())).then(right.1.cmp(left.1)));
    if let Some((points, steps)) = best
        && points > 0
    {
        return Some(Shape::Each(steps.clone()));
    }
    let by_size = walk.others.into_iter().max_by_key(|(size, shape)| (*size, std::cmp::Reverse(shape.steps().len())));
    if let Some((_, shape)) = by_size {
        return Some(shape);
    }
    if let Some(map) = map_of_rows(document, &mut Vec::new(), MAX_DEPTH) {
        return Some(Shape::Each(map));
    }
    match best {
        Some((_, steps)) => Some(Shape::Each(steps.clone())),
        None => {
            document.as_object().filter(|members| members.values().any(is_measured)).map(|_| Shape::Single(Vec::new()))
        }
    }
}

struct Walk<'d> {
    lists: Lists<'d>,
    /// Tables and parallel arrays with their number of cells.
    others: Vec<(usize, Shape)>,
    left: usize,
    is_xml: bool,
}

impl<'d> Walk<'d> {
    fn visit(&mut self, value: &'d Value, path: &mut Vec<Step>) {
        if path.len() > MAX_DEPTH || self.left == 0 {
            return;
        }
        self.left -= 1;
        match value {
            Value::Array(items) => self.array(items, path),
            Value::Object(members) => {
                if let Some(cells) = parallel(members) {
                    self.others.push((cells, Shape::Zip(path.clone())));
                }
                for (name, inner) in members {
                    self.below(Step::Name(name.clone()), inner, path);
                }
            }
            _ => {}
        }
    }

    fn array(&mut self, items: &'d [Value], path: &mut Vec<Step>) {
        if items.iter().all(Value::is_object) && !items.is_empty() && !(self.is_xml && is_text_only(items)) {
            path.push(Step::All);
            self.lists.entry(path.clone()).or_default().extend(items);
            path.pop();
        }
        if let Some((cells, shape)) = table(items, path) {
            self.others.push((cells, shape));
            return;
        }
        let alike = items.windows(2).all(|pair| pair[0].is_object() == pair[1].is_object());
        for (index, inner) in items.iter().enumerate() {
            let step = if alike { Step::All } else { Step::Index(u32::try_from(index).unwrap_or(u32::MAX)) };
            self.below(step, inner, path);
        }
    }

    fn below(&mut self, step: Step, value: &'d Value, path: &mut Vec<Step>) {
        if value.is_array() || value.is_object() {
            path.push(step);
            self.visit(value, path);
            path.pop();
        }
    }
}

/// Elements that hold a text and nothing else are fields of the element around them.
fn is_text_only(items: &[Value]) -> bool {
    let is_text = |item: &Value| item.as_object().is_some_and(|item| item.keys().all(|name| name == "#text"));
    items.iter().all(is_text)
}

/// Rows × measures of a list.
fn score(rows: &[&Value], is_xml: bool) -> usize {
    let sample = || rows.iter().take(MAX_SAMPLE).filter_map(|row| row.as_object());
    let measured: BTreeSet<String> = sample().flat_map(|row| measured_paths("", row, 3, is_xml)).collect();
    rows.len().saturating_mul(measured.len().min(5))
}

fn measured_paths(before: &str, row: &serde_json::Map<String, Value>, depth: usize, is_xml: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in row {
        let path = format!("{before}.{name}");
        // The child elements of XML are lists; one alone is a field, its text is named as it is.
        let only = value.as_array().filter(|items| is_xml && items.len() == 1).map_or(value, |items| &items[0]);
        let text = only.get("#text").filter(|_| is_xml);
        match text.unwrap_or(only) {
            Value::Object(inner) if depth > 0 => found.extend(measured_paths(&path, inner, depth - 1, is_xml)),
            single if is_measured(single) && !super::dims::is_code(name) && !super::times::is_time_name(name) => {
                found.push(path);
            }
            _ => {}
        }
    }
    found
}

/// Lists at like places under different names are one list: the names are data.
fn generalise(lists: Lists<'_>) -> Lists<'_> {
    let mut groups: Vec<(Vec<Step>, Vec<&Value>)> = Vec::new();
    for (steps, rows) in lists {
        let names = names_of(&rows);
        let alike = |(other, others): &&mut (Vec<Step>, Vec<&Value>)| {
            is_same_form(&steps, other) && overlap(&names, &names_of(others)) >= 0.5
        };
        match groups.iter_mut().find(alike) {
            Some((other, others)) => {
                for (left, right) in other.iter_mut().zip(&steps).filter(|(left, right)| left != right) {
                    let _ = right;
                    *left = Step::Entries;
                }
                others.extend(rows);
            }
            None => groups.push((steps, rows)),
        }
    }
    groups.into_iter().collect()
}

/// Of one length, with names where the other has names.
fn is_same_form(left: &[Step], right: &[Step]) -> bool {
    let named = |step: &Step| matches!(step, Step::Name(_) | Step::Entries);
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| left == right || (named(left) && named(right)))
}

fn names_of<'d>(rows: &[&'d Value]) -> BTreeSet<&'d str> {
    rows.iter()
        .take(MAX_SAMPLE)
        .filter_map(|row| row.as_object())
        .flat_map(|row| row.keys().map(String::as_str))
        .collect()
}

fn overlap(left: &BTreeSet<&str>, right: &BTreeSet<&str>) -> f64 {
    let shared = left.intersection(right).count();
    let all = left.union(right).count().max(1);
    shared as f64 / all as f64
}

fn is_single(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// An array of arrays of single values, all of one length.
fn table(items: &[Value], path: &[Step]) -> Option<(usize, Shape)> {
    let rows: Vec<&Vec<Value>> = items.iter().map(Value::as_array).collect::<Option<_>>()?;
    let first = rows.first().filter(|first| first.len() >= 2)?;
    let fits = rows.iter().all(|row| row.len() == first.len() && row.iter().all(is_single));
    if !fits || rows.len() < 2 {
        return None;
    }
    let cells = rows.len() * first.len();
    let names = first.iter().all(|cell| cell.as_str().is_some_and(|text| !text.is_empty() && !is_measured(cell)));
    let names = names && rows[1..].iter().any(|row| row.iter().any(is_measured));
    Some((cells, if names { Shape::Table(path.to_vec()) } else { Shape::Cells(path.to_vec(), first.len()) }))
}

/// Cells of two or more arrays of one length, with a number among them.
fn parallel(members: &serde_json::Map<String, Value>) -> Option<usize> {
    let arrays: Vec<&Vec<Value>> = members.values().filter_map(Value::as_array).collect();
    let first = arrays.first().filter(|first| first.len() >= 2)?;
    let fits = arrays.iter().all(|array| array.len() == first.len() && array.iter().all(is_single));
    let measured = arrays.iter().any(|array| array.iter().any(is_measured));
    (arrays.len() >= 2 && fits && measured).then(|| arrays.len() * first.len())
}

/// The way to a map whose keys are data: its members are alike, `{"2024-01-01": {"USD": 1.1}, …}`, or its keys are times.
fn map_of_rows(value: &Value, path: &mut Vec<Step>, depth: usize) -> Option<Vec<Step>> {
    let members = value.as_object().filter(|_| depth > 0)?;
    let keys: Vec<&str> = members.keys().map(String::as_str).collect();
    let are_times = keys.len() >= 2 && super::times::form_of("date", &keys).is_some();
    if are_times && members.values().all(|inner| is_measured(inner) || inner.is_null()) {
        return Some(path.iter().cloned().chain([Step::Entries]).collect());
    }
    let rows: Vec<&Value> = members.values().filter(|inner| inner.is_object()).collect();
    if rows.len() >= 2 && rows.len() == members.len() {
        let first = names_of(&rows[..1]);
        if rows.iter().all(|row| overlap(&first, &names_of(&[row])) >= 0.5) && (are_times || score(&rows, false) > 0) {
            return Some(path.iter().cloned().chain([Step::Entries]).collect());
        }
    }
    for (name, inner) in members {
        path.push(Step::Name(name.clone()));
        let found = map_of_rows(inner, path, depth - 1);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}
