//! Signing in, over real sockets: keys by turns, OAuth 2 client credentials, a login; what is refused, expired or led
//! astray, and that no message holds a secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{FetchSettings, now_ms};
use chartly::pipeline::{Fetcher, RunInput, RunOutcome, run};
use chartly::profiles::load;
use secrecy::SecretString;

use super::Collected;
use super::hostile::{Raw, Request, ok, quick, with_head};

const SECRETS: [(&str, &str); 4] =
    [("ID", "cl+ient"), ("PASS", "p\"ass/w:rd"), ("KEY_A", "alpha-key"), ("KEY_B", "beta-key")];

fn fetcher(source: &Raw, server: &Raw) -> Fetcher {
    let rewrite = vec![("source.example".to_owned(), source.base()), ("auth.example".to_owned(), server.base())];
    Fetcher::new(FetchSettings { rewrite, ..quick() })
}

async fn go_at(fetcher: &Fetcher, lines: &str, now_ms: i64) -> (RunOutcome, Vec<String>) {
    let text = format!(
        "id: signed\nsource:\n  url: http://source.example/data\n{lines}rows: {{each: $.d}}\nmeasures: {{v: v}}\n"
    );
    let profile = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let secrets: BTreeMap<String, SecretString> =
        SECRETS.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    let mut sink = Collected::default();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms, secrets: &secrets };
    let outcome = run(fetcher, input, &mut sink).await;
    let told = format!("{:?}", outcome.error);
    for (_, value) in SECRETS {
        assert!(!told.contains(value), "{told}");
    }
    assert!(!told.contains("token-"), "{told}");
    (outcome, sink.0)
}

async fn go(fetcher: &Fetcher, lines: &str) -> (RunOutcome, Vec<String>) {
    go_at(fetcher, lines, now_ms()).await
}

/// Pages 1 to 3 for whoever has one of these tokens, else 401.
fn pages(accepts: impl Fn(&Request, u32) -> bool + Send + Sync + 'static) -> Raw {
    Raw::start(move |request| {
        let page = request.path().rsplit('=').next().and_then(|page| page.parse().ok()).unwrap_or(1);
        if !accepts(request, page) {
            return with_head("401 Unauthorized", "", br#"{"error":"who are you?"}"#);
        }
        let next = if page < 3 { format!("\"/data?p={}\"", page + 1) } else { "null".into() };
        ok(&format!(r#"{{"d":[{{"v":{page}}}],"next":{next}}}"#))
    })
}

fn has(request: &Request, header: &str) -> bool {
    request.headers.iter().any(|known| known == header)
}

/// Gives token-1, token-2, …, each for so many seconds.
fn tokens(expires_in: u32) -> (Raw, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let given = Arc::clone(&count);
    let server = Raw::start(move |_| {
        let number = given.fetch_add(1, Ordering::SeqCst) + 1;
        ok(&format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":{expires_in}}}"#))
    });
    (server, count)
}

const OAUTH2: &str = "  auth: {oauth2: {token_url: 'http://auth.example/token', client_id: ID, client_secret: PASS, scopes: [read, 'a b'], audience: data}}\n  paging: {kind: next, next: $.next}\n";

#[actix_web::test]
async fn a_token_is_fetched_once_and_kept_from_run_to_run() {
    let (server, count) = tokens(3600);
    let source = pages(|request, _| has(request, "authorization: bearer token-1"));
    let fetcher = fetcher(&source, &server);
    for (run, requests) in [(1, 4), (2, 3)] {
        let (outcome, records) = go(&fetcher, OAUTH2).await;
        assert_eq!(
            (outcome.state, outcome.requests, records.len()),
            (RunState::Succeeded, requests, 3),
            "{run}: {outcome:?}"
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let asked = &server.seen()[0];
    assert_eq!(asked.line, "POST /token HTTP/1.1");
    assert_eq!(asked.body, "grant_type=client_credentials&scope=read+a+b&audience=data");
    // cl%2Bient:p%22ass%2Fw%3Ard, encoded before as RFC 6749 says.
    assert!(has(asked, "authorization: basic y2wlmkjpzw50onalmjjhc3mlmkz3jtnbcmq="), "{asked:?}");
}

#[actix_web::test]
async fn the_client_may_sign_in_in_the_body() {
    let (server, _) = tokens(3600);
    let source = pages(|request, _| request.path().contains("t=token-1"));
    let auth = "  auth: {oauth2: {token_url: 'http://auth.example/token', client_id: ID, client_secret: PASS, auth_style: body}, in: query, name: t}\n";
    let (outcome, records) = go(&fetcher(&source, &server), auth).await;
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 1), "{outcome:?}");
    let asked = &server.seen()[0];
    assert_eq!(asked.body, "grant_type=client_credentials&client_id=cl%2Bient&client_secret=p%22ass%2Fw%3Ard");
}

#[actix_web::test]
async fn a_token_that_is_about_to_end_is_fetched_anew() {
    let (server, count) = tokens(100);
    let source =
        pages(|request, _| request.headers.iter().any(|header| header.starts_with("authorization: bearer token-")));
    let fetcher = fetcher(&source, &server);
    let start_ms = now_ms();
    for (after_ms, fetched) in [(0, 1), (80_000, 1), (91_000, 2)] {
        let (outcome, _) = go_at(&fetcher, OAUTH2, start_ms + after_ms).await;
        assert_eq!((outcome.state, count.load(Ordering::SeqCst)), (RunState::Succeeded, fetched), "{outcome:?}");
    }
}

#[actix_web::test]
async fn a_token_that_is_refused_in_the_middle_of_a_run_is_fetched_anew_once() {
    let (server, count) = tokens(3600);
    let source = pages(|request, page| match page {
        1 => has(request, "authorization: bearer token-1"),
        _ => has(request, "authorization: bearer token-2"),
    });
    let (outcome, records) = go(&fetcher(&source, &server), OAUTH2).await;
    assert_eq!((outcome.state, outcome.requests, records.len()), (RunState::Succeeded, 6, 3), "{outcome:?}");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[actix_web::test]
async fn a_token_that_is_never_taken_ends_the_run() {
    let (server, count) = tokens(3600);
    let source = pages(|_, _| false);
    let (outcome, _) = go(&fetcher(&source, &server), OAUTH2).await;
    assert_eq!((outcome.state, outcome.requests, count.load(Ordering::SeqCst)), (RunState::Failed, 4, 2));
    let error = outcome.error.unwrap();
    assert!(error.contains("who are you?") && error.ends_with("the sign-in was made anew before"), "{error}");
}

#[actix_web::test]
async fn a_rule_can_ask_for_a_fresh_sign_in() {
    let (server, count) = tokens(3600);
    let source = Raw::start(|request| match has(request, "authorization: bearer token-2") {
        true => ok(r#"{"d":[{"v":1}]}"#),
        false => ok(r#"{"error":"session expired"}"#),
    });
    let rule = "  answers: [{body: $.error matches session, then: sign_in}]\n";
    let (outcome, records) = go(&fetcher(&source, &server), &format!("{OAUTH2}{rule}")).await;
    assert_eq!(
        (outcome.state, records.len(), count.load(Ordering::SeqCst)),
        (RunState::Succeeded, 1, 2),
        "{outcome:?}"
    );
}

#[actix_web::test]
async fn runs_at_the_same_time_share_one_token() {
    let (server, count) = tokens(3600);
    let source = pages(|request, _| has(request, "authorization: bearer token-1"));
    let fetcher = fetcher(&source, &server);
    let ((one, _), (two, _), (three, _)) =
        tokio::join!(go(&fetcher, OAUTH2), go(&fetcher, OAUTH2), go(&fetcher, OAUTH2));
    assert_eq!([one.state, two.state, three.state], [RunState::Succeeded; 3]);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn a_sign_in_that_fails_tells_the_servers_words_without_secrets() {
    let refused = Raw::start(|request| {
        let echo = format!(
            r#"{{"error":"invalid_client","error_description":"no such client: {}"}}"#,
            request.body.replace('"', "'")
        );
        with_head("401 Unauthorized", "", echo.as_bytes())
    });
    let source = pages(|_, _| true);
    let auth = "  auth: {oauth2: {token_url: 'http://auth.example/token', client_id: ID, client_secret: PASS, auth_style: body}}\n";
    let (outcome, _) = go(&fetcher(&source, &refused), auth).await;
    assert_eq!((outcome.state, outcome.requests, source.seen().len()), (RunState::Failed, 1, 0));
    let expected = "http://source.example/data: the sign-in at http://auth.example/token failed: the server answers 401: \
        \"invalid_client: no such client: grant_type=client_credentials&client_id=[secret]&client_secret=[secret]\"";
    assert_eq!(outcome.error.as_deref(), Some(expected));
    for (answer, words, requests) in [
        (ok("{}"), "holds no token where the profile says", 1),
        (ok(r#"{"access_token":"two words"}"#), "what stands in the token's place is none", 1),
        (with_head("503 Unavailable", "", b"later"), "the server answers 503: \"later\" (3 tries)", 3),
        (
            with_head("307 Temporary Redirect", "Location: http://evil.example/\r\n", b""),
            "redirects the sign-in to another host",
            1,
        ),
        (b"nonsense".to_vec(), "(3 tries)", 3),
    ] {
        let server = Raw::start(move |_| answer.clone());
        let (outcome, _) = go(&fetcher(&source, &server), auth).await;
        let error = outcome.error.clone().unwrap();
        assert!(error.contains(words) && error.contains("the sign-in at http://auth.example/token failed"), "{error}");
        assert_eq!((outcome.state, outcome.requests), (RunState::Failed, requests), "{error}");
    }
}

#[actix_web::test]
async fn a_sign_in_is_guarded_and_counted_as_any_request() {
    let (server, _) = tokens(3600);
    let source = pages(|_, _| true);
    let direct = OAUTH2.replace("http://auth.example", "http://10.0.0.1");
    let (outcome, _) = go(&fetcher(&source, &server), &direct).await;
    assert!(outcome.error.unwrap().contains("which is not a public address"));
    let limited = format!("{OAUTH2}rows: {{each: $.d}}\nlimits: {{max_requests: 2}}\n");
    let text = format!("id: signed\nsource:\n  url: http://source.example/data\n{limited}measures: {{v: v}}\n");
    let profile = load(&text).unwrap();
    let secrets: BTreeMap<String, SecretString> =
        SECRETS.map(|(name, value)| (name.to_owned(), SecretString::from(value))).into();
    let mut sink = Collected::default();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let outcome = run(&fetcher(&source, &server), input, &mut sink).await;
    assert_eq!((outcome.state, outcome.requests, sink.0.len()), (RunState::Partial, 2, 1), "{outcome:?}");
}

const LOGIN: &str = "  auth:
    login:
      url: http://auth.example/session
      query: {realm: data}
      headers: {X-Client: '{secret.ID}'}
      body: {json: {user: me, password: '{secret.PASS}'}}
      token: {header: X-Session}
      expires: 10m
    in: header
    name: X-Session
";

#[actix_web::test]
async fn a_login_gives_a_token_from_a_header() {
    let server = Raw::start(|_| with_head("201 Created", "X-Session: token-1\r\n", b""));
    let source = pages(|request, _| has(request, "x-session: token-1"));
    let (outcome, records) = go(&fetcher(&source, &server), LOGIN).await;
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 1), "{outcome:?}");
    let asked = &server.seen()[0];
    assert_eq!((asked.line.as_str(), has(asked, "x-client: cl+ient")), ("POST /session?realm=data HTTP/1.1", true));
    assert_eq!(asked.body, r#"{"password":"p\"ass/w:rd","user":"me"}"#);
}

#[actix_web::test]
async fn a_login_that_fails_is_told_without_what_was_sent() {
    let server = Raw::start(|request| with_head("403 Forbidden", "", request.body.as_bytes()));
    let source = pages(|_, _| true);
    let (outcome, _) = go(&fetcher(&source, &server), LOGIN).await;
    let error = outcome.error.unwrap();
    assert!(error.contains("the server answers 403") && error.contains("[secret]"), "{error}");
    assert!(!error.contains("ass/w:rd"), "{error}");
}

#[actix_web::test]
async fn a_token_goes_to_no_other_host() {
    for place in ["bearer", "header, name: X-Token", "query, name: token"] {
        let other = Raw::start(|_| ok(r#"{"d":[{"v":1}]}"#));
        let target = format!("{}/elsewhere", other.base());
        let source = Raw::start(move |_| with_head("302 Found", &format!("Location: {target}\r\n"), b""));
        let (server, _) = tokens(3600);
        let auth = format!(
            "  auth: {{oauth2: {{token_url: 'http://auth.example/token', client_id: ID, client_secret: PASS}}, in: {place}}}\n"
        );
        let (outcome, records) = go(&fetcher(&source, &server), &auth).await;
        assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 1), "{outcome:?}");
        assert!(format!("{:?}", source.seen()).contains("token-1"));
        assert!(!format!("{:?}", other.seen()).contains("token"), "{:?}", other.seen());
    }
    // Nor is it led there by the address itself.
    let astray = Raw::start(|_| with_head("302 Found", "Location: http://evil.example/?t=token-1\r\n", b""));
    let (server, _) = tokens(3600);
    let (outcome, _) = go(&fetcher(&astray, &server), OAUTH2).await;
    assert!(outcome.error.unwrap().contains("with the secret to another host"));
}

const KEYS: &str =
    "  auth: {secret: [KEY_A, KEY_GONE, KEY_B], in: query, name: key}\n  paging: {kind: next, next: $.next}\n";

fn keys_of(source: &Raw) -> Vec<char> {
    let key = |request: &Request| if request.path().contains("key=alpha") { 'a' } else { 'b' };
    source.seen().iter().map(key).collect()
}

#[actix_web::test]
async fn keys_are_taken_by_turns_and_replace_each_other_in_links() {
    let source = Raw::start(|request| {
        let page: u32 = request.path().matches("p=").count().try_into().unwrap_or(0);
        let key = request.path().split("key=").nth(1).unwrap_or("").to_owned();
        assert_eq!(request.path().matches("key=").count(), 1, "{}", request.path());
        let next = if page == 0 { format!("\"/data?key={key}&p=2\"") } else { "null".into() };
        ok(&format!(r#"{{"d":[{{"v":{page}}}],"next":{next}}}"#))
    });
    let fetcher = fetcher(&source, &source);
    let (outcome, records) = go(&fetcher, KEYS).await;
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 2), "{outcome:?}");
    let (again, _) = go(&fetcher, KEYS).await;
    assert_eq!((again.state, keys_of(&source)), (RunState::Succeeded, vec!['a', 'b', 'a', 'b']));
}

#[actix_web::test]
async fn a_key_that_is_used_up_or_refused_rests() {
    for refusal in ["429 Too Many Requests", "401 Unauthorized"] {
        let source = pages_by_key(refusal, &["alpha"]);
        let fetcher = fetcher(&source, &source);
        let (outcome, records) = go(&fetcher, KEYS).await;
        assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 3), "{outcome:?}");
        assert_eq!(keys_of(&source), ['a', 'b', 'b', 'b'], "{refusal}");
        let (again, _) = go(&fetcher, KEYS).await;
        assert_eq!((again.state, again.requests), (RunState::Succeeded, 3), "the first key still rests");
    }
}

#[actix_web::test]
async fn when_all_keys_rest_the_next_run_comes_later() {
    let source = pages_by_key("429 Too Many Requests\r\nRetry-After: 600", &["alpha", "beta"]);
    let fetcher = fetcher(&source, &source);
    let before = now_ms();
    let (outcome, _) = go(&fetcher, KEYS).await;
    assert_eq!((outcome.state, outcome.requests), (RunState::Failed, 2), "{outcome:?}");
    let error = outcome.error.unwrap();
    assert!(error.contains("all 2 keys rest") && error.contains("the source answers 429"), "{error}");
    assert!((590_000..610_000).contains(&(outcome.not_before_ms.unwrap() - before)));
    let (again, _) = go(&fetcher, KEYS).await;
    assert_eq!((again.state, again.requests), (RunState::Failed, 0), "nobody is asked meanwhile");
}

/// Three pages, and this status for these keys.
fn pages_by_key(status: &'static str, refused: &'static [&'static str]) -> Raw {
    Raw::start(move |request| {
        if refused.iter().any(|key| request.path().contains(&format!("key={key}"))) {
            return with_head(status, "", b"{}");
        }
        let page = request.path().split("p=").nth(1).and_then(|page| page[..1].parse().ok()).unwrap_or(1);
        let next = if page < 3 { format!("\"/data?p={}\"", page + 1) } else { "null".into() };
        ok(&format!(r#"{{"d":[{{"v":{page}}}],"next":{next}}}"#))
    })
}
