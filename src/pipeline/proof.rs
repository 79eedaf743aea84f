//! A profile's own test: saved answers played through a run, and the records held against the expected ones.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::fetch::{Fetcher, Recording, RecordingError, SavedAnswer, SavedRequest, now_ms};
use super::preview::{Extent, StandIns, preview};
use crate::domain::run::RunState;
use crate::profiles::{Expected, Profile, ProfileTest};

mod compare;

pub use compare::differences;

/// Records of a test at most.
const MAX_RECORDS: u64 = 100_000;
const MAX_EXPECTED_BYTES: u64 = 64 << 20;

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Records that came out.
    pub records: u64,
    /// What differs; empty where nothing does.
    pub differences: Vec<String>,
}

impl Proof {
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Why a test cannot be made.
#[derive(Debug, Error)]
pub enum ProofError {
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("{file}: {error}")]
    Expected { file: String, error: String },
}

/// Plays the answers that the profile's text holds. `None`: it holds none, or names files.
pub async fn prove_inline(profile: &Profile) -> Option<Proof> {
    let test = profile.test()?;
    let Expected::Records(expected) = test.expected.as_ref()? else { return None };
    if test.answers.is_empty() || test.pages.is_some() {
        return None;
    }
    let recording = Recording::new(test.answers.iter().map(saved).collect());
    Some(prove(profile, recording, expected, test.now_ms).await)
}

/// Plays what the profile's text holds or names, else the folder `<name>.test` beside `file`. `None`: there is no test.
pub async fn prove_beside(profile: &Profile, file: &Path) -> Result<Option<Proof>, ProofError> {
    if let Some(proof) = prove_inline(profile).await {
        return Ok(Some(proof));
    }
    let nothing = ProfileTest::default();
    let test = profile.test().unwrap_or(&nothing);
    let folder = file.with_extension("test");
    let near = file.parent().unwrap_or(Path::new("."));
    let pages = match &test.pages {
        Some(name) => near.join(name),
        None => folder.join("pages"),
    };
    let recording = if test.answers.is_empty() {
        // Without a folder of the usual name there is no test; one that is named must be there.
        if test.pages.is_none() && !folder.is_dir() {
            return Ok(None);
        }
        Recording::read(&pages)?
    } else {
        Recording::new(test.answers.iter().map(saved).collect())
    };
    let expected = match &test.expected {
        Some(Expected::Records(records)) => records.clone(),
        Some(Expected::File(name)) => read_records(&near.join(name))?,
        None => read_records(&folder.join("expected.jsonl"))?,
    };
    Ok(Some(prove(profile, recording, &expected, test.now_ms).await))
}

async fn prove(profile: &Profile, recording: Recording, expected: &[Value], at_ms: Option<i64>) -> Proof {
    let fetcher = Fetcher::recorded(recording);
    let mut extent = Extent::whole(profile, usize::MAX);
    extent.limits.max_records = extent.limits.max_records.min(MAX_RECORDS);
    let given = preview(&fetcher, profile, extent, at_ms.unwrap_or_else(now_ms), &StandIns).await;
    let mut differences = Vec::new();
    if !matches!(given.outcome.state, RunState::Succeeded) {
        let why = given.outcome.error.as_deref().unwrap_or("no reason is known");
        differences.push(format!("the run ended as {}: {why}", given.outcome.state.as_str()));
    }
    let produced: Vec<Value> = given.records.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    differences.extend(compare::differences(&produced, expected));
    Proof { records: given.outcome.records, differences }
}

fn saved(answer: &crate::profiles::TestAnswer) -> SavedAnswer {
    let request = answer.request.as_ref().map(|(method, url)| SavedRequest {
        method: method.clone(),
        url: url.clone(),
        body: None,
    });
    SavedAnswer {
        request,
        status: answer.status,
        headers: answer.headers.clone(),
        body: answer.body.clone().into_bytes(),
    }
}

fn read_records(path: &PathBuf) -> Result<Vec<Value>, ProofError> {
    let file = path.display().to_string();
    let wrong = |error: String| ProofError::Expected { file: file.clone(), error };
    let bytes = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if bytes > MAX_EXPECTED_BYTES {
        return Err(wrong(format!("has {bytes} bytes; at most {MAX_EXPECTED_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let record = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| wrong(format!("line {} is not JSON: {error}", index + 1)))
    };
    lines.map(record).collect()
}
