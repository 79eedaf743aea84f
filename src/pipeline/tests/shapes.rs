//! One test for each shape of answer, and for each way in which one can be wrong.

use super::{map, profile, with};

fn records(lines: &str, answer: &str) -> Vec<String> {
    map(&with(lines), answer.as_bytes()).unwrap_or_else(|error| panic!("{error}")).records
}

fn error(lines: &str, answer: &str) -> String {
    map(&with(lines), answer.as_bytes()).expect_err("the answer is wrong")
}

#[test]
fn nested_lists_keep_their_parents_in_reach_in_any_order() {
    let lines = "rows: {each: [{as: s, path: $.list}, {as: p, path: data}]}
dims: {entity.id: s.id, geo.source: $.meta.source, time.year: p.y}
measures: {v: p.v}
";
    let expected = [
        r#"{"dims":{"entity":{"id":"A"},"geo":{"source":"x"},"time":{"year":"2021"}},"measures":{"v":1}}"#,
        r#"{"dims":{"entity":{"id":"A"},"geo":{"source":"x"},"time":{"year":"2022"}},"measures":{"v":2}}"#,
        r#"{"dims":{"entity":{"id":"B"},"geo":{"source":"x"},"time":{"year":"2021"}},"measures":{"v":3}}"#,
    ];
    let a = r#"{"id":"A","data":[{"y":2021,"v":1},{"y":2022,"v":2}]}"#;
    let late_a = r#"{"data":[{"v":1,"y":2021},{"y":2022,"v":2}],"id":"A"}"#;
    let b = r#"{"data":[{"y":"2021.0","v":"3"}],"z":[[{}]],"id":"B"}"#;
    for answer in [
        format!(r#"{{"meta":{{"source":"x"}},"list":[{a},{b},{{"id":"C"}},{{"id":"D","data":null}}]}}"#),
        format!(r#"{{"list":[{late_a},{b}],"meta":{{"source":"x"}}}}"#),
        format!("\u{feff} {{\"list\" : [ {late_a} , {b} ] , \"meta\":{{\"other\":1,\"source\":\"x\"}}}} \n"),
    ] {
        let mut got = records(lines, &answer);
        got.sort();
        assert_eq!(got, expected, "{answer}");
    }
}

#[test]
fn map_keys_are_data() {
    let lines = "rows: {each: [{as: day, entries: $.rates}, {as: rate, entries: day.value}]}
dims: {time.date: day.key, entity.currency: rate.key}
measures: {rate: rate.value}
";
    let answer = r#"{"rates":{"2024-01-02":{"USD":1.0956,"JPY":155.1},"2024-01-03":{"USD":1.09}}}"#;
    let expected = [
        r#"{"dims":{"entity":{"currency":"USD"},"time":{"date":"2024-01-02"}},"measures":{"rate":1.0956}}"#,
        r#"{"dims":{"entity":{"currency":"JPY"},"time":{"date":"2024-01-02"}},"measures":{"rate":155.1}}"#,
        r#"{"dims":{"entity":{"currency":"USD"},"time":{"date":"2024-01-03"}},"measures":{"rate":1.09}}"#,
    ];
    assert_eq!(records(lines, answer), expected);
}

#[test]
fn tables_take_their_columns_by_name() {
    let lines = "rows: {table: {header: first}}\ndims: {geo.name: NAME}\nmeasures: {p: P}\n";
    assert_eq!(
        records(lines, r#"[["P","x","NAME"],["1",null,"CA"],[2,{"a":[]},"NY"]]"#),
        [
            r#"{"dims":{"geo":{"name":"CA"}},"measures":{"p":1}}"#,
            r#"{"dims":{"geo":{"name":"NY"}},"measures":{"p":2}}"#
        ]
    );
    assert_eq!(records(lines, r#"[["P","NAME"]]"#), Vec::<String>::new());
    assert_eq!(records(lines, "[]"), Vec::<String>::new());
    assert!(
        error(lines, r#"[["P","NAM"],["1","CA"]]"#).starts_with("there is no column \"NAME\"; the columns are P, NAM")
    );
    assert!(error(lines, r#"[["P","NAME"],["1"]]"#).starts_with("a row of the table has 1 cells, its header 2"));
    assert!(error(lines, r#"[["P","NAME","P"],["1","a","2"]]"#).starts_with("two columns are named \"P\""));
    assert!(error(lines, r#"[["P","NAME"],{"P":1}]"#).starts_with("a row of the table is not an array"));
}

#[test]
fn tables_without_a_header_take_the_names_of_the_profile() {
    let lines = "rows: {table: {names: [open_time, open]}}
dims: {time.at: {from: open_time, time: epoch_ms}}
measures: {open: open}
";
    let expected = [r#"{"dims":{"time":{"at":"2023-11-14T22:13:20Z"}},"measures":{"open":42.5}}"#];
    assert_eq!(records(lines, r#"[[1700000000000,"42.5",9,9]]"#), expected);
}

#[test]
fn parallel_arrays_are_rows_and_must_be_of_one_length() {
    let lines = "rows: {zip: {under: $.h}}\ndims: {time.at: {from: t, time: {offset: $.ahead}}}\nmeasures: {v: v}\n";
    let expected = [
        r#"{"dims":{"time":{"at":"2024-01-14T23:00:00Z"}},"measures":{"v":1.5}}"#,
        r#"{"dims":{"time":{"at":"2024-01-15T01:00:00Z"}},"measures":{"v":3}}"#,
    ];
    let arrays = r#""h":{"v":[1.5,null,3],"u":["x"],"t":["2024-01-15T00:00","2024-01-15T01:00","2024-01-15T02:00"]}"#;
    assert_eq!(records(lines, &format!(r#"{{{arrays},"ahead":3600}}"#)), expected);
    assert_eq!(records(lines, &format!(r#"{{"ahead":3600,{arrays}}}"#)), expected);
    let unequal = r#"{"ahead":0,"h":{"t":["2024-01-15T00:00"],"v":[1,2]}}"#;
    assert!(error(lines, unequal).starts_with("the parallel arrays at $.h have unequal lengths"));
    assert!(error(lines, r#"{"ahead":0,"h":{"t":[]}}"#).starts_with("there is no array \"v\" beside the others"));
    assert!(error(lines, r#"{"ahead":0,"h":{"t":[],"v":3}}"#).starts_with("\"v\" is not an array"));
}

#[test]
fn the_short_form_finds_rows_by_shape() {
    let minimal = |mapping: &str| with(&format!("mapping: {{{mapping}}}\n"));
    let expect = |mapping: &str, answer: &str, expected: &[&str]| {
        let mapped = map(&minimal(mapping), answer.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(mapped.records, expected, "{answer}");
    };
    let ca = r#"{"dims":{"geo":{"name":"CA"}},"measures":{"p":{"total":39}}}"#;
    let fields = "NAME: dims.geo.name, P: measures.p.total";
    expect(fields, r#"[["NAME","P","state"],["CA","39","06"]]"#, &[ca]);
    expect(fields, r#"[{"NAME":"CA","P":39}]"#, &[ca]);
    expect(fields, r#"{"count":1,"results":[{"NAME":"CA","P":"39"}],"links":[{"rel":"x"}]}"#, &[ca]);
    expect(fields, r#"{"NAME":"CA","P":39}"#, &[ca]);
    let inner = "\"results.n[1]\": dims.geo.name, results.p.v: measures.p.total";
    expect(inner, r#"{"results":[{"n":["x","CA"],"p":{"v":39}}]}"#, &[ca]);
    let hourly = "hourly.time: dims.time.at, hourly.temperature_2m: measures.t, latitude: measures.lat";
    expect(
        hourly,
        r#"{"hourly":{"time":["2024-01-15T00:00"],"temperature_2m":[1.2]},"latitude":52.5}"#,
        &[r#"{"dims":{"time":{"at":"2024-01-15T00:00:00Z"}},"measures":{"lat":52.5,"t":1.2}}"#],
    );
}

#[test]
fn the_short_form_says_when_no_shape_fits() {
    let minimal = with("mapping: {NAME: dims.geo.name, P: measures.p}\n");
    let fail = |answer: &str| map(&minimal, answer.as_bytes()).unwrap_err();
    assert!(fail(r#"{"error":"bad key"}"#).starts_with("no array of the answer holds the fields"));
    assert!(fail("[[1,2],[3,4]]").starts_with("the answer is an array of arrays without a row of names"));
    assert!(fail("[1,2]").starts_with("the answer is an array of single values"));
    assert!(fail("7").starts_with("the answer is neither"));
    assert!(fail("{\"a\":").starts_with("the answer is not JSON: the text ends too early at line 1, column 6"));
}

#[test]
fn missing_values_never_become_numbers_or_texts() {
    let lines = "rows: {each: $}
missing: [-666666666, '.', 'N/A']
dims: {geo.name: n, entity.kind: {from: k, missing: [none]}}
measures: {v: v, w: {from: w, multiply: 0.1}}
";
    let answer = r#"[
        {"n":"a","v":-666666666,"w":"61"}, {"n":"b","v":"-666666666","w":null}, {"n":".","v":"."},
        {"n":"","k":"none","v":0}, {"n":"c","k":"none","v":"1,234.5"}, {"n":"N/A","v":"(2.5%)"}, {"n":null,"v":"x"},
        {"n":"d","v":true}, {"n":"e","v":"","w":{"a":1}}, {"n":"f"}
    ]"#;
    let mapped = map(&with(lines), answer.as_bytes()).unwrap();
    let expected = [
        r#"{"dims":{"geo":{"name":"a"}},"measures":{"w":6.1000000000000005}}"#,
        r#"{"dims":{},"measures":{"v":0}}"#,
        r#"{"dims":{"geo":{"name":"c"}},"measures":{"v":1234.5}}"#,
        r#"{"dims":{},"measures":{"v":-2.5}}"#,
    ];
    assert_eq!(mapped.records, expected);
    assert_eq!(mapped.rows, 10);
    assert_eq!((mapped.dropped[0].reason.as_str(), mapped.dropped[0].rows), ("no measure has a value", 6));
    let unread: Vec<_> = mapped.unread.iter().map(|lost| (lost.reason.as_str(), lost.example.as_deref())).collect();
    let unreadable = [("measures.v is not a number", Some("x")), ("measures.w is not a number", Some("{\"a\":1}"))];
    assert_eq!(unread, unreadable);
}

#[test]
fn dims_are_one_text_however_the_number_is_written() {
    let lines = "rows: {each: $}\ndims: {time.year: y, entity.id: id}\nmeasures: {v: v}\n";
    let answer = r#"[{"y":2021,"id":7,"v":1},{"y":"2021","id":"7","v":1},{"y":2021.0,"id":7.0,"v":1.0},
        {"y":2021,"id":12345678901234567890123,"v":2},{"y":2021,"id":"00\u0037\n","v":3}]"#;
    let mapped = map(&with(lines), answer.as_bytes()).unwrap();
    let expected = [
        r#"{"dims":{"entity":{"id":"7"},"time":{"year":"2021"}},"measures":{"v":1}}"#,
        r#"{"dims":{"entity":{"id":"12345678901234567890123"},"time":{"year":"2021"}},"measures":{"v":2}}"#,
        r#"{"dims":{"entity":{"id":"007\n"},"time":{"year":"2021"}},"measures":{"v":3}}"#,
    ];
    assert_eq!(mapped.records, expected);
    assert_eq!(mapped.duplicates, 2);
}

#[test]
fn fields_are_made_of_parts_maps_and_fixed_values() {
    let lines = "rows: {each: $}
where: ['k in [a, b]', 'n exists', 'q < 10']
dims:
  geo.fips: {from: '{s}{c}', pad: [6, '0']}
  entity.kind: {from: k, map: {a: Apple}, else: keep}
  entity.first: {first_of: [x, y]}
  entity.trim: {from: t, trim: true}
  geo.country: {const: US}
measures: {v: v}
";
    let answer = r#"[{"s":"06","c":"001","k":"a","n":1,"q":1,"x":"","y":"Y","t":"  z ","v":1},
        {"s":"06","c":null,"k":"b","n":0,"q":"9.5","v":2},
        {"s":"06","c":"2","k":"c","n":1,"q":1,"v":3}, {"k":"a","n":null,"q":1,"v":4}, {"k":"a","n":1,"q":10,"v":5}]"#;
    let mapped = map(&with(lines), answer.as_bytes()).unwrap();
    let expected = [
        r#"{"dims":{"entity":{"first":"Y","kind":"Apple","trim":"z"},"geo":{"country":"US","fips":"006001"}},"measures":{"v":1}}"#,
        r#"{"dims":{"entity":{"kind":"b"},"geo":{"country":"US"}},"measures":{"v":2}}"#,
    ];
    assert_eq!(mapped.records, expected);
    let reasons: Vec<_> = mapped.dropped.iter().map(|drop| (drop.reason.as_str(), drop.rows)).collect();
    assert_eq!(reasons, [("where: not k in [a, b]", 1), ("where: not n exists", 1), ("where: not q < 10", 1)]);
}

#[test]
fn a_row_without_its_key_or_with_an_unreadable_dim_gives_no_record() {
    let lines = "rows: {each: $}
dims: {geo.name: n, time.date: d}
measures: {v: v}
key: [geo.name]
";
    let answer =
        r#"[{"n":"a","d":"2024-01-15","v":1},{"d":"2024-01-15","v":1},{"n":"b","d":"soon","v":1},{"n":"c","v":1}]"#;
    let mapped = map(&with(lines), answer.as_bytes()).unwrap();
    let expected = [
        r#"{"dims":{"geo":{"name":"a"},"time":{"date":"2024-01-15"}},"measures":{"v":1}}"#,
        r#"{"dims":{"geo":{"name":"c"}},"measures":{"v":1}}"#,
    ];
    assert_eq!(mapped.records, expected);
    let reasons: Vec<_> = mapped.dropped.iter().map(|drop| (drop.reason.as_str(), drop.example.as_deref())).collect();
    let unreadable = "dims.time.date is not a time of this dim: it is not a time in the form that the profile names";
    assert_eq!(reasons, [("dims.geo.name of the key has no value", None), (unreadable, Some("soon"))]);
}

#[test]
fn answers_of_another_shape_fail_with_what_was_there() {
    let lines = "rows: {each: $.data}\nmeasures: {v: v}\n";
    assert_eq!(records(lines, r#"{"data":null}"#), Vec::<String>::new());
    for (answer, expected) in [
        (r#"{"dat":[]}"#, "there are no rows at $.data; the answer begins \"{\\\"dat\\\":[]}\""),
        (r#"{"data":{"v":1}}"#, "expected an array of rows at $.data, found an object (line 1, column 10)"),
        (r#"[{"v":1}]"#, "there are no rows at $.data"),
        (r#"{"data":[{"v":1}],"data":[]}"#, "the member \"data\" occurs twice in one object"),
        (r#"{"data":[{"v":1,"v":2}]}"#, "the member \"v\" occurs twice in one object"),
        (r#"{"data":[{"v":NaN}]}"#, "the answer is not JSON: expected a value at line 1, column 15"),
        ("{\"data\":[\n{\"v\":1}", "the answer is not JSON: the text ends too early at line 2, column 8"),
        (r#"{"data":[]} x"#, "the answer is not JSON: expected the end of the text at line 1, column 13"),
    ] {
        let got = error(lines, answer);
        assert!(got.starts_with(expected), "{got}\nfor {answer}");
    }
    let bad_utf8 = map(&with(lines), b"{\"data\":[{\"v\":1,\"n\":\"\xff\"}]}").unwrap_err();
    assert!(bad_utf8.starts_with("the answer is not UTF-8 at byte 21"), "{bad_utf8}");
}

#[test]
fn the_source_is_quoted_where_it_reports_a_failure() {
    let profile = profile(
        "id: test
source: {url: 'https://example.org/', success: \"$.status == 'OK'\", message: '$.message[*]'}
rows: {each: $.data}
measures: {v: v}
",
    );
    let good = map(&profile, br#"{"data":[{"v":1}],"message":[],"status":"OK"}"#).unwrap();
    assert_eq!(good.records.len(), 1);
    let failed = map(&profile, br#"{"status":"FAILED","message":["The key is wrong"],"data":{}}"#).unwrap_err();
    assert_eq!(failed, "the source reports a failure: \"[\\\"The key is wrong\\\"]\"");
    let silent = map(&profile, br#"{"status":"FAILED","data":[]}"#).unwrap_err();
    assert_eq!(silent, "the answer does not meet $.status == 'OK'");
}

#[test]
fn hostile_answers_are_bounded() {
    let lines = "rows: {each: $.data}\ndims: {geo.name: n}\nmeasures: {v: v}\n";
    let deep = format!(r#"{{"x":{}{},"data":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(error(lines, &deep).contains("nested too deep"));
    let number = "1".repeat(1_000_000);
    let mapped =
        map(&with(lines), format!(r#"{{"data":[{{"v":{number},"n":"a"}},{{"v":1,"n":{number}}}]}}"#).as_bytes());
    let mapped = mapped.unwrap();
    assert_eq!((mapped.records.len(), mapped.rows), (0, 2));
    let key = "k".repeat(1_000_000);
    assert_eq!(records(lines, &format!(r#"{{"data":[{{"{key}":1,"v":1}}]}}"#)).len(), 1);
    assert_eq!(
        records(lines, "{\"data\":[{\"n\":\"a\\u0000b\",\"v\":1}]}"),
        [r#"{"dims":{"geo":{"name":"a\u0000b"}},"measures":{"v":1}}"#]
    );
    assert!(error(lines, "{\"data\":[{\"n\":\"a\0b\",\"v\":1}]}").contains("a control character"));
    assert_eq!(records(lines, r#"{"data":[{"n":"\ud800","v":1}]}"#), [r#"{"dims":{},"measures":{"v":1}}"#]);
}

#[test]
fn observations_of_the_weather_service_keep_what_is_there() {
    let text = include_str!("../../../profiles/weather/us-nws-observations.yaml");
    let answer = r#"{"type":"FeatureCollection","features":[{"id":"x","properties":{
        "station":"https://api.weather.gov/stations/KSEA","timestamp":"2024-01-15T12:53:00+00:00",
        "temperature":{"unitCode":"wmoUnit:degC","value":7.2,"qualityControl":"V"},
        "windSpeed":{"unitCode":"wmoUnit:km_h-1","value":null,"qualityControl":"Z"}}}],
        "pagination":{"next":"https://api.weather.gov/stations/KSEA/observations?cursor=x"}}"#;
    let expected = [
        r#"{"dims":{"entity":{"station":"KSEA"},"time":{"at":"2024-01-15T12:53:00Z"}},"measures":{"temperature_c":7.2}}"#,
    ];
    assert_eq!(map(&profile(text), answer.as_bytes()).unwrap().records, expected);
}
