//! Proposals against recorded answers of real shapes: for each, the proposed profile is valid and gives at least the
//! values that a careful author's profile gives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{File, profile};

/// Fixtures that the proposals must get right.
const MUST: usize = 11;

fn fixtures() -> Option<PathBuf> {
    let base = match std::env::var_os("CHARTLY_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    let folder = base.join("sources/fixtures/dev");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "the fixtures are not at {}", folder.display());
    println!("SKIPPED: the fixtures are not at {} (set CHARTLY_SHARED)", folder.display());
    None
}

/// Numbers of the measures, counted, with ten digits.
fn measures(lines: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let record: Value = serde_json::from_str(line).unwrap();
        numbers(&record["measures"], &mut counts);
    }
    counts
}

fn numbers(value: &Value, counts: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(members) => members.values().for_each(|inner| numbers(inner, counts)),
        Value::Number(number) => *counts.entry(format!("{:.9e}", number.as_f64().unwrap())).or_default() += 1,
        _ => {}
    }
}

/// Proposes from the first page, then plays every page; what is wrong, or nothing.
fn attempt(folder: &Path) -> Result<String, String> {
    let index: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("pages/index.json")).unwrap()).unwrap();
    let pages: Vec<&Value> = index.as_array().unwrap().iter().filter(|page| page["status"] == 200).collect();
    let body = |page: &Value| folder.join("pages").join(page["file"].as_str().unwrap()).to_str().unwrap().to_owned();
    let url = pages[0]["request"]["url"].as_str().unwrap();
    let (code, text, err) = profile(&["new", url, "--answer", &body(pages[0])]);
    if code != 0 {
        return Err(format!("no proposal: {}", err.trim()));
    }
    let file = File::new("proposed.yaml", &text);
    let (code, _, err) = profile(&["validate", &file.path]);
    if code != 0 {
        return Err(format!("not valid: {err}\n{text}"));
    }
    let mut given: BTreeMap<String, usize> = BTreeMap::new();
    for page in &pages {
        let (_, out, err) =
            profile(&["preview", &file.path, "--answer", &body(page), "--limit", "100000", "--output", "ndjson"]);
        for (number, count) in measures(&out) {
            *given.entry(number).or_default() += count;
        }
        if out.is_empty() && pages.len() == 1 {
            return Err(format!("no records: {err}\n{text}"));
        }
    }
    let wanted = measures(&std::fs::read_to_string(folder.join("expected.jsonl")).unwrap());
    let lacking: Vec<&String> =
        wanted.iter().filter(|(number, count)| given.get(*number) < Some(count)).map(|(number, _)| number).collect();
    if lacking.is_empty() {
        Ok(text)
    } else {
        Err(format!("{} values are lacking: {lacking:?}\n{text}", lacking.len()))
    }
}

#[test]
fn most_sources_are_nearly_right_at_the_first_try() {
    let Some(fixtures) = fixtures() else { return };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&fixtures).unwrap().flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("pages/index.json").exists());
    folders.sort();
    let mut right = 0;
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy();
        match attempt(folder) {
            Ok(text) => {
                right += 1;
                println!("right  {name:<24} {} fields", text.lines().filter(|line| line.contains("{from:")).count());
                if std::env::var_os("CHARTLY_SHOW").is_some() {
                    println!("{text}");
                }
            }
            Err(reason) => println!("WRONG  {name:<24} {reason}"),
        }
    }
    println!("{right} of {}", folders.len());
    assert!(right >= MUST, "only {right} of {} are right", folders.len());
}

#[test]
fn what_cannot_be_proposed_is_told() {
    let page = File::new("a.html", "<!doctype html><html><body>x</body></html>");
    let (code, _, err) = profile(&["new", "https://h.example/", "--answer", &page.path]);
    assert_eq!(code, 1);
    assert!(err.contains("a web page"), "{err}");
    assert_eq!(profile(&["new"]).0, 2);
    assert_eq!(profile(&["new", "ftp://h.example/"]).0, 2);
    assert_eq!(profile(&["new", "http://127.0.0.1:9/"]).0, 2);
    assert_eq!(profile(&["new", "https://h.example/", "--id", "a b"]).0, 2);
}

#[test]
fn a_real_source_is_fetched_once() {
    let source = chartly::sample::Sample::start().unwrap();
    let url = format!(
        "{}/open-meteo/v1/archive?latitude=32.8&longitude=-86.8&start_date=2021-01-01&end_date=2021-01-05&daily=temperature_2m_mean",
        source.url()
    );
    let (code, out, err) = profile(&["new", &url, "--allow-private", "127.0.0.1", "--id", "weather"]);
    assert_eq!(code, 0, "{err}");
    for part in ["id: weather\n", "rows: {zip: {under: \"$.daily\"}}", "time.date:", "temperature_2m_mean:"] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}
