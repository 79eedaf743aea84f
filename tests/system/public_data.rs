//! Real public data: the files of the `vega-datasets` npm package, served on loopback, fetched by a drone with profiles
//! of the repository, joined and reported on. What comes out is computed again here from the raw files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::source::{Reply, Source};
use crate::support::{Process, get, post, put_profile, records, skip, until};

const HOST: &str = "cdn.jsdelivr.net";
const PROFILES: [&str; 4] = ["gapminder", "gapminder-countries", "usgs-week", "us-population-by-age"];

/// The package's data folder; fetched once and kept below `target`.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/vega-datasets");
    let data = folder.join("package/data");
    if data.join("gapminder.json").exists() {
        return Some(data);
    }
    std::fs::create_dir_all(&folder).ok()?;
    let packed =
        Command::new("npm").args(["pack", "--silent", "vega-datasets@3.2.1"]).current_dir(&folder).output().ok()?;
    let archive = String::from_utf8(packed.stdout).ok()?.trim().lines().last()?.to_owned();
    let unpacked = Command::new("tar").args(["xzf", &archive]).current_dir(&folder).status().ok()?;
    (unpacked.success() && data.join("gapminder.json").exists()).then_some(data)
}

fn raw(data: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(data.join(name)).unwrap()).unwrap()
}

#[actix_web::test]
async fn public_data_is_fetched_joined_and_reported_on() {
    let Some(data) = data() else { return skip("system::public_data", "npm and its registry") };
    let served = data.clone();
    let source = Source::start(move |asked, _| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        match std::fs::read(served.join(name)) {
            Ok(body) => Reply { body, ..Reply::json("") },
            Err(_) => Reply { status: 404, ..Reply::json("{}") },
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let rewrite = format!("{HOST}={}", source.url());
    let args = ["--id", "d1", "--allow-private", "127.0.0.1/32", "--rewrite", &rewrite];
    let _drone = Process::drone(&node.url, &folder.path().join("drone"), &args);
    for name in PROFILES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("profiles/public/{name}.yaml"));
        let answer = put_profile(&node.url, &std::fs::read_to_string(path).unwrap()).await;
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
    }
    until("all four runs have ended well", Duration::from_secs(40), async || {
        let runs = get(&format!("{}/api/runs?state=succeeded", node.url)).await.json();
        (runs["items"].as_array()?.len() == PROFILES.len()).then_some(())
    })
    .await;

    earthquakes(&raw(&data, "earthquakes.json"), &records(&node.url, "usgs-week").await);
    let people = records(&node.url, "us-population-by-age").await;
    let total: f64 = people.iter().map(|row| row["measures"]["people"].as_f64().unwrap()).sum();
    let expected: f64 =
        raw(&data, "population.json").as_array().unwrap().iter().map(|row| row["people"].as_f64().unwrap()).sum();
    assert_eq!((people.len(), total), (570, expected));
    correlation(&node.url, &raw(&data, "gapminder.json"), &raw(&data, "countries.json")).await;
}

fn earthquakes(raw: &Value, stored: &[Value]) {
    let features = raw["features"].as_array().unwrap();
    assert_eq!(stored.len(), features.len());
    let by_id: BTreeMap<&str, &Value> =
        stored.iter().map(|row| (row["dims"]["entity"]["event"].as_str().unwrap(), row)).collect();
    for feature in features {
        let row = by_id[feature["id"].as_str().unwrap()];
        assert_eq!(row["measures"]["magnitude"].as_f64(), feature["properties"]["mag"].as_f64(), "{row}");
        assert_eq!(row["measures"]["depth_km"].as_f64(), feature["geometry"]["coordinates"][2].as_f64(), "{row}");
    }
}

async fn correlation(base: &str, left: &Value, right: &Value) {
    let report = json!({"join": ["dims.geo.country", "dims.time.year"], "output": {"type": "correlation"},
        "inputs": [{"profile_id": "gapminder", "measure": "measures.fertility"},
                   {"profile_id": "gapminder-countries", "measure": "measures.life_expectancy_years"}]});
    let answer = post(&format!("{base}/api/reports"), &report).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let pair = answer.json()["result"]["pairs"][0].clone();

    let key = |row: &Value| (row["country"].as_str().unwrap().to_owned(), row["year"].as_i64().unwrap());
    let lives: BTreeMap<_, f64> =
        right.as_array().unwrap().iter().filter_map(|row| Some((key(row), row["life_expect"].as_f64()?))).collect();
    let both: Vec<(f64, f64)> = left
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| Some((row["fertility"].as_f64()?, *lives.get(&key(row))?)))
        .collect();
    assert_eq!(pair["n"].as_u64(), Some(both.len() as u64), "{pair}");
    assert!((pair["r"].as_f64().unwrap() - pearson(&both)).abs() < 1e-12, "{pair}");
}

fn pearson(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|(x, y)| f(x - mx, y - my)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x).sqrt() * sum(&|_, y| y * y).sqrt())
}
