//! Requests that depend on a list, and values that share a request.

use super::played::{NOW_MS, Played, get, play};
use crate::domain::run::RunState;
use crate::pipeline::fetch::Asked;
use crate::pipeline::preview::StandIns;
use crate::pipeline::requests::first_requests;
use crate::profiles::load;

fn notes(played: &Played) -> Vec<String> {
    played.outcome.notes.iter().map(|note| format!("{} × {}", note.rows, note.reason)).collect()
}

const STATIONS: &str = "
id: t
source:
  url: https://h/stations/{station}/hours
  query: {from: '{window.start:%Y-%m-%d}', limit: '2'}
  headers: {X-Kind: '{kind}', X-Station: '{station}'}
  auth: {secret: KEY, in: query, name: key}
  for_each: {kind: [air, water]}
  first:
    url: https://h/stations
    query: {kind: '{kind}'}
    rows: {each: $.stations}
    where: [active == true]
    paging: {kind: next, next: $.next}
    values: {station: {from: url, extract: '(\\d+)$'}, name: name}
  window: {from: 2024-01-01, to: 2024-01-03, step: P1D}
  paging: {kind: page, param: page, size: 2}
rows: {each: $.data}
dims: {entity.kind: param.kind, entity.station: param.station, geo.name: param.name, time.date: day}
measures: {v: v}
";

#[test]
fn a_list_its_pages_windows_pages_sets_and_sign_in_go_together() {
    let mut answers = vec![
        get(
            "https://h/stations?kind=air",
            r#"{"stations":[{"url":"/s/7","name":"A","active":true},{"url":"/s/8","active":false}],"next":"/stations?kind=air&p=2"}"#,
        ),
        get(
            "https://h/stations?kind=air&p=2",
            r#"{"stations":[{"url":"/s/9","name":"B","active":true},{"url":"/s/7","name":"A","active":true},{"url":"/s/","name":"C","active":true}]}"#,
        ),
        get("https://h/stations?kind=water", r#"{"stations":[]}"#),
    ];
    for (station, day, page, rows) in [
        (7, 1, 1, r#"[{"day":"2024-01-01","v":1},{"day":"2024-01-01","v":2}]"#),
        (7, 1, 2, r#"[{"day":"2024-01-01","v":3}]"#),
        (7, 2, 1, "[]"),
        (9, 1, 1, r#"[{"day":"2024-01-01","v":4}]"#),
        (9, 2, 1, r#"[{"day":"2024-01-02","v":5}]"#),
    ] {
        let url = format!("https://h/stations/{station}/hours?from=2024-01-0{day}&limit=2&page={page}");
        answers.push(get(&url, format!("{{\"data\":{rows}}}")));
    }
    let played = play(STATIONS, answers);
    assert_eq!(played.outcome.state, RunState::Succeeded, "{:?}", played.outcome);
    let record = |name: &str, station: u8, day: u8, v: u8| {
        format!(
            r#"{{"dims":{{"entity":{{"kind":"air","station":"{station}"}},"geo":{{"name":"{name}"}},"time":{{"date":"2024-01-0{day}"}}}},"measures":{{"v":{v}}}}}"#
        )
    };
    let expected =
        [record("A", 7, 1, 1), record("A", 7, 1, 2), record("A", 7, 1, 3), record("B", 9, 1, 4), record("B", 9, 2, 5)];
    assert_eq!(played.records, expected);
    assert_eq!(played.asked.len(), 8);
    assert!(played.asked.iter().all(|asked| asked.url.contains("key=[secret]")), "{:?}", played.urls());
    // A header that waits for a value of the list goes with the items only.
    assert!(!played.asked[0].headers.iter().any(|(name, _)| name == "X-Station"));
    assert!(played.asked[0].headers.contains(&("X-Kind".into(), "air".into())));
    assert!(notes(&played).contains(&"1 × first: where: not active == true".into()), "{:?}", notes(&played));
    assert!(notes(&played).contains(&"1 × first: a row lacks a value".into()), "{:?}", notes(&played));
    assert!(notes(&played).contains(&"1 × first: the list has no rows to ask for".into()), "{:?}", notes(&played));
}

#[test]
fn values_of_a_list_share_requests_and_keep_their_type() {
    let text = "
id: t
source:
  url: https://h/data
  first:
    url: https://other/list.csv
    format: csv
    values: {id: {from: code, as: integer}}
  auth: {secret: KEY, in: header, name: X-Key}
  body: {json: {ids: '{id}'}}
  batch: 2
rows: {each: $}
dims: {entity.id: {from: id}}
measures: {v: v}
";
    let mut answers = vec![get("https://other/list.csv", "code,x\n1,a\n2,b\n3,c\n")];
    for ids in ["[1,2]", "[3]"] {
        let mut answer = get("https://h/data", format!("[{{\"id\":{},\"v\":1}}]", &ids[1..2]));
        let request = answer.request.as_mut().unwrap();
        (request.method, request.body) =
            ("POST".into(), Some(serde_json::from_str(&format!("{{\"ids\":{ids}}}")).unwrap()));
        answers.push(answer);
    }
    let played = play(text, answers);
    assert_eq!(played.outcome.state, RunState::Succeeded, "{:?}", played.outcome);
    assert_eq!(played.records.len(), 2);
    let bodies: Vec<_> = played.asked.iter().map(|asked| asked.body.clone().unwrap_or_default()).collect();
    assert_eq!(bodies, ["", r#"{"ids":[1,2]}"#, r#"{"ids":[3]}"#]);
    // The list is on another host: the secret stays at home.
    assert!(!played.asked[0].headers.iter().any(|(name, _)| name == "X-Key"), "{:?}", played.asked[0]);
    assert!(played.asked[1].headers.iter().any(|(name, _)| name == "X-Key"));
}

#[test]
fn what_goes_wrong_with_a_list_is_told_as_such() {
    let text = |limits: &str| {
        format!(
            "id: t\nsource: {{url: 'https://h/{{i}}', first: {{url: 'https://h/', rows: {{each: $}}, values: {{i: '@'}}}}}}\nrows: {{each: $}}\nmeasures: {{v: '@'}}\n{limits}"
        )
    };
    let failed = play(&text(""), vec![]);
    assert_eq!(failed.outcome.state, RunState::Partial);
    assert_eq!(
        failed.outcome.error.as_deref(),
        Some("stopped at the limit of the saved answers, while first was read")
    );
    let odd = play(&text(""), vec![get("https://h/", "{}")]);
    assert_eq!(odd.outcome.state, RunState::Failed);
    assert!(odd.outcome.error.as_deref().unwrap().starts_with("first: https://h/: expected an array"), "{odd:?}");
    let answers = || vec![get("https://h/", "[1,2,3]"), get("https://h/1", "[1]"), get("https://h/2", "[2]")];
    let limited = play(&text("limits: {max_requests: 3}"), answers());
    assert_eq!((limited.outcome.state, limited.records.len()), (RunState::Partial, 2), "{limited:?}");
    assert_eq!(limited.outcome.error.as_deref(), Some("stopped at the limit max_requests (3)"));
}

#[test]
fn answers_of_a_list_are_judged_by_its_own_rules() {
    let run = |rules: &str, status: u16, body: &str| {
        let text = format!(
            "id: t\nsource:\n  url: 'https://h/{{i}}'\n  rate_reset: {{header: X-Reset, status: [403, 429]}}\n  first: {{url: 'https://h/', rows: {{each: $.d}}, values: {{i: '@'}}, {rules}}}\nrows: {{each: $}}\nmeasures: {{v: '@'}}\n"
        );
        let mut answer = get("https://h/", body);
        answer.status = status;
        let (outcome, asked) = {
            let played = play(&text, vec![answer]);
            (played.outcome, played.asked.len())
        };
        assert_eq!(asked, 1, "{rules}");
        (outcome.state, outcome.error.unwrap_or_default())
    };
    for (rules, status, body) in [
        ("empty_on: [404]", 404, "{}"),
        ("empty_on: [no_body]", 200, ""),
        ("empty_if: $.note == 'none'", 200, r#"{"note":"none"}"#),
        ("answers: [{text: /nothing/, then: empty}]", 200, "nothing"),
    ] {
        assert_eq!(run(rules, status, body), (RunState::Succeeded, String::new()), "{rules}");
    }
    for (rules, status, body, words) in [
        ("success: $.ok == true", 200, r#"{"d":[],"ok":false}"#, "the answer does not meet $.ok == true"),
        ("failure: {path: error, message: error.text}", 200, r#"{"d":[],"error":{"text":"bad"}}"#, "\"bad\""),
        ("answers: [{body: $.quota == 0, then: fail, message: no quota}]", 200, r#"{"d":[],"quota":0}"#, "no quota"),
        ("empty_on: [404]", 200, "", "without a body"),
    ] {
        let (state, error) = run(rules, status, body);
        assert_eq!(state, RunState::Failed, "{rules}");
        assert!(error.contains(words) && error.starts_with("first: "), "{error}");
    }
}

#[test]
fn what_cannot_work_is_told_when_the_profile_is_read() {
    let told = |source: &str| {
        let text = format!(
            "id: t\nsource: {{url: 'https://h/{{a}}', {source}}}\nrows: {{each: $}}\nmeasures: {{v: v}}\ndims: {{x.y: param.a}}\n"
        );
        let problems = load(&text).err().map_or_else(Vec::new, |problems| problems.places(Some("p")));
        problems.into_iter().map(|place| format!("{} {}", place.at, place.reason)).collect::<Vec<_>>().join("\n")
    };
    let list = "rows: {each: $}, values: {a: a}";
    for (source, expected) in [
        (format!("first: {{url: 'https://h/', {list}}}"), ""),
        ("first: {url: 'https://h/', rows: {each: $}}".into(), "p:2:39 first needs values"),
        ("first: {url: 'https://h/', values: {a: a}}".into(), "p:2:39 first needs rows"),
        (format!("first: {{url: 'https://h/{{b}}', {list}}}"), "there is no parameter \"b\""),
        (format!("first: {{{list}}}"), "source needs url"),
        (format!("first: {{url: 'https://h/', wehre: [], {list}}}"), "unknown key \"wehre\"; did you mean \"where\"?"),
        (format!("for_each: {{a: [1]}}, first: {{url: 'https://h/', {list}}}"), "for_each declares \"a\" already"),
        (
            format!("first: {{url: 'https://h/', {list}}}, batch: 3"),
            "batch puts several values of \"a\" into one request",
        ),
        ("for_each: {a: [1], b: [2]}, batch: 3".into(), "batch needs param, one of a, b"),
        ("for_each: {a: [1], b: [2]}, batch: {size: 0, param: b}".into(), "a batch has at least 1 value"),
        ("for_each: {a: [1], b: [2]}, batch: {size: 1, param: c}".into(), "there is no parameter \"c\""),
        ("for_each: {a: [1], b: [2]}, batch: {size: 2, param: b}".into(), ""),
        ("batch: 3".into(), "there is no parameter \"a\""),
    ] {
        let told = told(&source);
        assert!(told.contains(expected) && told.is_empty() == expected.is_empty(), "{source}: {told}");
    }
}

#[test]
fn explain_shows_the_list_and_what_follows_with_names_in_capitals() {
    let profile = super::profile(STATIONS);
    let requests = first_requests(&profile, NOW_MS, &StandIns, 3);
    let urls = |asked: &[Result<Asked, String>]| -> Vec<String> {
        asked.iter().map(|asked| asked.as_ref().map_or_else(Clone::clone, |asked| asked.url.clone())).collect()
    };
    assert_eq!((requests.sets, requests.windows), (2, 2));
    let lists = ["https://h/stations?kind=air&key=[secret]", "https://h/stations?kind=water&key=[secret]"];
    assert_eq!(urls(&requests.lists), lists);
    let first = "https://h/stations/STATION/hours?from=2024-01-01&limit=2&page=1&key=[secret]";
    assert_eq!(urls(&requests.shown)[0], first);
    assert_eq!(requests.shown.len(), 3);
}
