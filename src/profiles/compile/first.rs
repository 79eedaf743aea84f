//! A list that is asked for first: compiled as a small profile of its own, whose records are parameters. And the values
//! that share a request.

use super::notes::Notes;
use super::plan_of;
use super::scope::unknown_param;
use super::source::good_param_name;
use crate::profiles::document::Document;
use crate::profiles::document::fields::{Field, FieldDoc, FieldKind};
use crate::profiles::document::source::auth::{Auth, SecretPlace};
use crate::profiles::document::source::first::{Batch as BatchDoc, First as FirstDoc};
use crate::profiles::document::source::form::Format;
use crate::profiles::document::source::{Source, first};
use crate::profiles::node::{At, Entries};
use crate::profiles::plan::{Batch, FIRST_GROUP, FIRST_MARK, First, Limits, Scalar};
use crate::profiles::template::Template;

/// The rows of a list are at most this many.
const MAX_ITEMS: u64 = 100_000;

/// Names of the parameters that the list gives.
pub fn names(source: &Source) -> Vec<String> {
    let values = source.first.as_ref().and_then(|first| first.value.values.as_ref());
    values.map_or_else(Vec::new, |values| values.0.iter().map(|(name, _)| name.value.clone()).collect())
}

/// Compiles the request of the list. `params` are those of `for_each`, with their sets.
pub fn first(
    document: &Document,
    params: &[String],
    sets: &[Vec<Scalar>],
    limits: &Limits,
    notes: &mut Notes,
) -> Option<First> {
    let outer = document.source.as_ref()?;
    let said = outer.value.first.as_ref()?;
    let doc = &said.value;
    let values = doc.values.as_ref().map_or(&[][..], |values| &values.0);
    if values.is_empty() {
        notes.add(said.place, "first needs values: the parameters that its rows give, such as {station: id}");
        return None;
    }
    for (name, _) in values {
        if params.contains(&name.value) {
            notes.add(name.place, format!("for_each declares {:?} already", name.value));
        }
        good_param_name(&name.value, name.place, notes);
    }
    if doc.rows.is_none() && doc.format.as_ref().is_none_or(|format| format.value == Format::Json) {
        notes.add(said.place, "first needs rows, such as rows: {each: $.data}");
        return None;
    }
    let inner = as_profile(&outer.value, said, params);
    let own = Limits { max_records: MAX_ITEMS, ..*limits };
    let plan = plan_of(&inner, (params.to_vec(), sets.to_vec()), own, notes)?;
    Some(First { plan, names: names(&outer.value) })
}

/// The list as a profile: its values are dims, or measures where they are numbers.
fn as_profile(outer: &Source, first: &At<FirstDoc>, params: &[String]) -> Document {
    let doc = &first.value;
    let source = Source {
        url: doc.url.clone(),
        method: doc.method,
        query: doc.query.clone(),
        raw_query: doc.raw_query.clone(),
        headers: doc.headers.clone().or_else(|| inherited(outer, params)),
        body: doc.body.clone(),
        auth: outer.auth.clone().filter(|auth| signs_in(outer, doc, &auth.value)),
        format: doc.format.clone(),
        csv: doc.csv.clone(),
        columns: doc.columns.clone(),
        compression: doc.compression,
        archive: doc.archive.clone(),
        paging: doc.paging.clone(),
        answers: doc.answers.clone(),
        not_before: doc.not_before.clone(),
        message: doc.message.clone(),
        rate: outer.rate.clone(),
        quota: outer.quota.clone(),
        user_agent: outer.user_agent.clone(),
        ..Source::default()
    };
    let values = doc.values.clone().unwrap_or_default().0;
    let (numbers, texts): (Vec<_>, Vec<_>) = values.into_iter().partition(|(_, field)| is_number(field));
    let grouped = |(name, field): (At<String>, At<Field>)| {
        let value = format!("{FIRST_GROUP}.{}", name.value);
        (At { value, place: name.place }, field)
    };
    let dims: Vec<_> = texts.into_iter().map(grouped).collect();
    let mark = FieldDoc { constant: Some(At { value: Scalar::Integer(1), place: first.place }), ..FieldDoc::default() };
    let mark = At { value: Field::Full(Box::new(mark)), place: first.place };
    let mark = (At { value: FIRST_MARK.to_owned(), place: first.place }, mark);
    let measures = numbers.into_iter().map(grouped).chain([mark]).collect();
    Document {
        source: Some(At { value: source, place: first.place }),
        rows: doc.rows.clone(),
        where_: doc.where_.clone(),
        missing: doc.missing.clone(),
        dims: Some(Entries(dims)),
        measures: Some(Entries(measures)),
        ..Document::default()
    }
}

fn is_number(field: &At<Field>) -> bool {
    let kind = match &field.value {
        Field::Full(full) => full.kind.as_ref().map(|kind| kind.value),
        Field::From(_) => None,
    };
    kind.is_some_and(|kind| kind != FieldKind::Text)
}

/// Headers of the source that do not wait for a value of the list.
fn inherited(outer: &Source, params: &[String]) -> Option<Entries<At<String>>> {
    let known = |text: &str| {
        let is_known = |name: &str| {
            let bare = name.strip_prefix("param.").unwrap_or(name);
            bare == "now" || params.iter().any(|param| param == bare)
        };
        Template::parse(text).is_ok_and(|template| template.holes().all(|hole| is_known(&hole.name)))
    };
    let headers = outer.headers.as_ref()?.0.iter().filter(|(_, value)| known(&value.value));
    Some(Entries(headers.cloned().collect()))
}

/// Whether the source's secret goes along: to its own host only, and where it has a place.
fn signs_in(outer: &Source, doc: &FirstDoc, auth: &Auth) -> bool {
    let origin = |url: &Option<At<String>>| {
        let url = url.as_ref()?.value.clone();
        let host = url.find("://")? + 3;
        let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
        Some(url[..end].to_ascii_lowercase())
    };
    let in_body = matches!(auth, Auth::By(way) if way.place == Some(SecretPlace::Body));
    let has_body = doc.body.as_ref().is_some_and(|body| body.value.json.is_some());
    origin(&outer.url) == origin(&doc.url) && (!in_body || has_body)
}

/// The parameter whose values share requests.
pub fn batched<'s>(source: &'s Source, params: &'s [String]) -> Option<&'s str> {
    match (&source.batch.as_ref()?.value, params) {
        (BatchDoc::Full(first::BatchDoc { param: Some(param), .. }), _) => Some(&param.value),
        (_, [only]) => Some(only),
        _ => None,
    }
}

/// Compiles `batch`. `own` is the number of parameters of `for_each`.
pub fn batch(source: &Source, params: &[String], own: usize, notes: &mut Notes) -> Option<Batch> {
    let said = source.batch.as_ref()?;
    let empty = first::BatchDoc::default();
    let (size, doc) = match &said.value {
        BatchDoc::Size(size) => (Some(size), &empty),
        BatchDoc::Full(doc) => (doc.size.as_ref(), doc),
    };
    let size = match size.map(|size| (size, usize::try_from(size.value).unwrap_or(usize::MAX))) {
        Some((_, size)) if size > 0 => size,
        Some((size, _)) => {
            notes.add(size.place, "a batch has at least 1 value");
            return None;
        }
        None => {
            notes.add(said.place, "batch needs size, the most values of one request");
            return None;
        }
    };
    let Some(name) = batched(source, params) else {
        let message = match params {
            [] => "batch puts values of a parameter together, and there is none; declare for_each or first".into(),
            several => format!("batch needs param, one of {}", several.join(", ")),
        };
        notes.add(said.place, message);
        return None;
    };
    let place = doc.param.as_ref().map_or(said.place, |param| param.place);
    let Some(index) = params.iter().position(|param| param == name) else {
        notes.add(place, unknown_param(name, params));
        return None;
    };
    if index < own && params.len() > own {
        notes.add(place, format!("{name:?} decides what first asks for, so its values cannot share a request"));
    }
    let separator = doc.separator.as_ref().map_or(",", |text| text.value.as_str());
    Some(Batch { index, size, separator: separator.into(), repeat: doc.repeat.unwrap_or(false) })
}
