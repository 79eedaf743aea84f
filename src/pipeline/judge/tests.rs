//! Rules against answers, without a network.

use proptest::prelude::*;

use super::*;
use crate::pipeline::fetch::Answer;
use crate::profiles::{Profile, explain, load};

/// 2024-01-15T12:00:00Z.
const NOW_MS: i64 = 1_705_320_000_000;

fn with(source: &str) -> Profile {
    let text = format!("id: t\nsource:\n  url: https://h/\n{source}rows: {{each: $.d}}\nmeasures: {{v: v}}\n");
    load(&text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    Answer {
        status,
        body: body.as_bytes().to_vec(),
        content_type: find("content-type"),
        retry_after: find("retry-after"),
        headers,
        ..Answer::good("https://h/")
    }
}

/// The verdict as one line: as a run judges, before and behind the walk.
fn line(profile: &Profile, answer: &Answer) -> String {
    let before = judge(answer, profile.plan(), false, NOW_MS);
    let verdict = before.and_then(|()| judge_unread(answer, profile.plan(), NOW_MS));
    let wait = |pause: Option<Duration>| pause.map_or(String::new(), |pause| format!(" +{}s", pause.as_secs()));
    match verdict {
        Ok(()) => "good".into(),
        Err(Verdict::Unchanged) => "unchanged".into(),
        Err(Verdict::Empty) => "empty".into(),
        Err(Verdict::Again { reason, pause }) => format!("again{}: {reason}", wait(pause)),
        Err(Verdict::RateLimited { reason, pause }) => format!("limited{}: {reason}", wait(pause)),
        Err(Verdict::SignIn { reason }) => format!("sign in: {reason}"),
        Err(Verdict::Failed { reason, pause }) => format!("failed{}: {reason}", wait(pause)),
    }
}

#[test]
fn without_rules_it_is_what_http_says() {
    let profile = with("");
    for (status, headers, body, expected) in [
        (200, &[][..], "{\"d\":[]}", "good"),
        (
            204,
            &[],
            "",
            "failed: the source answers 204 without a body; if that means that there is no data, add 204 to empty_on",
        ),
        (
            200,
            &[("content-type", "text/html")],
            " <p>",
            "failed: expected JSON, but https://h/ answers with a page (text/html): \"<p>\"",
        ),
        (304, &[], "", "failed: the source answers 304"),
        (401, &[], "no", "sign in: the source answers 401: \"no\""),
        (403, &[], "no", "failed: the source answers 403: \"no\""),
        (408, &[], "", "again: the source answers 408"),
        (429, &[("retry-after", "7")], "", "limited +7s: the source answers 429"),
        (503, &[("retry-after", "Mon, 15 Jan 2024 12:01:00 GMT")], "", "again +60s: the source answers 503"),
    ] {
        assert_eq!(line(&profile, &answer(status, headers, body)), expected, "{status}");
    }
    assert_eq!(judge(&answer(304, &[], ""), profile.plan(), true, NOW_MS), Err(Verdict::Unchanged));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let profile = with("  answers:
    - {status: [403, 429], header: x-ratelimit-remaining == 0, then: rate_limited, wait: {header: X-RateLimit-Reset, as: epoch_s}}
    - {status: 500..599, text: /planned/, then: fail, wait: 2h, message: closed for maintenance}
    - {status: 404, body: $.code == 'NONE', then: empty}
    - {status: 410, then: success}
    - {body: $.error.code == 'quota', then: retry, wait: next_day, message: $.error.text}
    - {body: $.error, unless: $.error.code == 0, then: fail, wait: {path: $.error.until, as: epoch_ms}}
    - {content_type: text/plain, then: retry, wait: $.in}
    - {status: 401, header: www-authenticate matches expired, then: retry}
");
    let page = &[("content-type", "text/plain; charset=utf-8")];
    for (status, headers, body, expected) in [
        (
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1705320030")][..],
            "slow",
            "limited +30s: the source answers 403: \"slow\"",
        ),
        (403, &[("x-ratelimit-remaining", "0"), ("retry-after", "9")], "", "limited +9s: the source answers 403"),
        (403, &[("x-ratelimit-remaining", "3")], "no", "failed: the source answers 403: \"no\""),
        (503, &[], "a planned pause", "failed +7200s: closed for maintenance"),
        (503, &[], "an odd pause", "again: the source answers 503: \"an odd pause\""),
        (404, &[], "{\"code\":\"NONE\"}", "empty"),
        (404, &[], "{\"code\":\"GONE\"}", "failed: the source answers 404: \"{\\\"code\\\":\\\"GONE\\\"}\""),
        (404, &[], "NONE", "failed: the source answers 404: \"NONE\""),
        (410, &[], "{\"d\":[]}", "good"),
        (
            200,
            &[],
            "{\"d\":[],\"error\":{\"code\":\"quota\",\"text\":\"500 a day\"}}",
            "again +43200s: the source asks for another try: \"500 a day\"",
        ),
        (
            400,
            &[],
            "{\"error\":{\"code\":\"quota\"}}",
            "again +43200s: the source answers 400: \"{\\\"error\\\":{\\\"code\\\":\\\"quota\\\"}}\"",
        ),
        (
            200,
            &[],
            "{\"error\":{\"code\":7,\"until\":1705320005000}}",
            "failed +5s: the source reports a failure: \"{\\\"code\\\":7,\\\"until\\\":1705320005000}\"",
        ),
        (200, &[], "{\"d\":[],\"error\":{\"code\":0}}", "good"),
        (200, &[], "{\"d\":[],\"error\":[]}", "good"),
        (
            200,
            page,
            "{\"in\":3,\"d\":[]}",
            "again +3s: the source asks for another try: \"{\\\"in\\\":3,\\\"d\\\":[]}\"",
        ),
    ] {
        assert_eq!(line(&profile, &answer(status, headers, body)), expected, "{status} {body}");
    }
}

#[test]
fn short_forms_are_rules() {
    let short = with(
        "  empty_on: [204, no_body]
  rate_reset: {header: X-RateLimit-Reset, status: [403, 429]}
  retry_if: $.message matches threshold
  not_before: next_day
  empty_if: $.error matches No data
  failure: error
  success: $.ok == true
  message: $.message
",
    );
    let reset = &[("x-ratelimit-reset", "1705320030")];
    for (status, headers, body, expected) in [
        (204, &[][..], "", "empty"),
        (200, &[], " \r\n", "empty"),
        (404, &[], "", "failed: the source answers 404"),
        (403, reset, "{\"message\":\"slow\"}", "limited +30s: the source answers 403: \"slow\""),
        (
            200,
            &[],
            "{\"message\":\"daily threshold\"}",
            "again +43200s: the source asks for another try: \"daily threshold\"",
        ),
        (200, &[], "{\"error\":\"No data was found\"}", "empty"),
        (200, &[], "{\"error\":\"bad key\",\"ok\":true}", "failed: the source reports a failure: \"bad key\""),
        (200, &[], "{\"ok\":false}", "failed: the answer does not meet $.ok == true"),
        (200, &[], "{\"ok\":true,\"d\":[]}", "good"),
        (400, &[], "{\"ok\":false,\"message\":\"bad date\"}", "failed: the source answers 400: \"bad date\""),
    ] {
        assert_eq!(line(&short, &answer(status, headers, body)), expected, "{status} {body}");
    }
    let long = explain("id: t\nsource: {url: 'https://h/', empty_on: [204, no_body], success: $.ok == true, failure: {path: error, message: error.text}}\nmeasures: {v: v}\n").unwrap();
    for rule in [
        "{status: [204], then: empty}",
        "{status: \"200..299\", no_body: true, then: empty}",
        "{status: \"200..299\", body: $.error, message: $.error.text, then: fail}",
        "{status: \"200..299\", unless: $.ok == true, then: fail}",
    ] {
        assert!(long.contains(rule), "{rule} in\n{long}");
    }
    assert!(!long.contains("success") && !long.contains("empty_on"), "{long}");
    assert_eq!(explain(&long).unwrap(), long);
}

#[test]
fn lines_of_cells_are_judged_too() {
    let text = "id: t\nsource:\n  url: https://h/\n  format: csv\n  failure: $.error\n  answers: [{text: /^No rows/, then: empty}]\nmeasures: {v: v}\n";
    let profile = load(text).unwrap_or_else(|problems| panic!("{problems}"));
    let said = |body: &str| line(&profile, &answer(200, &[], body));
    assert_eq!(said("v\n1\n"), "good");
    assert_eq!(said("No rows match"), "empty");
    assert_eq!(said("{\"error\":\"bad key\"}"), "failed: the source reports a failure: \"bad key\"");
}

const VERDICTS: [&str; 4] = ["empty", "retry", "rate_limited", "fail"];

/// What the naive reading of a list of rules says.
fn naive(rules: &[(u16, u16, Option<u8>, usize)], status: u16, remaining: Option<u8>) -> Option<&'static str> {
    let holds = |(first, last, wanted, _): &&(u16, u16, Option<u8>, usize)| {
        (first..=last).contains(&&status) && wanted.is_none_or(|wanted| remaining == Some(wanted))
    };
    rules.iter().find(holds).map(|(_, _, _, then)| VERDICTS[*then])
}

proptest! {
    /// Any list of rules over status and a header, against the naive reading.
    #[test]
    fn rules_decide_in_order(
        rules in prop::collection::vec((100_u16..600, 0_u16..200, prop::option::of(0_u8..3), 0_usize..4), 0..6),
        status in 400_u16..500,
        remaining in prop::option::of(0_u8..3),
    ) {
        let rules: Vec<_> = rules.into_iter().map(|(first, more, wanted, then)| (first, (first + more).min(599), wanted, then)).collect();
        let lines: String = rules.iter().map(|(first, last, wanted, then)| {
            let header = wanted.map_or(String::new(), |wanted| format!("header: left == {wanted}, "));
            format!("    - {{status: {first}..{last}, {header}then: {}}}\n", VERDICTS[*then])
        }).collect();
        let profile = with(&if lines.is_empty() { String::new() } else { format!("  answers:\n{lines}") });
        let value = remaining.map(|left| left.to_string());
        let headers: Vec<(&str, &str)> = value.iter().map(|value| ("left", value.as_str())).collect();
        let verdict = judge(&answer(status, &headers, ""), profile.plan(), false, NOW_MS).unwrap_err();
        let word = match verdict {
            Verdict::Empty => "empty",
            Verdict::Again { .. } => "retry",
            Verdict::RateLimited { .. } => "rate_limited",
            Verdict::SignIn { .. } => "sign_in",
            Verdict::Failed { .. } | Verdict::Unchanged => "fail",
        };
        let usual = match status { 401 => "sign_in", 408 | 425 => "retry", 429 => "rate_limited", _ => "fail" };
        prop_assert_eq!(word, naive(&rules, status, remaining).unwrap_or(usual));
    }

    /// What is judged in passing is what a walk for the rules alone says.
    #[test]
    fn any_body_is_judged(body in any::<String>(), json in crate::pipeline::testing::json(), status in 100_u16..600) {
        let profile = with("  failure: $.a\n  success: $.b == 1\n  answers: [{body: $.c.d > 2, text: a, then: empty}]\n");
        for body in [body, json.to_string()] {
            let _ = line(&profile, &answer(status, &[], &body));
        }
    }
}
