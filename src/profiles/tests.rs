//! Whole profiles, right and wrong.

use super::*;

const MINIMAL: &str = r#"id: census-population
name: US Census Population Data
version: 1.0.0
source: { type: http_rest, url: "https://api.census.gov/data/2020/dec/pl?get=NAME,P1_001N&for=state:*", auth: none }
schedule: { enabled: true, interval: 6h, jitter: 30s }
limits: { max_records: 5000, max_pages: 50, max_bytes: 1048576 }
mapping:
  NAME: dims.geo.name
  P1_001N: measures.population.total
"#;

#[test]
fn the_minimal_profile_loads() {
    let profile = load(MINIMAL).unwrap();
    assert_eq!(profile.id().as_str(), "census-population");
    assert_eq!(profile.name(), "US Census Population Data");
    let timing = profile.timing();
    assert_eq!((timing.enabled, timing.jitter.as_secs()), (true, 30));
    assert_eq!(timing.rhythm, plan::Rhythm::Every(std::time::Duration::from_secs(21_600)));
    assert_eq!(profile.limits().max_bytes, 1_048_576);
    assert_eq!(profile.fields(), ["dims.geo.name", "measures.population.total"]);
    assert_eq!(profile.host(), "api.census.gov");
    assert_eq!(profile.digest(), &Digest::of(MINIMAL.as_bytes()));
}

fn problems(text: &str) -> Vec<String> {
    let problems = load(text).unwrap_err();
    problems.places(Some("p.yaml")).into_iter().map(|place| format!("{} {}", place.at, place.reason)).collect()
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "\
id: bad/id
version: one
source:
  url: ftp://example.org/x
  metod: GET
  query: {a: '{stat}'}
  for_each: [{state: '06'}]
  auth: {secret: KEY, in: hedaer}
rows: {each: data}
where: [\"a machtes b\"]
dims:
  time.mnth: date
measures:
  value: {from: 'a..b'}
key: [geo.fips]
limts: {max_pages: 0}
";
    let expected = [
        "p.yaml:1:5 profile id \"bad/id\" holds '/' at position 4; allowed are letters, digits, - and _",
        "p.yaml:2:10 \"one\" is not a semantic version; three numbers, such as 1.0.0",
        "p.yaml:4:8 a source is reached by http or https, not by \"ftp\"",
        "p.yaml:5:3 unknown key \"metod\"; did you mean \"method\"?",
        "p.yaml:6:14 there is no parameter \"stat\"; did you mean \"state\"?",
        "p.yaml:8:27 expected query, header, bearer, basic or body, found \"hedaer\"; did you mean \"header\"?",
        "p.yaml:10:9 unknown operator \"machtes\"; did you mean \"matches\"?",
        "p.yaml:12:14 dims.time has one member named after its grain: year, quarter, month, week, date or at, and start; did you mean time.month?",
        "p.yaml:14:17 \"a..b\": at character 3: a name is missing",
        "p.yaml:15:7 no dim yields the key \"geo.fips\"; dims are ",
        "p.yaml:16:1 unknown key \"limts\"; did you mean \"limits\"?",
    ];
    let told = problems(text);
    for problem in expected {
        assert!(told.iter().any(|told| told.starts_with(problem)), "{problem}\nnot in\n{}", told.join("\n"));
    }
}

#[test]
fn a_caret_stands_under_the_place() {
    let text = "id: a\nsource: {url: 'http://x.org/', metod: GET}\nmeasures: {v: v}\n";
    let shown = load(text).unwrap_err().to_string();
    let expected = "2:32: unknown key \"metod\"\n2 | source: {url: 'http://x.org/', metod: GET}\n  |                                ^\n  = did you mean \"method\"?\n";
    assert_eq!(shown, expected);
}

#[test]
fn the_schema_names_every_key_with_its_meaning() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["id", "source"]));
    for key in ["id", "where", "mapping", "limits"] {
        assert!(schema["properties"][key]["description"].is_string(), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn texts_that_are_no_profile_are_refused_with_a_place() {
    for (text, expected) in [
        ("", "expected a map with id, name"),
        ("[]", "expected a map with id, name"),
        ("id: a\nsource: 3\nmeasures: {v: v}", "expected a map with type, url"),
        (
            "id: a\nsource: {url: 'https://x/', window: {from: 2024, step: PT0S}}\nmeasures: {v: v}",
            "a window cannot be empty",
        ),
        (
            "id: a\nsource: {url: 'https://x/', window: {from: 2024, to: 2023, step: P1D}}\nmeasures: {v: v}",
            "the window ends before",
        ),
        (
            "id: a\nsource: {url: 'https://{h}/', for_each: {h: [a]}}\nmeasures: {v: v}",
            "the host of the URL may not be filled in",
        ),
        ("id: a\nsource: {url: 'https://u:p@x/'}\nmeasures: {v: v}", "a profile holds no user name or password"),
        (
            "id: a\nsource: {url: 'https://x/', headers: {Authorization: 'Bearer x'}}\nmeasures: {v: v}",
            "would hold a secret",
        ),
        (
            "id: a\nsource: {url: 'https://x/', auth: {secret: 'abc-123', in: bearer}}\nmeasures: {v: v}",
            "the name of a secret has",
        ),
        ("id: a\nsource: {url: 'https://x/'}", "the profile has no measures"),
        ("id: a\nsource: {url: 'https://x/'}\nrows: {each: a, zip: {}}\nmeasures: {v: v}", "rows is exactly one of"),
        ("id: a\nsource: {url: 'https://x/'}\nmeasures: {v: v, v.w: w}", "is a value and cannot hold other members"),
        ("id: a\nsource: {url: 'https://x/'}\nmeasures: {v: '$.a[*].b'}", "[*] is allowed in rows only"),
        ("id: a\nsource: {url: 'https://x/'}\nmapping: {v: measure.v}", "is not a place in a record"),
        ("id: a\nsource: {url: 'https://x/'}\nlimits: {max_pages: 0}\nmeasures: {v: v}", "a limit is at least 1"),
        ("id: a\nsource: {url: 'https://x/'}\nschedule: {every: 1M}\nmeasures: {v: v}", "expected a length of time"),
    ] {
        let shown = load(text).expect_err(text).to_string();
        assert!(shown.contains(expected), "{shown}\nfor {text}");
    }
    let huge = "a".repeat(100 << 20);
    assert!(load(&huge).unwrap_err().to_string().contains("at most 1048576 are read"));
}

#[test]
fn combinations_that_cannot_work_are_told() {
    let text = "\
id: t
source:
  url: https://x.org/
  format: csv
  columns: {comment: '#'}
  paging: {kind: token, param: /page, next: $.next}
  cursor: {field: updated}
  success: $.ok == true
rows:
  zip: {under: $.h}
  unpivot: {columns: [], key: k, value: k}
lookups:
  route: {each: $.a, key: id, value: name}
dims:
  geo.name: {from: a, lookup: rote}
  entity.x: {from: b, multiply: 2}
measures:
  v: {from: v, unit: {from: degF, to: Pa}}
  w: {from: w, extract: ['(a)', 2]}
on_duplicate: frist
";
    let expected = [
        "p.yaml:5:12 columns belongs to format: columns",
        "p.yaml:6:11 a JSON Pointer as param puts it into the body, and the request has no json body",
        "p.yaml:7:11 a cursor without a parameter; name the query parameter, or write {cursor} where the request takes it",
        "p.yaml:10:3 an answer in csv or columns is a table; rows takes unpivot and pivot only",
        "p.yaml:13:3 an answer in csv or columns has no tables beside its rows",
        "p.yaml:15:31 there is no lookup \"rote\"; the profile declares no lookups",
        "p.yaml:16:13 multiply makes a number; dims are text",
        "p.yaml:18:29 \"degF\" and \"Pa\" do not measure the same",
        "p.yaml:19:25 the expression has 1 groups, not 2",
        "p.yaml:20:15 on_duplicate needs key: without one every record stands for itself",
    ];
    let told = problems(text);
    for problem in expected {
        assert!(told.iter().any(|told| told.starts_with(problem)), "{problem}\nnot in\n{}", told.join("\n"));
    }
    let told = problems(SIGN_IN);
    for problem in [
        "p.yaml:5:16 expected a status from 100 to 599, or a range such as 500..599, found the text \"5xx\"",
        "p.yaml:5:38 expected success, empty, retry, rate_limited, sign_in or fail, found \"sucess\"; did you mean \"success\"?",
        "p.yaml:6:7 a rule needs then: success, empty, retry, rate_limited, sign_in or fail",
        "p.yaml:6:14 unknown operator \"machtes\"; did you mean \"matches\"?",
        "p.yaml:7:29 a.b does not name a header; a header has one name",
        "p.yaml:8:27 sign_in needs auth with oauth2, login or several secrets",
        "p.yaml:9:40 nothing waits where then is empty",
        "p.yaml:10:43 expected seconds, epoch_s, epoch_ms, http_date or iso, found \"epoch\"",
        "p.yaml:11:15 not_before belongs to retry_if",
        "p.yaml:12:8 ttl is read in the answer",
        "p.yaml:13:14 there is no parameter",
        "p.yaml:14:9 rate needs requests and per",
        "p.yaml:15:21 quota allows 1 to 1000000000 requests",
    ] {
        assert!(told.iter().any(|told| told.starts_with(problem)), "{problem}\nnot in\n{}", told.join("\n"));
    }
    let filter = "id: t\nsource: {url: 'https://x.org/'}\nrows: {each: '$.a[?@.b ==]'}\nmeasures: {v: v}\n";
    assert!(problems(filter)[0].contains("is not a JSONPath (RFC 9535)"), "{:?}", problems(filter));
    let xml = "id: t\nsource: {url: 'https://x.org/', format: xml}\nmeasures: {v: v}\n";
    assert!(problems(xml)[0].contains("an XML answer needs rows"), "{:?}", problems(xml));
    let cube = "id: t\nsource: {url: 'https://x.org/'}\nrows: {cube: json-stat}\nmeasures: {v: geo.vode}\n";
    assert!(problems(cube)[0].contains("a row of a cube has value, status"), "{:?}", problems(cube));
}

#[test]
fn a_word_that_was_left_out_says_why() {
    let told = problems("id: t\nsource: {url: 'https://x.org/'}\nkeep_empty: true\nrows: {jq: .a}\nmeasures: {v: v}\n");
    assert!(
        told[0].starts_with("p.yaml:3:1 unknown key \"keep_empty\"; a record has at least one measure"),
        "{told:?}"
    );
    assert!(told.iter().any(|told| told.contains("a profile holds no program")), "{told:?}");
}

const SIGN_IN: &str = "\
id: t
source:
  url: https://x.org/
  answers:
    - {status: 5xx, body: $.a, then: sucess}
    - {body: $.a machtes b}
    - {then: retry, header: a.b == 1}
    - {status: 403, then: sign_in}
    - {status: 404, then: empty, wait: 5m}
    - {then: retry, wait: {path: $.a, as: epoch}}
  not_before: next_day
  ttl: 5m
  query: {a: '{sceret}'}
  rate: {requests: 5}
  quota: {requests: 0, per: P1D}
  auth: {secret: KEY, in: bearer}
measures: {v: v}
";

#[test]
fn sign_ins_that_cannot_work_are_told() {
    let with = |auth: &str| {
        problems(&format!("id: t\nsource:\n  url: https://x.org/\n  auth: {auth}\nmeasures: {{v: v}}\n")).join("\n")
    };
    for (auth, expected) in [
        ("{}", "auth needs secret"),
        ("{secret: A, oauth2: {}}", "auth is one of secret, oauth2 and login"),
        ("{secret: [A, A], in: bearer}", "the secret A stands twice"),
        ("{oauth2: {token_url: 'https://a/t'}}", "oauth2 needs token_url, client_id and client_secret"),
        ("{oauth2: {token_url: 'ftp://a/t', client_id: A, client_secret: B}}", "reached by http or https"),
        ("{oauth2: {token_url: 'https://a/t', client_id: 'a-b', client_secret: B}}", "the name of a secret has"),
        (
            "{oauth2: {token_url: 'https://a/t', client_id: A, client_secret: B}, in: basic}",
            "a token does not go in basic",
        ),
        ("{oauth2: {tokenurl: 'https://a/t'}}", "did you mean \"token_url\"?"),
        ("{login: {url: 'https://a/t'}}", "login needs token"),
        ("{login: {token: $.t}}", "login needs url"),
        ("{login: {url: 'https://a/{secret.A}', token: $.t}}", "a URL is written to logs"),
        ("{login: {url: 'https://a/', query: {k: '{param.A}'}, token: $.t}}", "there is no parameter \"A\""),
        ("{login: {url: 'https://a/', query: {k: '{secret.A-B}'}, token: $.t}}", "the name of a secret has"),
        ("{login: {url: 'https://a/', token: '$.t[*]'}}", "a token is one value"),
    ] {
        let told = with(auth);
        assert!(told.contains(expected) && told.starts_with("p.yaml:4:"), "{auth}: {told}");
    }
    let astray = "id: t\nsource: {url: 'https://x.org/', query: {k: '{secret.A}'}}\nmeasures: {v: v}\n";
    assert!(problems(astray)[0].contains("a secret goes where auth says"), "{:?}", problems(astray));
}

#[test]
fn requests_that_would_all_be_the_same_are_told() {
    let told = |source: &str| {
        let text = format!("id: t\nsource: {{url: 'https://h/', {source}}}\nrows: {{each: $}}\nmeasures: {{v: v}}\n");
        load(&text).err().map(|_| problems(&text).join("\n")).unwrap_or_default()
    };
    for (source, words) in [
        ("window: {from: 2020, step: P1Y}", "each window would ask the same"),
        ("for_each: {a: [1, 2]}", "each set would ask the same; put {a} where the source takes it"),
        ("for_each: {a: [1, 2]}, query: {b: '{now}'}", "each set would ask the same"),
        ("window: {from: 2020, step: P1Y}, query: {y: '{window.end:%Y}'}", ""),
        ("for_each: [{a: 1}]", ""),
        ("for_each: {a: [1, 2]}, body: {json: {x: ['{a}']}}", ""),
        (
            "for_each: {a: [1, 2]}, first: {url: 'https://h/{param.a}', rows: {each: $}, values: {i: i}}, query: {i: '{i}'}",
            "",
        ),
    ] {
        let told = told(source);
        assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{source}: {told}");
    }
}
