//! Proposals for small answers of each shape.

use proptest::prelude::*;

use super::*;

fn proposed(url: &str, body: &str) -> String {
    propose(&Seen { url, body, ..Seen::default() }).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn each_shape_is_seen() {
    for (body, rows) in [
        (r#"[{"a":"x","v":1},{"a":"y","v":2}]"#, r#"rows: {each: "$"}"#),
        (r#"{"n":2,"data":{"items":[{"a":"x","v":1}]}}"#, r#"rows: {each: "$.data.items"}"#),
        (r#"[{"page":1},[{"a":"x","v":1.5}]]"#, r#"rows: {each: "$[1]"}"#),
        (r#"[["a","v"],["x","1"],["y","2"]]"#, "rows: {table: {header: first}}"),
        (r#"{"k":[[1,2.5],[2,3.5]]}"#, r#"rows: {table: {under: "$.k", names: [c0, c1]}}"#),
        (r#"{"h":{"t":["2024-01-01","2024-01-02"],"v":[1,2]}}"#, r#"rows: {zip: {under: "$.h"}}"#),
        (r#"{"s":[{"id":"a","data":[{"v":1}]},{"id":"b","data":[{"v":2}]}]}"#, r#"{as: s, path: "$.s"}"#),
        (r#"{"rates":{"2024-01-01":{"USD":1.5},"2024-01-02":{"USD":1.6}}}"#, r#"{as: rate, entries: "$.rates"}"#),
        (r#"{"a":"x","v":1.5}"#, r#"rows: {single: "$"}"#),
    ] {
        let text = proposed("https://h.example/x", body);
        assert!(text.contains(rows), "{body}\n{text}");
    }
}

#[test]
fn keys_stay_out_and_paging_is_taken_from_the_address() {
    let text = proposed(
        "https://user:pass@api.h.example/v1/things?api_key=verysecret&page=3&per_page=50&q=a%26b",
        r#"{"total":120,"items":[{"id":7,"name":"x","v":1},{"id":8,"name":"y","v":2}]}"#,
    );
    for part in [
        "id: h-example-things",
        "url: https://api.h.example/v1/things\n",
        "q: \"a&b\"",
        "auth: {secret: SOURCE_KEY, in: query, name: api_key}",
        "paging: {kind: page, param: page, size_param: per_page, size: 50, total: $.total}",
        "key: [entity.id]",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("verysecret") && !text.contains("pass"), "{text}");
}

#[test]
fn what_is_no_data_is_said() {
    for (body, words) in [
        ("", "empty"),
        ("<!doctype html><html></html>", "a web page"),
        ("{\"a\":", "broken JSON"),
        ("[]", "no rows"),
        ("\"x\"", "no rows"),
    ] {
        let error = propose(&Seen { body, ..Seen::default() }).unwrap_err().to_string();
        assert!(error.contains(words), "{body:?}: {error}");
    }
}

#[test]
fn an_openapi_document_gives_a_profile() {
    let text = "
openapi: 3.1.0
servers: [{url: 'https://api.h.example/v2'}]
paths:
  /health: {get: {responses: {'200': {description: fine}}}}
  /stations:
    get:
      parameters: [{name: country, in: query, required: true, schema: {type: string, example: DE}}]
      responses:
        '200':
          content:
            application/json: {schema: {$ref: '#/components/schemas/List'}}
components:
  schemas:
    List: {type: object, properties: {items: {type: array, items: {$ref: '#/components/schemas/Station'}}}}
    Station:
      type: object
      properties:
        station_id: {type: string}
        observed_at: {type: string, format: date-time}
        temperature: {type: number}
        near: {$ref: '#/components/schemas/Station'}
";
    let text = propose_from_openapi(text, Some("stations")).unwrap();
    for part in [
        "id: stations",
        "url: https://api.h.example/v2/stations",
        "country: \"DE\"",
        "each: \"$.items\"",
        "temperature:",
        "time.at:",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn an_xml_tree_gets_a_profile_of_its_elements() {
    let body = r##"{"@version":"2.0","channel":[{"title":[{"#text":"x"}],"item":[
        {"title":[{"#text":"Ulm"}],"pubDate":[{"#text":"Mon, 15 Jan 2024 10:00:00 +0100"}],"temp":[{"@unit":"C","#text":"4.5"}]},
        {"title":[{"#text":"Bonn"}],"pubDate":[{"#text":"Mon, 15 Jan 2024 11:00:00 +0100"}],"temp":[{"@unit":"C","#text":"5"}]}]}]}"##;
    let text = propose(&Seen { url: "https://h.example/feed", body, is_xml: true, ..Seen::default() }).unwrap();
    for part in ["format: xml", "channel", "title[0].#text", "temp[0].#text", "time.at:"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

fn answers() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9.,%()-]{0,10}".prop_map(Value::from),
        prop::sample::select(vec!["2024-01-01", "2024-01-01T10:00", "06", ".", "M01", "2024"]).prop_map(Value::from),
    ];
    let name = prop_oneof![
        "\\PC{0,6}",
        "[a-c]",
        prop::sample::select(vec!["year", "period", "id", "end", "start", "next", "doc", "value", "a.b", "[x]"])
            .prop_map(str::to_owned)
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Lines of anything, some of them alike, and XML trees of anything.
    #[test]
    fn lines_and_trees_never_give_what_is_no_profile(
        lines in prop::collection::vec("[A-Ca-c#%0-9 ,;\t|\"./-]{0,14}|(1|x|2024|Jan|\"a),(2|y|2024-01-0[1-9]|),(3|z|06|-9999)", 0..12),
        tree in answers(),
        url in "https://h.example/[a-z]{0,3}(\\?(page|offset|start|end|limit|station|id|lat|from|to|key|[{]x[}])=[0-9a-z-]{0,10}){0,1}(&(page|offset|start|end|size|to)=(2024-01-0[1-9]|[0-9]{1,2})){0,3}",
    ) {
        let text = lines.join("\n");
        let tree = serde_json::json!({"r": [tree]}).to_string();
        for (body, is_xml) in [(&text, false), (&tree, true), (&tree, false)] {
            match propose(&Seen { url: &url, body, is_xml, ..Seen::default() }) {
                Ok(_) | Err(ProposeError::NoRows | ProposeError::Unknown(_)) => {}
                Err(error) => prop_assert!(false, "{}\n{}", body, error),
            }
        }
    }

    /// Whatever a source answers, the proposal is a profile or a reason.
    #[test]
    fn a_proposal_is_always_a_profile(answer in answers()) {
        let text = answer.to_string();
        match propose(&Seen { url: "https://h.example/a?limit=5&offset=0", body: &text, ..Seen::default() }) {
            Ok(_) | Err(ProposeError::NoRows) => {}
            Err(error) => prop_assert!(false, "{}\n{}", text, error),
        }
    }
}
