//! Good answers without a body: a failure, unless the profile says that they mean "no data".

use std::io::Write;

use super::played::{Played, get, play};
use crate::domain::run::RunState;

const FORMATS: [(&str, &str); 6] = [
    ("format: json", "rows: {each: $}"),
    ("format: ndjson", ""),
    ("format: xml", "rows: {each: $.item}"),
    ("format: csv", ""),
    ("format: csv\n  csv: {header: [v]}", ""),
    ("format: columns\n  columns: {header: none}", ""),
];

fn run(source: &str, rows: &str, body: &[u8]) -> Played {
    let measure = if source.contains("columns") { "0" } else { "v" };
    let text = format!("id: t\nsource:\n  url: https://h/\n  {source}\n{rows}\nmeasures: {{v: '{measure}'}}\n");
    play(&text, vec![get("https://h/", body)])
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_answer_without_a_body_fails_and_the_message_says_how_to_declare_it() {
    for (source, rows) in FORMATS {
        for body in ["", " \r\n", "\u{feff}"] {
            let played = run(source, rows, body.as_bytes());
            assert_eq!(played.outcome.state, RunState::Failed, "{source} {body:?}");
            let error = played.outcome.error.unwrap();
            assert!(error.contains("without a body; if that means that there is no data, add no_body to empty_on"));
        }
    }
}

#[test]
fn declared_as_no_data_it_gives_no_records_and_no_failure_in_every_format() {
    for (source, rows) in FORMATS {
        for declared in ["empty_on: no_body", "empty_on: [204, no_body]", "answers: [{no_body: true, then: empty}]"] {
            let source = format!("{source}\n  {declared}");
            for body in ["", " \r\n", "\u{feff}"] {
                let played = run(&source, rows, body.as_bytes());
                assert_eq!(played.outcome.state, RunState::Succeeded, "{source} {body:?}: {:?}", played.outcome.error);
                assert!(played.records.is_empty());
            }
        }
        // What has a body is read as ever.
        let filled = "v\n1\n";
        if source.contains("csv") && !source.contains('[') {
            let played = run(&format!("{source}\n  empty_on: no_body"), rows, filled.as_bytes());
            assert_eq!(played.records.len(), 1);
        }
    }
}

#[test]
fn a_packed_file_that_holds_nothing_is_judged_as_an_answer_without_a_body() {
    let packed = "format: csv\n  compression: gzip\n  csv: {header: [v]}";
    let failed = run(packed, "", &gzip("\n"));
    assert_eq!(failed.outcome.state, RunState::Failed);
    assert!(failed.outcome.error.unwrap().contains("add no_body to empty_on"));
    let empty = run(&format!("{packed}\n  empty_on: no_body"), "", &gzip("\n"));
    assert_eq!(empty.outcome.state, RunState::Succeeded);
    let filled = run(&format!("{packed}\n  empty_on: no_body"), "", &gzip("1\n2\n"));
    assert_eq!(filled.records.len(), 2);
}
