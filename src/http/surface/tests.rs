//! What is served and what is documented are the same, and nothing is served past the gate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use futures_util::future::join_all;

use super::*;
use crate::clients::Peer;
use crate::http::openapi;
use crate::http::testkit::{KEY, get, post, send};
use crate::settings;

/// A gateway whose roles are elsewhere, and away.
async fn serve(overrides: settings::Overrides, test: impl AsyncFnOnce(SocketAddr)) {
    let mut settings = settings::load(Path::new("config"), &HashMap::new(), overrides).unwrap();
    settings.http.port = Some(0);
    let away = || Peer::new("http://127.0.0.1:1", None, Duration::from_millis(200));
    let clients = Clients {
        registry: Client::Remote(away()),
        aggregator: Client::Remote(away()),
        coordinator: Client::Remote(away()),
        reporter: Client::Remote(away()),
    };
    let phase = watch::channel(Phase::Serving).0;
    let surface = Surface {
        settings: &settings,
        admin_key: &"secret".into(),
        root: &Root::new(),
        clients: &clients,
        elsewhere: &Elsewhere::of(&clients),
        events: &Events::default(),
        store: None,
        backups: None,
        phase: phase.subscribe(),
    };
    let bound = surface.bind().unwrap();
    let handle = bound.server.handle();
    tokio::select! {
        ended = bound.server => panic!("the server ended: {ended:?}"),
        () = test(bound.addresses[0]) => handle.stop(false).await,
    }
}

/// All documented routes, with a likely id in place of `{id}`.
fn documented() -> Vec<(&'static str, String)> {
    let paths = &openapi::document().paths.paths;
    let routes = paths.keys().flat_map(|path| openapi::methods_of(path).into_iter().map(move |method| (method, path)));
    routes.map(|(method, path)| (method, path.replace("{id}", "some-id"))).collect()
}

#[test]
fn the_documented_routes_are_these() {
    let paths = &openapi::document().paths.paths;
    let lines: Vec<_> = paths.keys().map(|path| format!("{path} {}", openapi::methods_of(path).join(" "))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_operation_is_described_whole() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} says nothing");
            assert!(operation["responses"]["default"].is_object(), "{method} {path} has no problem");
            let secured = operation["security"].is_array();
            assert_eq!(secured, method != "get", "{method} {path}");
            let in_path = operation["parameters"].as_array().into_iter().flatten().any(|one| one["in"] == "path");
            assert_eq!(in_path, path.contains("{id}"), "{method} {path}");
        }
    }
    // Each reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} is dangling");
    }
}

#[actix_web::test]
async fn what_is_documented_is_served_and_every_write_is_gated() {
    serve(vec![], async |address| {
        let check = async |method: &str, path: &str| {
            let open = send(address, &format!("{method} {path} HTTP/1.1\r\nContent-Length: 0\r\n"), b"").await;
            let is_gated = !matches!(method, "GET" | "HEAD") || path.starts_with("/api/drones/invites");
            assert_eq!(open.status == 401, is_gated, "{method} {path}: {}", open.head);
            let with_key = format!("{method} {path} HTTP/1.1\r\n{KEY}Content-Length: 0\r\n");
            let answer = send(address, &with_key, b"").await;
            assert!(!matches!(answer.status, 401 | 404 | 405), "{method} {path}: {} {}", answer.head, answer.body);
        };
        // The one never ends, the other takes a token in the place of the key.
        let apart = ["/api/events", "/api/drones/enrol"];
        let routes: Vec<_> = documented().into_iter().filter(|(_, path)| !apart.contains(&path.as_str())).collect();
        join_all(routes.iter().map(|(method, path)| check(method, path))).await;
    })
    .await;
}

#[actix_web::test]
async fn reads_are_gated_where_the_settings_say_so() {
    serve(vec![("http.require_key_for_reads", "true".into())], async |address| {
        let open = ["/", "/health", "/ready", "/metrics", "/api/docs", "/api/docs/errors", "/api/openapi.json"];
        for (method, path) in documented() {
            let answer = send(address, &format!("{method} {path} HTTP/1.1\r\nContent-Length: 0\r\n"), b"").await;
            assert_eq!(answer.status != 401, open.contains(&path.as_str()), "{method} {path}: {}", answer.head);
        }
    })
    .await;
}

#[actix_web::test]
async fn what_is_not_documented_is_not_there() {
    serve(vec![], async |address| {
        for path in ["/api", "/api/profile", "/api/profiles/a/b", "/internal/registry/get-profile", "/api/v1/records"] {
            for answer in
                [get(address, path).await, post(address, path, KEY, b"{}").await, post(address, path, "", b"").await]
            {
                assert_eq!(answer.code(), "not_found", "{path}");
            }
        }
        for (method, path) in documented().into_iter().filter(|(method, _)| *method == "POST") {
            let answer = send(address, &format!("PATCH {path} HTTP/1.1\r\n{KEY}Content-Length: 0\r\n"), b"").await;
            assert_eq!(answer.code(), "method_not_allowed", "PATCH instead of {method} {path}");
            assert!(answer.head.contains("\r\nallow: "), "{}", answer.head);
        }
    })
    .await;
}

#[actix_web::test]
async fn a_role_that_is_away_is_said_to_be() {
    serve(vec![], async |address| {
        let answer = get(address, "/api/profiles").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
        assert!(answer.head.contains("retry-after"), "{}", answer.head);
        let status = get(address, "/api/status").await;
        assert_eq!(status.status, 200);
        assert_eq!(status.json()["problems"].as_array().unwrap().len(), 3, "{}", status.body);
        assert_eq!(status.json()["roles"][1]["place"], "http://127.0.0.1:1");
    })
    .await;
}

#[actix_web::test]
async fn bad_input_is_refused_before_a_role_is_asked() {
    serve(vec![], async |address| {
        let record = r#"{"drone_id":"d","profile_id":"p","run_id":"r","data":[{"measures":{"v":1}}]"#;
        for (path, body, code, at) in [
            ("/api/results", "{\n\"drone_id\": NaN}", "malformed_json", "line 2, column 13"),
            ("/api/results", &format!("{record},\"colour\":1}}"), "malformed_json", "line 1, column 84"),
            (
                "/api/results",
                r#"{"drone_id":"d","profile_id":"a/b","run_id":"r"}"#,
                "malformed_json",
                "line 1, column 34",
            ),
            ("/api/results", r#"{"drone_id":"d","profile_id":"p","run_id":"r"}"#, "invalid_request", "data"),
            ("/api/results?dry=1", &format!("{record}}}"), "invalid_request", "dry"),
            ("/api/reports", r#"{"join":[],"inputs":[],"output":{"type":"chart"}}"#, "malformed_json", ""),
            ("/api/drones/register", r#"{"drone_id":"../etc"}"#, "malformed_json", ""),
            ("/api/drones/a%2Fb:drain", "", "invalid_request", "id"),
            ("/api/profiles/a.b:pause", "", "invalid_request", "id"),
            ("/api/profiles/p:rollback", r#"{"to":"v1"}"#, "malformed_json", ""),
        ] {
            let answer = post(address, path, KEY, body.as_bytes()).await;
            assert_eq!(answer.code(), code, "{path} {body}: {}", answer.body);
            let found = answer.json()["errors"][0]["at"].as_str().unwrap_or_default().to_owned();
            assert!(at.is_empty() || found == at, "{path} {body}: {}", answer.body);
        }
        for (path, code) in [
            ("/api/records?profileid=x", "invalid_request"),
            ("/api/records?limit=0", "invalid_request"),
            ("/api/runs?state=done", "invalid_request"),
            ("/api/drones/d/work?wait_ms=60000", "invalid_request"),
            ("/api/profiles/p?digest=sha1:00", "invalid_request"),
        ] {
            assert_eq!(get(address, path).await.code(), code, "{path}");
        }
        let parquet = "GET /api/reports/1 HTTP/1.1\r\nAccept: application/vnd.apache.parquet\r\n";
        assert_eq!(send(address, parquet, b"").await.code(), "not_acceptable");
    })
    .await;
}
