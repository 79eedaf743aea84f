//! JSONPath (RFC 9535) wherever the selection of rows takes a path.

use super::{Mapped, map, with};

fn shown(lines: &str, answer: &str) -> String {
    match map(&with(lines), answer.as_bytes()) {
        Ok(Mapped { records, unread, .. }) => {
            assert!(unread.is_empty(), "{unread:?}");
            records.join("\n").replace('"', "")
        }
        Err(error) => error,
    }
}

const SERIES: &str = r#"{"unit": "m", "series": [
  {"id": "A", "on": true, "points": {"2022": {"q": "ok", "v": [1, 2]}, "2023": {"q": "bad", "v": [3]}}},
  {"id": "B", "on": false, "points": {"2022": {"q": "ok", "v": [4]}}},
  {"id": "C", "on": true, "points": {"2024": {"q": "ok", "v": [5, 6]}}}]}"#;

#[test]
fn every_step_may_select_and_parents_stay_in_reach() {
    let fields =
        "dims: {entity.id: s.id, time.year: p.key, entity.q: p.value.q, entity.unit: $.unit}\nmeasures: {v: '@'}\n";
    let record = |id: &str, q: &str, year: u16, v: u8| {
        format!("{{dims:{{entity:{{id:{id},q:{q},unit:m}},time:{{year:{year}}}}},measures:{{v:{v}}}}}")
    };
    for (steps, expected) in [
        (
            "{as: s, path: '$.series[?@.on == true]'}, {as: p, entries: points}, {as: v, path: 'p.value.v[?@ > 1]'}",
            vec![
                record("A", "ok", 2022, 2),
                record("A", "bad", 2023, 3),
                record("C", "ok", 2024, 5),
                record("C", "ok", 2024, 6),
            ],
        ),
        (
            "{as: s, path: '$.series[*]'}, {as: p, entries: s.points}, {as: v, path: 'v[-1:]'}",
            vec![
                record("A", "ok", 2022, 2),
                record("A", "bad", 2023, 3),
                record("B", "ok", 2022, 4),
                record("C", "ok", 2024, 6),
            ],
        ),
        (
            "{as: s, path: '$.series[?search(@.id, \"[AC]\")]'}, {as: p, entries: 'points'}, {as: v, path: 'p.value.v[*]'}",
            vec![
                record("A", "ok", 2022, 1),
                record("A", "ok", 2022, 2),
                record("A", "bad", 2023, 3),
                record("C", "ok", 2024, 5),
                record("C", "ok", 2024, 6),
            ],
        ),
    ] {
        assert_eq!(shown(&format!("rows: {{each: [{steps}]}}\n{fields}"), SERIES), expected.join("\n"), "{steps}");
    }
}

#[test]
fn maps_are_selected_and_so_are_single_places() {
    for (rows, answer, expected) in [
        (
            "rows: {each: [{as: e, entries: '$.items[?@.kind == \"fx\"].rates'}]}\ndims: {x.c: e.key}\nmeasures: {v: e.value}",
            r#"{"items":[{"kind":"no","rates":{"Z":0}},{"kind":"fx","rates":{"A":1,"B":2}},{"kind":"fx","rates":{"C":3}}]}"#,
            "{dims:{x:{c:A}},measures:{v:1}}\n{dims:{x:{c:B}},measures:{v:2}}\n{dims:{x:{c:C}},measures:{v:3}}",
        ),
        (
            "rows: {zip: {under: '$.sets[?@.name == \"day\"].cols'}}\ndims: {x.c: t, x.s: $.s}\nmeasures: {v: v}",
            r#"{"s":"S","sets":[{"name":"hour","cols":{}},{"name":"day","cols":{"t":["a","b"],"v":[1,2]}}]}"#,
            "{dims:{x:{c:a,s:S}},measures:{v:1}}\n{dims:{x:{c:b,s:S}},measures:{v:2}}",
        ),
        (
            "rows: {table: {under: '$.sets[?@.n == 2].rows', header: first}, unpivot: {columns: [a, b], key: k, value: w}}\ndims: {x.c: k, x.id: id}\nmeasures: {v: w}",
            r#"{"sets":[{"n":1},{"n":2,"rows":[["id","a","b"],["i",1,2]]}]}"#,
            "{dims:{x:{c:a,id:i}},measures:{v:1}}\n{dims:{x:{c:b,id:i}},measures:{v:2}}",
        ),
        (
            "rows: {single: '$.a[?@.n == 2]'}\nmeasures: {v: v}",
            r#"{"a":[{"n":1,"v":1},{"n":2,"v":2}]}"#,
            "{dims:{},measures:{v:2}}",
        ),
        ("rows: {single: '$.a[?@.n == 3]'}\nmeasures: {v: v}", r#"{"a":[{"n":1,"v":1}]}"#, ""),
        (
            "rows: {single: '$.a[?@.n]'}\nmeasures: {v: v}",
            r#"{"a":[{"n":1},{"n":2}]}"#,
            "$.a[?@.n] selects 2 places, not one",
        ),
        (
            "rows: {join_pairs: {lists: {p: '$.l[?@[1] > 1]', q: $.m}}}\ndims: {x.k: key}\nmeasures: {p: p, q: q}",
            r#"{"l":[[1,1],[2,2]],"m":[[2,5]]}"#,
            "{dims:{x:{k:2}},measures:{p:2,q:5}}",
        ),
        (
            "rows: {cube: {form: json-stat, under: '$.all[?@.label == \"y\"]'}}\ndims: {x.g: geo.code}\nmeasures: {v: value}",
            r#"{"all":[{"label":"x"},{"label":"y","class":"dataset","id":["geo"],"size":[2],"dimension":{"geo":{"category":{"index":["A","B"]}}},"value":[1,2]}]}"#,
            "{dims:{x:{g:A}},measures:{v:1}}\n{dims:{x:{g:B}},measures:{v:2}}",
        ),
        (
            "rows: {each: $.d}\nlookups: {n: {entries: '$.t[?@.l == \"en\"].names', key: key, value: value}}\ndims: {x.n: {from: c, lookup: n}}\nmeasures: {v: v}",
            r#"{"d":[{"c":"1","v":1}],"t":[{"l":"de","names":{"1":"eins"}},{"l":"en","names":{"1":"one"}}]}"#,
            "{dims:{x:{n:one}},measures:{v:1}}",
        ),
        (
            "rows: {each: [{as: a, path: $.a}, {as: b, path: 'b[?@.v]'}], unpivot: {columns: [v, w], key: k, value: x}}\ndims: {x.k: k, x.id: a.id, x.n: b.n}\nmeasures: {v: x}",
            r#"{"a":[{"id":1,"b":[{"n":"p","v":1,"w":2},{"n":"q"}]}]}"#,
            "{dims:{x:{id:1,k:v,n:p}},measures:{v:1}}\n{dims:{x:{id:1,k:w,n:p}},measures:{v:2}}",
        ),
        (
            "rows: {each: [{as: a, path: $.a}, {as: b, path: 'a.b[?@.v]'}]}\nmeasures: {v: b.v}",
            r#"{"a":{"id":1}}"#,
            "expected an array of rows at a, found {\"id\":1}",
        ),
    ] {
        assert_eq!(shown(&format!("{rows}\n"), answer), expected, "{rows}");
    }
}

#[test]
fn a_later_step_does_not_begin_at_the_answer() {
    let text = "id: t\nsource: {url: 'https://h/'}\nrows: {each: [{as: a, path: $.a}, {as: b, path: '$.b[?@.x]'}]}\nmeasures: {v: b.v}\n";
    let told = crate::profiles::load(text).unwrap_err().to_string();
    assert!(told.starts_with("3:49: \"$.b[?@.x]\" begins at the whole answer"), "{told}");
}
