//! The infrastructure on a real socket: what a caller sees when a handler fails, is slow, or is sent nonsense.

use std::time::Instant;

use actix_web::{get, post};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::*;
use crate::domain::ids::ProfileId;
use crate::http::elsewhere::Elsewhere;
use crate::http::extract::{Caller, Json, PathId};
use crate::http::metrics::Totals;
use crate::http::node::{NodeView, Phase};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::http::testkit::{KEY, get, post, read, send};
use crate::http::{docs, health};
use crate::runtime::Root;
use crate::settings::HttpSettings;

#[get("/test/panic")]
async fn panics() -> HttpResponse {
    panic!("boom: token=hush")
}

#[get("/test/slow")]
async fn is_slow() -> HttpResponse {
    tokio::time::sleep(Duration::from_secs(60)).await;
    HttpResponse::Ok().finish()
}

#[get("/test/list")]
async fn lists(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    Params::of(&request, &["limit", "profile_id"])?.page()?;
    Ok(HttpResponse::Ok().finish())
}

#[get("/test/things/{id}")]
async fn finds(PathId(id): PathId<ProfileId>) -> String {
    id.to_string()
}

#[post("/test/echo")]
async fn echoes(caller: Caller, Json(body): Json<Vec<u32>>) -> HttpResponse {
    HttpResponse::Ok().json((caller.tenant, body))
}

#[post("/internal/test")]
async fn answers_roles(Json(body): Json<u32>) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

fn settings() -> HttpSettings {
    HttpSettings {
        host: "127.0.0.1".into(),
        port: Some(0),
        workers: 1,
        max_body_bytes: 10_000,
        max_inflated_bytes: 100_000,
        request_timeout_ms: 400,
        rate_per_second: 1000,
        rate_burst: 1000,
        require_key_for_reads: false,
        max_event_subscribers: 2,
        drone_rate_per_second: 1000,
        drone_rate_burst: 1000,
    }
}

/// Runs `test` against a server on a free port.
async fn serve(settings: HttpSettings, test: impl AsyncFnOnce(SocketAddr)) {
    serve_node(settings, &watch::channel(Phase::Serving).0, test).await;
}

async fn serve_node(settings: HttpSettings, phase: &watch::Sender<Phase>, test: impl AsyncFnOnce(SocketAddr)) {
    let node = NodeView {
        version: "1.2.3",
        started: Instant::now(),
        roles: [].into(),
        root: Root::new(),
        elsewhere: Elsewhere::default(),
        phase: phase.subscribe(),
        store: None,
        backups: None,
    };
    let metrics = crate::telemetry::install_metrics().unwrap();
    let routes: Routes = Arc::new(move |config| {
        config.app_data(web::Data::new(Totals::default()));
        config.app_data(web::Data::new(node.clone())).app_data(web::Data::new(metrics.clone()));
        config.configure(health::routes).configure(docs::routes).configure(docs::files);
        config.service(panics).service(is_slow).service(lists).service(finds).service(echoes).service(answers_roles);
    });
    let listen = Listen { host: settings.host.clone(), port: 0, workers: 1, shutdown_timeout: Duration::from_secs(1) };
    let state = AppState::new(&settings, "secret");
    let bound = bind(&listen, state, vec![routes]).unwrap();
    let handle = bound.server.handle();
    tokio::select! {
        ended = bound.server => panic!("the server ended: {ended:?}"),
        () = test(bound.addresses[0]) => handle.stop(false).await,
    }
}

#[actix_web::test]
async fn every_error_is_a_problem() {
    serve(settings(), async |address| {
        for (answer, status, code) in [
            (get(address, "/nowhere").await, 404, "not_found"),
            (get(address, "/api/docs/nowhere.js").await, 404, "not_found"),
            (get(address, "/test/list?limit=0").await, 400, "invalid_request"),
            (get(address, "/test/list?profile=x").await, 400, "invalid_request"),
            (get(address, "/test/list?limit=%zz").await, 400, "invalid_request"),
            (get(address, "/test/things/a%2Fb").await, 400, "invalid_request"),
            (get(address, "/test/things/a.b").await, 400, "invalid_request"),
            (post(address, "/health", KEY, b"").await, 405, "method_not_allowed"),
            (post(address, "/nowhere", KEY, b"").await, 404, "not_found"),
            (post(address, "/nowhere", "", b"").await, 404, "not_found"),
            (post(address, "/test/echo", "", b"[1]").await, 401, "unauthenticated"),
            (post(address, "/test/echo", KEY, b"[1,\n nope]").await, 400, "malformed_json"),
            (post(address, "/test/echo", KEY, b"[NaN]").await, 400, "malformed_json"),
            (post(address, "/test/echo", KEY, &[b'['; 9000]).await, 400, "malformed_json"),
            (post(address, "/test/echo", KEY, &[b' '; 10_001]).await, 413, "body_too_large"),
            (
                post(address, "/test/echo", &format!("{KEY}Content-Encoding: br\r\n"), b"x").await,
                415,
                "unsupported_type",
            ),
            (
                post(address, "/test/echo", &format!("{KEY}Content-Type: text/csv\r\n"), b"x").await,
                415,
                "unsupported_type",
            ),
        ] {
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{} {}", answer.head, answer.body);
            assert!(answer.json()["request_id"].is_string());
        }
        let answer = post(address, "/test/echo", KEY, b"[1,\n nope]").await;
        assert_eq!(answer.json()["errors"][0]["at"], "line 2, column 3");
        assert!(post(address, "/health", KEY, b"").await.head.contains("allow: get, head"));
    })
    .await;
}

#[actix_web::test]
async fn a_good_request_is_answered() {
    serve(settings(), async |address| {
        let answer = post(address, "/test/echo", KEY, b"[1,2]").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"["default",[1,2]]"#));
        for header in ["x-content-type-options: nosniff", "referrer-policy: no-referrer", "content-security-policy: "] {
            assert!(answer.head.contains(header), "{header} is missing in {}", answer.head);
        }
        let head = send(address, "HEAD /health HTTP/1.1\r\n", b"").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
    })
    .await;
}

#[actix_web::test]
async fn request_ids_are_kept_or_made() {
    serve(settings(), async |address| {
        let given = send(address, "GET /nowhere HTTP/1.1\r\nX-Request-Id: job-7\r\n", b"").await;
        assert!(given.head.contains("x-request-id: job-7"), "{}", given.head);
        assert_eq!(given.json()["request_id"], "job-7");
        let bad = send(address, "GET /nowhere HTTP/1.1\r\nX-Request-Id: <b>\r\n", b"").await;
        let made = bad.json()["request_id"].as_str().unwrap().to_owned();
        assert!(bad.head.contains(&format!("x-request-id: {made}")) && made.len() == 36);
    })
    .await;
}

#[actix_web::test]
async fn a_panic_costs_its_caller_a_500_and_nobody_else_anything() {
    serve(settings(), async |address| {
        for _ in 0..5 {
            let answer = get(address, "/test/panic").await;
            assert_eq!((answer.status, answer.code().as_str()), (500, "crashed"));
            assert!(!answer.body.contains("hush") && answer.head.contains("x-request-id"));
        }
        assert_eq!(get(address, "/health").await.status, 200);
        let metrics = get(address, "/metrics").await.body;
        assert!(metrics.contains("chartly_http_panics_total"), "{metrics}");
        assert!(metrics.contains(r#"route="/test/panic",status="500""#), "{metrics}");
    })
    .await;
}

#[actix_web::test]
async fn slow_handlers_and_slow_bodies_end_in_time() {
    serve(settings(), async |address| {
        let slow = get(address, "/test/slow").await;
        assert_eq!((slow.status, slow.code().as_str()), (504, "deadline"));
        let head = format!("POST /test/echo HTTP/1.1\r\n{KEY}Content-Length: 100\r\n");
        let drip = send(address, &head, b"[1,").await;
        assert_eq!((drip.status, drip.code().as_str()), (408, "request_timeout"));
        assert_eq!(get(address, "/health").await.status, 200);
    })
    .await;
}

#[actix_web::test]
async fn a_huge_body_is_refused_by_its_header() {
    serve(settings(), async |address| {
        let started = Instant::now();
        let mut connection = TcpStream::connect(address).await.unwrap();
        let head = format!("POST /test/echo HTTP/1.1\r\nHost: x\r\n{KEY}Content-Length: 10737418240\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&[b' '; 5000]).await.unwrap();
        let answer = read(connection).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
        assert!(started.elapsed() < Duration::from_secs(3), "the connection stayed open");
    })
    .await;
}

#[actix_web::test]
async fn a_body_without_a_length_is_refused_at_the_limit() {
    serve(settings(), async |address| {
        let head = format!("POST /test/echo HTTP/1.1\r\n{KEY}Transfer-Encoding: chunked\r\n");
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
        let answer = send(address, &head, chunk.repeat(8).as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    })
    .await;
}

#[actix_web::test]
async fn too_many_requests_are_told_when_to_come_back() {
    serve(HttpSettings { rate_per_second: 1, rate_burst: 3, ..settings() }, async |address| {
        // On a slow machine some of the rate comes back meanwhile.
        let mut refused = post(address, "/test/echo", "X-API-Key: guess\r\n", b"[1]").await;
        for _ in 0..50 {
            if refused.status == 429 {
                break;
            }
            assert_eq!(refused.status, 401);
            refused = post(address, "/test/echo", "X-API-Key: guess-again\r\n", b"[1]").await;
        }
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_requests"));
        assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
        assert_eq!(get(address, "/health").await.status, 200, "probes are not counted");
        assert_eq!(post(address, "/test/echo", KEY, b"[1]").await.status, 200, "a good key has its own rate");
        for _ in 0..5 {
            assert_eq!(post(address, "/internal/test", KEY, b"1").await.status, 200, "roles are not counted");
        }
    })
    .await;
}

#[actix_web::test]
async fn escapes_in_the_path_do_not_get_past_the_gate() {
    serve(settings(), async |address| {
        for path in ["/internal/test", "/%69nternal/test", "/internal/%74est"] {
            let answer = post(address, path, "", b"1").await;
            assert_eq!(answer.code(), "unauthenticated", "{path}");
        }
    })
    .await;
}

#[actix_web::test]
async fn readiness_follows_the_node() {
    let (phase, _) = watch::channel(Phase::Starting);
    serve_node(settings(), &phase, async |address| {
        assert_eq!(get(address, "/ready").await.code(), "unavailable");
        phase.send_replace(Phase::Serving);
        assert_eq!(get(address, "/ready").await.status, 200);
        phase.send_replace(Phase::Stopping);
        let answer = get(address, "/ready").await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("shutting down"), "{}", answer.body);
        let health = get(address, "/health").await;
        assert_eq!((health.status, health.json()["phase"].as_str()), (200, Some("stopping")));
    })
    .await;
}

#[actix_web::test]
async fn the_documentation_needs_no_other_server() {
    serve(settings(), async |address| {
        assert!(get(address, "/").await.head.contains("location: /api/docs/"));
        assert!(get(address, "/api/docs").await.head.contains("location: /api/docs/"));
        let page = get(address, "/api/docs/").await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("http://") && !page.body.contains("https://"), "{}", page.body);
        let start = get(address, "/api/docs/swagger-initializer.js").await.body;
        assert!(start.contains("/api/openapi.json") && !start.contains("petstore"), "{start}");
        let document = get(address, "/api/openapi.json").await.json();
        assert_eq!(document["openapi"], "3.1.0");
        let errors = get(address, "/api/docs/errors").await.body;
        assert!(Code::ALL.iter().all(|code| errors.contains(&format!("id=\"{}\"", code.name()))));
    })
    .await;
}
