//! Where the rows are, as levels from the outside in.

use super::condition;
use super::notes::Notes;
use super::scope::{RESERVED, Scope};
use crate::profiles::document::rows::{
    Columns, Cube, CubeDoc, Each, JoinPairs as JoinPairsDoc, Pivot as PivotDoc, Rows, StepDoc, Table,
    Unpivot as UnpivotDoc,
};
use crate::profiles::node::{At, Place};
use crate::profiles::path::{Origin, Path, Segment};
use crate::profiles::plan::{
    self, Found, FoundKind, JoinPairs, Keys, LevelKind, ListPlace, Pick, Places, Prepare, SelectStep, Selector, Take,
};

/// Adds the levels that the profile names; gives what is to be done before they are walked.
pub fn declared(rows: &At<Rows>, grid: bool, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    let doc = &rows.value;
    let ways = [
        doc.each.is_some(),
        doc.table.is_some() && !grid,
        doc.zip.is_some(),
        doc.join_pairs.is_some(),
        doc.cube.is_some(),
        doc.single.is_some(),
    ];
    let expected = usize::from(!grid);
    if ways.iter().filter(|way| **way).count() != expected {
        let message = if grid {
            "an answer in csv or columns is a table; rows takes unpivot and pivot only"
        } else {
            "rows is exactly one of each, table, zip, join_pairs, cube and single"
        };
        notes.add(rows.place, message);
        // A stand-in, so that fields are told their own problems only.
        line_rows(rows.place, scope, notes);
        return Prepare::Nothing;
    }
    let prepare = container(doc, rows.place, grid, scope, notes);
    if let Some(unpivot) = &doc.unpivot {
        self::unpivot(unpivot, scope, notes);
    }
    prepare
}

fn container(doc: &Rows, place: Place, grid: bool, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    match doc {
        _ if grid => grid_rows(place, scope, notes),
        Rows { each: Some(each), .. } => return each_rows(&each.value, scope, notes),
        Rows { join_pairs: Some(pairs), .. } => return join_pairs(pairs, scope, notes),
        Rows { cube: Some(cube), .. } => return self::cube(cube, scope, notes),
        Rows { table: Some(table), .. } => return table_rows(table, scope, notes),
        Rows { zip: Some(zip), .. } => {
            let kind = LevelKind::Zip { columns: Vec::new() };
            return under(zip.value.under.as_ref(), zip.place, kind, scope, notes);
        }
        Rows { single, .. } => return under(single.as_ref(), place, LevelKind::Single, scope, notes),
    }
    Prepare::Nothing
}

/// The rows of an answer that is lines of cells.
pub fn grid_rows(place: Place, scope: &mut Scope<'_>, notes: &mut Notes) {
    let result = scope.add_levels(None, &[], LevelKind::Table { columns: Vec::new(), unpivot: None });
    notes.keep(place, result);
}

/// The rows of an answer of which every line is one.
pub fn line_rows(place: Place, scope: &mut Scope<'_>, notes: &mut Notes) {
    let result = scope.add_levels(None, &[], LevelKind::Each);
    notes.keep(place, result);
}

/// Adds the level that the answer's shape showed.
pub fn found(found: &Found, scope: &mut Scope<'_>) -> Result<(), String> {
    let kind = match found.kind {
        FoundKind::Each => LevelKind::Each,
        FoundKind::Table => LevelKind::Table { columns: Vec::new(), unpivot: None },
        FoundKind::Zip => LevelKind::Zip { columns: Vec::new() },
        FoundKind::Single => LevelKind::Single,
    };
    scope.add_levels(None, &found.under, kind)
}

fn unpivot(unpivot: &At<UnpivotDoc>, scope: &mut Scope<'_>, notes: &mut Notes) {
    let doc = &unpivot.value;
    let Some(columns) = &doc.columns else {
        notes.add(unpivot.place, "unpivot needs columns: a map, a list or /a regular expression/");
        return;
    };
    let name =
        |said: Option<&At<String>>, usual: &str| said.map_or_else(|| usual.to_owned(), |name| name.value.clone());
    let (key, value) = (name(doc.key.as_ref(), "key"), name(doc.value.as_ref(), "value"));
    if key == value {
        notes.add(unpivot.place, "key and value of unpivot need different names");
    }
    let keys = match &columns.value {
        Columns::Named(named) if named.is_empty() => {
            notes.add(columns.place, "unpivot names no columns");
            return;
        }
        Columns::Named(named) => {
            let pair = |(column, text): &(At<String>, String)| (column.value.as_str().into(), text.as_str().into());
            Keys::Named(named.iter().map(pair).collect())
        }
        Columns::Matching(pattern) => {
            let Some(pattern) = notes.keep(columns.place, condition::pattern(&format!("^(?:{pattern})$"))) else {
                return;
            };
            Keys::Matching(Box::new(pattern))
        }
    };
    let result = scope.unpivot(keys, &key, &value);
    notes.keep(unpivot.place, result);
}

/// Compiles a pivot; the names that fields use change from here on.
pub fn pivot(pivot: &At<PivotDoc>, scope: &mut Scope<'_>, notes: &mut Notes) -> Option<plan::Pivot> {
    let doc = &pivot.value;
    let (Some(by), Some(name), Some(value)) = (&doc.by, &doc.name, &doc.value) else {
        notes.add(pivot.place, "pivot needs by, name and value");
        return None;
    };
    let mut slot = |text: &At<String>| {
        let path = notes.path(text)?;
        let slot = scope.row_slot(&path).map_err(|error| format!("{:?}: {error}", text.value));
        notes.keep(text.place, slot).map(|slot| (path, slot))
    };
    let by: Vec<(Path, plan::Slot)> = by.iter().filter_map(&mut slot).collect();
    let (name, value) = (slot(name)?.1, slot(value)?.1);
    let slots = by.iter().map(|(_, common)| *common).collect();
    scope.begin_pivot(by);
    Some(plan::Pivot { by: slots, name, value, columns: Vec::new() })
}

fn join_pairs(pairs: &At<JoinPairsDoc>, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    let doc = &pairs.value;
    let lists = doc.lists.as_ref().map_or(&[][..], |lists| &lists.0);
    if lists.is_empty() {
        notes.add(pairs.place, "join_pairs needs lists: {name: path}");
        return Prepare::Nothing;
    }
    let position = |said: Option<&At<u64>>, usual: usize| {
        said.map_or(usual, |said| usize::try_from(said.value).unwrap_or(usize::MAX))
    };
    let (on, value) = (position(doc.on.as_ref(), 0), position(doc.value.as_ref(), 1));
    if on == value {
        notes.add(pairs.place, "on and value are different positions of a pair");
    }
    // One walk that finds the lists.
    let mut finder = Scope::new(&[], false, None);
    let root = finder.add_levels(None, &[], LevelKind::Single);
    notes.keep(pairs.place, root);
    let mut slots = Vec::with_capacity(lists.len());
    for (name, path) in lists {
        if let Some(selector) = selector(path, notes) {
            slots.push((name.value.clone(), ListPlace::Selected(selector)));
            continue;
        }
        let Some(parsed) = notes.path(path) else { continue };
        let segments = match parsed.segments.as_slice() {
            [rest @ .., Segment::All] => rest.to_vec(),
            all => all.to_vec(),
        };
        let slot = finder.row_slot(&Path { origin: Origin::Row, segments });
        slots.extend(notes.keep(path.place, slot).map(|slot| (name.value.clone(), ListPlace::Slot(slot))));
    }
    let key = doc.key.as_ref().map_or("key", |key| key.value.as_str());
    let names = std::iter::once(key).chain(lists.iter().map(|(name, _)| name.value.as_str()));
    let rows = scope.prepare().and_then(|()| scope.add_levels(None, &[], LevelKind::Each));
    let rows = rows.and_then(|()| scope.name_columns(names));
    notes.keep(pairs.place, rows);
    let places = notes.keep(pairs.place, finder.finish()).map_or_else(Places::default, |finished| finished.places);
    Prepare::JoinPairs(JoinPairs { on, value, lists: slots, places })
}

fn cube(cube: &At<Cube>, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    let plain;
    let doc = match &cube.value {
        Cube::Full(doc) => doc,
        Cube::Form(form) => {
            plain = CubeDoc { form: Some(At { value: *form, place: cube.place }), under: None };
            &plain
        }
    };
    let Some(form) = &doc.form else {
        notes.add(cube.place, "a cube needs form: json-stat or sdmx-json");
        return Prepare::Nothing;
    };
    let under = match doc.under.as_ref().and_then(|path| selector(path, notes)) {
        Some(selector) => Pick::Path(selector),
        None => {
            let path = doc.under.as_ref().and_then(|path| notes.path(path));
            Pick::Plain(path.map_or_else(Vec::new, |path| path.segments))
        }
    };
    if matches!(&under, Pick::Plain(segments) if segments.contains(&Segment::All)) {
        notes.add(cube.place, "the path of a cube leads to one place");
    }
    let rows = scope.prepare().and_then(|()| scope.add_levels(None, &[], LevelKind::Each));
    notes.keep(cube.place, rows);
    scope.name_cube();
    Prepare::Cube(plan::Cube { form: form.value, under, columns: Vec::new() })
}

/// One step of `each`.
struct Step<'d> {
    name: Option<&'d At<String>>,
    text: &'d At<String>,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Each,
    Entries,
    Zip,
    Table,
}

impl Step<'_> {
    fn name(&self) -> Option<&str> {
        self.name.map(|name| name.value.as_str())
    }

    fn kind(&self) -> LevelKind {
        match self.way {
            Way::Each => LevelKind::Each,
            Way::Entries => LevelKind::Entries { key: None, keys: Keys::All },
            Way::Zip => LevelKind::Zip { columns: Vec::new() },
            Way::Table => LevelKind::Table { columns: Vec::new(), unpivot: None },
        }
    }

    fn take(&self) -> Take {
        match self.way {
            Way::Each => Take::Elements,
            Way::Entries => Take::Members,
            Way::Zip | Way::Table => Take::Whole,
        }
    }
}

fn each_rows(each: &Each, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    let steps: Vec<Step<'_>> = match each {
        Each::Path(text) => vec![Step { name: None, text, way: Way::Each }],
        Each::Steps(steps) => steps.iter().filter_map(|step| self::step(step, notes)).collect(),
    };
    let selects: Vec<Option<Selector>> = steps.iter().map(|step| selector(step.text, notes)).collect();
    let prepared = selects.iter().any(Option::is_some);
    if prepared {
        notes.keep(steps[0].text.place, scope.prepare());
    }
    let last = steps.len().saturating_sub(1);
    let mut picks = Vec::with_capacity(steps.len());
    for (index, (step, select)) in steps.iter().zip(selects).enumerate() {
        if let Some(name) = step.name {
            check_name(name, scope, notes);
        }
        let first = index == 0;
        if prepared {
            picks.extend(pick(step, select, first, scope, notes));
            let added = scope.add_levels(step.name(), &[], step.kind());
            let split = added.and_then(|()| if index < last { scope.split_elements() } else { Ok(()) });
            notes.keep(step.text.place, split);
        } else {
            add(step, first, scope, notes);
        }
    }
    if prepared { Prepare::Select(picks) } else { Prepare::Nothing }
}

/// Where a step finds its rows, in a tree.
fn pick(
    step: &Step<'_>,
    select: Option<Selector>,
    first: bool,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Option<SelectStep> {
    let take = step.take();
    if let Some(selector) = select {
        begins_at_answer(step.text, selector.text.starts_with('$'), first, notes)?;
        let pick = Pick::Path(without_step_name(selector, step.text, first, scope, notes)?);
        return Some(SelectStep { pick, take });
    }
    let path = step_path(step.text, first, scope, notes)?;
    Some(SelectStep { pick: Pick::Plain(path.segments), take })
}

/// `tx.data[?…]` in the second step means `data[?…]` of the first.
fn without_step_name(
    selector: Selector,
    text: &At<String>,
    first: bool,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Option<Selector> {
    let outer = scope.level_names().last().filter(|_| !first);
    let Some(rest) = outer.and_then(|outer| selector.text.strip_prefix(outer)) else { return Some(selector) };
    let inner = if scope.innermost_is_entries() { rest.strip_prefix(".value").unwrap_or(rest) } else { rest };
    if !inner.starts_with(['.', '[']) {
        return Some(selector);
    }
    notes.keep(text.place, Selector::parse(&format!("${inner}"))).flatten()
}

/// A JSONPath that is more than a plain path. `None` where it is plain, or where it is wrong and that was noted.
pub fn selector(text: &At<String>, notes: &mut Notes) -> Option<Selector> {
    notes.keep(text.place, Selector::parse(&text.value)).flatten()
}

fn step<'d>(step: &'d At<StepDoc>, notes: &mut Notes) -> Option<Step<'d>> {
    let name = step.value.name.as_ref();
    let doc = &step.value;
    let ways = [(&doc.path, Way::Each), (&doc.entries, Way::Entries), (&doc.zip, Way::Zip), (&doc.table, Way::Table)];
    let mut said = ways.into_iter().filter_map(|(text, way)| Some((text.as_ref()?, way)));
    match (said.next(), said.next()) {
        (Some((text, way)), None) => Some(Step { name, text, way }),
        _ => {
            notes.add(step.place, "a step is one of path, entries, zip and table");
            None
        }
    }
}

fn check_name(name: &At<String>, scope: &Scope<'_>, notes: &mut Notes) {
    let text = name.value.as_str();
    if RESERVED.contains(&text) {
        notes.add(name.place, format!("{text:?} already has a meaning; choose another name"));
    } else if scope.level_names().any(|other| other == text) {
        notes.add(name.place, format!("two steps are named {text:?}"));
    } else if text.is_empty() || text.contains(['.', '[', '{', '}', '$', '@', ' ']) {
        notes.add(name.place, format!("{text:?} is not a good name; use letters, digits and _"));
    }
}

fn add(step: &Step<'_>, first: bool, scope: &mut Scope<'_>, notes: &mut Notes) {
    let Some(path) = step_path(step.text, first, scope, notes) else { return };
    let result = scope.add_levels(step.name(), &path.segments, step.kind());
    notes.keep(step.text.place, result);
}

fn step_path(text: &At<String>, first: bool, scope: &Scope<'_>, notes: &mut Notes) -> Option<Path> {
    let mut path = notes.path(text)?;
    begins_at_answer(text, path.origin == Origin::Document, first, notes)?;
    strip_step_name(&mut path, first, scope);
    Some(path)
}

/// A later step begins at the element of the one before it.
fn begins_at_answer(text: &At<String>, document: bool, first: bool, notes: &mut Notes) -> Option<()> {
    if first || !document {
        return Some(());
    }
    let hint = "a step begins at the element of the step before: leave the $. out";
    notes.add_with_hint(text.place, format!("{:?} begins at the whole answer", text.value), hint);
    None
}

/// `tx.value` in the second step means `value` of the first: a step starts from the one before it in any case.
fn strip_step_name(path: &mut Path, first: bool, scope: &Scope<'_>) {
    let outer = scope.level_names().last();
    if first || path.origin != Origin::Open || outer.is_none() || path.first_name() != outer {
        return;
    }
    path.segments.remove(0);
    if scope.innermost_is_entries() && path.first_name() == Some("value") {
        path.segments.remove(0);
    }
}

fn table_rows(table: &At<Table>, scope: &mut Scope<'_>, notes: &mut Notes) -> Prepare {
    match (&table.value.header, &table.value.names) {
        (Some(_), None) => {
            let kind = LevelKind::Table { columns: Vec::new(), unpivot: None };
            under(table.value.under.as_ref(), table.place, kind, scope, notes)
        }
        (None, Some(names)) => {
            let prepare = under(table.value.under.as_ref(), table.place, LevelKind::Each, scope, notes);
            let result = scope.name_columns(names.iter().map(|name| name.value.as_str()));
            notes.keep(table.place, result);
            prepare
        }
        _ => {
            notes.add(table.place, "a table has either header: first or names");
            Prepare::Nothing
        }
    }
}

/// The rows of one container.
fn under(
    path: Option<&At<String>>,
    place: Place,
    kind: LevelKind,
    scope: &mut Scope<'_>,
    notes: &mut Notes,
) -> Prepare {
    if let Some(selector) = path.and_then(|text| selector(text, notes)) {
        let result = scope.prepare().and_then(|()| scope.add_levels(None, &[], kind));
        notes.keep(place, result);
        return Prepare::Place(selector);
    }
    let root = || Path { origin: Origin::Document, segments: Vec::new() };
    let path = match path {
        Some(text) => notes.path(text),
        None => Some(root()),
    };
    let Some(path) = path else { return Prepare::Nothing };
    let mut segments = path.segments;
    if matches!(kind, LevelKind::Each | LevelKind::Table { .. }) && segments.last() == Some(&Segment::All) {
        segments.pop();
    }
    let result = scope.add_levels(None, &segments, kind);
    notes.keep(place, result);
    Prepare::Nothing
}
