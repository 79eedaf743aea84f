//! Answers that mean something else than their status says, over real sockets: each verdict of a profile's rules.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{FetchSettings, now_ms};
use chartly::pipeline::{Fetcher, RunInput, RunOutcome, run};
use chartly::profiles::load;

use super::Collected;
use super::hostile::{Raw, ok, quick, with_head};

const GOOD: &str = r#"{"d":[{"v":1},{"v":2}]}"#;

async fn go(source: &Raw, lines: &str) -> (RunOutcome, Vec<String>) {
    let text = format!(
        "id: judged\nsource:\n  url: https://source.example/data\n{lines}rows: {{each: $.d}}\nmeasures: {{v: v}}\n"
    );
    let profile = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let rewrite = vec![("source.example".to_owned(), source.base())];
    let fetcher = Fetcher::new(FetchSettings { rewrite, max_pause: Duration::from_secs(5), ..quick() });
    let mut sink = Collected::default();
    let secrets = super::secrets();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let outcome = run(&fetcher, input, &mut sink).await;
    (outcome, sink.0)
}

/// First this answer, then good ones.
fn first(answer: Vec<u8>) -> Raw {
    let asked = AtomicU32::new(0);
    Raw::start(move |_| if asked.fetch_add(1, Ordering::SeqCst) == 0 { answer.clone() } else { ok(GOOD) })
}

#[actix_web::test]
async fn a_declared_pause_is_kept_to() {
    let began = std::time::Instant::now();
    let reset = (now_ms() + 1_999) / 1000;
    let head = format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {reset}\r\n");
    let source = first(with_head("403 Forbidden", &head, b"{}"));
    let rule = "  answers:\n    - {status: 403, header: x-ratelimit-remaining == 0, then: rate_limited, wait: {header: X-RateLimit-Reset, as: epoch_s}}\n";
    let (outcome, records) = go(&source, rule).await;
    assert_eq!((outcome.state, outcome.requests, records.len()), (RunState::Succeeded, 2, 2), "{outcome:?}");
    assert!(now_ms() / 1000 >= reset && began.elapsed() < Duration::from_secs(4));
    let (plain, _) = go(&Raw::start(|_| with_head("403 Forbidden", "", b"{}")), rule).await;
    assert_eq!((plain.state, plain.requests), (RunState::Failed, 1), "another 403 is no rate limit: {plain:?}");
}

#[actix_web::test]
async fn a_pause_longer_than_a_run_waits_is_when_the_next_run_comes() {
    let source = Raw::start(|_| ok(r#"{"error":{"code":"quota","text":"500 a day"}}"#));
    let rule =
        "  answers: [{body: $.error.code == 'quota', then: rate_limited, wait: next_day, message: $.error.text}]\n";
    let (outcome, _) = go(&source, rule).await;
    assert_eq!((outcome.state, outcome.requests), (RunState::Failed, 1));
    let day_ms = 86_400_000;
    assert_eq!(outcome.not_before_ms.unwrap() % day_ms, 0);
    assert!((now_ms()..=now_ms() + day_ms).contains(&outcome.not_before_ms.unwrap()));
    assert_eq!(
        outcome.error.as_deref(),
        Some("https://source.example/data: the source limits the rate of requests: \"500 a day\"")
    );
}

#[actix_web::test]
async fn every_verdict_is_carried_out() {
    let rules = "  answers:
    - {status: 404, text: /no rows/, then: empty}
    - {status: 404, then: success}
    - {body: $.again == true, then: retry}
    - {status: 503, then: fail, message: closed for good}
    - {body: $.error, then: fail, message: $.error}
";
    for (answer, state, requests, records, words) in [
        (with_head("404 Not Found", "", b"no rows today"), RunState::Succeeded, 1, 0, None),
        (with_head("404 Not Found", "", GOOD.as_bytes()), RunState::Succeeded, 1, 2, None),
        (ok(r#"{"again":true,"d":[{"v":1},{"v":2}]}"#), RunState::Succeeded, 2, 2, None),
        (with_head("503 Unavailable", "", b"{}"), RunState::Failed, 1, 0, Some("closed for good")),
        (
            ok(r#"{"d":[{"v":7}],"error":"bad key"}"#),
            RunState::Failed,
            1,
            0,
            Some("the source reports a failure: \"bad key\""),
        ),
        (
            with_head("400 Bad Request", "", br#"{"error":"bad date"}"#),
            RunState::Failed,
            1,
            0,
            Some("the source answers 400: \"bad date\""),
        ),
    ] {
        let shown = String::from_utf8_lossy(&answer).into_owned();
        let (outcome, got) = go(&first(answer), rules).await;
        assert_eq!((outcome.state, outcome.requests, got.len()), (state, requests, records), "{shown}: {outcome:?}");
        let error = outcome.error.unwrap_or_default();
        assert!(words.is_none_or(|words| error.ends_with(words)), "{shown}: {error}");
    }
}

#[actix_web::test]
async fn the_same_answer_may_ask_for_another_try_again_and_again() {
    let source = Raw::start(|_| ok(r#"{"again":true,"d":[{"v":1}]}"#));
    let (outcome, records) = go(&source, "  answers: [{body: $.again == true, then: retry}]\n").await;
    assert_eq!((outcome.requests, records.len()), (3, 0));
    assert!(outcome.error.unwrap().contains("the source asks for another try"));
}

#[actix_web::test]
async fn the_answer_says_when_to_poll_next() {
    let soon = Raw::start(|_| ok(r#"{"ttl":90,"d":[{"v":1}]}"#));
    let before = now_ms();
    let (outcome, _) = go(&soon, "  ttl: $.ttl\n").await;
    let wait_ms = outcome.not_before_ms.unwrap() - before;
    assert!(outcome.state == RunState::Succeeded && (90_000..95_000).contains(&wait_ms), "{outcome:?}");
    let dated = Raw::start(|_| with_head("200 OK", "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n", GOOD.as_bytes()));
    let (past, _) = go(&dated, "  ttl: {header: Expires, as: http_date}\n").await;
    assert_eq!(past.not_before_ms, Some(784_111_777_000));
}

#[actix_web::test]
async fn a_rate_is_waited_for_and_a_quota_ends_the_run_as_partial() {
    let source = Raw::start(|request| {
        let page = request.path().len();
        ok(&format!(r#"{{"d":[{{"v":{page}}}],"next":"/data?{}"}}"#, "x".repeat(page)))
    });
    let began = std::time::Instant::now();
    let lines =
        "  paging: {kind: next, next: $.next}\n  rate: {requests: 2, per: 200ms}\n  quota: {requests: 5, per: P1D}\n";
    let (outcome, records) = go(&source, lines).await;
    assert_eq!((outcome.state, outcome.requests, records.len()), (RunState::Partial, 5, 5), "{outcome:?}");
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    assert_eq!(outcome.not_before_ms.unwrap() % 86_400_000, 0);
    assert!(outcome.error.unwrap().starts_with("stopped at the quota of 5 requests; it begins anew at 20"));
}
