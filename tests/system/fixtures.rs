//! Real API shapes through the whole system: serve.py plays the sources, a drone process fetches them, and what
//! `GET /api/records` gives equals the expected records.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Process, get, put_profile, records, shared, skip, until};

/// Fixture, real host, profile of the repository.
const SOURCES: [(&str, &str, &str); 4] = [
    ("treasury_debt", "api.fiscaldata.treasury.gov", "profiles/government/us-treasury-debt.yaml"),
    ("worldbank_population", "api.worldbank.org", "profiles/government/worldbank-population.yaml"),
    ("usgs_quakes", "earthquake.usgs.gov", "profiles/science/usgs-earthquakes.yaml"),
    ("ckan_datastore", "open.canada.ca", "profiles/government/canada-city-rents.yaml"),
];

#[actix_web::test]
async fn four_sources_come_out_equal_through_the_whole_system() {
    let Some(shared) = shared() else { return skip("system::fixtures", "the folder with the fixtures") };
    let folder = tempfile::tempdir().unwrap();
    let fixtures = shared.join("sources/fixtures/dev");
    let script = shared.join("sources/serve.py");
    let args = [script.to_str().unwrap(), fixtures.to_str().unwrap(), "--port", "0"];
    let mut server = Process::start("python3", &args, &[]);
    let line = server.wait_for("APIs on ", Duration::from_secs(10));
    let source = line.split("APIs on ").nth(1).unwrap().trim().to_owned();

    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let rewrites: Vec<String> = SOURCES.iter().map(|(name, host, _)| format!("{host}={source}/{name}")).collect();
    let mut args = vec!["--id", "d1", "--allow-private", "127.0.0.1/32"];
    for rewrite in &rewrites {
        args.extend(["--rewrite", rewrite]);
    }
    let _drone = Process::drone(&node.url, &folder.path().join("drone"), &args);
    for (name, _, path) in SOURCES {
        let yaml = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let answer = put_profile(&node.url, &yaml).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        until("the run has ended", Duration::from_secs(30), async || {
            let runs = get(&format!("{}/api/runs?profile_id={id}", node.url)).await.json();
            let run = runs["items"].as_array()?.first()?.clone();
            (run["state"] != "running").then_some(run)
        })
        .await;
        check(&shared, &fixtures.join(name).join("expected.jsonl"), &records(&node.url, &id).await, folder.path());
    }
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
