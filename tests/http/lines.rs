//! Bodies of lines: stored in chunks, once, with bad lines named, and with what was committed told where one breaks.

use std::fmt::Write as _;
use std::io::Write as _;

use awc::http::{Method, StatusCode};

use crate::client::{Answer, Api, KEY, on_both};
use crate::profiles::MINIMAL;

on_both!(
    lines_are_stored_once_however_often_they_are_sent,
    a_bad_line_is_named_and_the_others_are_stored,
    packed_lines_are_taken,
    a_body_that_breaks_off_tells_what_was_committed,
    what_lines_need_is_asked_for,
);

const TO_R1: &str = "/api/results?drone_id=d1&profile_id=census-population&run_id=r1";

fn lines(from: u32, number: u32) -> String {
    let mut text = String::new();
    for n in from..from + number {
        writeln!(text, r#"{{"dims":{{"geo":{{"name":"n{n}"}}}},"measures":{{"v":{n}}}}}"#).unwrap();
    }
    text
}

async fn post(api: &Api, path: &str, encoding: &str, body: impl Into<Vec<u8>>) -> Answer {
    let headers = [("x-api-key", KEY), ("content-type", "application/x-ndjson"), ("content-encoding", encoding)];
    api.send(Method::POST, path, &headers, body).await
}

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn lines_are_stored_once_however_often_they_are_sent(api: Api) {
    assert_eq!(api.post("/api/profiles", MINIMAL).await.status, StatusCode::CREATED);
    let body = lines(0, 2_500);
    let told = post(&api, TO_R1, "identity", body.clone()).await;
    assert_eq!((told.at("/lines"), told.at("/inserted"), told.at("/known")), (2_500.into(), 2_500.into(), 0.into()));
    assert_eq!((told.at("/batches"), told.at("/replayed")), (3.into(), 0.into()), "{}", told.body);
    let again = post(&api, TO_R1, "identity", body.clone()).await;
    assert_eq!((again.at("/inserted"), again.at("/replayed")), (2_500.into(), 3.into()), "{}", again.body);
    let other = post(&api, &TO_R1.replace("r1", "r2"), "identity", body).await;
    assert_eq!((other.at("/inserted"), other.at("/known")), (0.into(), 2_500.into()), "{}", other.body);
    let run = api.get("/api/runs/r1").await;
    assert_eq!(
        (run.at("/state"), run.at("/inserted"), run.at("/rows")),
        ("succeeded".into(), 2_500.into(), 2_500.into())
    );
    assert_eq!(api.get("/api/results/summary").await.at("/records"), 2_500);
    let conflict = post(&api, TO_R1, "identity", lines(7, 7_500)).await;
    assert_eq!((conflict.code(), &conflict.json()["committed"]["lines"]), ("batch_conflict".into(), &0.into()));
    assert_eq!(api.get("/api/results/summary").await.at("/records"), 2_500, "nothing of another body is stored");
}

async fn a_bad_line_is_named_and_the_others_are_stored(api: Api) {
    api.post("/api/profiles", MINIMAL).await;
    let body = format!("{}\n7\n{}", lines(0, 1_200), lines(1_200, 3).trim_end());
    let told = post(&api, TO_R1, "identity", body).await;
    assert_eq!((told.at("/inserted"), told.at("/rejected"), told.at("/lines")), (1_203.into(), 1.into(), 1_205.into()));
    assert_eq!(
        (told.at("/rejects/0/line"), told.at("/rejects/0/excerpt")),
        (1_202.into(), "7".into()),
        "{}",
        told.body
    );
    assert_eq!(api.get("/api/runs/r1/rejects").await.at("/items/0/index"), 1_201);
    let nothing = post(&api, &TO_R1.replace("r1", "r2"), "identity", "\n\n").await;
    assert_eq!((nothing.at("/lines"), nothing.at("/batches")), (0.into(), 0.into()), "{}", nothing.body);
    assert_eq!(api.get("/api/runs/r2").await.at("/state"), "succeeded");
}

async fn packed_lines_are_taken(api: Api) {
    api.post("/api/profiles", MINIMAL).await;
    let plain = lines(0, 20_000);
    let told = post(&api, TO_R1, "zstd", zstd::encode_all(plain.as_bytes(), 3).unwrap()).await;
    assert_eq!((told.at("/inserted"), told.at("/batches")), (20_000.into(), 20.into()), "{}", told.body);
    let told = post(&api, &TO_R1.replace("r1", "r2"), "gzip", gzip(&plain)).await;
    assert_eq!((told.at("/known"), told.at("/batches")), (20_000.into(), 20.into()), "{}", told.body);
}

async fn a_body_that_breaks_off_tells_what_was_committed(api: Api) {
    api.post("/api/profiles", MINIMAL).await;
    let plain = lines(0, 4_500);
    let packed = gzip(&plain);
    let broken = post(&api, TO_R1, "gzip", &packed[..packed.len() - 4]).await;
    assert_eq!(broken.code(), "invalid_request");
    let committed = broken.json()["committed"].clone();
    assert_eq!((&committed["lines"], &committed["inserted"]), (&4_000.into(), &4_000.into()), "{}", broken.body);
    assert!(broken.json()["detail"].as_str().unwrap().contains("the first 4000 are committed"), "{}", broken.body);
    assert_eq!(api.get("/api/runs/r1").await.at("/state"), "running");
    let whole = post(&api, TO_R1, "gzip", packed).await;
    assert_eq!(
        (whole.at("/inserted"), whole.at("/batches"), whole.at("/replayed")),
        (4_500.into(), 5.into(), 4.into())
    );
    let run = api.get("/api/runs/r1").await;
    assert_eq!((run.at("/inserted"), run.at("/state")), (4_500.into(), "succeeded".into()), "{}", run.body);
}

async fn what_lines_need_is_asked_for(api: Api) {
    let missing = post(&api, "/api/results?drone_id=d1&run_id=r1", "identity", lines(0, 1)).await;
    assert_eq!(missing.code(), "invalid_request");
    assert!(missing.body.contains("profile_id is missing"), "{}", missing.body);
    let unknown = post(&api, TO_R1, "identity", lines(0, 1)).await;
    assert_eq!((unknown.code(), &unknown.json()["committed"]["lines"]), ("unknown_profile".into(), &0.into()));
    let without_key = [("content-type", "application/x-ndjson")];
    let refused = api.send(Method::POST, TO_R1, &without_key, lines(0, 1)).await;
    assert_eq!(refused.code(), "unauthenticated");
}
