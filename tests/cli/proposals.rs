//! Proposals held against what a careful author's profile gives. For each recorded source: a profile is proposed from
//! the first answer, played over the recording, and for what it did not ask (other parameters) proposed again.
//!
//! *Right*: the records pair one to one with the expected ones, the measures of a pair have the same values, and every
//! dim that tells expected records apart has its value among the dims of the pair.
//! *Nearly right*: every expected record has a record of its own that has all its measures and its time; names, further
//! dims and measures may differ, and rows may come that the author left out.
//! *Wrong*: anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chartly::pipeline::Fetcher;
use chartly::pipeline::fetch::{Recording, SavedAnswer, SavedRequest, now_ms};
use chartly::pipeline::preview::{Extent, StandIns, preview};
use chartly::pipeline::sight::sight;
use chartly::profiles::propose::{Seen, propose};
use serde_json::Value;

/// Of the 14 sources, so many must be right or nearly right, and so many right.
const NEARLY: usize = 14;
const RIGHT: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Wrong,
    Nearly,
    Right,
}

/// A record as the values of its dims and measures; names are the author's.
#[derive(Debug, Clone)]
struct Plain {
    dims: BTreeMap<String, String>,
    measures: Vec<String>,
}

fn plain(text: &str) -> Plain {
    let record: Value = serde_json::from_str(text).unwrap();
    let (mut dims, mut measures) = (BTreeMap::new(), Vec::new());
    leaves("", &record["dims"], &mut |path, value| {
        dims.insert(path.to_owned(), value.as_str().unwrap_or_default().to_owned());
    });
    leaves("", &record["measures"], &mut |_, value| measures.push(format!("{:.9e}", value.as_f64().unwrap())));
    measures.sort();
    Plain { dims, measures }
}

fn leaves<'v>(path: &str, value: &'v Value, found: &mut impl FnMut(&str, &'v Value)) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, inner)| leaves(&format!("{path}.{name}"), inner, found));
        }
        single => found(path, single),
    }
}

/// All of `part`, as often as it is there, is in `whole`.
fn holds(whole: &[String], part: &[String]) -> bool {
    let mut left: Vec<&String> = whole.iter().collect();
    part.iter().all(|wanted| left.iter().position(|own| *own == wanted).map(|at| left.swap_remove(at)).is_some())
}

fn grade(given: &[Plain], wanted: &[Plain]) -> (Grade, String) {
    let names: BTreeSet<&String> = wanted.iter().flat_map(|record| record.dims.keys()).collect();
    let telling: Vec<&String> = names
        .into_iter()
        .filter(|name| wanted.iter().map(|record| record.dims.get(*name)).collect::<BTreeSet<_>>().len() > 1)
        .collect();
    let mut left: Vec<&Plain> = given.iter().collect();
    let (mut same, mut lacking) = (given.len() == wanted.len(), String::new());
    for record in wanted {
        let dims = |own: &&Plain| {
            let has = |name: &&&String| {
                record.dims.get(**name).is_none_or(|text| own.dims.values().any(|other| other == text))
            };
            telling.iter().filter(has).count()
        };
        let times: Vec<&String> =
            record.dims.iter().filter(|(name, _)| name.starts_with(".time.")).map(|(_, text)| text).collect();
        let timely = |own: &&Plain| {
            let is_same =
                |time: &str| own.dims.iter().any(|(name, text)| name.starts_with(".time.") && near(text, time));
            times.iter().all(|time| is_same(time))
        };
        let fits = |own: &&Plain| holds(&own.measures, &record.measures) && timely(own);
        let best = left.iter().enumerate().filter(|(_, own)| fits(own)).max_by_key(|(_, own)| dims(own));
        let Some((at, own)) = best else { return (Grade::Wrong, format!("no record for {record:?}")) };
        if dims(own) < telling.len() || own.measures.len() != record.measures.len() {
            same = false;
            lacking = format!("{:?} for {:?}", own.dims, record.dims);
        }
        left.swap_remove(at);
    }
    if same {
        (Grade::Right, String::new())
    } else {
        (Grade::Nearly, format!("{} given, {} wanted; {lacking}", given.len(), wanted.len()))
    }
}

/// The same time, or instants within a day of each other: the zone of a local time is what only the author knows.
fn near(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    match (left.parse::<jiff::Timestamp>(), right.parse::<jiff::Timestamp>()) {
        (Ok(left), Ok(right)) => (left.as_second() - right.as_second()).abs() < 86_400,
        _ => false,
    }
}

struct Page {
    request: SavedRequest,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn pages(folder: &Path) -> Vec<Page> {
    let index: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let page = |entry: &Value| Page {
        request: serde_json::from_value(entry["request"].clone()).unwrap(),
        headers: serde_json::from_value::<BTreeMap<String, String>>(entry["headers"].clone())
            .unwrap()
            .into_iter()
            .collect(),
        body: std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap(),
    };
    index.as_array().unwrap().iter().filter(|entry| entry["status"] == 200).map(page).collect()
}

/// The proposal from one page, and the records that it gives over the recording, with the addresses it asked.
async fn played(page: &Page, pages: &[Page]) -> Result<(String, Vec<String>, Vec<String>), String> {
    let sight = sight(&page.body)?;
    let has_next_link =
        page.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("link") && value.contains("next"));
    let seen = Seen {
        url: &page.request.url,
        body: &sight.text,
        is_xml: sight.is_xml,
        packing: sight.packing.clone(),
        has_next_link,
        id: None,
    };
    let text = propose(&seen).map_err(|error| error.to_string())?;
    let profile = chartly::profiles::load(&text).map_err(|problems| format!("{problems}\n{text}"))?;
    let saved = |page: &Page| SavedAnswer {
        // A proposal asks by GET.
        request: Some(SavedRequest { method: "GET".into(), body: None, ..page.request.clone() }),
        status: 200,
        headers: page.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link")).cloned().collect(),
        body: page.body.clone(),
    };
    let fetcher = Fetcher::recorded(Recording::new(pages.iter().map(saved).collect())).with_journal();
    let given = preview(&fetcher, &profile, Extent::whole(&profile, 100_000), now_ms(), &StandIns).await;
    if let Some(error) = given.outcome.error {
        return Err(format!("{error}\n{text}"));
    }
    Ok((text, given.records, given.asked.into_iter().map(|asked| asked.url).collect()))
}

async fn attempt(folder: &Path) -> (Grade, String, String) {
    let pages = pages(&folder.join("pages"));
    // A record that comes twice is one, as in the store.
    let mut given = BTreeSet::new();
    let mut first = String::new();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let same = |left: &str, right: &str| {
        let pairs = |text: &str| {
            let url = url::Url::parse(text).unwrap();
            let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            // A key stays out of profiles, and out of what is shown.
            pairs.retain(|(name, _)| !name.ends_with("key"));
            pairs.sort();
            (url.path().to_owned(), pairs)
        };
        pairs(left) == pairs(right)
    };
    for page in &pages {
        if asked.iter().any(|own| same(own, &page.request.url)) {
            continue;
        }
        match played(page, &pages).await {
            Ok((text, records, urls)) => {
                given.extend(records);
                asked.extend(urls);
                asked.insert(page.request.url.clone());
                if first.is_empty() {
                    first = text;
                }
            }
            Err(reason) => return (Grade::Wrong, reason, first),
        }
    }
    let wanted = std::fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    let wanted: Vec<Plain> = wanted.lines().filter(|line| !line.trim().is_empty()).map(plain).collect();
    let given: Vec<Plain> = given.iter().map(|record| plain(record)).collect();
    let (grade, why) = grade(&given, &wanted);
    (grade, why, first)
}

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

#[actix_web::test]
async fn every_recorded_source_is_right_or_nearly_right_at_the_first_try() {
    let Some(fixtures) = fixtures() else { return };
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&fixtures).unwrap().flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("pages/index.json").exists());
    folders.sort();
    let mut grades = Vec::new();
    for folder in &folders {
        let (grade, why, text) = attempt(folder).await;
        println!("{grade:<7?} {:<24} {why}", folder.file_name().unwrap().to_string_lossy());
        if std::env::var_os("CHARTLY_SHOW").is_some() {
            println!("{text}");
        }
        grades.push(grade);
    }
    let count = |least: Grade| grades.iter().filter(|grade| **grade >= least).count();
    println!(
        "{} right, {} nearly, {} wrong",
        count(Grade::Right),
        count(Grade::Nearly) - count(Grade::Right),
        folders.len() - count(Grade::Nearly)
    );
    assert!(count(Grade::Nearly) >= NEARLY.min(folders.len()), "{grades:?}");
    assert!(count(Grade::Right) >= RIGHT.min(folders.len()), "{grades:?}");
}
