//! Statistical cubes: JSON-stat and SDMX-JSON. A dimension of one place says the same of every cell and is left out.

use serde_json::Value;

use super::columns::{Fields, Kind, Proposed};
use super::dims::{clean, dim_name};
use super::shape::Step;
use super::times;

/// Dimensions and codes that are looked at.
const MAX_DIMENSIONS: usize = 60;
const MAX_CODES: usize = 5_000;
const MAX_DEPTH: usize = 4;

/// Where a cube is, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cube {
    /// `json-stat` or `sdmx-json`.
    pub form: &'static str,
    pub under: Vec<Step>,
    dimensions: Vec<Dimension>,
    has_status: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Dimension {
    name: String,
    codes: Vec<String>,
    /// Some label differs from its code.
    has_labels: bool,
}

/// The first cube of the answer.
pub fn find(document: &Value) -> Option<Cube> {
    let mut path = Vec::new();
    below(document, &mut path, MAX_DEPTH)
}

fn below(value: &Value, path: &mut Vec<Step>, depth: usize) -> Option<Cube> {
    // SDMX-JSON of version 2 has its cube in `data`, which the pipeline finds by itself.
    if let Some(dimensions) = sdmx(value).or_else(|| sdmx(value.get("data")?)) {
        return Some(Cube { form: "sdmx-json", under: path.clone(), dimensions, has_status: false });
    }
    if let Some(dimensions) = json_stat(value) {
        let has_status = value.get("status").is_some();
        return Some(Cube { form: "json-stat", under: path.clone(), dimensions, has_status });
    }
    for (name, inner) in value.as_object().filter(|_| depth > 0)? {
        path.push(Step::Name(name.clone()));
        let found = below(inner, path, depth - 1);
        path.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

fn json_stat(value: &Value) -> Option<Vec<Dimension>> {
    let all = value.get("dimension")?.as_object()?;
    let id = value.get("id").or_else(|| all.get("id"))?.as_array()?;
    value.get("size").or_else(|| all.get("size"))?.as_array()?;
    value.get("value")?;
    let names = id.iter().map(Value::as_str).collect::<Option<Vec<&str>>>()?;
    names.into_iter().take(MAX_DIMENSIONS).map(|name| stat_dimension(name, all.get(name)?)).collect()
}

fn stat_dimension(name: &str, value: &Value) -> Option<Dimension> {
    let category = value.get("category")?;
    let labels = category.get("label").and_then(Value::as_object);
    let codes: Vec<String> = match category.get("index") {
        Some(Value::Array(codes)) => codes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::Object(codes)) => codes.keys().cloned().collect(),
        _ => labels?.keys().cloned().collect(),
    };
    let has_labels = labels.is_some_and(|labels| labels.iter().any(|(code, label)| label.as_str() != Some(code)));
    Some(Dimension { name: name.to_owned(), codes, has_labels })
}

fn sdmx(value: &Value) -> Option<Vec<Dimension>> {
    value.get("dataSets")?.as_array()?;
    let structure = value.get("structure").or_else(|| value.get("structures")?.get(0))?;
    let groups = structure.get("dimensions")?;
    let lists = ["dataSet", "series", "observation"].iter().filter_map(|name| groups.get(*name)?.as_array());
    let dimensions: Option<Vec<Dimension>> = lists.flatten().take(MAX_DIMENSIONS).map(sdmx_dimension).collect();
    dimensions.filter(|dimensions| !dimensions.is_empty())
}

fn sdmx_dimension(value: &Value) -> Option<Dimension> {
    let values = value.get("values")?.as_array()?;
    let codes: Vec<String> = values.iter().filter_map(|code| code["id"].as_str()).map(str::to_owned).collect();
    let labelled = |code: &Value| code.get("name").is_some_and(|name| name.as_str() != code["id"].as_str());
    let has_labels = values.iter().any(labelled);
    Some(Dimension { name: value.get("id")?.as_str()?.to_owned(), codes, has_labels })
}

/// A dim for each dimension that tells cells apart; one measure.
pub fn fields(cube: &Cube) -> Fields {
    let mut fields = Fields::default();
    for dimension in &cube.dimensions {
        // A path that a template or a key could not name is none.
        if dimension.name.contains(['.', '[', ']', '{', '}', '"', '\\']) {
            fields.left_out.push(format!("{}: its name holds signs of paths", dimension.name));
        } else if dimension.codes.len() == 1 {
            fields.left_out.push(format!("{}.code: {:?} for every cell", dimension.name, dimension.codes[0]));
        } else {
            dims(dimension, &mut fields);
        }
    }
    fields.measures.push(Proposed::new("value", "value", Kind::Measure));
    if cube.has_status {
        fields.left_out.push("status: the source's remark on a cell; such as where: [\"status != p\"]".into());
    }
    super::columns::unique_names(&mut fields);
    fields.key = fields.dims.iter().filter(|dim| dim.from.ends_with(".code")).map(|dim| dim.name.clone()).collect();
    fields
}

fn dims(dimension: &Dimension, fields: &mut Fields) {
    let codes: Vec<&str> = dimension.codes.iter().take(MAX_CODES).map(String::as_str).collect();
    let code = format!("{}.code", dimension.name);
    let has_time = fields.dims.iter().any(|dim| dim.name.starts_with("time."));
    if let Some(form) = times::form_of(&dimension.name, &codes).filter(|_| !codes.is_empty() && !has_time) {
        let name = format!("time.{}", form.grain);
        fields.dims.insert(0, Proposed::new(&name, &code, Kind::Time { form, zone: super::columns::Zone::Unsaid }));
        return;
    }
    let name = |last: &str| {
        let whole = dim_name(std::slice::from_ref(&dimension.name));
        match whole.as_str() {
            "geo.geo" => format!("geo.{last}"),
            _ if last == "code" => whole,
            other => format!("{other}_{last}"),
        }
    };
    let example = codes.first().map(|first| format!("such as {:?}", super::columns::cut(first)));
    fields.dims.push(Proposed { comment: example, ..Proposed::new(&name("code"), &code, Kind::Dim) });
    if dimension.has_labels && !clean(&dimension.name).is_empty() {
        let label = format!("{}.label", dimension.name);
        fields.dims.push(Proposed::new(&name("name"), &label, Kind::Dim));
    }
}
