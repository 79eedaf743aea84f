//! Sources that mean ill or are broken: raw sockets that answer what no server should.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chartly::domain::run::RunState;
use chartly::pipeline::fetch::{FetchSettings, Network, now_ms};
use chartly::pipeline::{Fetcher, RunInput, RunOutcome, run};
use chartly::profiles::load;
use secrecy::SecretString;

use super::Collected;

/// What a request asked: its first line, then its headers in lower case, and the body.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub headers: Vec<String>,
    pub body: String,
}

impl Request {
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).expect("a request line has a target")
    }
}

/// A source that answers with raw bytes; each connection is closed after one answer.
pub struct Raw {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Raw {
    pub fn start(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, answer.as_ref()));
            }
        });
        Self { port, seen }
    }

    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no thread died with it").clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Vec<u8>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket has two ends"));
    let mut lines = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        lines.push(line.trim_end().to_owned());
        line.clear();
    }
    let length = lines.iter().find_map(|header| header.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    let Some((first, headers)) = lines.split_first() else { return };
    let headers = headers.iter().map(|header| header.to_lowercase()).collect();
    let request = Request { line: first.clone(), headers, body: String::from_utf8_lossy(&body).into_owned() };
    log.lock().expect("no thread died with it").push(request.clone());
    let _ = stream.write_all(&answer(&request));
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // A socket that is closed with bytes unread resets what was sent.
    let _ = std::io::copy(&mut reader, &mut std::io::sink());
}

pub fn ok(body: &str) -> Vec<u8> {
    with_head("200 OK", "", body.as_bytes())
}

pub fn with_head(status: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{head}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

async fn run_lines(base: &str, source: &str, rest: &str) -> (RunOutcome, Vec<String>) {
    let settings = FetchSettings { rewrite: vec![("source.example".to_owned(), base.to_owned())], ..quick() };
    run_with(settings, source, rest).await
}

pub fn quick() -> FetchSettings {
    FetchSettings {
        allow_private: vec![Network::parse("127.0.0.1").expect("an address")],
        retry_base: Duration::from_millis(1),
        max_attempts: 3,
        ..FetchSettings::default()
    }
}

async fn run_with(settings: FetchSettings, source: &str, rest: &str) -> (RunOutcome, Vec<String>) {
    let text =
        format!("id: hostile\nsource:\n  url: https://source.example/data\n{source}{rest}\nmeasures: {{v: v}}\n");
    let profile = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let secrets: BTreeMap<String, SecretString> = [("KEY".to_owned(), SecretString::from("s3cr3t/+"))].into();
    let fetcher = Fetcher::new(settings);
    let mut sink = Collected::default();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let outcome = run(&fetcher, input, &mut sink).await;
    (outcome, sink.0)
}

fn failure(outcome: &RunOutcome) -> &str {
    assert_eq!(outcome.state, RunState::Failed, "{outcome:?}");
    outcome.error.as_deref().expect("a failure has a reason")
}

const ROWS: &str = "rows: {each: $}";

#[actix_web::test]
async fn a_bomb_ends_at_the_byte_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        encoder.write_all(&[b' '; 1 << 20]).expect("memory takes it");
    }
    let bomb = encoder.finish().expect("memory takes it");
    let source = Raw::start(move |_| with_head("200 OK", "Content-Encoding: gzip\r\n", &bomb));
    let (outcome, records) = run_lines(&source.base(), "", &format!("{ROWS}\nlimits: {{max_bytes: 1000000}}")).await;
    assert_eq!(outcome.state, RunState::Partial);
    assert_eq!(outcome.error.as_deref(), Some("stopped at the limit max_bytes (1000000)"));
    assert!(outcome.bytes <= 1_000_000 && records.is_empty());
}

#[actix_web::test]
async fn bodies_that_break_off_are_tried_again_and_never_read_in_part() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n[{\"v\":1}]",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n[{\"v\":1},\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\n[{\"v\":1},{\"v\"",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\u{8}",
        "HTTP/1.1 200 OK\r\nConten",
        "nonsense\r\n\r\n",
        "",
    ] {
        let source = Raw::start(move |_| cut.as_bytes().to_vec());
        let (outcome, records) = run_lines(&source.base(), "", ROWS).await;
        assert!(failure(&outcome).ends_with("(3 tries)"), "{cut:?}: {outcome:?}");
        assert_eq!((outcome.requests, records.len()), (3, 0), "{cut:?}");
    }
}

#[actix_web::test]
async fn answers_that_are_no_json_end_the_run() {
    for (body, words) in [
        (b"\xff\xfe[\0".to_vec(), "is not UTF-8"),
        (b"[{\"v\":1}\0]".to_vec(), "is not JSON"),
        ([b"[".repeat(100_000)].concat(), "nested too deep"),
        (b"[{\"v\":1},{\"v\":2}".to_vec(), "ends too early"),
        (b"   ".to_vec(), "without a body"),
        (b"<!doctype html><p>Closed".to_vec(), "<!doctype html><p>Closed"),
    ] {
        let shown = body.clone();
        let source = Raw::start(move |_| with_head("200 OK", "", &body));
        let (outcome, records) = run_lines(&source.base(), "", ROWS).await;
        let error = failure(&outcome);
        assert!(error.contains(words) && error.starts_with("https://source.example/data: "), "{error}");
        assert!(error.chars().count() < 600 && records.is_empty(), "{:?}", &shown[..20.min(shown.len())]);
    }
}

#[actix_web::test]
async fn a_secret_goes_to_its_own_host_only() {
    for (auth, there) in [
        ("{secret: KEY, in: query, name: key}", "key=s3cr3t/%2B"),
        ("{secret: KEY, in: header, name: X-Key}", "x-key: s3cr3t/+"),
        ("{secret: KEY, in: bearer}", "authorization: bearer s3cr3t/+"),
        ("{secret: KEY, in: basic}", "authorization: basic "),
    ] {
        let other = Raw::start(|_| ok("[{\"v\":1}]"));
        let target = format!("{}/elsewhere", other.base());
        let source = Raw::start(move |_| with_head("302 Found", &format!("Location: {target}\r\n"), b""));
        // The source is reached by http here, since a redirect from https to http is refused.
        let settings = FetchSettings { rewrite: vec![("source.example".to_owned(), source.base())], ..quick() };
        let text = format!("  auth: {auth}\n");
        let (outcome, records) = run_http(settings, &text).await;
        assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 1), "{outcome:?}");
        let asked = format!("{:?}", source.seen());
        assert!(asked.contains(there), "{asked}");
        let leaked = format!("{:?}", other.seen());
        assert!(!leaked.contains("s3cr3t") && !leaked.contains("authorization") && !leaked.contains("key"), "{leaked}");
    }
}

async fn run_http(settings: FetchSettings, source: &str) -> (RunOutcome, Vec<String>) {
    let text = format!(
        "id: hostile\nsource:\n  url: http://source.example/data\n{source}rows: {{each: $}}\nmeasures: {{v: v}}\n"
    );
    let profile = load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    let secrets: BTreeMap<String, SecretString> = [("KEY".to_owned(), SecretString::from("s3cr3t/+"))].into();
    let fetcher = Fetcher::new(settings);
    let mut sink = Collected::default();
    let input = RunInput { profile: &profile, validators: None, cursor: None, now_ms: now_ms(), secrets: &secrets };
    let outcome = run(&fetcher, input, &mut sink).await;
    (outcome, sink.0)
}

#[actix_web::test]
async fn redirects_are_bounded() {
    let loops = Raw::start(|request| {
        let hop: u32 = request.path().rsplit('/').next().and_then(|hop| hop.parse().ok()).unwrap_or(0);
        with_head("302 Found", &format!("Location: /hop/{}\r\n", hop + 1), b"")
    });
    let (outcome, _) = run_lines(&loops.base(), "", ROWS).await;
    assert!(failure(&outcome).contains("more than 5 redirects"));
    assert_eq!(outcome.requests, 6);
}

#[actix_web::test]
async fn redirects_to_bad_places_are_refused() {
    for (target, words) in [
        ("http://other.example/", "redirects from https to http"),
        ("ftp://source.example/", "something other than http or https"),
        ("file:///etc/passwd", "something other than http or https"),
        ("https://10.0.0.1/", "is not a public address"),
        ("https://[::1]:9/", "is not a public address"),
        ("https://evil.example/?k=s3cr3t%2F%2B", "with the secret to another host"),
        ("https://evil.example/?k=s3cr3t%2f%2b", "with the secret to another host"),
        ("https://evil.example/?k=s3cr3t/+", "with the secret to another host"),
    ] {
        let source = Raw::start(move |_| with_head("302 Found", &format!("Location: {target}\r\n"), b""));
        let (outcome, _) = run_lines(&source.base(), "  auth: {secret: KEY, in: header, name: X}\n", ROWS).await;
        let error = failure(&outcome);
        assert!(error.contains(words) && !error.contains("s3cr3t"), "{error}");
        assert_eq!(source.seen().len(), 1);
    }
}

#[actix_web::test]
async fn a_post_is_not_turned_into_another_request() {
    let source = Raw::start(|request| match request.path() {
        "/data" => with_head("302 Found", "Location: /other\r\n", b""),
        _ => ok("[]"),
    });
    let body =
        "  body: {json: {a: '{x}', b: 'n{x}'}}\n  for_each: [{x: 7}]\n  auth: {secret: KEY, in: body, name: /k}\n";
    let (outcome, _) = run_lines(&source.base(), body, ROWS).await;
    assert!(failure(&outcome).contains("the source answers the POST with 302"));
    assert_eq!(source.seen()[0].body, r#"{"a":7,"b":"n7","k":"s3cr3t/+"}"#);
    assert!(source.seen()[0].headers.contains(&"content-type: application/json".to_owned()));
}

/// Every page has a row of its own and a next page.
fn endless() -> Raw {
    Raw::start(|request| {
        let number: u32 = request.path().rsplit('=').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        ok(&format!(r#"{{"d":[{{"v":{number}}}],"next":"/data?p={}"}}"#, number + 1))
    })
}

#[actix_web::test]
async fn endless_pages_end_at_every_limit() {
    let source = endless();
    for (limit, records) in [("max_pages", 7), ("max_requests", 4), ("max_records", 3)] {
        let rest = format!("rows: {{each: $.d}}\nlimits: {{{limit}: {records}}}");
        let (outcome, got) = run_lines(&source.base(), "  paging: {kind: next, next: $.next}\n", &rest).await;
        assert_eq!((outcome.state, got.len()), (RunState::Partial, records));
        assert_eq!(outcome.error, Some(format!("stopped at the limit {limit} ({records})")));
        assert!(outcome.requests <= records as u64 + 1);
    }
}

#[actix_web::test]
async fn pages_that_do_not_move_on_end_the_run() {
    let same = Raw::start(|_| ok(r#"{"d":[{"v":1}]}"#));
    let (outcome, records) = run_lines(&same.base(), "  paging: {kind: page, param: p}\n", "rows: {each: $.d}").await;
    assert!(failure(&outcome).contains("the same answer came for two pages"), "{outcome:?}");
    assert_eq!((outcome.requests, records.len()), (2, 1));
}

#[actix_web::test]
async fn pages_that_go_in_a_circle_end_the_run() {
    let circle = Raw::start(|request| {
        let next = if request.path().ends_with("=1") { "/data?p=2" } else { "/data?p=1" };
        ok(&format!(r#"{{"d":[{{"v":{}}}],"next":"{next}"}}"#, request.path().len() + next.len()))
    });
    let (outcome, _) = run_lines(&circle.base(), "  paging: {kind: next, next: $.next}\n", "rows: {each: $.d}").await;
    assert!(outcome.requests <= 4 && !failure(&outcome).is_empty(), "{outcome:?}");
}

#[actix_web::test]
async fn next_pages_stay_on_the_source() {
    for (next, words) in [
        ("https://evil.example/x", "on another host"),
        ("https://source.example:8443/x", "on another port"),
        ("https://10.0.0.1/", "on another host"),
        ("http://[", "not an address"),
    ] {
        let source = Raw::start(move |_| ok(&format!(r#"{{"d":[{{"v":1}}],"next":"{next}"}}"#)));
        let (outcome, records) =
            run_lines(&source.base(), "  paging: {kind: next, next: $.next}\n", "rows: {each: $.d}").await;
        let error = failure(&outcome);
        assert!(error.contains(words), "{error}");
        assert_eq!((source.seen().len(), records.len()), (1, 1));
    }
}

#[actix_web::test]
async fn the_link_header_leads_on() {
    let source = Raw::start(|request| {
        let link = match request.path() {
            "/data?n=2" => "Link: <https://source.example/data?n=2&page=2>; rel=\"next\", </x>; rel=\"last\"\r\n",
            _ => "Link: </data?page=1>; rel=\"prev\"\r\n",
        };
        with_head("200 OK", link, format!("[{{\"v\":{}}}]", request.path().len()).as_bytes())
    });
    let (outcome, records) = run_lines(&source.base(), "  paging: {kind: link, size_param: n, size: 2}\n", ROWS).await;
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 2), "{outcome:?}");
}

#[actix_web::test]
async fn tokens_lead_on() {
    let source = Raw::start(|request| {
        let next = match request.path() {
            "/data?c=*" => "\"a b&c\"",
            "/data?c=a%20b%26c" => "null",
            other => panic!("{other}"),
        };
        ok(&format!(r#"{{"d":[{{"v":{}}}],"next":{next}}}"#, request.path().len()))
    });
    let paging = "  paging: {kind: token, param: c, start: '*', next: $.next}\n";
    let (outcome, records) = run_lines(&source.base(), paging, "rows: {each: $.d}").await;
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 2), "{outcome:?}");
}

#[actix_web::test]
async fn an_empty_answer_tells_nothing_of_the_shape_of_the_next() {
    let source = Raw::start(|request| match request.path() {
        "/data?s=1" => ok("[]"),
        "/data?s=2" => ok(r#"[["v"],["7"]]"#),
        _ => ok(r#"[["v"],["8"]]"#),
    });
    let lines = "  query: {s: '{s}'}\n  for_each: {s: [1, 2, 3]}\n";
    let (outcome, records) = run_lines(&source.base(), lines, "").await;
    assert_eq!((outcome.state, records.len(), outcome.rows), (RunState::Succeeded, 2, 2), "{outcome:?}");
}

#[actix_web::test]
async fn a_slow_source_ends_at_the_timeout() {
    let source = Raw::start(|_| {
        std::thread::sleep(Duration::from_millis(400));
        ok("[]")
    });
    let began = std::time::Instant::now();
    let settings = FetchSettings { max_attempts: 2, ..quick() };
    let settings = FetchSettings { rewrite: vec![("source.example".to_owned(), source.base())], ..settings };
    let (outcome, _) = run_with(settings, "", &format!("{ROWS}\nlimits: {{timeout: 100ms}}")).await;
    assert!(failure(&outcome).contains("no complete answer within 100ms"));
    assert!(began.elapsed() < Duration::from_millis(390), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn long_runs_end_at_the_operators_time() {
    let source = Raw::start(|_| with_head("503 Unavailable", "Retry-After: 1\r\n", b""));
    let settings = FetchSettings { max_run: Duration::from_millis(200), max_attempts: 100, ..quick() };
    let settings = FetchSettings { rewrite: vec![("source.example".to_owned(), source.base())], ..settings };
    let (outcome, _) = run_with(settings, "", ROWS).await;
    assert_eq!(outcome.state, RunState::Partial);
    assert_eq!(outcome.error.as_deref(), Some("stopped at the limit the time of a run (200ms)"));
}

#[actix_web::test]
async fn thousands_of_rows_come_in_bounded_batches_while_others_have_their_turn() {
    let row = |number: u32| format!(r#"{{"v":{number},"x":"{}"}}"#, "y".repeat(200));
    let body = format!("[{}]", (0..12_345).map(row).collect::<Vec<_>>().join(","));
    let source = Raw::start(move |_| ok(&body));
    let turns = std::rc::Rc::new(std::cell::Cell::new(0));
    let counter = std::rc::Rc::clone(&turns);
    let ticking = async move {
        loop {
            counter.set(counter.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let base = source.base();
    let running = run_lines(&base, "", ROWS);
    let (outcome, records) = tokio::select! {
        done = running => done,
        () = ticking => unreachable!("it never ends"),
    };
    assert_eq!((outcome.state, records.len()), (RunState::Succeeded, 12_345));
    assert!(turns.get() > 20, "{}", turns.get());
}
