//! JSON-stat, versions 1 and 2: values in row-major order over the sizes of the dimensions, dense or sparse.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Room;
use super::cube::{Code, Dimension, Writer};
use super::select::tree;
use crate::pipeline::page::PageError;
use crate::profiles::plan::CubeColumn;

#[derive(Deserialize)]
struct Stat<'a> {
    id: Option<Vec<String>>,
    size: Option<Vec<usize>>,
    #[serde(borrow)]
    dimension: HashMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow)]
    value: Cells<'a>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OneDimension {
    category: Category,
}

#[derive(Deserialize)]
struct Category {
    index: Option<Index>,
    label: Option<HashMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Index {
    List(Vec<String>),
    Map(HashMap<String, usize>),
}

/// Values by flat index; keys of the map are numbers as text.
enum Cells<'a> {
    Dense(Vec<&'a RawValue>),
    Sparse(HashMap<usize, &'a RawValue>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Cells<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        cells(raw.get()).map_err(serde::de::Error::custom)
    }
}

fn cells(text: &str) -> serde_json::Result<Cells<'_>> {
    if text.starts_with('[') {
        serde_json::from_str(text).map(Cells::Dense)
    } else {
        serde_json::from_str(text).map(Cells::Sparse)
    }
}

impl<'a> Cells<'a> {
    fn get(&self, index: usize) -> Option<&'a str> {
        match self {
            Self::Dense(cells) => cells.get(index).map(|cell| cell.get()),
            Self::Sparse(cells) => cells.get(&index).map(|cell| cell.get()),
        }
    }

    /// The indices that are there, in order.
    fn indices(&self) -> Vec<usize> {
        match self {
            Self::Dense(cells) => (0..cells.len()).collect(),
            Self::Sparse(cells) => {
                let mut indices: Vec<usize> = cells.keys().copied().collect();
                indices.sort_unstable();
                indices
            }
        }
    }
}

enum Status<'a> {
    None,
    /// One for all.
    All(&'a str),
    Cells(Cells<'a>),
}

pub fn rows(text: &str, columns: &[CubeColumn], room: Room) -> Result<String, PageError> {
    let mut stat: Stat<'_> = tree(text)?;
    let (id, size) = (list(stat.id.take(), &stat, "id")?, list(stat.size.take(), &stat, "size")?);
    if id.len() != size.len() {
        return Err(PageError::Failed(format!("the cube has {} dimensions and {} sizes", id.len(), size.len())));
    }
    let named = id.iter().zip(&size).map(|(name, size)| dimension(name, *size, &stat));
    let dimensions = named.collect::<Result<Vec<_>, _>>()?;
    let status = match stat.status.map(RawValue::get) {
        None | Some("null") => Status::None,
        Some(all) if all.starts_with('"') => Status::All(all),
        Some(some) => Status::Cells(cells(some).map_err(|error| PageError::Failed(format!("status: {error}")))?),
    };
    let mut writer = Writer::new(columns, &dimensions, room)?;
    let total = size.iter().try_fold(1_usize, |total, size| total.checked_mul(*size));
    let total = total.ok_or_else(|| PageError::Failed("the cube is too large".into()))?;
    let mut place = vec![None; size.len()];
    for index in stat.value.indices() {
        if index >= total {
            return Err(PageError::Failed(format!("the cube has {total} cells, and a value for cell {index}")));
        }
        unravel(index, &size, &mut place);
        let state = match &status {
            Status::None => None,
            Status::All(all) => Some(*all),
            Status::Cells(cells) => cells.get(index),
        };
        writer.cell(&place, stat.value.get(index).unwrap_or("null"), state.unwrap_or("null"))?;
    }
    writer.finish()
}

/// `id` and `size` stand inside `dimension` in version 1.
fn list<T: for<'de> Deserialize<'de>>(said: Option<Vec<T>>, stat: &Stat<'_>, name: &str) -> Result<Vec<T>, PageError> {
    match (said, stat.dimension.get(name)) {
        (Some(said), _) => Ok(said),
        (None, Some(raw)) => tree(raw.get()),
        (None, None) => Err(PageError::Failed(format!("the cube has no {name}"))),
    }
}

fn dimension(name: &str, size: usize, stat: &Stat<'_>) -> Result<Dimension, PageError> {
    let wrong = |what: &str| PageError::Failed(format!("the dimension {name:?} {what}"));
    let raw = stat.dimension.get(name).ok_or_else(|| wrong("is not described"))?;
    let OneDimension { category } = tree(raw.get())?;
    let labels = category.label.unwrap_or_default();
    let by_place: BTreeMap<usize, String> = match category.index {
        Some(Index::List(codes)) => codes.into_iter().enumerate().collect(),
        Some(Index::Map(codes)) => codes.into_iter().map(|(code, place)| (place, code)).collect(),
        // One category alone needs no index.
        None => labels.keys().cloned().enumerate().take(1).collect(),
    };
    let complete = by_place.len() == size && by_place.keys().copied().eq(0..size);
    if !complete {
        return Err(wrong(&format!("has {size} places and {} codes", by_place.len())));
    }
    let code = |code: &String| Code::new(code, labels.get(code).map(String::as_str));
    Ok(Dimension { name: name.to_owned(), codes: by_place.values().map(code).collect() })
}

/// The place in each dimension; the last one is the fastest.
fn unravel(index: usize, size: &[usize], place: &mut [Option<usize>]) {
    let mut rest = index;
    for (code, count) in place.iter_mut().zip(size).rev() {
        *code = Some(rest % count.max(&1));
        rest /= count.max(&1);
    }
}
