//! The whole way from records to results, against a naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::batch::Records;
use crate::domain::ids::ProfileId;
use crate::domain::record::push_record;
use crate::domain::report::{Answer, ReportResult, ReportSpec};

fn canonical(record: &serde_json::Value) -> String {
    let mut records = Records::default();
    push_record(&mut records, &record.to_string()).unwrap();
    String::from_utf8(records.text(0).to_vec()).unwrap()
}

fn spec(output: &serde_json::Value, policy: &str, limit: u32) -> ReportSpec {
    serde_json::from_value(json!({
        "join": ["dims.time.year", "dims.geo.state"],
        "inputs": [
            {"profile_id": "a", "measure": "measures.x", "on_duplicate": policy},
            {"profile_id": "b", "measure": "measures.deep.y", "on_duplicate": policy},
        ],
        "window": {"limit": limit},
        "output": output,
    }))
    .unwrap()
}

fn collector(output: &serde_json::Value, policy: &str, limit: u32) -> Collector {
    Collector::new(check(spec(output, policy, limit)).unwrap(), DEFAULT_MAX_BYTES)
}

fn record(state: &str, year: &str, value: f64) -> String {
    canonical(&json!({
        "dims": {"geo": {"state": state, "name": "left out"}, "time": {"year": year}},
        "measures": {"x": value, "deep": {"y": value}, "z": 0},
    }))
}

fn push_all(join: &mut Collector, source: usize, records: &[(&str, &str, f64)]) {
    for (state, year, value) in records {
        join.push(source, &record(state, year, *value)).unwrap();
    }
}

fn rows(result: &ReportResult) -> Vec<(Vec<String>, Vec<Option<f64>>)> {
    match &result.answer {
        Answer::Table { rows, .. } => rows.iter().map(|row| (row.key.clone(), row.values.clone())).collect(),
        Answer::Correlation { .. } => panic!("a table was asked for"),
    }
}

#[test]
fn rows_come_sorted_by_key_with_the_names_of_their_columns() {
    let mut join = collector(&json!({"type": "table"}), "last", 10);
    assert_eq!(join.profiles().map(ProfileId::as_str).collect::<Vec<_>>(), ["a", "b"]);
    push_all(&mut join, 0, &[("06", "2021", 3.0), ("01", "2021", 1.0), ("06", "2020", 2.0), ("99", "1999", 9.0)]);
    push_all(&mut join, 1, &[("06", "2020", 20.0), ("06", "2021", 30.0), ("01", "2021", 10.0)]);
    let result = join.finish();
    let Answer::Table { columns, truncated: false, total_rows: 3, .. } = &result.answer else { panic!("{result:?}") };
    assert_eq!(columns[..], ["dims.time.year", "dims.geo.state", "a:measures.x", "b:measures.deep.y"]);
    let values: Vec<_> = rows(&result).into_iter().map(|(key, values)| (key.join("/"), values)).collect();
    assert_eq!(values[0], ("2020/06".into(), vec![Some(2.0), Some(20.0)]));
    assert_eq!(values[1], ("2021/01".into(), vec![Some(1.0), Some(10.0)]));
    assert_eq!(values[2], ("2021/06".into(), vec![Some(3.0), Some(30.0)]));
}

#[test]
fn daily_values_meet_yearly_ones_as_their_mean() {
    let mut join = collector(&json!({"type": "table"}), "mean", 10);
    for (date, value) in [("2020-01-01", 1.0), ("2020-12-31", 4.0), ("2021-01-01", 9.0)] {
        let dims = json!({"geo": {"state": "06"}, "time": {"date": date}});
        join.push(0, &canonical(&json!({"dims": dims, "measures": {"x": value}}))).unwrap();
    }
    push_all(&mut join, 1, &[("06", "2020", 7.0)]);
    let result = join.finish();
    assert_eq!(rows(&result), [(vec!["2020".into(), "06".into()], vec![Some(2.5), Some(7.0)])]);
    assert_eq!((result.inputs[0].keys, result.inputs[0].duplicates), (2, 1));
}

#[test]
fn glued_keys_cannot_collide() {
    let mut join = collector(&json!({"type": "table"}), "error", 10);
    push_all(&mut join, 0, &[("c", "a|b", 1.0), ("b|c", "a", 2.0)]);
    push_all(&mut join, 1, &[("c", "a|b", 10.0)]);
    let result = join.finish();
    assert_eq!(rows(&result), [(vec!["a|b".into(), "c".into()], vec![Some(1.0), Some(10.0)])]);
}

#[test]
fn more_rows_than_the_limit_are_counted_and_the_first_are_given() {
    let mut join = collector(&json!({"type": "table", "keep": "outer"}), "last", 3);
    for year in (0..100).rev() {
        join.push(year % 2, &record("06", &format!("{year:04}"), 1.0)).unwrap();
    }
    let result = join.finish();
    assert!(matches!(result.answer, Answer::Table { truncated: true, total_rows: 100, .. }));
    assert_eq!(rows(&result).iter().map(|(key, _)| key[0].clone()).collect::<Vec<_>>(), ["0000", "0001", "0002"]);
    assert_eq!(result.matched, 0);
}

#[test]
fn records_without_key_or_measure_are_counted_not_lost() {
    let mut join = collector(&json!({"type": "table"}), "last", 10);
    for record in [
        json!({"dims": {"geo": {"state": "06"}}, "measures": {"x": 1}}),
        json!({"dims": {"geo": {"state": "06"}, "time": {"year": "2020"}}, "measures": {"z": 1}}),
        json!({"dims": {"geo": {"state": "06"}, "time": {"year": "2020"}}, "measures": {"x": 1}}),
        json!({"dims": {"geo": {"state": "06"}, "time": {"year": "2020"}}, "measures": {"x": 2}}),
    ] {
        join.push(0, &canonical(&record)).unwrap();
    }
    let result = join.finish();
    let counts = &result.inputs[0];
    assert_eq!((counts.records, counts.without_key, counts.without_measure), (4, 1, 1));
    assert_eq!((counts.keys, counts.duplicates), (1, 1));
    assert_eq!((result.inputs[1].records, result.matched), (0, 0));
}

#[test]
fn a_correlation_says_why_there_is_none() {
    let output = json!({"type": "correlation"});
    let answer = |a: &[(&str, &str, f64)], b: &[(&str, &str, f64)]| {
        let mut join = collector(&output, "last", 10);
        push_all(&mut join, 0, a);
        push_all(&mut join, 1, b);
        let Answer::Correlation { pairs, .. } = join.finish().answer else { panic!("a correlation was asked for") };
        assert_eq!((pairs.len(), pairs[0].x, pairs[0].y), (1, 0, 1));
        (pairs[0].n, pairs[0].r, pairs[0].note.clone())
    };
    let rising = [("1", "y", 1.0), ("2", "y", 2.0), ("3", "y", 3.0), ("4", "y", 5.0)];
    let flat = [("1", "y", 7.0), ("2", "y", 7.0), ("3", "y", 7.0)];
    assert_eq!(answer(&rising[..1], &rising), (1, None, Some("needs at least 3 shared keys, got 1".into())));
    assert_eq!(answer(&flat, &rising), (3, None, Some("x is constant: correlation is not defined".into())));
    assert_eq!(answer(&rising, &flat), (3, None, Some("y is constant: correlation is not defined".into())));
    assert_eq!(answer(&rising, &rising), (4, Some(1.0), None));
}

#[test]
fn the_bound_on_memory_is_told() {
    let checked = check(spec(&json!({"type": "table"}), "last", 10)).unwrap();
    let mut join = Collector::new(checked, 1_000);
    let error = (0..100).find_map(|n| join.push(0, &record("06", &format!("{n:04}"), 1.0)).err()).unwrap().to_string();
    assert!(error.contains("more than the 1000 bytes allowed, at record 21 of a; join on fewer"), "{error}");
}

#[test]
fn a_duplicate_under_the_error_policy_names_its_key() {
    let mut join = collector(&json!({"type": "table"}), "error", 10);
    push_all(&mut join, 1, &[("06", "2020", 1.0)]);
    let error = join.push(1, &record("06", "2020", 1.0)).unwrap_err().to_string();
    assert!(
        error.starts_with("b has more than one record for [\"2020\", \"06\"], and measures.deep.y says"),
        "{error}"
    );
}

#[test]
fn a_broken_record_is_named() {
    let mut join = collector(&json!({"type": "table"}), "last", 10);
    let error = join.push(0, "{\"dims\":").unwrap_err().to_string();
    assert!(error.starts_with("record 1 of a is not canonical JSON: EOF"), "{error}");
}

/// What one record of a test says: which source, the key's texts where it has them, its value where it has one.
type Said = (usize, Option<String>, String, Option<i32>);

fn said() -> impl Strategy<Value = Vec<Said>> {
    let text = "[ab|=ü\u{0}]{0,2}";
    proptest::collection::vec(
        (0..2_usize, proptest::option::weighted(0.9, text), text, proptest::option::of(-9..9)),
        0..60,
    )
}

fn said_record((source, state, year, value): &Said) -> String {
    let mut dims = json!({"time": {"year": year}});
    if let Some(state) = state {
        dims["geo"] = json!({"state": state});
    }
    let mut measures = json!({"other": 1});
    match (source, value) {
        (0, Some(value)) => measures["x"] = json!(value),
        (_, Some(value)) => measures["deep"] = json!({"y": value}),
        (_, None) => {}
    }
    canonical(&json!({"dims": dims, "measures": measures}))
}

/// Values by key and source, in order of arrival.
type Model = BTreeMap<Vec<String>, [Vec<f64>; 2]>;

fn model(all: &[Said]) -> Model {
    let mut model = Model::new();
    for (source, state, year, value) in all {
        if let (Some(state), Some(value)) = (state, value) {
            model.entry(vec![year.clone(), state.clone()]).or_default()[*source].push((*value).into());
        }
    }
    model
}

fn merged(values: &[f64], policy: &str) -> Option<f64> {
    let fold = |choose: fn(f64, f64) -> f64| values.iter().copied().reduce(choose);
    match policy {
        "last" => values.last().copied(),
        "first" => values.first().copied(),
        "min" => fold(f64::min),
        "max" => fold(f64::max),
        "sum" => fold(|sum, value| sum + value),
        _ => fold(|sum, value| sum + value).map(|sum| sum / f64::from(u32::try_from(values.len()).unwrap())),
    }
}

proptest! {
    #[test]
    fn joins_agree_with_a_naive_model(all in said(), outer: bool, limit in 1..20_u32,
                                      policy in proptest::sample::select(vec!["last", "first", "min", "max", "sum", "mean"])) {
        let keep = if outer { "outer" } else { "inner" };
        let mut join = collector(&json!({"type": "table", "keep": keep}), policy, limit);
        for said in &all {
            join.push(said.0, &said_record(said)).unwrap();
        }
        let result = join.finish();

        let model = model(&all);
        let expected: Vec<_> = model
            .iter()
            .map(|(key, values)| (key.clone(), values.iter().map(|values| merged(values, policy)).collect::<Vec<_>>()))
            .filter(|(_, values)| outer || values.iter().all(Option::is_some))
            .collect();
        let matched = model.values().filter(|values| values.iter().all(|values| !values.is_empty())).count();
        prop_assert_eq!(result.matched, matched as u64);
        let Answer::Table { truncated, total_rows, .. } = result.answer else { panic!("a table was asked for") };
        prop_assert_eq!((total_rows, truncated), (expected.len() as u64, expected.len() > limit as usize));
        let shown: Vec<_> = expected.into_iter().take(limit as usize).collect();
        prop_assert_eq!(rows(&result), shown);
        for (source, counts) in result.inputs.iter().enumerate() {
            let left_out = counts.without_key + counts.without_measure;
            prop_assert_eq!(counts.records, left_out + counts.keys + counts.duplicates);
            prop_assert_eq!(counts.records, all.iter().filter(|said| said.0 == source).count() as u64);
            let without_key = all.iter().filter(|said| said.0 == source && said.1.is_none()).count();
            prop_assert_eq!(counts.without_key, without_key as u64);
        }
    }
}
