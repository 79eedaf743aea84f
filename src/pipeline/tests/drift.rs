//! What is noted of the rows in passing: those that failed, and what all looked like.

use super::{map, profile, with};
use crate::domain::drift::{DriftRule, NewFields, Then};
use crate::domain::shape::JsonType;
use crate::profiles::load;

const BY_NAME: &str = "rows: {each: $}\nkey: [name]\nwhere: [skip missing]\ndims: {name: name, time.date: day}\n\
                       measures: {v: v, w: w}\n";

#[test]
fn failed_rows_are_kept_with_reason_and_excerpt_and_filtered_ones_are_not() {
    let answer = br#"[{"name": "a", "v": 1}, {"name": "a", "v": 1}, {"v": 2, "why": "no name"},
        {"name": "b", "v": "s3cret"}, {"name": "c", "day": "soon", "v": 4}, {"name": "d", "skip": true}]"#;
    let mapped = map(&with(BY_NAME), answer).unwrap();
    let rows: Vec<_> = mapped.rejects.rows.iter().map(|row| (row.reason.as_str(), row.excerpt.as_str())).collect();
    assert_eq!(rows[0], ("dims.name of the key has no value", r#"{"v": 2, "why": "no name"}"#));
    assert_eq!(rows[1], ("measures.v is not a number", r#"{"name": "b", "v": "[secret]"}"#));
    assert_eq!(rows[2], ("no measure has a value", r#"{"name": "b", "v": "[secret]"}"#));
    assert!(rows[3].0.starts_with("dims.time.date is not a time"), "{rows:?}");
    assert_eq!((rows.len(), mapped.rejects.total()), (4, 4));
}

#[test]
fn rows_of_every_form_have_an_excerpt() {
    for (rows, answer, excerpt) in [
        ("rows: {table: {header: first}}", r#"[["name", "v"], ["a", "x"]]"#, r#"["a", "x"]"#),
        ("rows: {zip: {under: $}}", r#"{"name": ["a"], "v": ["x"]}"#, "dims.name: a, measures.v: x"),
        ("rows: {single: $}", r#"{"name": "a", "v": "x"}"#, "dims.name: a, measures.v: x"),
    ] {
        let text = format!("id: t\nsource: {{url: 'https://h/'}}\n{rows}\ndims: {{name: name}}\nmeasures: {{v: v}}\n");
        let mapped = map(&profile(&text), answer.as_bytes()).unwrap();
        assert_eq!(mapped.rejects.rows[0].excerpt, excerpt, "{rows}");
    }
    let csv = "id: t\nsource: {url: 'https://h/', format: csv}\ndims: {name: name}\nmeasures: {v: v}\n";
    let mapped = map(&profile(csv), b"name,v,extra\na,x,7\n").unwrap();
    assert_eq!(mapped.rejects.rows[0].excerpt, "name: a, v: x, extra: 7");
    assert_eq!(mapped.shape.names.keys().collect::<Vec<_>>(), ["extra", "name", "v"]);
}

#[test]
fn a_flood_of_failed_rows_is_counted_and_bounded() {
    let row = format!(r#"{{"name": "a", "v": "{}"}}"#, "x".repeat(3_000));
    let answer = format!("[{}]", vec![row; 2_000].join(","));
    let mapped = map(&with(BY_NAME), answer.as_bytes()).unwrap();
    let counts: Vec<u64> = mapped.rejects.counts.iter().map(|count| count.rows).collect();
    assert_eq!(counts, [2_000, 2_000]);
    assert_eq!(mapped.rejects.rows.len(), 50);
    assert!(mapped.rejects.rows.iter().all(|row| row.excerpt.chars().count() == 400));
}

#[test]
fn the_shape_counts_every_field_and_names_every_member() {
    let answer =
        br#"[{"name": "a", "v": 1, "new": {"x": 1}}, {"name": "b", "v": "7", "w": null}, {"name": "c", "v": "?"}]"#;
    let shape = map(&with(BY_NAME), answer).unwrap().shape;
    assert_eq!((shape.rows, shape.looked_at, shape.names["v"], shape.names["new"]), (3, 3, 3, 1));
    let v = shape.field("measures.v").unwrap();
    assert_eq!((v.present, v.missing, v.unread), (2, 0, 1));
    assert_eq!(v.types, [JsonType::Number, JsonType::Text]);
    let w = shape.field("measures.w").unwrap();
    assert_eq!((w.present, w.missing, w.types.as_slice()), (0, 3, [JsonType::Null].as_slice()));
}

#[test]
fn a_unit_that_the_answer_tells_is_checked_wherever_it_stands() {
    let lines = "rows: {each: $.rows}\nmeasures: {t: {from: t, unit: {is: Cel, told_by: doc.units.t}}}\n";
    for answer in [
        r#"{"units": {"t": "\u00b0C"}, "rows": [{"t": 5}]}"#,
        r#"{"rows": [{"t": 5}, {"t": null}], "units": {"t": "Cel"}}"#,
    ] {
        assert_eq!(map(&with(lines), answer.as_bytes()).unwrap().records, [r#"{"dims":{},"measures":{"t":5}}"#]);
    }
    let changed = r#"{"rows": [{"t": 41}], "units": {"t": "degF"}}"#;
    let error = map(&with(lines), changed.as_bytes()).unwrap_err();
    assert_eq!(error, "measures.t is in another unit than the profile says: degF instead of Cel");
    let silent = map(&with(lines), br#"{"rows": [{"t": 41}]}"#).unwrap_err();
    assert!(silent.ends_with("nothing instead of Cel"), "{silent}");
}

#[test]
fn a_profile_says_what_a_drift_means_and_is_told_what_it_got_wrong() {
    let rule = |lines: &str| with(&format!("rows: {{each: $}}\nmeasures: {{v: v}}\n{lines}")).plan().drift;
    let usual = DriftRule { then: Then::Keep, fewer_rows: Some(0.5), new_fields: NewFields::Note };
    assert_eq!(rule(""), usual);
    let strict = rule("drift: {then: quarantine, fewer_rows: 0.9, new_fields: drift}\n");
    assert_eq!(strict, DriftRule { then: Then::Quarantine, fewer_rows: Some(0.9), new_fields: NewFields::Drift });
    assert_eq!(rule("drift: {then: fail, fewer_rows: 0}\n"), DriftRule { then: Then::Fail, fewer_rows: None, ..usual });
    let newest =
        "id: t\nsource: {url: 'https://h/', cursor: {field: u, param: since}}\nrows: {each: $}\nmeasures: {v: v}\n";
    assert_eq!(profile(newest).plan().drift.fewer_rows, None);

    let wrong = |lines: &str| {
        let text = format!("id: t\nsource: {{url: 'https://h/'}}\nrows: {{each: $}}\nmeasures: {{v: v}}\n{lines}");
        load(&text).unwrap_err().to_string()
    };
    assert!(wrong("drift: {fewer_rows: 50}\n").contains("from 0 to 1"));
    assert!(wrong("drift: {then: quarantaine}\n").contains("quarantine"));
    assert!(wrong("measures: {}\n").contains("measures"));
}

#[test]
fn a_unit_is_checked_or_converted_and_not_both() {
    let wrong = |unit: &str| {
        let text = format!(
            "id: t\nsource: {{url: 'https://h/'}}\nrows: {{each: $}}\nmeasures: {{v: {{from: v, unit: {unit}}}}}\n"
        );
        load(&text).unwrap_err().to_string()
    };
    assert!(wrong("{is: Cel, told_by: u, to: K}").contains("either checked"));
    assert!(wrong("{is: Cel}").contains("both is and told_by"));
}

#[test]
fn a_member_of_a_map_is_told_by_its_value() {
    let lines = "rows: {each: [{as: day, entries: $}]}\ndims: {time.date: day.key}\nmeasures: {v: day.value.v}\n";
    let mapped = map(&with(lines), br#"{"2024-01-02": {"v": "x"}}"#).unwrap();
    assert_eq!(mapped.rejects.rows[0].excerpt, r#"{"v": "x"}"#);
}
