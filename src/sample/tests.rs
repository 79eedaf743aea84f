//! The sample source over real HTTP, and whether its three answers join as the demo says.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};

use super::*;
use crate::domain::batch::Records;
use crate::domain::record::push_record;
use crate::domain::report::{Answer, ReportResult, ReportSpec};
use crate::reports::{Collector, DEFAULT_MAX_BYTES, check};

const CENSUS: &str = "/census/data/2022/acs/acs1?get=NAME,B01003_001E&for=state:*";
const WEATHER: &str = "/open-meteo/v1/archive?latitude=37.2&longitude=-119.4&start_date=2021-12-31\
                       &end_date=2022-01-02&daily=temperature_2m_mean";

/// Runs `ask` with the URL of a sample source that lives as long.
async fn served<T>(ask: impl AsyncFnOnce(String) -> T) -> T {
    let sample = Sample::start().unwrap();
    let answer = ask(sample.url()).await;
    sample.stop().await;
    answer
}

async fn get(url: &str) -> (StatusCode, Vec<u8>) {
    let mut response = awc::Client::default().get(url).send().await.unwrap();
    let body = response.body().limit(10_000_000).await.unwrap();
    (response.status(), body.to_vec())
}

async fn get_json(url: &str) -> Value {
    let (status, body) = get(url).await;
    assert_eq!(status, StatusCode::OK, "{url}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

#[actix_web::test]
async fn a_stopped_source_frees_its_port() {
    let sample = Sample::start().unwrap();
    let address = sample.address;
    sample.stop().await;
    TcpListener::bind(address).unwrap();
}

#[actix_web::test]
async fn census_answers_a_header_row_and_texts() {
    let rows = served(async |base| get_json(&format!("{base}{CENSUS}")).await).await;
    assert_eq!(rows[0], json!(["NAME", "B01003_001E", "state"]));
    assert_eq!(rows.as_array().unwrap().len(), 13);
    assert_eq!((&rows[3][0], &rows[3][2]), (&json!("California"), &json!("06")));
    assert!(rows[3][1].as_str().unwrap().parse::<u64>().unwrap() > 30_000_000);
}

#[actix_web::test]
async fn bls_answers_nested_series_by_get_and_by_post() {
    let asked = json!({"seriesid": ["LASST060000000000003", "NOSUCH"], "startyear": "2021", "endyear": "2022",
        "annualaverage": true});
    let query = "seriesid=LASST060000000000003,NOSUCH&startyear=2021&endyear=2022&annualaverage=true";
    let (by_get, by_post) = served(async |base| {
        let url = format!("{base}/bls/publicAPI/v2/timeseries/data/");
        let mut posted = awc::Client::default().post(&url).send_json(&asked).await.unwrap();
        (get_json(&format!("{url}?{query}")).await, posted.json::<Value>().await.unwrap())
    })
    .await;
    assert_eq!(by_get, by_post);
    assert_eq!(by_get["status"], "REQUEST_SUCCEEDED");
    assert_eq!(by_get["message"], json!(["Series does not exist for Series NOSUCH"]));
    let series = &by_get["Results"]["series"];
    assert_eq!((&series[0]["seriesID"], &series[1]["data"]), (&json!("LASST060000000000003"), &json!([])));
    let points = series[0]["data"].as_array().unwrap();
    assert_eq!(points.len(), 26);
    assert_eq!((&points[0]["year"], &points[0]["period"]), (&json!("2022"), &json!("M13")));
    assert_eq!((&points[1]["periodName"], &points[1]["latest"]), (&json!("December"), &json!("true")));
    assert!(points[1]["value"].as_str().unwrap().parse::<f64>().is_ok());
}

#[actix_web::test]
async fn open_meteo_answers_parallel_arrays() {
    let answer = served(async |base| get_json(&format!("{base}{WEATHER}")).await).await;
    assert_eq!(answer["daily"]["time"], json!(["2021-12-31", "2022-01-01", "2022-01-02"]));
    assert_eq!(answer["daily"]["temperature_2m_mean"].as_array().unwrap().len(), 3);
    assert_eq!(answer["daily_units"]["temperature_2m_mean"], "°C");
}

#[actix_web::test]
async fn who_has_the_answer_already_gets_304() {
    served(async |base| {
        for path in [CENSUS, WEATHER] {
            let url = format!("{base}{path}");
            let first = awc::Client::default().get(&url).send().await.unwrap();
            let etag = first.headers().get(ETAG).unwrap().clone();
            let again = || awc::Client::default().get(&url);
            let mut known = again().insert_header((IF_NONE_MATCH, etag)).send().await.unwrap();
            assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
            assert!(known.body().await.unwrap().is_empty());
            let other = again().insert_header((IF_NONE_MATCH, "\"other\"")).send().await.unwrap();
            assert_eq!(other.status(), StatusCode::OK);
        }
    })
    .await;
}

#[actix_web::test]
async fn each_source_refuses_in_its_own_way() {
    served(async |base| {
        let said = async |path: &str| {
            let (status, body) = get(&format!("{base}{path}")).await;
            (status.as_u16(), String::from_utf8(body).unwrap())
        };
        let census = said("/census/data/2022/acs/acs1?get=NOPE&for=state:*").await;
        assert_eq!(census, (400, "error: unknown variable 'NOPE'".into()));
        let weather = said(&WEATHER.replace("2021-12-31", "1999-12-31")).await;
        assert_eq!(weather.0, 400);
        assert!(weather.1.starts_with(r#"{"error":true,"reason":"Parameter 'start_date' is out of allowed range"#));
        let bls = said("/bls/publicAPI/v2/timeseries/data/?seriesid=X&startyear=2022&endyear=2021").await;
        assert_eq!(bls.0, 200);
        assert!(bls.1.contains(r#""status":"REQUEST_NOT_PROCESSED""#) && bls.1.contains("is before start year"));
        assert_eq!(said("/nothing").await.0, 404);
    })
    .await;
}

#[test]
fn the_demo_profiles_have_no_problem() {
    let ids = PROFILES.map(|(name, text)| match crate::profiles::load(text) {
        Ok(profile) => profile.id().to_string(),
        Err(problems) => panic!("{name}:\n{problems}"),
    });
    assert_eq!(ids, ["demo-population", "demo-unemployment", "demo-weather"]);
    assert!(PROFILES.iter().all(|(_, text)| text.contains(PLACEHOLDER)));
}

/// Records as the demo's profiles make them, by profile.
async fn demo_records(base: &str) -> BTreeMap<&'static str, Vec<Value>> {
    let mut records: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for year in 2019..=2023 {
        let rows = get_json(&format!("{base}{}", CENSUS.replace("2022", &year.to_string()))).await;
        records.entry("demo-population").or_default().extend(rows.as_array().unwrap()[1..].iter().map(|row| {
            let total: f64 = row[1].as_str().unwrap().parse().unwrap();
            json!({"dims": {"geo": {"state": row[2]}, "time": {"year": year.to_string()}}, "measures": {"population": {"total": total}}})
        }));
    }
    for place in &places::PLACES {
        records.entry("demo-unemployment").or_default().extend(unemployment(base, place.fips).await);
        records.entry("demo-weather").or_default().extend(weather(base, place).await);
    }
    records
}

async fn unemployment(base: &str, fips: &str) -> Vec<Value> {
    let path = "/bls/publicAPI/v2/timeseries/data/?startyear=2020&endyear=2024&annualaverage=true";
    let answer = get_json(&format!("{base}{path}&seriesid=LASST{fips}0000000000003")).await;
    let points = answer["Results"]["series"][0]["data"].as_array().unwrap();
    let yearly = points.iter().filter(|point| point["period"] == "M13");
    let rate = |point: &Value| point["value"].as_str().unwrap().parse::<f64>().unwrap();
    yearly.map(|point| json!({"dims": {"geo": {"state": fips}, "time": {"year": point["year"]}}, "measures": {"unemployment": {"rate": rate(point)}}})).collect()
}

async fn weather(base: &str, place: &places::Place) -> Vec<Value> {
    let at = format!("latitude={}&longitude={}", place.latitude, place.longitude);
    let days = "start_date=2021-01-01&end_date=2023-12-31&daily=temperature_2m_mean";
    let answer = get_json(&format!("{base}/open-meteo/v1/archive?{at}&{days}")).await;
    let means = answer["daily"]["temperature_2m_mean"].as_array().unwrap();
    let daily = answer["daily"]["time"].as_array().unwrap().iter().zip(means);
    daily.map(|(date, mean)| json!({"dims": {"geo": {"state": place.fips}, "time": {"date": date}}, "measures": {"temperature": {"mean": mean}}})).collect()
}

fn report(spec: &str, records: &BTreeMap<&str, Vec<Value>>) -> ReportResult {
    let spec: ReportSpec = serde_json::from_str(spec).unwrap();
    let mut join = Collector::new(check(spec).unwrap(), DEFAULT_MAX_BYTES);
    let profiles: Vec<String> = join.profiles().map(ToString::to_string).collect();
    for (source, profile) in profiles.iter().enumerate() {
        for record in &records[profile.as_str()] {
            let mut one = Records::default();
            push_record(&mut one, &record.to_string()).unwrap();
            join.push(source, std::str::from_utf8(one.text(0)).unwrap()).unwrap();
        }
    }
    join.finish()
}

#[actix_web::test]
async fn the_demo_reports_have_something_to_tell() {
    let records = served(async |base| demo_records(&base).await).await;
    let table = report(TABLE, &records);
    assert_eq!(table.matched, 36, "12 states in the 3 years that all have");
    let Answer::Table { rows, .. } = &table.answer else { panic!("a table was asked for") };
    assert_eq!((rows.len(), &rows[0].key[..]), (36, &["01".to_owned(), "2021".to_owned()][..]));

    let correlation = report(CORRELATION, &records);
    let Answer::Correlation { pairs, .. } = &correlation.answer else { panic!("a correlation was asked for") };
    let r = pairs[0].r.unwrap();
    assert_eq!((pairs.len(), pairs[0].n), (1, 36));
    assert!((0.4..0.9).contains(&r), "r is {r}");
}
