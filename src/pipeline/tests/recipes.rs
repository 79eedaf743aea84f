//! The recipes of the documentation do what they say: each shows an answer, a profile and the records.

use std::path::PathBuf;

use serde_json::Value;

use super::played::{get, play};
use super::{map, profile};
use crate::domain::run::RunState;
use crate::pipeline::fetch::SavedAnswer;
use crate::pipeline::testing;

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
    let played = play(yaml, answers.iter().map(|(info, answer)| saved(info, answer)).collect());
    match played.outcome.state {
        RunState::Succeeded => Ok(played.records),
        _ => Err(format!("{played:#?}")),
    }
}

/// A saved answer. The words behind the opening fence are how it is written, how it is packed where it is, method and
/// address. Written as `http` it has a status line and headers.
fn saved(info: &str, answer: &str) -> SavedAnswer {
    let words: Vec<&str> = info.split(' ').collect();
    let (form, packing, method, url) = match words.as_slice() {
        [form, method, url] => (*form, None, *method, *url),
        [form, packing, method, url] => (*form, Some(*packing), *method, *url),
        other => panic!("{other:?}: each of several answers names what it answers"),
    };
    let mut saved = get(url, answer);
    if form == "http" {
        let (head, body) = answer.split_once("\n\n").expect("an empty line stands between head and body");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers = lines.map(|line| line.split_once(": ").expect("a header has a name and a value"));
        saved.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        saved.status = status.expect("a status line holds a status");
        saved.body = body.into();
    }
    saved.body = match packing {
        Some("gzip") => testing::gzip(&saved.body),
        Some(zip) => testing::zip(&[("read.me", false, b"hello"), (zip.trim_start_matches("zip:"), true, &saved.body)]),
        None => saved.body,
    };
    saved.request.as_mut().expect("it was just made").method = method.to_owned();
    saved
}

#[test]
fn every_recipe_is_in_the_cookbook() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/profiles");
    let index = std::fs::read_to_string(folder.join("cookbook-index.md")).unwrap();
    for file in std::fs::read_dir(folder.join("recipes")).unwrap() {
        let path = file.unwrap().path();
        let (name, text) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&path));
        let title = text.unwrap().lines().next().unwrap().trim_start_matches("# ").to_owned();
        assert!(index.contains(&format!("- [{title}](recipes/{name})")), "{name}");
    }
}

#[test]
fn every_recipe_gives_gives_the_records_that_it_shows() {
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
