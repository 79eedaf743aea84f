//! The recipes of the documentation do what they say: each shows an answer, a profile and the records.

use std::path::PathBuf;

use serde_json::Value;

use super::played::{get, play};
use super::{map, profile};
use crate::domain::run::RunState;

/// The blocks between fences, with the word behind the opening one.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = text.split("```").collect();
    let inside = parts.iter().skip(1).step_by(2);
    inside.map(|part| part.split_once('\n').expect("a block begins with a line of its own")).collect()
}

/// What a recipe's profile makes of its answer; or of its answers, where each names what it answers.
fn cook(yaml: &str, answers: &[(&str, &str)]) -> Result<Vec<String>, String> {
    if let [(info, answer)] = answers
        && !info.contains(' ')
    {
        let mapped = map(&profile(yaml), answer.as_bytes())?;
        return if mapped.unread.is_empty() { Ok(mapped.records) } else { Err(format!("{mapped:#?}")) };
    }
    let saved = |(info, answer): &(&str, &str)| {
        let (_, request) = info.split_once(' ').expect("each of several answers names what it answers");
        let (method, url) = request.split_once(' ').expect("a method and an address");
        let mut saved = get(url, *answer);
        saved.request.as_mut().expect("it was just made").method = method.to_owned();
        saved
    };
    let played = play(yaml, answers.iter().map(saved).collect());
    match played.outcome.state {
        RunState::Succeeded => Ok(played.records),
        _ => Err(format!("{played:#?}")),
    }
}

#[test]
fn every_recipe_gives_the_records_that_it_shows() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/profiles/recipes");
    let files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 25, "{files:?}");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks = blocks(&text);
        let [answers @ .., ("yaml", yaml), ("jsonl", records)] = blocks.as_slice() else {
            panic!("{file:?} shows an answer, a profile and the records");
        };
        let expected: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<String> = expected.iter().map(|record| serde_jcs::to_string(record).unwrap()).collect();
        match cook(yaml, answers) {
            Ok(records) if records == expected => {}
            Ok(records) => wrong.push(format!("{file:?}: {records:#?}\nexpected {expected:#?}")),
            Err(error) => wrong.push(format!("{file:?}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
