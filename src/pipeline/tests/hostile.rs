//! Answers that mean ill, through every way in which rows are found: bounded, an error of that answer or a row that is
//! counted, and nothing wrong in a record.

use std::time::{Duration, Instant};

use super::{map, profile};

const WAYS: [&str; 8] = [
    "rows: {each: $.data}",
    "rows: {each: '$.data[?@.v]'}",
    "rows: {each: [{as: a, path: $.data}, {as: b, path: 'in[?@.v]'}]}",
    "rows: {zip: {under: $.data}}",
    "rows: {table: {under: $.data, header: first}}",
    "rows: {single: '$.data[0]'}",
    "rows: {cube: json-stat}",
    "",
];

fn answers() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: String| text.into_bytes();
    vec![
        ("deep lists", text(format!("{{\"data\":{}", "[".repeat(200_000)))),
        ("deep maps", text("{\"data\":".repeat(100_000))),
        ("deep and closed", text(format!("{{\"data\":[{{\"v\":{}1{},\"d\":\"x\"}}]}}", "[".repeat(50_000), "]".repeat(50_000)))),
        ("digits", text(format!("{{\"data\":[{{\"d\":\"x\",\"v\":{}}}]}}", "9".repeat(1_000_000)))),
        ("fraction", text(format!("{{\"data\":[{{\"d\":\"x\",\"v\":0.{}}}]}}", "3".repeat(1_000_000)))),
        ("exponent", text("{\"data\":[{\"d\":\"x\",\"v\":1e999999999}]}".into())),
        ("key", text(format!("{{\"data\":[{{\"{}\":1,\"d\":\"x\",\"v\":2}}]}}", "k".repeat(1 << 20)))),
        ("text", text(format!("{{\"data\":[{{\"d\":\"{}\",\"v\":2}}]}}", "t".repeat(1 << 20)))),
        ("escapes", text(format!("{{\"data\":[{{\"d\":\"{}\",\"v\":2}}]}}", "\\u0041".repeat(1 << 18)))),
        ("utf-8", b"{\"data\":[{\"d\":\"\xff\xfe\",\"v\":2}]}".to_vec()),
        ("surrogate", text("{\"data\":[{\"d\":\"\\ud800\",\"v\":2}]}".into())),
        ("nul", text("{\"data\":[{\"d\":\"a\\u0000b\",\"v\":2}]}".into())),
        ("raw nul", b"{\"data\":[{\"d\":\"a\0b\",\"v\":2}]}".to_vec()),
        ("bom", text("\u{feff}{\"data\":[{\"d\":\"x\",\"v\":2}]}".into())),
        ("twice", text("{\"data\":[{\"d\":\"x\",\"d\":\"y\",\"v\":2,\"v\":3}]}".into())),
        ("members", text(format!("{{\"data\":[{{{}\"d\":\"x\",\"v\":2}}]}}", "\"v0\":1,".repeat(200_000)))),
        ("nan", text("{\"data\":[{\"d\":\"x\",\"v\":NaN}]}".into())),
        ("behind", text("{\"data\":[{\"d\":\"x\",\"v\":2}]} {}".into())),
        ("cut", text("{\"data\":[{\"d\":\"x\",\"v\":2}".into())),
        ("cube", text("{\"class\":\"dataset\",\"id\":[\"d\"],\"size\":[4000000000],\"dimension\":{\"d\":{\"category\":{\"index\":{\"a\":0}}}},\"value\":{\"3999999999\":1}}".into())),
    ]
}

#[test]
fn no_answer_takes_long_or_gives_a_wrong_record() {
    for way in WAYS {
        let (dim, measure) = if way.contains("cube") { ("d.code", "value") } else { ("d", "v") };
        let text =
            format!("id: t\nsource: {{url: 'https://h/'}}\n{way}\ndims: {{d: {dim}}}\nmeasures: {{v: {measure}}}\n");
        let profile = profile(&text);
        for (name, answer) in answers() {
            let began = Instant::now();
            // Every record that comes out is checked against the canonical form there.
            let _ = map(&profile, &answer);
            assert!(began.elapsed() < Duration::from_secs(10), "{way} {name}: {:?}", began.elapsed());
        }
    }
}

#[test]
fn what_is_wrong_is_told() {
    let profile = profile("id: t\nsource: {url: 'https://h/'}\nrows: {each: $.data}\ndims: {d: d}\nmeasures: {v: v}\n");
    let told: Vec<String> = answers()
        .iter()
        .map(|(name, answer)| match map(&profile, answer) {
            Ok(mapped) => {
                let reasons = mapped.dropped.iter().chain(&mapped.unread).map(|dropped| dropped.reason.as_str());
                format!("{name}: {} records, {}", mapped.records.len(), reasons.collect::<Vec<_>>().join(", "))
            }
            Err(error) => format!("{name}: {error}"),
        })
        .collect();
    let expected = [
        "deep lists: the answer is not JSON: nested too deep at line 1, column 13",
        "deep maps: the answer is not JSON: nested too deep at line 1, column 10",
        "deep and closed: the answer is not JSON: nested too deep at line 1, column 14",
        "digits: 0 records, no measure has a value, measures.v is not a number",
        "fraction: 1 records, ",
        "exponent: 0 records, no measure has a value, measures.v is not a number",
        "key: 1 records, ",
        "text: 0 records, dims.d is too long for a dim",
        "escapes: 0 records, dims.d is too long for a dim",
        "utf-8: the answer is not UTF-8 at byte 15, near",
        "surrogate: 1 records, ",
        "nul: 1 records, ",
        "raw nul: the answer is not JSON: a control character in a text",
        "bom: 1 records, ",
        "twice: the member \"d\" occurs twice in one object (line 1",
        "members: 1 records, ",
        "nan: the answer is not JSON: expected a value at line 1",
        "behind: the answer is not JSON: expected the end of the text",
        "cut: the answer is not JSON: the text ends too early",
        "cube: there are no rows at $.data",
    ];
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\nexpected {expected}");
    }
}
