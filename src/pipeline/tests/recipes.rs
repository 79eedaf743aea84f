//! The recipes of the documentation do what they say: each shows an answer, a profile and the records.

use std::path::PathBuf;

use serde_json::Value;

use super::{map, profile};

/// The blocks between fences, with the word behind the opening one.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    let inside = parts.iter().skip(1).step_by(2);
    inside.map(|part| part.split_once('\n').expect("a block begins with a line of its own")).collect()
}

#[test]
fn every_recipe_gives_the_records_that_it_shows() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/profiles/recipes");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 20, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let [(_, answer), ("yaml", yaml), ("jsonl", records)] = blocks(&text)[..] else {
            panic!("{file:?} shows an answer, a profile and the records");
        };
        let expected: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<String> = expected.iter().map(|record| serde_jcs::to_string(record).unwrap()).collect();
        match map(&profile(yaml), answer.as_bytes()) {
            Ok(mapped) if mapped.records == expected && mapped.unread.is_empty() => {}
            Ok(mapped) => wrong.push(format!("{file:?}: {mapped:#?}\nexpected {expected:#?}")),
            Err(error) => wrong.push(format!("{file:?}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
