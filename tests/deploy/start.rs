//! Bad input at the start: one line with the mend, an exit code by kind, nothing half-started. The codes stand in
//! docs/deployment.md.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::ended::{Ended, chartly, chartly_as_nobody, drone, repository};
use crate::support::{KEY, Process, get, until};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `chartly serve` on a free port with its data in `data`.
fn serve(data: &Path, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let mut all = vec!["serve", "--port", "0", "--data-dir", text(data)];
    all.extend(args);
    chartly(&all, env)
}

fn is_refused(ended: &Ended, code: i32, hints: &[&str]) {
    assert_eq!(ended.code, code, "{ended:?}");
    for hint in hints {
        assert!(ended.line().contains(hint), "{hint}: {}", ended.line());
    }
    assert!(!ended.stderr.contains("listens on"), "{ended:?}");
}

#[test]
fn a_port_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = folder.path().join("data");
    let ended = serve(&data, &["--port", &port], &[]);
    is_refused(&ended, 2, &[]);
    let ended = chartly(&["serve", "--port", &port, "--data-dir", text(&data)], &[]);
    is_refused(&ended, 69, &[&port, "--port"]);
    assert!(!data.exists(), "nothing was made");
    let ended = chartly(&["serve", "--host", "192.0.2.1", "--data-dir", text(&data)], &[]);
    is_refused(&ended, 69, &["192.0.2.1:8090"]);
}

#[test]
fn a_data_folder_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    is_refused(&serve(&file, &[], &[]), 74, &["file", "--data-dir"]);
    is_refused(&serve(&file.join("below"), &[], &[]), 74, &["file/below", "--data-dir"]);

    let closed = folder.path().join("closed");
    for mode in [0o500, 0o000] {
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(mode)).unwrap();
        let ended = chartly_as_nobody(folder.path(), &["serve", "--port", "0", "--data-dir", text(&closed)]);
        is_refused(&ended, 74, &["closed"]);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(fs::read_dir(&closed).unwrap().count(), 0, "nothing was made");
        fs::remove_dir(&closed).unwrap();
    }
}

#[test]
fn a_store_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("results.db"), "this is no database, and long enough to be looked at as one").unwrap();
    is_refused(&serve(folder.path(), &[], &[]), 74, &["results.db"]);
    let kept = fs::read_to_string(folder.path().join("results.db")).unwrap();
    assert!(kept.starts_with("this is no database"), "left as it was");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = format!("{}/x.db", text(&file));
    is_refused(&serve(&folder.path().join("other"), &[], &[("DB_DSN", &below)]), 74, &["file"]);
}

#[test]
fn a_second_process_on_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Process::serve(folder.path(), &["--drones", "0"]);
    is_refused(&serve(folder.path(), &["--drones", "0"], &[("REGISTRY_API_KEY", KEY)]), 74, &["locked by another"]);
}

#[test]
fn unknown_roles_and_half_a_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    is_refused(&serve(&data, &["--roles", "gateway,registy"], &[]), 78, &["did you mean registry?", "(--roles)"]);
    fs::write(folder.path().join("prod.yaml"), "http:\n  host: \"0.0.").unwrap();
    let args = ["--config", text(folder.path())];
    is_refused(&serve(&data, &args, &[("CHARTLY_ENV", "prod")]), 78, &["prod.yaml:", "is it whole?"]);
    is_refused(&serve(&data, &args, &[("CHARTLY_ENV", "prdo")]), 78, &["did you mean prod?"]);
    is_refused(&serve(&data, &[], &[("REPORTER_URL", "htp://x:1")]), 78, &["did you mean http://x:1?"]);
    is_refused(&serve(&data, &[], &[("CHARTLY__DRONE__REWRITE", "nonsense")]), 78, &["host=URL"]);
    is_refused(&serve(&data, &[], &[("DB_DSN", "mysql://u:secret@h/d")]), 78, &["postgres"]);
    assert!(!data.exists(), "nothing was made");
}

const GATEWAY: [&str; 2] = ["--roles", "gateway"];

#[test]
fn a_wrong_key_between_services() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Process::serve(&folder.path().join("a"), &["--roles", "registry"]);
    let env = [("REGISTRY_API_KEY", "another-key-0123"), ("REGISTRY_URL", registry.url.as_str())];
    let ended = serve(&folder.path().join("b"), &GATEWAY, &env);
    is_refused(&ended, 77, &[&registry.url, "the same REGISTRY_API_KEY"]);
    assert!(!ended.stderr.contains("another-key"), "{ended:?}");
}

#[test]
fn a_drone_whose_key_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0"]);
    let data = folder.path().join("drone");
    let args = ["--control-plane", &node.url, "--data-dir", text(&data)];
    is_refused(
        &drone(&args, &[("REGISTRY_API_KEY", "another-key-0123"), ("CHARTLY_LOG", "error")]),
        77,
        &["REGISTRY_API_KEY"],
    );
    is_refused(&drone(&args, &[("CHARTLY_LOG", "error")]), 77, &["REGISTRY_API_KEY"]);
    assert!(!data.join("spool.db").exists(), "nothing half-started");
}

#[test]
fn an_address_where_another_role_runs() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Process::serve(&folder.path().join("a"), &["--roles", "registry"]);
    let env = [("REGISTRY_API_KEY", KEY), ("AGGREGATOR_URL", registry.url.as_str())];
    is_refused(&serve(&folder.path().join("b"), &GATEWAY, &env), 78, &["runs registry, not the aggregator"]);
}

/// A stand-in for a service that we cannot build: one of a release to come, or another program.
fn stranger(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let length = answer.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}");
        }
    });
    url
}

#[test]
fn a_peer_of_another_version_and_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let newer = stranger(r#"{"version":"9.0.0","protocol":99,"roles":["registry"]}"#);
    let env = [("REGISTRY_API_KEY", KEY), ("REGISTRY_URL", newer.as_str())];
    is_refused(&serve(&folder.path().join("b"), &GATEWAY, &env), 76, &["9.0.0", "protocol 99"]);
    let other = stranger("<html>hello</html>");
    let env = [("REGISTRY_API_KEY", KEY), ("REGISTRY_URL", other.as_str())];
    is_refused(&serve(&folder.path().join("b"), &GATEWAY, &env), 76, &["not as Chartly does", "check the address"]);
    for url in [newer, other] {
        let data = folder.path().join("drone");
        let args = ["--control-plane", &url, "--data-dir", text(&data)];
        is_refused(&drone(&args, &[("CHARTLY_LOG", "error")]), 76, &[&url]);
    }
}

#[actix_web::test]
async fn a_service_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let data = folder.path().join("gateway");
    let args = ["serve", "--roles", "gateway", "--port", "0", "--data-dir", text(&data)];
    let gateway = Process::chartly(&args, &[("REGISTRY_API_KEY", KEY), ("REGISTRY_URL", &url)]);
    let health = async || get(&format!("{}/health", gateway.url)).await.json();
    let soon = Duration::from_secs(10);
    until("it is missed", soon, async || health().await["away"].to_string().contains("registry").then_some(())).await;
    let port = free.port().to_string();
    let data = folder.path().join("registry");
    let args = ["serve", "--roles", "registry", "--port", &port, "--data-dir", text(&data)];
    let _registry = Process::chartly(&args, &[("REGISTRY_API_KEY", KEY)]);
    until("it is found", soon, async || (!health().await["away"].to_string().contains("registry")).then_some(())).await;
}

#[actix_web::test]
async fn a_key_that_differs_later_is_named_in_the_health() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let data = folder.path().join("gateway");
    let args = ["serve", "--roles", "gateway", "--port", "0", "--data-dir", text(&data)];
    let gateway = Process::chartly(&args, &[("REGISTRY_API_KEY", KEY), ("REPORTER_URL", &format!("http://{free}"))]);
    let data = folder.path().join("reporter");
    let port = free.port().to_string();
    let args = ["serve", "--roles", "reporter", "--port", &port, "--data-dir", text(&data)];
    let _reporter = Process::chartly(&args, &[("REGISTRY_API_KEY", "another-key-0123")]);
    until("it is said", Duration::from_secs(10), async || {
        let status = get(&format!("{}/api/status", gateway.url)).await.text();
        (status.contains("does not take our key")).then_some(())
    })
    .await;
}

#[test]
fn the_exit_codes_are_documented() {
    let docs = fs::read_to_string(repository().join("docs/deployment.md")).unwrap();
    for code in [0, 1, 2, 69, 70, 74, 76, 77, 78] {
        assert!(docs.contains(&format!("| {code} |")), "{code}");
    }
}
