//! Rows that a JSONPath with filters selects (RFC 9535): only a whole tree can answer it.

use serde_json::Value;

use super::Room;
use crate::domain::canonical::write_text;
use crate::pipeline::page::PageError;
use crate::profiles::plan::{Pick, SelectStep, Selector, Take};
use crate::profiles::{Origin, Path, Segment};

/// What the steps select: an array, or an object for members of maps. Elements that hold rows of another step are
/// `[element, rows]`.
pub fn rows(text: &str, steps: &[SelectStep], room: Room) -> Result<String, PageError> {
    let document: Value = tree(text)?;
    let mut out = Vec::new();
    level(&document, steps, room, &mut out)?;
    written(out)
}

/// The one place that a path selects; `null` where there is none.
pub fn place(text: &str, selector: &Selector) -> Result<String, PageError> {
    let document: Value = tree(text)?;
    match selector.select(&document).as_slice() {
        [] => Ok("null".into()),
        [one] => written(one.to_string().into_bytes()),
        several => Err(PageError::Failed(format!("{} selects {} places, not one", selector.text, several.len()))),
    }
}

/// The first value that a path selects, as a text.
pub fn first_text(text: &str, selector: &Selector) -> Result<Option<String>, PageError> {
    let document: Value = tree(text)?;
    Ok(match selector.select(&document).first() {
        None | Some(Value::Null) => None,
        Some(Value::String(found)) => Some(found.clone()),
        Some(other) => Some(other.to_string()),
    })
}

/// What a path selects, as an array.
pub fn list(text: &str, selector: &Selector, room: Room) -> Result<String, PageError> {
    let document: Value = tree(text)?;
    let mut out = Vec::new();
    array(selector.select(&document).into_iter(), &[], room, &mut out)?;
    written(out)
}

fn written(out: Vec<u8>) -> Result<String, PageError> {
    String::from_utf8(out).map_err(|error| PageError::Failed(error.to_string()))
}

/// Nests no deeper than there are steps.
fn level(value: &Value, steps: &[SelectStep], room: Room, out: &mut Vec<u8>) -> Result<(), PageError> {
    let Some((step, inner)) = steps.split_first() else { return Ok(()) };
    let picked = match &step.pick {
        Pick::Plain(segments) => containers(value, segments),
        Pick::Path(selector) => selector.select(value),
    };
    match (step.take, &step.pick) {
        (Take::Members, _) => object(&picked, &step.pick, inner, room, out),
        (Take::Whole, _) => match picked.as_slice() {
            [] => element(&Value::Null, inner, room, out),
            [one] => element(one, inner, room, out),
            several => {
                Err(PageError::Failed(format!("{} leads to {} places, not one", name(&step.pick), several.len())))
            }
        },
        (Take::Elements, Pick::Path(_)) => array(picked.into_iter(), inner, room, out),
        (Take::Elements, Pick::Plain(_)) => {
            let mut rows = Vec::new();
            for container in picked {
                rows.extend(container.as_array().ok_or_else(|| misplaced("an array", &step.pick, container))?);
            }
            array(rows.into_iter(), inner, room, out)
        }
    }
}

fn array<'v>(
    rows: impl Iterator<Item = &'v Value>,
    inner: &[SelectStep],
    room: Room,
    out: &mut Vec<u8>,
) -> Result<(), PageError> {
    out.push(b'[');
    for (index, row) in rows.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        element(row, inner, room, out)?;
    }
    out.push(b']');
    Ok(())
}

fn object(maps: &[&Value], pick: &Pick, inner: &[SelectStep], room: Room, out: &mut Vec<u8>) -> Result<(), PageError> {
    out.push(b'{');
    let mut first = true;
    for map in maps {
        for (key, value) in map.as_object().ok_or_else(|| misplaced("an object", pick, map))? {
            if !std::mem::replace(&mut first, false) {
                out.push(b',');
            }
            write_text(out, key);
            out.push(b':');
            element(value, inner, room, out)?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn element(value: &Value, inner: &[SelectStep], room: Room, out: &mut Vec<u8>) -> Result<(), PageError> {
    let put = |into: &mut Vec<u8>| {
        serde_json::to_writer(&mut *into, value).map_err(|error| PageError::Failed(error.to_string()))
    };
    if inner.is_empty() {
        put(out)?;
    } else {
        out.push(b'[');
        put(out)?;
        out.push(b',');
        level(value, inner, room, out)?;
        out.push(b']');
    }
    room.check(out.len())
}

/// The places at a plain path; what is absent or null is none.
fn containers<'v>(value: &'v Value, segments: &[Segment]) -> Vec<&'v Value> {
    let mut places = vec![value];
    let segments = match segments {
        [rest @ .., Segment::All] => rest,
        all => all,
    };
    for segment in segments {
        places = places.into_iter().flat_map(|place| inside(place, segment)).collect();
    }
    places.retain(|place| !place.is_null());
    places
}

fn inside<'v>(value: &'v Value, segment: &Segment) -> Vec<&'v Value> {
    match segment {
        Segment::Name(name) => value.get(name).into_iter().collect(),
        Segment::Index(index) => value.get(*index as usize).into_iter().collect(),
        Segment::All => value.as_array().into_iter().flatten().collect(),
    }
}

fn misplaced(wanted: &str, pick: &Pick, found: &Value) -> PageError {
    let found: String = found.to_string().chars().take(60).collect();
    PageError::Failed(format!("expected {wanted} of rows at {}, found {found}", name(pick)))
}

fn name(pick: &Pick) -> String {
    match pick {
        Pick::Path(selector) => selector.text.clone(),
        Pick::Plain(segments) => Path { origin: Origin::Open, segments: segments.clone() }.to_string(),
    }
}

/// A JSON text as serde reads it, with the place of what is wrong.
pub fn tree<'t, T: serde::Deserialize<'t>>(text: &'t str) -> Result<T, PageError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            PageError::Failed(format!("the answer is not of the expected form: {error}"))
        }
        _ => PageError::Broken(format!("the answer is not JSON: {error}")),
    })
}
