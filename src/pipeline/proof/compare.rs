//! Records against expected ones: order does not matter, numbers are equal within ten digits, nothing comes twice.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What differs, a line for each record: `missing`, `extra` or `double`.
pub fn differences(produced: &[Value], expected: &[Value]) -> Vec<String> {
    let (got, want) = (count(produced), count(expected));
    let missing = want.keys().filter(|key| !got.contains_key(*key)).map(|key| format!("missing  {key}"));
    let extra = got.keys().filter(|key| !want.contains_key(*key)).map(|key| format!("extra    {key}"));
    let double = got.iter().filter(|(_, count)| **count > 1).map(|(key, _)| format!("double   {key}"));
    missing.chain(extra).chain(double).collect()
}

fn count(records: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        let part = |name: &str| rounded(record.get(name).unwrap_or(&Value::Null));
        let key = json!({ "dims": part("dims"), "measures": part("measures") }).to_string();
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The value with ten digits to each number and sorted members.
fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let short = number.as_f64().and_then(|number| format!("{number:.9e}").parse::<f64>().ok());
            short.map_or_else(|| value.clone(), Value::from)
        }
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> = members.iter().map(|(key, inner)| (key, rounded(inner))).collect();
            Value::Object(sorted.into_iter().map(|(key, inner)| (key.clone(), inner)).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_meet_and_texts_do_not() {
        let record = |value: Value| json!({ "dims": { "a": "1" }, "measures": { "v": value }, "record_id": "x" });
        assert!(differences(&[record(json!(1))], &[record(json!(1.0))]).is_empty());
        assert!(differences(&[record(json!(0.1 + 0.2))], &[record(json!(0.3))]).is_empty());
        let told = differences(&[record(json!("1")), record(json!(2)), record(json!(2))], &[record(json!(1))]);
        let kinds: Vec<&str> = told.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(kinds, ["missing", "extra", "extra", "double"]);
    }
}
