//! Whole runs over answers that are played: from a profile and bytes to records, or to a reason.

use std::collections::HashSet;

use chartly::domain::batch::Records;
use chartly::domain::record::push_record;
use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{Recording, SavedAnswer};
use chartly::pipeline::preview::StandIns;
use chartly::pipeline::{Fetcher, RunInput, RunOutcome, Sink, SinkError, run_within};
use chartly::profiles::plan::Limits;
use chartly::profiles::{Profile, load};

/// A page of the documentation: an answer, a profile for it, and the records.
pub type Recipe = &'static str;

macro_rules! recipes {
    ($($name:literal),*) => { &[$(include_str!(concat!("../../docs/profiles/recipes/", $name, ".md"))),*] };
}

pub const JSON: &[Recipe] = recipes!(
    "each",
    "nested",
    "map-keys",
    "table",
    "zip",
    "single",
    "filter",
    "pivot",
    "unpivot-members",
    "unpivot-table",
    "join-pairs",
    "lookups",
    "fields",
    "times",
    "ndjson",
    "geojson",
    "duplicates"
);
pub const CSV: &[Recipe] = recipes!("csv", "unpivot-columns");
pub const COLUMNS: &[Recipe] = recipes!("columns", "fixed-width");
pub const XML: &[Recipe] = recipes!("xml");
pub const CUBE: &[Recipe] = recipes!("json-stat", "sdmx-json");

/// What stands between the profile and the answers of the target `pipeline`.
pub const ANSWER: &[u8] = b"\n---\n";

/// The block of a recipe: 0 is the answer, 1 the profile.
pub fn block(recipe: Recipe, index: usize) -> &'static str {
    let block = recipe.split("```").nth(1 + 2 * index).expect("a recipe shows an answer, a profile and records");
    block.split_once('\n').expect("a block begins with a line of its own").1
}

/// The first byte chooses the profile, the rest is the answer.
pub fn by_recipe(recipes: &[Recipe], data: &[u8]) {
    let Some((choice, answer)) = data.split_first() else { return };
    let profile = load(block(recipes[usize::from(*choice) % recipes.len()], 1)).expect("recipes are right");
    play(&profile, vec![SavedAnswer::plain(answer.to_vec())]);
}

const PACKED: [(&str, Option<&str>); 3] = [
    ("  compression: gzip\n  format: csv\n", None),
    ("  archive: {zip: \"*.csv\"}\n  format: csv\n", None),
    ("  format: csv\n", Some("gzip")),
];

/// The first byte chooses how the rest is packed.
pub fn inflate(data: &[u8]) {
    let Some((choice, answer)) = data.split_first() else { return };
    let (source, encoding) = PACKED[usize::from(*choice) % PACKED.len()];
    let profile = format!("id: t\nsource:\n  url: https://example.org/\n{source}measures: {{v: v}}\n");
    let headers = encoding.map(|encoding| ("content-encoding".to_owned(), encoding.to_owned()));
    let answer = SavedAnswer { headers: headers.into_iter().collect(), ..SavedAnswer::plain(answer.to_vec()) };
    play(&load(&profile).expect("it is right"), vec![answer]);
}

/// A profile and the answers to its requests, all arbitrary.
pub fn pipeline(data: &[u8]) {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(ANSWER.len()).position(|window| window == ANSWER) {
        parts.push(&rest[..at]);
        rest = &rest[at + ANSWER.len()..];
    }
    parts.push(rest);
    let Ok(text) = std::str::from_utf8(parts[0]) else { return };
    let Ok(profile) = load(text) else { return };
    play(&profile, parts[1..].iter().map(|answer| SavedAnswer::plain(answer.to_vec())).collect());
}

#[derive(Default)]
struct Keep(Vec<Records>);

impl Sink for Keep {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        self.0.push(records);
        Ok(())
    }
}

/// One run; what it gives is right, whatever came in.
fn play(profile: &Profile, answers: Vec<SavedAnswer>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let fetcher = Fetcher::recorded(Recording::new(answers));
    // Every request costs, and says nothing new after some.
    let limits = Limits { max_requests: 20, max_bytes: 4 << 20, max_records: 10_000, ..*profile.limits() };
    let input = RunInput { profile, validators: None, cursor: None, now_ms: 1_700_000_000_000, secrets: &StandIns };
    let mut kept = Keep::default();
    let outcome = runtime.expect("a runtime starts").block_on(run_within(&fetcher, input, limits, &mut kept));
    judge(&outcome, &kept.0);
}

fn judge(outcome: &RunOutcome, batches: &[Records]) {
    let needs_reason = matches!(outcome.state, RunState::Failed | RunState::Partial);
    assert_eq!(needs_reason, outcome.error.as_ref().is_some_and(|error| !error.is_empty()), "{outcome:?}");
    let mut seen = HashSet::new();
    for (digest, record) in batches.iter().flat_map(Records::iter) {
        let text = std::str::from_utf8(record).expect("a record is UTF-8");
        let mut again = Records::default();
        push_record(&mut again, text).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert_eq!(again.text(0), record, "{text} is not canonical");
        assert_eq!(again.digest(0), digest);
        assert!(seen.insert(*digest), "{text} came twice");
    }
}
