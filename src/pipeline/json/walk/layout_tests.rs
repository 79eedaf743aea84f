//! A walker that remembers how rows are written reads exactly what one reads that remembers nothing, also where the
//! rows are alike but for a few bytes, and where they are broken.

use proptest::prelude::*;

use super::Walker;
use crate::pipeline::json::cell::Cell;
use crate::profiles::load;
use crate::profiles::plan::{Mapping, MappingPlan};

const LINES: [&str; 4] = [
    "rows: {each: $.data}\ndims: {a: id, b: geo.state, c: geo.county, d: 'list[1]', e: tree}\nmeasures: {v: v}\n",
    "rows: {each: [{as: s, path: $.data}, {as: t, path: list}]}\ndims: {a: s.id, b: t.x}\nmeasures: {v: t.v}\n",
    "rows: {each: [{as: m, entries: $.data}]}\ndims: {a: m.key, b: m.value.geo.state}\nmeasures: {v: m.value.v}\n",
    "rows: {each: $.data}\ndims: {a: geo, b: 'geo.state'}\nmeasures: {v: v}\n",
];

fn mapping(lines: &str) -> std::sync::Arc<Mapping> {
    let profile = load(&format!("id: test\nsource: {{url: 'https://example.org/'}}\n{lines}"));
    let profile = profile.unwrap_or_else(|problems| panic!("{problems}\n{lines}"));
    let MappingPlan::Ready(mapping) = &profile.plan().mapping else { panic!("the rows are named") };
    std::sync::Arc::clone(mapping)
}

/// All rows, the counts, and what is wrong in the end.
fn read(text: &str, mapping: &Mapping, remembers: bool) -> String {
    let mut walker = Walker::new(text, &mapping.places);
    if !remembers {
        walker.layout.give_up();
    }
    let mut cells = vec![Cell::Absent; mapping.places.slots];
    let mut told = String::new();
    let end = loop {
        match walker.next_row(&mut cells) {
            Ok(true) => told += &format!("{cells:?}\n"),
            end => break end,
        }
    };
    format!("{told}{end:?} {cells:?} {} {:?}", walker.outer_rows(), walker.rows_missing())
}

/// Rows from a few forms, so that many are alike and some are not.
fn row() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        4 => any::<i16>().prop_map(|number| number.to_string()),
        3 => "[a-zé0-9 ]{0,9}".prop_map(|text| format!("\"{text}\"")),
        1 => prop::sample::select(&["null", "true", "\"\\u00e9\\n\"", "[]", "{\"state\":1}", "[1,{\"x\":2}]", "-0.5e3"][..])
            .prop_map(str::to_owned),
    ];
    let values = prop::collection::vec(value, 5);
    (values, prop_oneof![9 => Just(0), 1 => 1..7usize]).prop_map(|(values, form)| {
        let [id, state, other, x, v] = values.as_slice() else { return String::new() };
        match form {
            0 => format!(
                r#"{{"id":{id},"geo":{{"state":{state},"county":"c"}},"o":{other},"list":[{{"x":{x},"v":1}},{x},3],"v":{v}}}"#
            ),
            1 => format!(r#"{{"id":{id},"geo":{state},"o":{other},"list":[{{"x":{x},"v":1}},{x},3],"v":{v}}}"#),
            2 => format!(r#"{{"v":{v},"id":{id}}}"#),
            3 => format!(r#" {{ "id" : {id}, "geo":{{"state":{state}}} , "v" : {v} }} "#),
            4 => format!(r#"{{"id":{id},"id":{other},"v":{v}}}"#),
            5 => format!(r#"{{"i\u0064":{id},"geo":{{"state":{state},"county":"c"}},"v":{v}}}"#),
            _ => v.clone(),
        }
    })
}

fn document() -> impl Strategy<Value = String> {
    (prop::collection::vec(row(), 0..30), any::<bool>()).prop_map(|(rows, is_map)| {
        if is_map {
            let members = rows.iter().enumerate().map(|(index, row)| format!("\"k{index}\":{row}"));
            return format!("{{\"data\":{{{}}}}}", members.collect::<Vec<_>>().join(","));
        }
        format!("{{\"data\":[{}]}}", rows.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_remembered_changes_nothing(
        text in document(),
        lines in prop::sample::select(&LINES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}:,\"\\\\a1 .-]"), 0..3),
    ) {
        let mapping = mapping(lines);
        prop_assert_eq!(read(&text, &mapping, true), read(&text, &mapping, false), "{}", text);
        let mut bytes = text.into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte.as_bytes()[0];
        }
        if let Ok(broken) = std::str::from_utf8(&bytes) {
            prop_assert_eq!(read(broken, &mapping, true), read(broken, &mapping, false), "{}", broken);
        }
    }
}

#[test]
fn rows_that_are_alike_are_read_by_what_is_remembered() {
    let mapping = mapping(LINES[0]);
    let rows: Vec<String> = (0..50).map(|v| format!(r#"{{"id":"{v}","geo":{{"state":1}},"v":{v}}}"#)).collect();
    let text = format!("{{\"data\":[{}]}}", rows.join(","));
    let mut walker = Walker::new(&text, &mapping.places);
    let mut cells = vec![Cell::Absent; mapping.places.slots];
    while walker.next_row(&mut cells).unwrap() {}
    assert_eq!(walker.layout.repeated, 49);
}

#[test]
fn rows_that_differ_are_soon_not_compared_any_more() {
    let mapping = mapping(LINES[0]);
    let rows: Vec<String> = (0..50).map(|v| format!(r#"{{"other{v}":1,"v":{v}}}"#)).collect();
    let text = format!("{{\"data\":[{}]}}", rows.join(","));
    let mut walker = Walker::new(&text, &mapping.places);
    let mut cells = vec![Cell::Absent; mapping.places.slots];
    let mut count = 0;
    while walker.next_row(&mut cells).unwrap() {
        count += 1;
    }
    assert_eq!((count, walker.layout.has_given_up()), (50, true));
}
