//! Finds the rows of an answer whose profile does not say where they are, by the answer's shape and by the places
//! that the profile's fields name. Looks at the first elements only.

use super::scan::{JsonError, Scanner, Text, Token};
use super::strings::unescape;
use crate::profiles::Segment;
use crate::profiles::plan::{Found, FoundKind};

/// Members that usually hold the rows, in the order in which they are believed.
const USUAL: [&str; 9] = ["results", "data", "items", "records", "features", "observations", "rows", "values", "value"];
/// How deep an array is looked for that no field names.
const MAX_SEARCH_DEPTH: usize = 3;
/// So many arrays are looked at.
const MAX_CANDIDATES: usize = 50;

/// Where the rows are. The error says what was seen and what to write; `Err(Err(..))` is broken JSON.
pub fn find(text: &str, paths: &[Vec<Segment>]) -> Result<Found, SniffError> {
    let mut scanner = Scanner::new(text);
    match scanner.value()? {
        Token::Array => root_array(&mut scanner),
        Token::Object => root_object(text, paths),
        _ => Err(SniffError::Unclear("the answer is neither an object nor an array".into())),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SniffError {
    Json(JsonError),
    /// What was seen, in words.
    Unclear(String),
}

impl From<JsonError> for SniffError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

fn found(kind: FoundKind, under: Vec<Segment>) -> Found {
    Found { kind, under, outside: Vec::new() }
}

fn root_array(scanner: &mut Scanner<'_>) -> Result<Found, SniffError> {
    if !scanner.next_element(true)? {
        return Ok(found(FoundKind::Each, Vec::new()));
    }
    match scanner.value()? {
        Token::Object => Ok(found(FoundKind::Each, Vec::new())),
        Token::Array if is_header(scanner)? => Ok(found(FoundKind::Table, Vec::new())),
        Token::Array => Err(SniffError::Unclear(
            "the answer is an array of arrays without a row of names; write rows: {table: {names: […]}}".into(),
        )),
        _ => Err(SniffError::Unclear("the answer is an array of single values; write rows".into())),
    }
}

/// Whether all cells of the row whose bracket was just read are texts.
fn is_header(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let mut count = 0;
    while scanner.next_element(count == 0)? {
        if !matches!(scanner.value()?, Token::Text(_)) {
            return Ok(false);
        }
        count += 1;
    }
    Ok(count > 0)
}

/// What a path leads to, walked from the root until the first array.
enum End {
    /// An array of objects, with a rest of the path inside.
    Rows {
        under: usize,
    },
    /// An array at the end of the path: a column beside others.
    Column,
    /// A single value at the end of the path.
    Value,
    Nothing,
}

fn root_object(text: &str, paths: &[Vec<Segment>]) -> Result<Found, SniffError> {
    let mut rows: Option<&[Segment]> = None;
    let mut zipped: Option<&[Segment]> = None;
    let mut outside = Vec::new();
    let mut inside = Vec::new();
    for path in paths {
        let (holder, place) = match walk(text, path)? {
            End::Rows { under } => (&mut rows, &path[..under]),
            End::Column => (&mut zipped, &path[..path.len() - 1]),
            End::Value => {
                outside.push(path.clone());
                continue;
            }
            End::Nothing => {
                inside.push(path);
                continue;
            }
        };
        if holder.is_some_and(|other| other != place) {
            return Err(SniffError::Unclear(
                "the fields lead into several arrays; write rows to say which are the rows".into(),
            ));
        }
        *holder = Some(place);
    }
    match (rows, zipped) {
        (Some(under), None) => Ok(Found { kind: FoundKind::Each, under: under.to_vec(), outside }),
        (None, Some(under)) => Ok(Found { kind: FoundKind::Zip, under: under.to_vec(), outside }),
        (Some(_), Some(_)) => Err(SniffError::Unclear(
            "the fields lead into rows and into parallel arrays; write rows to say which".into(),
        )),
        (None, None) if inside.is_empty() => Ok(found(FoundKind::Single, Vec::new())),
        (None, None) => {
            let under = search(text, &inside)?;
            Ok(Found { kind: FoundKind::Each, under, outside })
        }
    }
}

fn walk(text: &str, path: &[Segment]) -> Result<End, JsonError> {
    let mut scanner = Scanner::new(text);
    for (depth, segment) in path.iter().enumerate() {
        let token = scanner.value()?;
        let there = match (token, segment) {
            (Token::Object, Segment::Name(name)) => to_member(&mut scanner, name)?,
            (Token::Array, Segment::Index(number)) => to_element(&mut scanner, *number)?,
            (Token::Array, Segment::Name(_)) if first_is_object(&mut scanner)? => {
                return Ok(End::Rows { under: depth });
            }
            _ => false,
        };
        if !there {
            return Ok(End::Nothing);
        }
    }
    match scanner.value()? {
        Token::Array if matches!(path.last(), Some(Segment::Name(_))) => Ok(End::Column),
        _ => Ok(End::Value),
    }
}

fn to_member(scanner: &mut Scanner<'_>, name: &str) -> Result<bool, JsonError> {
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        if plain(key).is_some_and(|key| key == name) {
            return Ok(true);
        }
        scanner.skip_value()?;
    }
    Ok(false)
}

fn plain(key: Text<'_>) -> Option<String> {
    let mut out = String::with_capacity(key.raw.len());
    unescape(key.raw, &mut out).map(|()| out)
}

fn to_element(scanner: &mut Scanner<'_>, number: u32) -> Result<bool, JsonError> {
    for index in 0..=number {
        if !scanner.next_element(index == 0)? {
            return Ok(false);
        }
        if index < number {
            scanner.skip_value()?;
        }
    }
    Ok(true)
}

fn first_is_object(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    Ok(scanner.next_element(true)? && scanner.value()? == Token::Object)
}

/// An array of objects in which the fields are found.
struct Candidate {
    path: Vec<Segment>,
    /// How many of the fields its first element has.
    fields: usize,
    empty: bool,
}

/// The one array of objects that has the fields.
fn search(text: &str, fields: &[&Vec<Segment>]) -> Result<Vec<Segment>, SniffError> {
    let mut candidates = Vec::new();
    let mut scanner = Scanner::new(text);
    scanner.value()?;
    collect(&mut scanner, &mut Vec::new(), fields, &mut candidates)?;
    let best = candidates.iter().map(|candidate| candidate.fields).max().unwrap_or(0);
    let mut with_fields: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.fields == best && (best > 0 || candidate.empty)).collect();
    if with_fields.len() > 1 {
        let rank = |candidate: &Candidate| match candidate.path.last() {
            Some(Segment::Name(name)) => USUAL.iter().position(|usual| usual == name).unwrap_or(USUAL.len()),
            _ => USUAL.len(),
        };
        with_fields.sort_by_key(|candidate| rank(candidate));
        if rank(with_fields[0]) == rank(with_fields[1]) {
            let message = "several arrays of the answer hold the fields; write rows to say which are the rows";
            return Err(SniffError::Unclear(message.into()));
        }
    }
    match with_fields.first() {
        Some(candidate) => Ok(candidate.path.clone()),
        None => Err(SniffError::Unclear("no array of the answer holds the fields of the profile; write rows, and see whether the fields are named as the answer names them".into())),
    }
}

/// Looks at the members of an object whose bracket was just read.
fn collect(
    scanner: &mut Scanner<'_>,
    path: &mut Vec<Segment>,
    fields: &[&Vec<Segment>],
    candidates: &mut Vec<Candidate>,
) -> Result<(), JsonError> {
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        let Some(name) = plain(key) else {
            scanner.skip_value()?;
            continue;
        };
        path.push(Segment::Name(name));
        match scanner.value()? {
            Token::Object if path.len() < MAX_SEARCH_DEPTH => collect(scanner, path, fields, candidates)?,
            Token::Object => scanner.skip_rest(true)?,
            Token::Array => {
                if candidates.len() < MAX_CANDIDATES {
                    candidates.extend(candidate(scanner.clone(), path, fields)?);
                }
                scanner.skip_rest(false)?;
            }
            _ => {}
        }
        path.pop();
    }
    Ok(())
}

fn candidate(
    mut scanner: Scanner<'_>,
    path: &[Segment],
    fields: &[&Vec<Segment>],
) -> Result<Option<Candidate>, JsonError> {
    if !scanner.next_element(true)? {
        return Ok(Some(Candidate { path: path.to_vec(), fields: 0, empty: true }));
    }
    if scanner.value()? != Token::Object {
        return Ok(None);
    }
    let mut count = 0;
    let mut first = true;
    while let Some(key) = scanner.next_key(first)? {
        first = false;
        let key = plain(key).unwrap_or_default();
        count +=
            fields.iter().filter(|field| matches!(field.first(), Some(Segment::Name(name)) if *name == key)).count();
        scanner.skip_value()?;
    }
    Ok(Some(Candidate { path: path.to_vec(), fields: count, empty: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::Path;
    use proptest::prelude::*;

    fn show(text: &str, fields: &[&str]) -> String {
        let paths: Vec<Vec<Segment>> = fields.iter().map(|field| Path::parse(field).unwrap().segments).collect();
        match find(text, &paths) {
            Ok(Found { kind, under, outside }) => format!("{kind:?} {under:?} {}", outside.len()),
            Err(SniffError::Unclear(message)) => message.split(';').next().unwrap().to_owned(),
            Err(SniffError::Json(error)) => error.message.to_owned(),
        }
    }

    #[test]
    fn finds_the_usual_shapes() {
        for (text, fields, expected) in [
            (r#"[{"a":1}]"#, &["a"][..], "Each [] 0"),
            (r"[]", &["a"], "Each [] 0"),
            (r#"[["NAME","P"],["x","1"]]"#, &["NAME"], "Table [] 0"),
            (
                r#"{"hourly":{"time":[],"t":[]},"lat":1}"#,
                &["hourly.time", "hourly.t", "lat"],
                "Zip [Name(\"hourly\")] 1",
            ),
            (r#"{"results":[{"a":{"b":1}}],"n":2}"#, &["results.a.b", "n"], "Each [Name(\"results\")] 1"),
            (r#"{"x":{"list":[{"a":1}]},"m":[{"z":1}]}"#, &["a"], "Each [Name(\"x\"), Name(\"list\")] 0"),
            (r#"{"data":[{"a":1}],"other":[{"a":1}]}"#, &["a"], "Each [Name(\"data\")] 0"),
            (r#"{"p":[{"a":1}],"q":[{"a":1}]}"#, &["a"], "several arrays of the answer hold the fields"),
            (r#"{"price":1,"at":"x"}"#, &["price", "at"], "Single [] 0"),
            (r#"{"data":[]}"#, &["a"], "Each [Name(\"data\")] 0"),
            (r#"{"error":"x"}"#, &["a"], "no array of the answer holds the fields of the profile"),
            (r"[[1,2]]", &["a"], "the answer is an array of arrays without a row of names"),
            ("3", &["a"], "the answer is neither an object nor an array"),
            ("{", &["a"], "the text ends too early"),
        ] {
            assert_eq!(show(text, fields), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_found_or_refused(value in crate::pipeline::testing::json(), fields in prop::collection::vec("[a-d]{1,2}(\\.[a-d]|\\[0\\])?", 0..4)) {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let _ = show(&value.to_string(), &fields);
        }
    }
}
