//! SDMX-JSON, versions 1.0 and 2.0: observations under keys such as `0:3:1`, grouped in series or flat.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Room;
use super::cube::{Code, Dimension, Writer};
use super::select::tree;
use crate::pipeline::page::PageError;
use crate::profiles::plan::CubeColumn;

#[derive(Deserialize)]
struct Message<'a> {
    /// Version 2.0 and later 1.0 put all into `data`.
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow, rename = "dataSets")]
    data_sets: Option<Vec<DataSet<'a>>>,
    structure: Option<Structure>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default, rename = "dataSets")]
    data_sets: Vec<DataSet<'a>>,
    structure: Option<Structure>,
    #[serde(default)]
    structures: Vec<Structure>,
}

#[derive(Deserialize)]
struct DataSet<'a> {
    #[serde(borrow, default)]
    series: BTreeMap<Cow<'a, str>, Series<'a>>,
    #[serde(borrow, default)]
    observations: Observations<'a>,
}

type Observations<'a> = BTreeMap<Cow<'a, str>, Vec<&'a RawValue>>;

#[derive(Deserialize)]
struct Series<'a> {
    #[serde(default)]
    attributes: Vec<Option<usize>>,
    #[serde(borrow, default)]
    observations: Observations<'a>,
}

#[derive(Deserialize, Default)]
struct Structure {
    #[serde(default)]
    dimensions: Parts,
    #[serde(default)]
    attributes: Parts,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parts {
    #[serde(rename = "dataSet")]
    data_set: Vec<Component>,
    series: Vec<Component>,
    observation: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    id: String,
    #[serde(default)]
    values: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    id: Option<String>,
    name: Option<Name>,
    names: Option<Name>,
    value: Option<serde_json::Value>,
}

/// A text, or one for each language.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Plain(String),
    Languages(BTreeMap<String, String>),
}

impl Member {
    fn code(&self) -> Code {
        let id = match (&self.id, &self.value) {
            (Some(id), _) => id.clone(),
            (None, Some(serde_json::Value::String(text))) => text.clone(),
            (None, Some(other)) => other.to_string(),
            (None, None) => String::new(),
        };
        let label = match self.name.as_ref().or(self.names.as_ref()) {
            Some(Name::Plain(name)) => Some(name.as_str()),
            Some(Name::Languages(names)) => names.get("en").or(names.values().next()).map(String::as_str),
            None => None,
        };
        Code::new(&id, label)
    }
}

/// The dimensions and attributes in one list, and where each group begins in it.
struct Layout {
    all: Vec<Dimension>,
    series: usize,
    observation: usize,
    series_attributes: usize,
    observation_attributes: usize,
    /// The attribute that tells an observation's status.
    status: Option<usize>,
}

fn layout(structure: Structure) -> Layout {
    let Structure { dimensions, attributes } = structure;
    let mut all = Vec::new();
    let mut add = |components: Vec<Component>| {
        let start = all.len();
        all.extend(components.into_iter().map(|component| Dimension {
            name: component.id,
            codes: component.values.iter().map(Member::code).collect(),
        }));
        start
    };
    add(dimensions.data_set);
    let series = add(dimensions.series);
    let observation = add(dimensions.observation);
    let series_attributes = add(attributes.series);
    let observation_attributes = add(attributes.observation);
    let status = all.iter().position(|dimension| dimension.name == "OBS_STATUS");
    Layout { all, series, observation, series_attributes, observation_attributes, status }
}

pub fn rows(text: &str, columns: &[CubeColumn], room: Room) -> Result<String, PageError> {
    let Message { data, data_sets, structure } = tree(text)?;
    let (data_sets, structure) = match data {
        Some(data) => (data.data_sets, data.structure.or(data.structures.into_iter().next())),
        None => (data_sets.unwrap_or_default(), structure),
    };
    let structure = structure.ok_or_else(|| PageError::Failed("the answer has no SDMX structure".into()))?;
    let layout = layout(structure);
    let writer = Writer::new(columns, &layout.all, room)?;
    let mut cube = Cells { writer, place: vec![None; layout.all.len()], layout: &layout };
    for data_set in &data_sets {
        cube.reset();
        cube.observations(&data_set.observations)?;
        for (key, series) in &data_set.series {
            cube.reset();
            cube.key(key, layout.series, layout.observation)?;
            for (place, value) in cube.place[layout.series_attributes..].iter_mut().zip(&series.attributes) {
                *place = *value;
            }
            cube.observations(&series.observations)?;
        }
    }
    cube.writer.finish()
}

struct Cells<'c> {
    writer: Writer<'c>,
    place: Vec<Option<usize>>,
    layout: &'c Layout,
}

impl Cells<'_> {
    fn reset(&mut self) {
        self.place.fill(None);
        // Dimensions of the data set have one value each.
        self.place[..self.layout.series].fill(Some(0));
    }

    /// Reads `0:3:1` into the places from `start` to `end`.
    fn key(&mut self, key: &str, start: usize, end: usize) -> Result<(), PageError> {
        let wrong = || PageError::Failed(format!("the key {key:?} does not fit the dimensions of the cube"));
        let parts: Vec<&str> = if key.is_empty() { Vec::new() } else { key.split(':').collect() };
        if parts.len() != end - start {
            return Err(wrong());
        }
        for (index, part) in parts.iter().enumerate() {
            let number: usize = part.parse().map_err(|_| wrong())?;
            if number >= self.layout.all[start + index].codes.len() {
                return Err(wrong());
            }
            self.place[start + index] = Some(number);
        }
        Ok(())
    }

    fn observations(&mut self, observations: &Observations<'_>) -> Result<(), PageError> {
        let layout = self.layout;
        // Flat keys name the dimensions of the series too, where there are none.
        let (start, end) = (layout.observation, layout.series_attributes);
        for (key, cells) in observations {
            self.key(key, start, end)?;
            self.place[layout.observation_attributes..].fill(None);
            let attributes = cells.iter().skip(1).map(|cell| cell.get().parse().ok());
            for (place, value) in self.place[layout.observation_attributes..].iter_mut().zip(attributes) {
                *place = value;
            }
            let status = layout.status.and_then(|attribute| {
                layout.all[attribute].codes.get(self.place[attribute]?).map(|code| code.code.as_slice())
            });
            let status = status.and_then(|status| std::str::from_utf8(status).ok()).unwrap_or("null");
            let value = cells.first().map_or("null", |value| value.get());
            self.writer.cell(&self.place, value, status)?;
        }
        Ok(())
    }
}
