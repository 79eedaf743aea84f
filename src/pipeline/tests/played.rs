//! Whole runs over saved answers: requests made, pages followed, records given.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::profile;
use crate::domain::batch::Records;
use crate::pipeline::fetch::{Asked, Fetcher, Recording, SavedAnswer, SavedRequest};
use crate::pipeline::outcome::{RunInput, RunOutcome, Sink, SinkError};
use crate::pipeline::run;

/// 2024-01-15T12:00:00Z.
pub const NOW_MS: i64 = 1_705_320_000_000;

/// What a run gave.
#[derive(Debug)]
pub struct Played {
    pub outcome: RunOutcome,
    pub records: Vec<String>,
    pub asked: Vec<Asked>,
}

impl Played {
    /// The addresses that were asked, in order.
    pub fn urls(&self) -> Vec<String> {
        self.asked.iter().map(|asked| asked.url.clone()).collect()
    }
}

#[derive(Default)]
struct Keep(Vec<String>);

impl Sink for Keep {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        self.0.extend(records.iter().map(|(_, text)| String::from_utf8_lossy(text).into_owned()));
        Ok(())
    }
}

/// A saved answer to a GET request.
pub fn get(url: &str, body: impl Into<Vec<u8>>) -> SavedAnswer {
    let request = SavedRequest { method: "GET".into(), url: url.into(), body: None };
    SavedAnswer { request: Some(request), ..SavedAnswer::plain(body.into()) }
}

/// Runs a profile over saved answers.
pub fn play(text: &str, answers: Vec<SavedAnswer>) -> Played {
    let profile = profile(text);
    let secrets: BTreeMap<String, SecretString> = [("KEY".to_owned(), SecretString::from("s3cret"))].into();
    let fetcher = Fetcher::recorded(Recording::new(answers)).with_journal();
    let input =
        RunInput { profile: &profile, validators: None, cursor: None, now_ms: NOW_MS, secrets: &secrets, keeper: None };
    let mut sink = Keep::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let outcome = runtime.block_on(run(&fetcher, input, &mut sink));
    Played { outcome, records: sink.0, asked: fetcher.take_asked() }
}
