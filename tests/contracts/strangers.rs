//! Peers that are dead, hang, break off, or are not ours at all; and the two-step truth about sending again: what was
//! not handled is, what may have been handled is only where it may happen twice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chartly::actors::Clients;
use chartly::clients::Peer;
use chartly::domain::ids::TenantId;
use chartly::domain::run::RunReport;
use chartly::protocol::call::Call;
use chartly::protocol::coordinator::{Beat, GetDroneStats, RunNow, Work};
use chartly::protocol::fault::{Code, Fault, Place, Problem, Retry};

use crate::registry::id;
use crate::sides::{Far, remote_clients};
use crate::support::KEY;
use crate::support::source::{Reply, Source};

/// Tries of what may be sent again.
const TRIES: usize = 3;

fn clients(url: &str, deadline: Duration) -> Clients {
    remote_clients(&Peer::new(url, Some(KEY.into()), deadline))
}

fn patient(url: &str) -> Clients {
    clients(url, Duration::from_secs(10))
}

/// Asks for something that may happen twice.
async fn repeatable(clients: &Clients) -> Fault {
    const { assert!(GetDroneStats::REPEATABLE) };
    clients.coordinator.ask(GetDroneStats { tenant: TenantId::default() }).await.expect_err("no role is there")
}

/// Asks for something that must happen once.
async fn once(clients: &Clients) -> Fault {
    const { assert!(!RunNow::REPEATABLE) };
    let message = RunNow { tenant: TenantId::default(), profile_id: id("p") };
    clients.coordinator.ask(message).await.expect_err("no role is there")
}

/// Asks both at a source that always answers so. Returns the fault and how often each was sent.
async fn both(reply: Reply) -> (Fault, [usize; 2]) {
    let source = Source::start(move |_, _| reply.clone());
    let clients = patient(&source.url());
    let first = repeatable(&clients).await;
    let sent = source.count();
    let second = once(&clients).await;
    assert_eq!((first.code, &first.places), (second.code, &second.places));
    (first, [sent, source.count() - sent])
}

fn page(status: u16, content_type: &str, body: &str) -> Reply {
    let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
    Reply { status, headers, ..Reply::json(body) }
}

fn problem(fault: &Fault) -> Reply {
    let body = serde_json::to_string(&Problem::from(fault)).unwrap();
    page(fault.code.status(), "application/problem+json", &body)
}

#[actix_web::test]
async fn every_fault_of_the_table_survives_the_wire_and_is_sent_again_only_where_that_is_safe() {
    let faults = Code::ALL.iter().map(|code| {
        let places = vec![Place { at: "data[3].\"ü\"".into(), reason: "line\nbreak".into() }];
        Fault::new(*code, "what was \"wrong\"").with_places(places).retry_after(7)
    });
    let outcomes = faults.map(async |fault| (both(problem(&fault)).await, fault));
    for ((found, sent), fault) in futures_util::future::join_all(outcomes).await {
        assert_eq!(found, fault);
        let expected = match (fault.code, fault.code.retry()) {
            // Whoever waited a whole deadline is told; a second wait would be the caller's to decide.
            (Code::Deadline, _) | (_, Retry::Never) => [1, 1],
            (_, Retry::Safe) => [TRIES, TRIES],
            (_, Retry::IfRepeatable) => [TRIES, 1],
        };
        assert_eq!(sent, expected, "{fault}");
    }
}

#[actix_web::test]
async fn a_dead_peer_is_unavailable() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clients = patient(&format!("http://{address}"));
    for fault in [repeatable(&clients).await, once(&clients).await] {
        assert_eq!((fault.code, fault.code.retry(), fault.retry_after_s), (Code::Unavailable, Retry::Safe, Some(1)));
        assert!(fault.detail.contains(&address.to_string()), "it says which: {fault}");
    }
    let nowhere = patient("http://no-such-host.invalid:80");
    assert_eq!(once(&nowhere).await.code, Code::Unavailable);
}

#[actix_web::test]
async fn a_hanging_peer_is_a_deadline_and_is_not_asked_again() {
    let source = Source::start(|_, _| Reply::json("{}").after(Duration::from_secs(60)));
    let clients = clients(&source.url(), Duration::from_millis(400));
    let begun = Instant::now();
    for fault in [repeatable(&clients).await, once(&clients).await] {
        assert_eq!((fault.code, fault.code.retry()), (Code::Deadline, Retry::IfRepeatable));
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "two deadlines: {:?}", begun.elapsed());
    assert_eq!(source.count(), 2);
}

#[actix_web::test]
async fn a_stranger_is_a_bad_peer() {
    for reply in [
        page(200, "text/html", "<html><body>Welcome</body></html>"),
        page(200, "application/json", "{\"hello\":\"world\"}"),
        page(404, "text/html", "<html>nothing</html>"),
        page(502, "text/html", "<html>proxy</html>"),
        page(302, "text/html", ""),
    ] {
        let shown = format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        let (fault, sent) = both(reply).await;
        assert_eq!((fault.code, fault.code.retry()), (Code::BadPeer, Retry::IfRepeatable), "{shown}");
        assert_eq!(sent, [TRIES, 1], "{shown}");
    }
}

#[actix_web::test]
async fn a_proxy_that_lets_nothing_through_is_safe_to_ask_again() {
    for (status, code) in [(503, Code::Unavailable), (429, Code::TooManyRequests)] {
        let (fault, sent) = both(page(status, "text/html", "<html>later</html>")).await;
        assert_eq!((fault.code, sent), (code, [TRIES, TRIES]));
    }
    let (fault, sent) = both(page(504, "text/html", "<html>too late</html>")).await;
    assert_eq!((fault.code, sent), (Code::Deadline, [1, 1]));
}

/// A server that reads each request whole, answers these bytes, and closes.
struct Raw {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Raw {
    fn start(answer: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let raw = Self { address: listener.local_addr().unwrap(), served: Arc::default() };
        let served = Arc::clone(&raw.served);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                read_request(&mut stream);
                served.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer);
            }
        });
        raw
    }
}

fn read_request(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).unwrap_or(0);
        bytes.extend_from_slice(&piece[..read]);
        // The body is an object, so it ends with a brace.
        if read == 0 || bytes.ends_with(b"}") {
            return;
        }
    }
}

#[actix_web::test]
async fn an_exchange_that_breaks_off_is_not_repeated_where_it_may_have_been_handled() {
    for answer in [b"".as_slice(), b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"onl", b"SSH-2.0-OpenSSH_9\r\n"] {
        let raw = Raw::start(answer);
        let clients = patient(&format!("http://{}", raw.address));
        let fault = once(&clients).await;
        assert_eq!((fault.code, fault.code.retry()), (Code::BadPeer, Retry::IfRepeatable), "{fault}");
        assert_eq!(raw.served.load(Ordering::SeqCst), 1, "{fault}");
        assert_eq!(repeatable(&clients).await.code, Code::BadPeer);
        assert_eq!(raw.served.load(Ordering::SeqCst), 1 + TRIES);
    }
}

#[actix_web::test]
async fn a_peer_that_comes_back_is_not_noticed() {
    let source = Source::start(|_, before| match before {
        0 => problem(&Fault::new(Code::Restarting, "a moment")),
        1 => problem(&Fault::new(Code::Overloaded, "a moment")),
        _ => Reply::json(r#"{"request_id":7,"drone_id":null}"#),
    });
    let message = RunNow { tenant: TenantId::default(), profile_id: id("p") };
    let asked = patient(&source.url()).coordinator.ask(message).await.unwrap();
    assert_eq!((asked.request_id, source.count()), (7, 3));
}

#[actix_web::test]
async fn a_wrong_key_or_none_is_unauthenticated() {
    let folder = tempfile::tempdir().unwrap();
    let far = Far::start(folder.path());
    for key in [Some("another-key-0123456789".into()), None] {
        let clients = remote_clients(&Peer::new(&far.process.url, key, Duration::from_secs(10)));
        for fault in [repeatable(&clients).await, once(&clients).await] {
            assert_eq!((fault.code, fault.code.retry()), (Code::Unauthenticated, Retry::Never));
        }
    }
    let summary = far.side.clients.aggregator;
    let summary = summary.ask(chartly::protocol::aggregator::GetSummary { tenant: TenantId::default() }).await;
    assert_eq!(summary.unwrap().records, 0);
}

#[actix_web::test]
async fn a_role_that_the_peer_does_not_run_is_not_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let args = ["serve", "--port=0", "--drones=0", "--roles=registry", "--profiles-dir", data, "--data-dir", data];
    let node = crate::support::Process::chartly(&args, &[("REGISTRY_API_KEY", KEY)]);
    let fault = once(&patient(&node.url)).await;
    assert_eq!(fault.code, Code::NotFound, "{fault}");
}

#[test]
fn a_peer_of_the_release_before_is_understood_and_told_nothing_that_it_would_refuse() {
    let work: Work = serde_json::from_str(r#"{"revision":1,"assignments":[],"run_now":[]}"#).unwrap();
    assert_eq!(work.replays, []);
    let old =
        r#"{"drone_id":"d","clock_ms":null,"profiles":1,"running":0,"spooled":0,"spool_dropped":0,"done_requests":[]}"#;
    let beat: Beat = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&beat).unwrap(), old, "a drone that keeps nothing says nothing of it");
    let old = r#"{"state":"succeeded","started_ms":1,"requests":0,"bytes":0,"rows":0,"dropped":0}"#;
    let report: RunReport = serde_json::from_str(old).unwrap();
    assert_eq!(serde_json::to_string(&report).unwrap(), old);
}
