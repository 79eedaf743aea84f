//! Bad input of every kind: each gets a precise answer and changes nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, KEY, Process, get, post, put_profile, send};

const GOOD: &str = "id: good\nname: good\nversion: 1.0.0\n\
    source: { type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }\n\
    schedule: { enabled: false, interval: 1h }\nmapping:\n  n: dims.n\n  v: measures.v\n";

async fn node() -> (tempfile::TempDir, Process) {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let answer = put_profile(&node.url, GOOD).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    (folder, node)
}

async fn results(base: &str, body: impl Into<Vec<u8>>) -> Answer {
    let headers = [("content-type", "application/json"), ("x-api-key", KEY)];
    send("POST", &format!("{base}/api/results"), &headers, body).await
}

async fn nothing_changed(base: &str) {
    let summary = get(&format!("{base}/api/results/summary")).await.json();
    assert_eq!((&summary["records"], &summary["runs"]), (&json!(0), &json!(0)), "{summary}");
    assert_eq!(get(&format!("{base}/health")).await.json()["status"], json!("ok"));
}

fn with_data(data: &str) -> String {
    format!(r#"{{"drone_id":"d","profile_id":"good","run_id":"r","data":{data}}}"#)
}

#[actix_web::test]
async fn malformed_results_are_refused_with_a_place() {
    let (_folder, node) = node().await;
    let nested = "[".repeat(20_000);
    for (body, code) in [
        ("{".to_owned(), "malformed_json"),
        ("".to_owned(), "malformed_json"),
        (with_data("[{\"dims\":{},\"measures\":{\"v\":NaN}}]"), "malformed_json"),
        (with_data("{}"), "malformed_json"),
        (with_data("[]"), "invalid_request"),
        (nested, "malformed_json"),
        (with_data("[]").replace("\"d\"", "\"a/../b\""), "malformed_json"),
        (with_data("[]").replace("\"run_id\"", "\"runid\""), "malformed_json"),
        (with_data("[{\"dims\":{},\"measures\":{\"v\":1}}]").replace("good", "nowhere"), "unknown_profile"),
    ] {
        let shown: String = body.chars().take(120).collect();
        let answer = results(&node.url, body).await;
        assert_eq!(answer.code(), code, "{shown}: {}", answer.text());
        assert!(!answer.json()["detail"].as_str().unwrap().is_empty());
    }
    let answer = results(&node.url, "{\n  \"drone_id\": NaN }").await;
    assert!(answer.text().contains("line 2"), "{}", answer.text());
    nothing_changed(&node.url).await;
}

#[actix_web::test]
async fn one_bad_record_is_named_and_the_others_are_stored() {
    let (_folder, node) = node().await;
    let data = r#"[{"dims":{"n":"1"},"measures":{"v":1}},{"dims":{"n":2},"measures":{"v":1}},{"dims":{"n":"3"},"measures":{"v":3}},NESTED]"#;
    let nested = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let receipt = results(&node.url, with_data(&data.replace("NESTED", &nested))).await.json();
    assert_eq!((&receipt["inserted"], &receipt["rejected"]), (&json!(2), &json!(2)), "{receipt}");
    assert_eq!(receipt["rejects"][0]["index"], json!(1));
    assert!(receipt["rejects"][0]["reason"].as_str().unwrap().contains("dims.n"), "{receipt}");
}

#[actix_web::test]
async fn large_bodies_are_refused_before_they_fill_the_memory() {
    let (_folder, node) = node().await;
    let before = node.rss_kib();
    // 10 GB by its own word: refused by the head alone.
    let address = node.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /api/results HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {KEY}\r\nContent-Type: application/json\r\n\
         Content-Length: 10000000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 413"), "{:?}", &answer[..read]);

    // 20 MB really sent, and 200 MB that come as a few kilobytes of zstd.
    let answer = results(&node.url, vec![b' '; 20_000_000]).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let packed = zstd::encode_all(&vec![b' '; 200_000_000][..], 3).unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "zstd"), ("x-api-key", KEY)];
    let answer = send("POST", &format!("{}/api/results", node.url), &headers, packed).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    let grown = node.rss_kib().saturating_sub(before);
    assert!(grown < 150_000, "memory grew by {grown} KiB");
    nothing_changed(&node.url).await;
}

#[actix_web::test]
async fn bad_profiles_are_refused_with_line_and_column() {
    let (_folder, node) = node().await;
    let bomb = {
        let mut text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            text.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(",")));
        }
        text
    };
    for (yaml, hint) in [
        (GOOD.replace("http://127.0.0.1:9/", "ftp://example.org/"), "http"),
        (GOOD.replace("name: good", "nmae: good"), "name"),
        (GOOD.replace("id: good", "id: ../good"), "profile id"),
        (format!("{GOOD}name: twice\n"), "name"),
        (bomb, ""),
        ("[".repeat(20_000), ""),
        ("id: [unclosed".to_owned(), ""),
    ] {
        let shown: String = yaml.chars().take(60).collect();
        let answer = put_profile(&node.url, &yaml).await;
        assert_eq!((answer.status, answer.code().as_str()), (422, "invalid_profile"), "{shown}: {}", answer.text());
        let problem = answer.json();
        let place = &problem["errors"][0];
        assert!(place["at"].as_str().unwrap().starts_with("line "), "{shown}: {problem}");
        assert!(problem.to_string().contains(hint), "{shown}: {problem}");
    }
    let listed = get(&format!("{}/api/profiles", node.url)).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
}

#[actix_web::test]
async fn ids_with_slashes_and_dots_name_nothing() {
    let (_folder, node) = node().await;
    for path in
        ["/api/profiles/..%2f..%2fetc%2fpasswd", "/api/profiles/a.b", "/api/profiles/", "/api/drones/..", "/nowhere"]
    {
        let answer = get(&format!("{}{path}", node.url)).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.text());
        answer.code();
    }
}

#[actix_web::test]
async fn reports_that_make_no_sense_say_which_field() {
    let (_folder, node) = node().await;
    let input = json!({"profile_id": "good", "measure": "measures.v"});
    for (report, hint) in [
        (json!({"join": [], "inputs": [input], "output": {"type": "table"}}), "join"),
        (json!({"join": ["dims.n"], "inputs": [], "output": {"type": "table"}}), "inputs"),
        (json!({"join": ["geo"], "inputs": [input, input], "output": {"type": "table"}}), "dims."),
        (
            json!({"join": ["dims.n"], "inputs": [input, input], "output": {"type": "correlation", "method": "magic"}}),
            "magic",
        ),
        (json!({"join": ["dims.n"], "inputs": [input], "output": {"type": "table"}, "window": {"limit": 0}}), "limit"),
        (
            json!({"join": ["dims.n"], "inputs": [{"profile_id": "none", "measure": "measures.v"}, input], "output": {"type": "table"}}),
            "none",
        ),
    ] {
        let answer = post(&format!("{}/api/reports", node.url), &report).await;
        assert!((400..500).contains(&answer.status), "{report}: {}", answer.text());
        answer.code();
        assert!(answer.text().contains(hint), "{report}: {}", answer.text());
    }
}

#[actix_web::test]
async fn a_drone_whose_clock_is_a_day_off_works_and_is_seen() {
    let (_folder, node) = node().await;
    let clock_ms = 86_400_000 + std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let hello = json!({"drone_id": "late", "clock_ms": clock_ms});
    assert_eq!(post(&format!("{}/api/drones/register", node.url), &hello).await.status, 200);
    let drone = get(&format!("{}/api/drones/late", node.url)).await.json();
    let skew = drone["clock_skew_ms"].as_i64().unwrap();
    assert!((86_390_000..86_410_000).contains(&skew), "{drone}");
    assert_eq!(drone["state"], json!("online"));
}

#[actix_web::test]
async fn a_broken_file_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(profiles.join("government")).unwrap();
    std::fs::write(profiles.join("government/good.yaml"), GOOD).unwrap();
    std::fs::write(profiles.join("broken.yaml"), "id: broken\nname: [1, 2\n").unwrap();
    std::fs::write(profiles.join("latin1.yaml"), b"id: x\nname: caf\xe9\n").unwrap();
    let dir = profiles.to_str().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0", "--profiles-dir", dir]);
    let listed = get(&format!("{}/api/profiles", node.url)).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    let status: Value = get(&format!("{}/api/status", node.url)).await.json();
    let text = status.to_string();
    assert!(text.contains("broken.yaml:") && text.contains("latin1.yaml"), "{text}");
}
