//! The reference of every key as Markdown, made from the JSON Schema, which is made from the types: one source for
//! readers, editors and the compiler.

use serde_json::{Map, Value};

use super::schema::schema;

/// The text of docs/profiles/reference.md.
pub fn reference() -> String {
    let schema = schema();
    let empty = Map::new();
    let definitions = schema["$defs"].as_object().unwrap_or(&empty);
    let mut text = String::from(HEAD);
    section("A profile", &schema, &mut text);
    // In the order in which the keys of a profile lead to them.
    let mut order: Vec<&str> = Vec::new();
    visit(&schema, definitions, &mut order);
    for name in order {
        section(name, &definitions[name], &mut text);
    }
    text
}

const HEAD: &str = "\
# Reference of the profile language

Made by `chartly profile reference` from the schema; do not edit by hand. Every key, what it takes, and what it means.
Keys in **bold** must be there. Unknown keys are errors. Editors get the same by this first line of a profile:

```yaml
# yaml-language-server: $schema=http://127.0.0.1:8090/api/profiles/schema
```

or, without a server, `chartly profile schema > profile.schema.json` and `# yaml-language-server: $schema=./profile.schema.json`.
";

fn visit<'s>(node: &'s Value, definitions: &'s Map<String, Value>, order: &mut Vec<&'s str>) {
    match node {
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| *key != "$defs") {
                let name = value.as_str().filter(|_| key == "$ref").and_then(|path| path.strip_prefix("#/$defs/"));
                let Some((name, definition)) = name.and_then(|name| definitions.get_key_value(name)) else {
                    visit(value, definitions, order);
                    continue;
                };
                if !order.contains(&name.as_str()) {
                    order.push(name);
                    visit(definition, definitions, order);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, definitions, order)),
        _ => {}
    }
}

fn section(name: &str, schema: &Value, text: &mut String) {
    let level = if name == "A profile" { "" } else { "`" };
    text.push_str(&format!("\n## {level}{name}{level}\n"));
    if let Some(words) = schema["description"].as_str() {
        text.push_str(&format!("\n{}\n", words.replace('\n', " ")));
    }
    if let Some(words) = words(schema) {
        text.push_str(&format!("\n{words}\n"));
        return;
    }
    let Some(properties) = schema["properties"].as_object() else {
        text.push_str(&format!("\nTakes {}.\n", kind(schema)));
        return;
    };
    text.push_str("\n| key | takes | meaning |\n| --- | --- | --- |\n");
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, property) in properties {
        let mark = if required.contains(&key.as_str()) { "**" } else { "" };
        let meaning = cell(property["description"].as_str().unwrap_or(""));
        let takes = if property["properties"].is_object() { format!("[{key}](#{key})") } else { kind(property) };
        text.push_str(&format!("| {mark}`{key}`{mark} | {} | {meaning} |\n", cell(&takes)));
    }
    // What must be there stands in the schema itself, not beside it.
    for (key, property) in properties.iter().filter(|(_, property)| property["properties"].is_object()) {
        section(key, property, text);
    }
}

/// A closed set of words, each with its meaning.
fn words(schema: &Value) -> Option<String> {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        return Some(format!("One of {}.", words.collect::<Vec<_>>().join(", ")));
    }
    let choices = schema["oneOf"].as_array()?;
    let line = |choice: &Value| {
        let one = choice["const"].as_str().map(|word| format!("`{word}`"));
        let several = || words(choice).map(|text| text.trim_start_matches("One of ").trim_end_matches('.').to_owned());
        let meaning = choice["description"].as_str().map(|text| format!(": {}", text.replace('\n', " ")));
        Some(format!("- {}{}", one.or_else(several)?, meaning.unwrap_or_default()))
    };
    let lines: Option<Vec<String>> = choices.iter().map(line).collect();
    Some(lines?.join("\n"))
}

/// What a place takes, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "nothing").collect();
            return kinds.join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or("null")))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    match &schema["type"] {
        Value::String(one) => simple(one, schema),
        Value::Array(several) => {
            let kinds = several.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.map(|one| simple(one, schema)).collect::<Vec<_>>().join(" or ")
        }
        _ => "anything".into(),
    }
}

fn simple(kind: &str, schema: &Value) -> String {
    match kind {
        "string" => "text".into(),
        "boolean" => "true or false".into(),
        "integer" => "a whole number".into(),
        "number" => "a number".into(),
        "null" => "nothing".into(),
        "array" => match schema.get("items") {
            Some(items) => format!("a list of {}", self::kind(items)),
            None => "a list".into(),
        },
        _ => match schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            Some(inner) => format!("a map of {}", self::kind(inner)),
            None => "a map".into(),
        },
    }
}

/// Fit for a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_meaning() {
        let text = reference();
        for line in text.lines().filter(|line| line.starts_with("| `") || line.starts_with("| **`")) {
            let meaning = line.rsplit(" | ").next().unwrap();
            assert!(meaning.len() > 5, "{line}");
        }
        assert!(text.contains("| **`url`** | text | Address, http or https."), "{text}");
    }

    /// Run with CHARTLY_WRITE_REFERENCE=1 to write it anew.
    #[test]
    fn the_reference_in_the_docs_is_this_one() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profiles/reference.md");
        if std::env::var_os("CHARTLY_WRITE_REFERENCE").is_some() {
            std::fs::write(&file, reference()).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(written, reference(), "docs/profiles/reference.md is old: chartly profile reference > it");
    }
}
