//! The repository's profiles against recorded answers of their sources, over real sockets: the records are the
//! expected ones, and no fault of a source ever makes a wrong or a doubled one.

#![allow(clippy::unwrap_used, clippy::shadow_unrelated, reason = "a test fails by panicking, and retells its steps")]

mod compare;
mod corpus;
mod faults;
mod hostile;
mod server;
mod sign_in;
mod verdicts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chartly::domain::batch::Records;
use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{FetchSettings, Network, now_ms};
use chartly::pipeline::{Fetcher, RunInput, RunOutcome, Sink, SinkError, Validators, run};
use chartly::profiles::{Profile, load};
use compare::differences;
use secrecy::SecretString;
use server::Server;

/// Fixture, profile, and a change that makes its pages small enough for paging.
type Source = (&'static str, &'static str, Option<(&'static str, &'static str)>);

const SOURCES: [Source; 14] = [
    ("treasury_debt", "us-treasury-debt", Some(("size: 1000", "size: 3"))),
    ("worldbank_population", "worldbank-population", Some(("size: 1000", "size: 3"))),
    ("usgs_quakes", "usgs-earthquakes", None),
    ("ckan_datastore", "canada-city-rents", Some(("size: 1000", "size: 2"))),
    ("census_acs5", "us-census-acs5-county", None),
    ("bls_timeseries", "us-bls-series", None),
    ("open_meteo_archive", "open-meteo-archive", None),
    ("fred_observations", "us-fred-treasury-yields", Some(("size: 10000", "size: 3"))),
    ("ecb_fx_xml", "ecb-fx-reference-rates", None),
    ("eurostat_unemployment", "eurostat-unemployment", None),
    ("gistemp_csv", "nasa-gistemp-global", None),
    ("github_releases", "github-release-downloads", Some(("size: 100}", "size: 2}"))),
    ("sec_companyfacts", "sec-company-facts", None),
    ("socrata_crashes", "chicago-traffic-crashes", Some(("size: 1000", "size: 2"))),
];

/// Keeps what a run gives.
#[derive(Debug, Default)]
pub struct Collected(pub Vec<String>);

impl Sink for Collected {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        assert!(records.len() <= 1_000, "a batch is bounded");
        self.0.extend(records.iter().map(|(_, text)| String::from_utf8(text.to_vec()).expect("records are UTF-8")));
        Ok(())
    }
}

fn profile_path(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let folders = std::fs::read_dir(root).expect("the folder of profiles is there");
    let mut files = folders.filter_map(|folder| Some(folder.ok()?.path().join(format!("{name}.yaml"))));
    files.find(|file| file.exists()).expect("the profile is there")
}

fn profile_text(name: &str) -> String {
    std::fs::read_to_string(profile_path(name)).expect("the profile can be read")
}

fn profile(text: &str) -> Profile {
    load(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn secrets() -> BTreeMap<String, SecretString> {
    [("CENSUS_KEY", "test-key"), ("BLS_KEY", "test-key"), ("FRED_KEY", "abcdefghijklmnopqrstuvwxyz123456")]
        .map(|(name, value)| (name.to_owned(), SecretString::from(value)))
        .into()
}

fn settings(host: &str, base: &str) -> FetchSettings {
    FetchSettings {
        allow_private: vec![Network::parse("127.0.0.0/8").expect("a network")],
        rewrite: vec![(host.to_owned(), base.to_owned())],
        retry_base: Duration::from_millis(5),
        ..FetchSettings::default()
    }
}

async fn execute(fetcher: &Fetcher, profile: &Profile, validators: Option<Validators>) -> (RunOutcome, Vec<String>) {
    let secrets = secrets();
    let input = RunInput { profile, validators, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let mut sink = Collected::default();
    let outcome = run(fetcher, input, &mut sink).await;
    assert_eq!(outcome.records, sink.0.len() as u64);
    (outcome, sink.0)
}

#[actix_web::test]
async fn every_source_comes_out_as_expected() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    for (api, name, small) in SOURCES {
        let whole = profile_text(name);
        let texts = match small {
            Some((from, to)) => vec![whole.clone(), whole.replace(from, to)],
            None => vec![whole],
        };
        for text in texts {
            let profile = profile(&text);
            let fetcher = Fetcher::new(settings(profile.host(), &server.base(api)));
            let (outcome, records) = execute(&fetcher, &profile, None).await;
            assert_eq!((outcome.state, &outcome.error), (RunState::Succeeded, &None), "{api}");
            let expected = folder.join(format!("fixtures/dev/{api}/expected.jsonl"));
            assert_eq!(differences(&records, &expected), Vec::<String>::new(), "{api}");
            assert!(outcome.unread.is_empty(), "{api}: {:?}", outcome.unread);
        }
    }
}

/// The tests beside the profiles expect what the recordings of their sources do.
#[test]
fn the_profiles_own_tests_expect_what_the_fixtures_do() {
    let Some(folder) = server::folder() else { return };
    for (api, name, _) in SOURCES {
        let own = profile_path(name).with_extension("test").join("expected.jsonl");
        let own = std::fs::read_to_string(&own).unwrap_or_else(|error| panic!("{}: {error}", own.display()));
        let own: Vec<String> = own.lines().map(str::to_owned).collect();
        let expected = folder.join(format!("fixtures/dev/{api}/expected.jsonl"));
        assert_eq!(differences(&own, &expected), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_profile_of_the_repository_is_without_problems() {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("profiles")];
    let mut ids = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = std::fs::read_to_string(&path).expect("it is a text");
                ids.push(load(&text).unwrap_or_else(|problems| panic!("{}\n{problems}", path.display())).id().clone());
            }
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "two profiles share an id");
    assert!(count >= 9, "{count}");
}

#[actix_web::test]
async fn errors_speak_the_sources_words_and_no_secret() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    for (api, name, words) in [
        ("worldbank_population", "worldbank-population", "The indicator was not found"),
        ("ckan_datastore", "canada-city-rents", "Validation Error"),
        ("bls_timeseries", "us-bls-series", "daily threshold"),
        ("census_acs5", "us-census-acs5-county", "Invalid Key"),
        ("usgs_quakes", "usgs-earthquakes", "exceeds search limit of 20000"),
    ] {
        let profile = profile(&profile_text(name));
        let fetcher = Fetcher::new(settings(profile.host(), &server.base(api)));
        server.faults(&serde_json::json!([{ "api": api, "fault": "errorbody" }]));
        let (outcome, records) = execute(&fetcher, &profile, None).await;
        let error = outcome.error.expect("the run failed");
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("test-key"), "{error}");
        assert!(records.is_empty());
    }
}

#[actix_web::test]
async fn a_wrong_key_ends_at_the_page_that_says_so() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    server.faults(&serde_json::json!([]));
    let profile = profile(&profile_text("us-census-acs5-county"));
    let fetcher = Fetcher::new(settings(profile.host(), &server.base("census_acs5")));
    let secrets: BTreeMap<String, SecretString> = [("CENSUS_KEY".to_owned(), SecretString::from("wrong"))].into();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let mut sink = Collected::default();
    let outcome = run(&fetcher, input, &mut sink).await;
    let error = outcome.error.expect("the run failed");
    assert!(error.contains("missing_key.html answers with a page"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
    assert!(sink.0.is_empty());
    assert_eq!(server.log().last().expect("requests were made")["path"], "/data/missing_key.html");
}

#[actix_web::test]
async fn a_long_retry_after_ends_the_run_with_the_time() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    let profile = profile(&profile_text("usgs-earthquakes"));
    let fetcher = Fetcher::new(settings(profile.host(), &server.base("usgs_quakes")));
    for fault in ["429", "429-date"] {
        server.faults(&serde_json::json!([{ "fault": fault, "retry_after": 3600 }]));
        let (outcome, _) = execute(&fetcher, &profile, None).await;
        assert_eq!(outcome.state, RunState::Failed);
        assert_eq!(outcome.requests, 1, "a source that asks for an hour is left alone");
        let wait_ms = outcome.not_before_ms.expect("the time is told") - now_ms();
        assert!((3_500_000..=3_600_000).contains(&wait_ms), "{wait_ms}");
    }
}

#[actix_web::test]
async fn an_unchanged_single_answer_costs_one_conditional_request() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    let text = profile_text("usgs-earthquakes")
        .replace("starttime: \"{window.start}\"", "starttime: 2024-01-01T00:00:00Z")
        .replace("endtime: \"{window.end}\"", "endtime: 2024-01-15T00:00:00Z")
        .replace("  window: {from: 2024-01-01, to: 2024-01-15, step: P7D}\n", "");
    let single = profile(&text);
    let fetcher = Fetcher::new(settings(single.host(), &server.base("usgs_quakes")));
    let (first, all) = execute(&fetcher, &single, None).await;
    assert_eq!((first.state, all.len()), (RunState::Succeeded, 6));
    let (second, none) = execute(&fetcher, &single, first.validators.clone()).await;
    assert_eq!((second.state, second.requests, none.len()), (RunState::Unchanged, 1, 0));
    assert_eq!(second.validators, first.validators);

    // Another version of the profile asks in full.
    let other = profile(&text.replace("version: 1.0.0", "version: 1.0.1"));
    let (third, again) = execute(&fetcher, &other, first.validators).await;
    assert_eq!((third.state, again.len()), (RunState::Succeeded, 6));
}

#[actix_web::test]
async fn a_paged_source_is_asked_conditionally_only_where_one_short_page_was_all() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    for (api, name, sizes) in [
        ("socrata_crashes", "chicago-traffic-crashes", [("size: 1000", true), ("size: 5", false), ("size: 2", false)]),
        (
            "github_releases",
            "github-release-downloads",
            [("size: 100}", true), ("size: 5}", false), ("size: 2}", false)],
        ),
    ] {
        let text = profile_text(name);
        for (size, is_kept) in sizes {
            let profile = profile(&text.replace(sizes[0].0, size));
            let fetcher = Fetcher::new(settings(profile.host(), &server.base(api)));
            let (first, all) = execute(&fetcher, &profile, None).await;
            assert_eq!(first.validators.is_some(), is_kept, "{api} {size}: {first:?}");
            let (second, again) = execute(&fetcher, &profile, first.validators).await;
            let expected = if is_kept { (RunState::Unchanged, 0) } else { (RunState::Succeeded, all.len()) };
            assert_eq!((second.state, again.len()), expected, "{api} {size}");
        }
    }
}

#[actix_web::test]
async fn loopback_is_refused_unless_the_operator_allows_it() {
    let Some(folder) = server::folder() else { return };
    let server = Server::start(&folder);
    server.reset();
    let profile = profile(&profile_text("usgs-earthquakes"));
    for base in [
        server.base("usgs_quakes"),
        server.base("usgs_quakes").replace("127.0.0.1", "localhost"),
        server.base("usgs_quakes").replace("127.0.0.1", "[::ffff:127.0.0.1]"),
    ] {
        let fetcher = Fetcher::new(FetchSettings { allow_private: Vec::new(), ..settings(profile.host(), &base) });
        let (outcome, _) = execute(&fetcher, &profile, None).await;
        let error = outcome.error.expect("the run failed");
        assert!(error.contains("is not a public address"), "{error}");
        assert_eq!(outcome.requests, 1, "it is not tried again");
    }
    assert!(server.log().is_empty(), "nothing was asked");
}
