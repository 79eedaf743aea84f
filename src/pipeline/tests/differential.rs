//! Any answer, any places: the walker gives what a plain reading of the parsed tree gives.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{map, with};
use crate::pipeline::testing::json;
use crate::profiles::Segment;

/// A plain reading of the same profile: `outer` and `inner` are lists, the rest are fields.
#[derive(Debug)]
struct Reference {
    outer: Vec<Segment>,
    inner: Vec<Segment>,
    document: Vec<Segment>,
    parent: Vec<Segment>,
    row: Vec<Segment>,
    measure: Vec<Segment>,
}

fn get<'v>(value: &'v Value, path: &[Segment]) -> Option<&'v Value> {
    path.iter().try_fold(value, |at, segment| match segment {
        Segment::Name(name) => at.as_object()?.get(name),
        Segment::Index(number) => at.as_array()?.get(*number as usize),
        Segment::All => None,
    })
}

/// The text of a dim; numbers as RFC 8785 writes them, long integers as they are.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) if number.is_i64() => Some(number.to_string()),
        Value::Number(number) => serde_jcs::to_string(number).ok(),
        other => Some(other.to_string()),
    }
}

impl Reference {
    /// `None`: there are no rows at the place.
    fn records(&self, answer: &Value) -> Option<Vec<String>> {
        let mut records = Vec::new();
        let outer = get(answer, &self.outer)?;
        if outer.is_null() {
            return Some(records);
        }
        for parent in outer.as_array()? {
            let rows = match get(parent, &self.inner) {
                None | Some(Value::Null) => continue,
                Some(rows) => rows.as_array()?,
            };
            records.extend(rows.iter().filter_map(|row| self.record(answer, parent, row)));
        }
        records.sort();
        records.dedup();
        Some(records)
    }

    fn record(&self, answer: &Value, parent: &Value, row: &Value) -> Option<String> {
        let number = match get(row, &self.measure)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => crate::pipeline::fields::read_number(text)?,
            _ => return None,
        };
        let dims = [("d", answer, &self.document), ("p", parent, &self.parent), ("r", row, &self.row)];
        let nfc = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
        let dim = |text: String| nfc.normalize(&text).into_owned();
        let dims =
            dims.iter().filter_map(|(name, from, path)| Some(((*name).to_owned(), dim(text(get(from, path))?).into())));
        let dims: serde_json::Map<String, Value> = dims.collect();
        if dims.values().any(|text| text.as_str().is_some_and(|text| text.len() > 4096)) {
            return None;
        }
        serde_jcs::to_string(&json!({ "dims": dims, "measures": { "v": number } })).ok()
    }
}

fn path() -> impl Strategy<Value = Vec<Segment>> {
    let segment = prop_oneof![
        6 => "[a-h]".prop_map(Segment::Name),
        1 => (0u32..3).prop_map(Segment::Index),
    ];
    prop_oneof![9 => prop::collection::vec(segment, 1..3), 1 => Just(Vec::new())]
}

fn shown(root: &str, path: &[Segment]) -> String {
    let tail = path.iter().map(|segment| match segment {
        Segment::Name(name) => format!(".{name}"),
        Segment::Index(number) => format!("[{number}]"),
        Segment::All => "[*]".into(),
    });
    root.to_owned() + &tail.collect::<String>()
}

/// Puts `value` at `path`, with what must be around it.
fn plant(at: &mut Value, path: &[Segment], value: Value) {
    let Some((segment, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    let inner = match segment {
        Segment::Name(name) => {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[name.as_str()]
        }
        Segment::Index(number) => {
            let index = *number as usize;
            if !at.is_array() {
                *at = json!([]);
            }
            let items = at.as_array_mut().expect("it was made one");
            items.resize(items.len().max(index + 1), Value::Null);
            &mut items[index]
        }
        Segment::All => return,
    };
    plant(inner, rest, value);
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => any::<i32>().prop_map(Value::from),
        2 => (-1e9..1e9_f64).prop_map(Value::from),
        3 => "[a-zé\"\\\\\n0-9.]{0,6}".prop_map(Value::from),
        1 => json(),
    ]
}

/// Places, and an answer in which they are likely to be.
fn places_and_answer() -> impl Strategy<Value = (Reference, Value)> {
    let paths = (path(), path(), path(), path(), path(), path());
    paths.prop_flat_map(|(outer, inner, document, parent, row, measure)| {
        let noise = || prop::option::weighted(0.5, json());
        let rows = prop::collection::vec((noise(), prop::option::weighted(0.8, leaf()), leaf()), 0..4);
        let parents = prop::collection::vec((noise(), prop::option::weighted(0.8, leaf()), rows), 0..4);
        (noise(), prop::option::weighted(0.8, leaf()), parents).prop_map(move |(base, top, parents)| {
            let reference = Reference {
                outer: outer.clone(),
                inner: inner.clone(),
                document: document.clone(),
                parent: parent.clone(),
                row: row.clone(),
                measure: measure.clone(),
            };
            let answer = reference.answer(base, top, parents);
            (reference, answer)
        })
    })
}

type Rows = Vec<(Option<Value>, Option<Value>, Value)>;
type Parents = Vec<(Option<Value>, Option<Value>, Rows)>;

impl Reference {
    fn answer(&self, base: Option<Value>, top: Option<Value>, parents: Parents) -> Value {
        let mut list = Vec::new();
        for (parent_base, parent_value, rows) in parents {
            let mut parent = parent_base.unwrap_or_else(|| json!({}));
            let rows = rows.into_iter().map(|(row_base, row_value, number)| {
                let mut row = row_base.unwrap_or_else(|| json!({}));
                if let Some(value) = row_value {
                    plant(&mut row, &self.row, value);
                }
                plant(&mut row, &self.measure, number);
                row
            });
            plant(&mut parent, &self.inner, rows.collect());
            if let Some(value) = parent_value {
                plant(&mut parent, &self.parent, value);
            }
            list.push(parent);
        }
        let mut answer = base.unwrap_or_else(|| json!({}));
        plant(&mut answer, &self.outer, list.into());
        if let Some(value) = top {
            plant(&mut answer, &self.document, value);
        }
        answer
    }

    fn lines(&self) -> String {
        format!(
            "rows: {{each: [{{as: s, path: '{}'}}, {{as: t, path: '{}'}}]}}\ndims: {{d: '{}', p: '{}', r: '{}'}}\nmeasures: {{v: '{}'}}\n",
            shown("$", &self.outer),
            shown("@", &self.inner),
            shown("$", &self.document),
            shown("s", &self.parent),
            shown("t", &self.row),
            shown("t", &self.measure),
        )
    }
}

#[test]
fn the_walker_reads_what_a_tree_says() {
    let config = ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let records = std::cell::Cell::new(0);
    let result = runner.run(&places_and_answer(), |(reference, answer)| {
        let lines = reference.lines();
        let text = format!("id: test\nsource: {{url: 'https://example.org/'}}\n{lines}");
        // Places inside the rows themselves are refused when the profile is loaded.
        let Ok(profile) = crate::profiles::load(&text) else { return Ok(()) };
        match (map(&profile, answer.to_string().as_bytes()), reference.records(&answer)) {
            (Ok(mapped), Some(expected)) => {
                let mut got = mapped.records;
                got.sort();
                records.set(records.get() + got.len());
                prop_assert_eq!(got, expected, "{} {}", answer, lines);
            }
            (Err(_), None) => {}
            (got, expected) => prop_assert!(false, "{:?} but {:?} for {} {}", got, expected, answer, lines),
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(records.get() > 1_000, "the places were found {} times only", records.get());
}

#[test]
fn the_reference_itself_finds_records() {
    let lines = "rows: {each: [{as: s, path: $.a}, {as: t, path: b}]}\ndims: {d: $.c, r: t.a}\nmeasures: {v: t.v}\n";
    let mapped = map(&with(lines), br#"{"a":[{"b":[{"v":1,"a":"x"}]}],"c":"y"}"#).unwrap();
    assert_eq!(mapped.records, [r#"{"dims":{"d":"y","r":"x"},"measures":{"v":1}}"#]);
}
