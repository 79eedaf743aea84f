//! `chartly profile new` as a program: exit codes, and one real request.

use crate::{File, profile};

#[test]
fn what_cannot_be_proposed_is_told() {
    let page = File::new("a.html", "<!doctype html><html><body>x</body></html>");
    let (code, _, err) = profile(&["new", "https://h.example/", "--answer", &page.path]);
    assert_eq!(code, 1);
    assert!(err.contains("a web page"), "{err}");
    assert_eq!(profile(&["new"]).0, 2);
    assert_eq!(profile(&["new", "ftp://h.example/"]).0, 2);
    assert_eq!(profile(&["new", "http://127.0.0.1:9/"]).0, 2);
    assert_eq!(profile(&["new", "https://h.example/", "--id", "a b"]).0, 2);
}

#[test]
fn a_real_source_is_fetched_once() {
    let source = chartly::sample::Sample::start().unwrap();
    let url = format!(
        "{}/open-meteo/v1/archive?latitude=32.8&longitude=-86.8&start_date=2021-01-01&end_date=2021-01-05&daily=temperature_2m_mean",
        source.url()
    );
    let (code, out, err) = profile(&["new", &url, "--allow-private", "127.0.0.1", "--id", "weather"]);
    assert_eq!(code, 0, "{err}");
    for part in ["id: weather\n", "rows: {zip: {under: \"$.daily\"}}", "time.date:", "temperature_2m_mean:"] {
        assert!(out.contains(part), "{part}\n{out}");
    }
}
