//! Real API shapes through the whole system: serve.py plays the sources, a drone process fetches them, and what
//! `GET /api/records` gives equals the expected records. A second run writes nothing, and costs one conditional request
//! where the source takes part in it.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, Process, get, post, put_profile, records, send, shared, skip, until};

/// Fixture, profile of the repository, and whether one conditional request tells that nothing is new.
const SOURCES: [(&str, &str, bool); 14] = [
    ("bls_timeseries", "government/us-bls-series", false),
    ("census_acs5", "government/us-census-acs5-county", false),
    ("ckan_datastore", "government/canada-city-rents", false),
    ("ecb_fx_xml", "finance/ecb-fx-reference-rates", true),
    ("eurostat_unemployment", "government/eurostat-unemployment", false),
    ("fred_observations", "finance/us-fred-treasury-yields", false),
    ("gistemp_csv", "science/nasa-gistemp-global", true),
    ("github_releases", "technology/github-release-downloads", true),
    ("open_meteo_archive", "weather/open-meteo-archive", false),
    ("sec_companyfacts", "finance/sec-company-facts", false),
    ("socrata_crashes", "government/chicago-traffic-crashes", true),
    ("treasury_debt", "government/us-treasury-debt", false),
    // It has validators, but its windows are several requests.
    ("usgs_quakes", "science/usgs-earthquakes", false),
    ("worldbank_population", "government/worldbank-population", false),
];
const SECRETS: [(&str, &str); 4] = [
    ("REGISTRY_API_KEY", KEY),
    ("CHARTLY_SECRET_CENSUS_KEY", "test-key"),
    ("CHARTLY_SECRET_BLS_KEY", "test-key"),
    ("CHARTLY_SECRET_FRED_KEY", "abcdefghijklmnopqrstuvwxyz123456"),
];

#[actix_web::test]
async fn every_source_comes_out_equal_through_the_whole_system_and_costs_little_the_second_time() {
    let Some(shared) = shared() else { return skip("system::fixtures", "the folder with the fixtures") };
    let folder = tempfile::tempdir().unwrap();
    let fixtures = shared.join("sources/fixtures/dev");
    let script = shared.join("sources/serve.py");
    let args = [script.to_str().unwrap(), fixtures.to_str().unwrap(), "--port", "0"];
    let mut server = Process::start("python3", &args, &[]);
    let line = server.wait_for("APIs on ", Duration::from_secs(10));
    let source = line.split("APIs on ").nth(1).unwrap().trim().to_owned();

    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let _drone = start_drone(&node.url, folder.path(), &fixtures, &source);
    let mut ids = Vec::new();
    for (name, path, _) in SOURCES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("profiles/{path}.yaml"));
        let answer = put_profile(&node.url, &std::fs::read_to_string(path).unwrap()).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
        ids.push(answer.json()["id"].as_str().unwrap().to_owned());
    }
    for ((name, ..), id) in SOURCES.iter().zip(&ids) {
        let run = ended_run(&node.url, id, 1).await;
        assert_eq!(run["state"], "succeeded", "{name}: {run}");
        check(&shared, &fixtures.join(name).join("expected.jsonl"), &records(&node.url, id).await, folder.path());
    }

    send("POST", &format!("{source}/__reset"), &[], "").await;
    for id in &ids {
        let asked = post(&format!("{}/api/profiles/{id}:run", node.url), &json!({})).await;
        assert!(asked.status < 300, "{}", asked.text());
    }
    for ((name, _, is_conditional), id) in SOURCES.iter().zip(&ids) {
        let run = ended_run(&node.url, id, 2).await;
        assert_eq!(run["inserted"], json!(0), "{name}: {run}");
        let log = get(&format!("{source}/__log")).await.json();
        let asked: Vec<&Value> = log.as_array().unwrap().iter().filter(|entry| entry["api"] == *name).collect();
        if *is_conditional {
            assert_eq!((&run["state"], &run["requests"]), (&json!("unchanged"), &json!(1)), "{name}: {run}");
            assert_eq!((asked.len(), &asked[0]["status"]), (1, &json!(304)), "{name}: {asked:?}");
        } else {
            assert_eq!(run["state"], "succeeded", "{name}: {run}");
        }
        check(&shared, &fixtures.join(name).join("expected.jsonl"), &records(&node.url, id).await, folder.path());
    }
}

/// A drone that finds each real host at the fixture server, and holds the test's secrets.
fn start_drone(node: &str, folder: &Path, fixtures: &Path, source: &str) -> Process {
    let host = |name: &str| {
        let meta = std::fs::read_to_string(fixtures.join(name).join("meta.json")).unwrap();
        serde_json::from_str::<Value>(&meta).unwrap()["host"].as_str().unwrap().to_owned()
    };
    let rewrites: Vec<String> = SOURCES.iter().map(|(name, ..)| format!("{}={source}/{name}", host(name))).collect();
    let data = folder.join("drone");
    let mut args = vec!["--control-plane", node, "--data-dir", data.to_str().unwrap()];
    args.extend(["--id", "d1", "--allow-private", "127.0.0.1/32"]);
    for rewrite in &rewrites {
        args.extend(["--rewrite", rewrite]);
    }
    Process::start(env!("CARGO_BIN_EXE_chartly-drone"), &args, &SECRETS)
}

/// The profile's newest run, once there are `count` and it has ended.
async fn ended_run(base: &str, id: &str, count: usize) -> Value {
    until("the run has ended", Duration::from_secs(60), async || {
        let runs = get(&format!("{base}/api/runs?profile_id={id}")).await.json();
        let runs = runs["items"].as_array()?.clone();
        (runs.len() >= count && runs[0]["state"] != "running").then(|| runs[0].clone())
    })
    .await
}

/// check.py is the judge, as for everyone else.
fn check(shared: &Path, expected: &Path, records: &[serde_json::Value], folder: &Path) {
    let produced = folder.join("produced.jsonl");
    let mut out = std::fs::File::create(&produced).unwrap();
    for record in records {
        writeln!(out, "{record}").unwrap();
    }
    let script = shared.join("sources/check.py");
    let judged = Command::new("python3").args([&script, &produced, &expected.to_owned()]).output().unwrap();
    assert!(judged.status.success(), "{}:\n{}", expected.display(), String::from_utf8_lossy(&judged.stdout));
}
