//! Compares records with a fixture's `expected.jsonl`: order does not matter, numbers are equal within 1e-9
//! (relative), no record may come twice.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

/// What differs, in words; empty when nothing does.
pub fn differences(produced: &[String], expected: &Path) -> Vec<String> {
    let expected = std::fs::read_to_string(expected).expect("the expected records are there");
    let want = count(expected.lines().filter(|line| !line.trim().is_empty()));
    let got = count(produced.iter().map(String::as_str));
    let missing = want.keys().filter(|key| !got.contains_key(*key)).map(|key| format!("missing {key}"));
    let extra = got.keys().filter(|key| !want.contains_key(*key)).map(|key| format!("extra   {key}"));
    let double = got.iter().filter(|(_, count)| **count > 1).map(|(key, _)| format!("double  {key}"));
    missing.chain(extra).chain(double).collect()
}

/// Whether every produced record is one of the expected ones, and none twice.
pub fn is_part(produced: &[String], expected: &Path) -> bool {
    differences(produced, expected).iter().all(|difference| difference.starts_with("missing"))
}

fn count<'l>(lines: impl Iterator<Item = &'l str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let record: Value = serde_json::from_str(line).expect("a record is JSON");
        let key = serde_json::json!({ "dims": rounded(&record["dims"]), "measures": rounded(&record["measures"]) });
        *counts.entry(key.to_string()).or_default() += 1;
    }
    counts
}

fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().expect("a finite number");
            let short: f64 = format!("{number:.9e}").parse().expect("a number reads back");
            Value::from(short)
        }
        Value::Array(items) => items.iter().map(rounded).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> = members.iter().map(|(key, inner)| (key, rounded(inner))).collect();
            Value::Object(sorted.into_iter().map(|(key, inner)| (key.clone(), inner)).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
