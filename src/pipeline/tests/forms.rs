//! Answers that are not JSON, and steps that look at a whole answer: what is said when one is not as it should be.

use super::{map, profile};

fn source(lines: &str, rest: &str) -> crate::profiles::Profile {
    profile(&format!("id: t\nsource:\n  url: https://example.org/\n{lines}{rest}"))
}

fn error(lines: &str, rest: &str, answer: &str) -> String {
    map(&source(lines, rest), answer.as_bytes()).expect_err("the answer is wrong")
}

#[test]
fn lines_of_cells_say_where_they_are_wrong() {
    let csv = "  format: csv\n";
    let fields = "measures: {v: Value}\n";
    for (answer, expected) in [
        ("valu,x\n1,2\n", "there is no column \"Value\" (did you mean \"valu\"?); the columns are valu, x"),
        ("Value,x\n1,2\n3\n", "line 3 has 1 cells, its header 2"),
        ("Value,Value\n1,2\n", "two columns are named \"Value\""),
        ("", "the answer ends before its header"),
        ("{\"error\": \"no\"}\n", "there is no column \"Value\""),
    ] {
        let said = error(csv, fields, answer);
        assert!(said.starts_with(expected), "{answer:?}: {said}");
    }
    let mapped = map(&source(csv, fields), "\u{feff}x,Value,\r\n\"a\"\"b\",\"1\r\n\",\r\n".as_bytes()).unwrap();
    assert_eq!(mapped.records, [r#"{"dims":{},"measures":{"v":1}}"#]);
    let none = map(&source("  format: csv\n  csv: {header: none}\n", "measures: {v: '[1]'}\n"), b"a,1\nb,2\n").unwrap();
    assert_eq!(none.records.len(), 2);
}

#[test]
fn cubes_and_joins_say_what_does_not_fit() {
    let cube = "rows: {cube: json-stat}\ndims: {geo.code: geo.code}\nmeasures: {v: value}\n";
    let dimension = r#""dimension":{"geo":{"category":{"index":["A","B"]}}}"#;
    for (answer, expected) in [
        (
            format!(r#"{{"id":["geo"],"size":[3],"value":[1],{dimension}}}"#),
            "the dimension \"geo\" has 3 places and 2 codes",
        ),
        (
            format!(r#"{{"id":["geo"],"size":[2],"value":{{"9":1}},{dimension}}}"#),
            "the cube has 2 cells, and a value for cell 9",
        ),
        (
            r#"{"id":["time"],"size":[1],"value":[1],"dimension":{"time":{"category":{"index":["A"]}}}}"#.into(),
            "the cube has no dimension \"geo\"",
        ),
        (r#"{"value":[1]}"#.into(), "the answer is not of the expected form"),
        ("{".into(), "the answer is not JSON"),
    ] {
        let said = error("", cube, &answer);
        assert!(said.starts_with(expected), "{answer}: {said}");
    }
    // A failure in the source's own words comes before what does not fit.
    let said =
        error("  failure: {path: $.error, message: $.error.text}\n", cube, r#"{"error":{"text":"no such table"}}"#);
    assert_eq!(said, "the source reports a failure: \"no such table\"");
    let pairs = "rows: {join_pairs: {lists: {v: $.a}}}\nmeasures: {v: v}\n";
    assert!(error("", pairs, r#"{"a":[[1]]}"#).starts_with("an element of v has 1 values"));
    assert!(error("", pairs, r#"{"a":{"b":1}}"#).starts_with("v is not a list of pairs"));
}

#[test]
fn local_times_that_are_no_single_instant_are_counted() {
    let lines = "rows: {each: $}\ndims: {time.at: {from: t, time: {zone: America/Chicago}}}\nmeasures: {v: v}\n";
    let answer = r#"[{"t":"2024-11-03T01:30:00","v":1},{"t":"2024-11-03T03:30:00","v":1}]"#;
    let mapped = map(&source("", lines), answer.as_bytes()).unwrap();
    assert_eq!(mapped.records[0], r#"{"dims":{"time":{"at":"2024-11-03T06:30:00Z"}},"measures":{"v":1}}"#);
    assert_eq!(mapped.notes.len(), 1);
    assert_eq!(mapped.notes[0].rows, 1);
}

#[test]
fn rows_with_one_key_can_be_an_error() {
    let lines = "rows: {each: $}\ndims: {entity.id: id}\nmeasures: {v: v}\nkey: [entity.id]\n";
    let answer = r#"[{"id":"a","v":1},{"id":"a","v":2},{"id":"a","v":2},{"id":"a","v":1}]"#;
    let last = map(&source("", lines), answer.as_bytes()).unwrap();
    assert_eq!(last.records, [r#"{"dims":{"entity":{"id":"a"}},"measures":{"v":1}}"#]);
    assert_eq!((last.dropped[0].rows, last.duplicates), (2, 1));
    let first = map(&source("", &format!("{lines}on_duplicate: first\n")), answer.as_bytes()).unwrap();
    assert_eq!(first.records, [r#"{"dims":{"entity":{"id":"a"}},"measures":{"v":1}}"#]);
    let said = error("", &format!("{lines}on_duplicate: error\n"), answer);
    assert!(said.starts_with("two rows have the same key (dims.entity.id)"), "{said}");
}
