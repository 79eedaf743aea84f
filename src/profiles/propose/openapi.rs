//! A proposal from an OpenAPI document: the first operation that gives a list, and an answer as its schema says.

use serde_json::{Map, Value, json};

use super::form::Form;
use super::{ProposeError, Seen, propose_for};

const MAX_BYTES: usize = 16 << 20;
/// Schemas inside schemas; those that hold themselves end here.
const MAX_DEPTH: usize = 8;

/// Proposes a profile for the first GET operation whose answer holds rows. `text` is JSON or YAML.
pub fn propose_from_openapi(text: &str, id: Option<&str>) -> Result<String, ProposeError> {
    if text.len() > MAX_BYTES {
        return Err(ProposeError::TooLarge(text.len()));
    }
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(_) => serde_yaml::from_str(text).map_err(|error| ProposeError::OpenApi(error.to_string()))?,
    };
    let paths = document["paths"].as_object().ok_or(ProposeError::OpenApi("it has no paths".into()))?;
    let mut last = ProposeError::OpenApi("no GET operation gives JSON with rows".into());
    for (path, item) in paths {
        let Some(answer) = answer(&document, &item["get"]) else { continue };
        let url = address(&document, path, item);
        let seen = Seen { url: &url, id, ..Seen::default() };
        match propose_for(&seen, &Form::Json, &answer) {
            Ok(proposal) => return Ok(proposal),
            Err(ProposeError::NoRows) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// An answer in the form of the operation's own schema or example.
fn answer(document: &Value, operation: &Value) -> Option<Value> {
    let responses = operation["responses"].as_object()?;
    let good =
        responses.iter().find(|(status, _)| status.starts_with('2')).map(|(_, response)| follow(document, response))?;
    let json =
        good["content"].as_object()?.iter().find(|(kind, _)| kind.contains("json")).map(|(_, content)| content)?;
    if let Some(example) = json.get("example") {
        return Some(example.clone());
    }
    Some(sample(document, &json["schema"], MAX_DEPTH))
}

fn follow<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#')).and_then(|path| document.pointer(path));
    target.unwrap_or(value)
}

/// A value as the schema says.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    let schema = follow(document, schema);
    if depth == 0 {
        return Value::Null;
    }
    for said in ["example", "default", "const"] {
        if let Some(value) = schema.get(said) {
            return value.clone();
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let objects = parts.iter().filter_map(|part| sample(document, part, depth - 1).as_object().cloned());
        return Value::Object(objects.flatten().collect());
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|choices| choices.first()) {
            return sample(document, first, depth - 1);
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let member = |(name, inner): (&String, &Value)| (name.clone(), sample(document, inner, depth - 1));
        return Value::Object(properties.iter().map(member).collect::<Map<_, _>>());
    }
    if let Some(items) = schema.get("items") {
        let one = sample(document, items, depth - 1);
        return json!([one]);
    }
    single(schema)
}

fn single(schema: &Value) -> Value {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or(""),
        other => other.as_str().unwrap_or(""),
    };
    match (kind, schema["format"].as_str().unwrap_or("")) {
        ("integer" | "number", _) => json!(1),
        ("boolean", _) => json!(true),
        ("string", "date") => json!("2024-01-15"),
        ("string", "date-time") => json!("2024-01-15T12:30:00Z"),
        ("string", _) => json!("text"),
        _ => Value::Null,
    }
}

/// The address of the operation, with its parameters as far as they have a value.
fn address(document: &Value, path: &str, item: &Value) -> String {
    let server = document["servers"][0]["url"].as_str().filter(|url| url.starts_with("http"));
    let base = server.unwrap_or("https://example.invalid").trim_end_matches('/');
    let Ok(mut url) = url::Url::parse(&format!("{base}{}", path.replace(['{', '}'], ""))) else { return String::new() };
    let lists = [&item["get"]["parameters"], &item["parameters"]];
    for parameter in lists.into_iter().filter_map(Value::as_array).flatten().map(|one| follow(document, one)) {
        let wanted = parameter["required"].as_bool() == Some(true);
        let said =
            parameter.get("example").or(parameter["schema"].get("example")).or(parameter["schema"].get("default"));
        let value = said.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let (Some("query"), Some(name), true) =
            (parameter["in"].as_str(), parameter["name"].as_str(), wanted || value.is_some())
        {
            url.query_pairs_mut().append_pair(name, &value.unwrap_or_else(|| "VALUE".into()));
        }
    }
    url.into()
}
