//! The steps on text, one after the other. Each is total: it gives a text, a list, or no value.

use std::borrow::Cow;

use super::Row;
use super::tally::{Loss, Unread};
use super::value::is_missing;
use crate::profiles::plan::{Field, Map, Otherwise, Step};

/// A list holds at most this many elements, a text at most this many bytes.
const MAX_ELEMENTS: usize = 10_000;
const MAX_TEXT_BYTES: usize = 1 << 20;

enum Value<'t> {
    Text(Cow<'t, str>),
    List(Vec<String>),
}

/// The text after all steps; `None` where it became no value.
pub fn apply<'t>(field: &'t Field, text: Cow<'t, str>, row: Row<'t>) -> Result<Option<Cow<'t, str>>, Unread> {
    let mut value = Value::Text(text);
    for step in &field.steps {
        value = match one(field, step, value, row)? {
            Some(Value::Text(made)) if made.is_empty() || is_lost(field, step, &made) => return Ok(None),
            Some(value) => value,
            None => return Ok(None),
        };
    }
    Ok(Some(match value {
        Value::Text(made) => made,
        Value::List(list) => Cow::Owned(list.join(",")),
    }))
}

/// What a step made of a text may be a spelling of "no value"; what the author wrote into the profile is not.
fn is_lost(field: &Field, step: &Step, text: &str) -> bool {
    !matches!(step, Step::Map(_) | Step::Lookup(..) | Step::Pad(..)) && is_missing(&field.missing, text)
}

fn one<'t>(field: &'t Field, step: &'t Step, value: Value<'t>, row: Row<'t>) -> Result<Option<Value<'t>>, Unread> {
    let joined = |list: Vec<String>, with: &str| Value::Text(Cow::Owned(list.join(with)));
    Ok(Some(match (step, value) {
        (Step::Split(separator), value) => {
            let text = text(value);
            Value::List(text.split(&**separator).take(MAX_ELEMENTS).map(|part| part.trim().to_owned()).collect())
        }
        (Step::First, value) => return Ok(list(value).into_iter().next().map(|first| Value::Text(first.into()))),
        (Step::Last, value) => return Ok(list(value).pop().map(|last| Value::Text(last.into()))),
        (Step::Join(with), value) => joined(list(value), with),
        (Step::Count, value) => Value::Text(count(value).to_string().into()),
        (step, Value::Text(text)) => return Ok(text_step(field, step, text, row)?.map(Value::Text)),
        (step, Value::List(list)) => {
            let mut kept = Vec::with_capacity(list.len());
            for element in list {
                let done = text_step(field, step, Cow::Owned(element), row)?;
                kept.extend(done.map(Cow::into_owned));
            }
            Value::List(kept)
        }
    }))
}

fn text(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Text(text) => text,
        Value::List(list) => Cow::Owned(list.join(",")),
    }
}

/// The elements of a JSON array; any other text is a list of one.
fn list(value: Value<'_>) -> Vec<String> {
    let text = match value {
        Value::List(list) => return list,
        Value::Text(text) => text,
    };
    let parsed = text.starts_with('[').then(|| serde_json::from_str::<Vec<serde_json::Value>>(&text).ok()).flatten();
    let Some(elements) = parsed else { return vec![text.into_owned()] };
    let plain = |element: serde_json::Value| match element {
        serde_json::Value::Null => None,
        serde_json::Value::String(plain) => Some(plain),
        other => Some(other.to_string()),
    };
    elements.into_iter().take(MAX_ELEMENTS).filter_map(plain).collect()
}

/// Elements of a list, nulls among them; members of a map.
fn count(value: Value<'_>) -> usize {
    let text = match value {
        Value::List(list) => return list.len(),
        Value::Text(text) => text,
    };
    match text.as_bytes().first() {
        Some(b'[') => serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&text).map_or(1, |list| list.len()),
        Some(b'{') => {
            let members = serde_json::from_str::<std::collections::HashMap<String, serde::de::IgnoredAny>>(&text);
            members.map_or(1, |members| members.len())
        }
        _ => 1,
    }
}

fn text_step<'t>(
    field: &'t Field,
    step: &'t Step,
    text: Cow<'t, str>,
    row: Row<'t>,
) -> Result<Option<Cow<'t, str>>, Unread> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Unread::new(field, Loss::TooLong, &text));
    }
    Ok(match step {
        Step::Trim => Some(trimmed(text)),
        Step::Replace(expression, with) => Some(Cow::Owned(expression.replace_all(&text, &**with).into_owned())),
        Step::Extract(expression, group) => {
            expression.captures(&text).and_then(|found| Some(Cow::Owned(found.get(*group)?.as_str().to_owned())))
        }
        Step::Upper => Some(Cow::Owned(text.to_uppercase())),
        Step::Lower => Some(Cow::Owned(text.to_lowercase())),
        Step::Map(map) => mapped(field, map, text)?,
        Step::Lookup(table, otherwise) => match (row.tables.get(*table, &text), otherwise) {
            (Some(found), _) => Some(Cow::Borrowed(found)),
            (None, Otherwise::Keep) => Some(text),
            (None, Otherwise::Missing) => None,
            (None, Otherwise::Fail) => return Err(Unread::new(field, Loss::NotInLookup, &text)),
        },
        Step::Pad(width, fill) => {
            let lack = width.saturating_sub(text.chars().count());
            Some(Cow::Owned(std::iter::repeat_n(*fill, lack).chain(text.chars()).collect()))
        }
        Step::Split(_) | Step::First | Step::Last | Step::Join(_) | Step::Count => Some(text),
    })
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// The text after the field's map; `None` where it maps to no value.
fn mapped<'t>(field: &'t Field, map: &'t Map, text: Cow<'t, str>) -> Result<Option<Cow<'t, str>>, Unread> {
    match map.entries.binary_search_by(|(from, _)| (**from).cmp(&text)) {
        Ok(at) => Ok(map.entries[at].1.as_deref().map(Cow::Borrowed)),
        Err(_) => match map.otherwise {
            Otherwise::Keep => Ok(Some(text)),
            Otherwise::Missing => Ok(None),
            Otherwise::Fail => Err(Unread::new(field, Loss::NotInMap, &text)),
        },
    }
}
