//! Every source with every fault that the fixture server plays: the outcome is the one that the profile declares, and no
//! record is ever wrong or doubled.

use std::path::PathBuf;

use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{FetchSettings, Fetcher};
use serde_json::json;

use super::compare::{differences, is_part};
use super::server::{self, Server};
use super::{SOURCES, execute, profile, profile_text, settings};

/// Faults that pass: the run gets over them.
const PASSING: [&str; 8] = ["429", "429-date", "500", "502", "503", "truncate", "reset", "redirect"];
/// Faults that end a run, or that it may get over by asking again.
const ENDING: [&str; 7] = ["html", "errorbody", "empty", "badjson", "403", "404", "204"];

/// One source with a server of its own, so that all may be tried at the same time.
struct Case {
    api: &'static str,
    name: &'static str,
    /// The profile, with pages small enough for paging.
    text: String,
    server: Server,
    expected: PathBuf,
}

impl Case {
    async fn run(&self, text: &str) -> (chartly::pipeline::RunOutcome, Vec<String>) {
        let profile = profile(text);
        let settings = FetchSettings { max_attempts: 3, ..settings(profile.host(), &self.server.base(self.api)) };
        execute(&Fetcher::new(settings), &profile, None).await
    }

    /// The profile with another limit.
    fn limited(&self, limit: &str) -> String {
        let own = "limits: {max_requests: 60, max_bytes: 5000000}\n";
        format!("{}limits: {{{limit}}}\n", self.text.replace(own, ""))
    }

    fn fault(&self, fault: &serde_json::Value) {
        self.server.faults(&json!([fault]));
    }

    fn is_whole(&self, records: &[String]) -> bool {
        differences(records, &self.expected).is_empty()
    }
}

fn for_every_source(check: impl AsyncFn(&Case) + Copy + Send) {
    let Some(folder) = server::folder() else { return };
    std::thread::scope(|scope| {
        for (api, name, small) in SOURCES {
            let folder = folder.clone();
            scope.spawn(move || {
                let whole = profile_text(name);
                let text = small.map_or(whole.clone(), |(from, to)| whole.replace(from, to));
                let expected = folder.join(format!("fixtures/dev/{api}/expected.jsonl"));
                let case = Case { api, name, text, server: Server::start(&folder), expected };
                actix_web::rt::System::new().block_on(check(&case));
            });
        }
    });
}

#[test]
fn faults_never_make_a_wrong_record() {
    for_every_source(async |case| {
        for (fault, nth) in PASSING.iter().chain(&ENDING).flat_map(|fault| [(*fault, 1), (*fault, 2)]) {
            case.fault(&json!({ "api": case.api, "fault": fault, "nth": nth, "retry_after": 0 }));
            let (outcome, records) = case.run(&case.text).await;
            let context = format!("{} {fault} at request {nth}: {outcome:?}", case.api);
            assert!(is_part(&records, &case.expected), "{context}");
            // GitHub limits by 403, with nothing but words to tell it from a refusal; a POST is not sent elsewhere.
            let refused = (case.api == "github_releases" && fault.starts_with("429"))
                || (case.name == "us-bls-series" && fault == "redirect");
            if PASSING.contains(&fault) && !refused {
                assert_eq!(outcome.state, RunState::Succeeded, "{context}");
            }
            match outcome.state {
                // The profile says that this status means "no data".
                RunState::Succeeded if case.api == "census_acs5" && fault == "204" => {}
                RunState::Succeeded => assert!(case.is_whole(&records), "{context}"),
                RunState::Failed => assert!(outcome.error.is_some(), "{context}"),
                other => panic!("{other:?} {context}"),
            }
        }
    });
}

#[test]
fn a_slow_answer_is_waited_for_until_the_timeout_and_asked_for_again_behind_it() {
    for_every_source(async |case| {
        case.fault(&json!({ "api": case.api, "fault": "slow", "nth": 1, "delay": 0.3 }));
        let (outcome, records) = case.run(&case.text).await;
        let context = format!("{}: {outcome:?}", case.api);
        assert!(outcome.state == RunState::Succeeded && case.is_whole(&records), "{context}");
        let usual = outcome.requests;

        let hasty = case.limited("timeout: 1s");
        case.fault(&json!({ "api": case.api, "fault": "slow", "nth": 1, "delay": 2 }));
        let (outcome, records) = case.run(&hasty).await;
        let context = format!("{}: {outcome:?}", case.api);
        assert!(outcome.state == RunState::Succeeded && case.is_whole(&records), "{context}");
        assert_eq!(outcome.requests, usual + 1, "{context}");

        case.fault(&json!({ "api": case.api, "fault": "slow", "delay": 2 }));
        let (outcome, records) = case.run(&hasty).await;
        assert!(outcome.state == RunState::Failed && records.is_empty(), "{}: {outcome:?}", case.api);
        assert!(outcome.error.is_some_and(|error| error.contains("no complete answer within 1s")), "{}", case.api);
    });
}

#[test]
fn a_padded_answer_ends_at_the_byte_limit() {
    for_every_source(async |case| {
        let limited = case.limited("max_bytes: 1000000");
        for nth in [1, 2] {
            case.fault(&json!({ "api": case.api, "fault": "pad", "nth": nth }));
            let (outcome, records) = case.run(&limited).await;
            let context = format!("{} at request {nth}: {outcome:?}", case.api);
            if outcome.requests < nth {
                // One request is all: none was padded.
                assert!(outcome.state == RunState::Succeeded && case.is_whole(&records), "{context}");
                continue;
            }
            assert_eq!(outcome.state, RunState::Partial, "{context}");
            assert_eq!(outcome.error.as_deref(), Some("stopped at the limit max_bytes (1000000)"), "{context}");
            assert!(outcome.bytes <= 1_000_000 && is_part(&records, &case.expected), "{context}");
            // What came before counts.
            assert!(nth > 1 || records.is_empty(), "{context}");
        }
    });
}

#[test]
fn padding_within_the_byte_limit_does_no_harm() {
    for_every_source(async |case| {
        case.fault(&json!({ "api": case.api, "fault": "pad", "nth": 1 }));
        let (outcome, records) = case.run(&case.limited("max_bytes: 30000000")).await;
        assert!(outcome.state == RunState::Succeeded && case.is_whole(&records), "{}: {outcome:?}", case.api);
    });
}
