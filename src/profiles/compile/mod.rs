//! From a document to a plan, once, when a profile is loaded. Notes every problem; a profile without problems
//! always runs.

mod answer;
mod auth;
mod condition;
mod decoding;
mod drift;
mod field;
mod first;
mod keep;
mod mapping;
mod minimal;
mod notes;
mod placement;
mod politeness;
mod record;
mod retention;
mod rows;
mod schedule;
mod scope;
mod source;
mod steps;
mod test;
mod window;

use std::sync::Arc;
use std::time::Duration;

use super::document::source::Source;
use super::document::source::form::Format;
use super::document::{Document, Limits as LimitsDoc};
use super::node::{At, Place};
use super::own_test::ProfileTest;
use super::path::{Origin, Path, Segment};
use super::plan::{Found, FoundKind, KeepAnswers, Limits, Mapping, MappingPlan, Paging, Plan, Request, Scalar, Timing};
use super::problem::Problem;
use crate::domain::ids::ProfileId;
use crate::domain::needs::Needs;
use crate::domain::retention::Retention;
use notes::Notes;

/// A profile's head and plan, before it is known to be without problems.
pub struct Compiled {
    pub id: Option<ProfileId>,
    pub version: String,
    pub timing: Timing,
    pub plan: Option<Plan>,
    pub document: Document,
    pub test: Option<ProfileTest>,
    pub keep: Option<KeepAnswers>,
    pub retention: Retention,
    pub needs: Needs,
}

/// Compiles a document; adds to `problems`.
pub fn compile(mut document: Document, problems: &mut Vec<Problem>) -> Compiled {
    let mut notes = Notes::default();
    let id = id(&document, &mut notes);
    let version = version(&document, &mut notes);
    minimal::expand(&mut document, &mut notes);
    let timing = schedule::timing(document.schedule.as_ref(), &mut notes);
    let plan = plan(&document, &mut notes);
    let test = test::test(document.test.as_ref(), &mut notes);
    let keep = keep::answers(document.keep.as_ref(), &mut notes);
    let retention = retention::retention(&document, &mut notes);
    let needs = placement::needs(document.placement.as_ref(), plan.as_ref(), &mut notes);
    problems.append(&mut notes.problems);
    Compiled { id, version, timing, plan, document, test, keep, retention, needs }
}

fn id(document: &Document, notes: &mut Notes) -> Option<ProfileId> {
    let Some(id) = &document.id else {
        notes.add(Place::START, "the profile needs id");
        return None;
    };
    notes.keep(id.place, ProfileId::parse(&id.value).map_err(|error| error.to_string()))
}

fn version(document: &Document, notes: &mut Notes) -> String {
    const USUAL: &str = "1.0.0";
    let Some(version) = &document.version else { return USUAL.to_owned() };
    let parts: Vec<&str> = version.value.split(['-', '+']).next().unwrap_or("").split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.len() <= 9 && part.chars().all(|next| next.is_ascii_digit());
    if parts.len() != 3 || !parts.iter().all(number) || version.value.len() > 100 {
        let message = format!("{:?} is not a semantic version", version.value);
        notes.add_with_hint(version.place, message, "three numbers, such as 1.0.0");
    }
    version.value.clone()
}

fn limits(said: Option<&At<LimitsDoc>>, notes: &mut Notes) -> Limits {
    let usual = Limits::DEFAULT;
    let Some(At { value: doc, .. }) = said else { return usual };
    let mut count = |limit: Option<&At<u64>>, default: u64| match limit {
        Some(zero) if zero.value == 0 => {
            notes.add(zero.place, "a limit is at least 1");
            default
        }
        Some(number) => number.value,
        None => default,
    };
    let limits = Limits {
        max_records: count(doc.max_records.as_ref(), usual.max_records),
        max_pages: count(doc.max_pages.as_ref(), usual.max_pages),
        max_bytes: count(doc.max_bytes.as_ref(), usual.max_bytes),
        max_requests: count(doc.max_requests.as_ref(), usual.max_requests),
        timeout: doc.timeout.as_ref().map_or(usual.timeout, |timeout| Duration::from_millis(timeout.value.ms)),
    };
    if let Some(timeout) = doc.timeout.as_ref().filter(|timeout| !(100..=3_600_000).contains(&timeout.value.ms)) {
        notes.add(timeout.place, "the timeout is from 100ms to 1h");
    }
    limits
}

fn plan(document: &Document, notes: &mut Notes) -> Option<Plan> {
    let Some(source) = &document.source else {
        notes.add(Place::START, "the profile needs source");
        return None;
    };
    let doc = &source.value;
    let limits = limits(document.limits.as_ref(), notes);
    let (mut params, sets) = source::parameters(doc, notes);
    let first = first::first(document, &params, &sets, &limits, notes).map(Box::new);
    let own = params.len();
    params.extend(first::names(doc));
    let batch = first::batch(doc, &params, own, notes);
    let sets = match &batch {
        Some(batch) if batch.index < own => batch.batched(sets),
        _ => sets,
    };
    let plan = plan_of(document, (params, sets), limits, notes)?;
    let plan = Plan { first, batch, ..plan };
    check_varies(doc, &plan, notes);
    Some(plan)
}

/// Requests that are all the same give every record again and again.
fn check_varies(doc: &Source, plan: &Plan, notes: &mut Notes) {
    let lists = plan.first.iter().flat_map(|first| first.plan.request.holes());
    let holes: Vec<&str> = plan.request.holes().into_iter().chain(lists).map(|hole| hole.name.as_str()).collect();
    let names = |name: &String| holes.iter().any(|hole| hole.strip_prefix("param.").unwrap_or(hole) == name);
    if let (Some(said), false) = (&doc.window, holes.iter().any(|hole| hole.starts_with("window."))) {
        let hint = "put {window.start} and {window.end} where the source takes them, such as query: {from: \"{window.start:%Y-%m-%d}\"}";
        notes.add_with_hint(
            said.place,
            "the request does not name the window, so each window would ask the same",
            hint,
        );
    }
    if let (Some(said), true, false) = (&doc.for_each, plan.sets.len() > 1, plan.params.iter().any(names)) {
        let hint = format!("put {{{}}} where the source takes it", plan.params.join("} or {"));
        let message = "the request names no parameter of for_each, so each set would ask the same";
        notes.add_with_hint(said.place, message, hint);
    }
}

/// Compiles all but what parameters are made of.
fn plan_of(
    document: &Document,
    (params, sets): (Vec<String>, Vec<Vec<Scalar>>),
    limits: Limits,
    notes: &mut Notes,
) -> Option<Plan> {
    let source = document.source.as_ref()?;
    let doc = &source.value;
    let window = window::window(doc, notes);
    let holes = source::Holes {
        params: &params,
        has_window: doc.window.is_some(),
        has_cursor: doc.cursor.is_some(),
        takes_secrets: false,
    };
    let request = source::request(source, &holes, notes);
    let paging = window::paging(doc, notes);
    let answers = answer::answers(doc, notes);
    let politeness = politeness::politeness(doc, notes);
    let decoding = decoding::decoding(doc, notes);
    let cursor = doc.cursor.as_ref().and_then(|cursor| window::cursor(doc, cursor, request.as_ref(), notes));
    check_pointers(paging.as_ref(), request.as_ref(), source.value.paging.as_ref(), notes);
    let mapping = mapping_plan(document, &params, notes)?;
    let duplicates = record::duplicates(document, notes);
    let drift = drift::rule(document, notes);
    let request = request?;
    let (first, batch) = (None, None);
    Some(Plan {
        request,
        params,
        sets,
        first,
        batch,
        window,
        paging,
        answers,
        politeness,
        decoding,
        cursor,
        duplicates,
        limits,
        mapping,
        drift,
    })
}

/// A parameter of paging that goes into the body needs a JSON body.
fn check_pointers(
    paging: Option<&Paging>,
    request: Option<&Request>,
    said: Option<&At<super::document::source::paging::Paging>>,
    notes: &mut Notes,
) {
    let (Some(paging), Some(request), Some(said)) = (paging, request, said) else { return };
    let size = paging.size.as_ref().and_then(|(param, _)| param.as_deref());
    let pointer = [paging.kind.param(), size].into_iter().flatten().any(|param| param.starts_with('/'));
    if pointer && !matches!(request.body, super::plan::Body::Json(_)) {
        notes.add(said.place, "a JSON Pointer as param puts it into the body, and the request has no json body");
    }
}

fn mapping_plan(document: &Document, params: &[String], notes: &mut Notes) -> Option<MappingPlan> {
    let format = document.source.as_ref().and_then(|source| source.value.format.as_ref());
    if let (Some(At { value: Format::Xml, place }), None) = (format, &document.rows) {
        notes.add(*place, "an XML answer needs rows, such as rows: {each: $.item}; $ is the root element");
        return None;
    }
    let rows_follow = format.is_some_and(|format| format.value != Format::Json);
    if document.rows.is_some() || rows_follow {
        let mapping = mapping::mapping(document, params, None, notes)?;
        return Some(MappingPlan::Ready(Arc::new(mapping)));
    }
    // Compiled once with a stand-in for the shape, so that all other problems are told when the profile is loaded.
    let stand_in = Found { kind: FoundKind::Each, under: Vec::new(), outside: Vec::new() };
    mapping::mapping(document, params, Some(&stand_in), notes)?;
    Some(MappingPlan::ByShape(Box::new(document.clone())))
}

/// Compiles the mapping of a profile that does not say where its rows are, after the answer showed it.
pub fn mapping_for(document: &Document, params: &[String], found: &Found) -> Result<Mapping, String> {
    let mut notes = Notes::default();
    let mapping = mapping::mapping(document, params, Some(found), &mut notes);
    match (mapping, notes.problems.first()) {
        (Some(mapping), None) => Ok(mapping),
        (_, Some(problem)) => Err(problem.message.clone()),
        (None, None) => Err("the profile has no source".into()),
    }
}

/// The paths of a profile that lie in the answer without saying from where: what the rows are looked for by.
pub fn open_paths(document: &Document, params: &[String]) -> Vec<Vec<Segment>> {
    let fields = document.dims.iter().chain(&document.measures).flat_map(|entries| &entries.0);
    let mut paths: Vec<Path> = fields.flat_map(|(_, field)| field::paths_of(&field.value)).collect();
    let rules = document.where_.as_deref().unwrap_or_default();
    let texts = rules.iter().flat_map(|rule| rule.value.texts(rule.place));
    paths.extend(texts.filter_map(|text| condition::parse(&text.value).ok()).map(|parsed| parsed.path));
    let reserved = |path: &Path| match path.first_name() {
        Some("param") => !params.is_empty(),
        Some(name) => scope::RESERVED.contains(&name),
        None => false,
    };
    paths.retain(|path| path.origin == Origin::Open && !reserved(path));
    paths.into_iter().map(|path| path.segments).collect()
}
