//! The registry as an operator meets it: the folder is watched, versions are kept, and a fault hides nothing else.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{KEY, Process, get, post, put_profile, send, until};

const SOON: Duration = Duration::from_secs(10);

fn yaml(id: &str, name: &str) -> String {
    format!(
        "id: {id}\nname: {name}\nversion: 1.0.0\nsource: {{ type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }}\n\
         schedule: {{ enabled: true, interval: 1h }}\nmapping:\n  n: dims.n\n  v: measures.v\n"
    )
}

async fn named(base: &str, id: &str) -> Option<Value> {
    let answer = get(&format!("{base}/api/profiles/{id}")).await;
    (answer.status == 200).then(|| answer.json())
}

#[actix_web::test]
async fn the_folder_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(profiles.join("deep/er")).unwrap();
    let file = profiles.join("deep/er/a.yaml");
    std::fs::write(&file, yaml("a", "first")).unwrap();
    let dir = profiles.to_str().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0", "--profiles-dir", dir]);
    let base = node.url.clone();
    assert_eq!(named(&base, "a").await.unwrap()["name"], json!("first"), "loaded before the node is ready");

    std::fs::write(&file, yaml("a", "second, longer")).unwrap();
    until("the change is taken", SOON, async || {
        named(&base, "a").await.filter(|view| view["name"] == "second, longer")
    })
    .await;
    let versions = get(&format!("{base}/api/profiles/a/versions")).await.json();
    assert_eq!(
        versions.as_array().map_or_else(|| versions["items"].as_array().unwrap().len(), Vec::len),
        2,
        "{versions}"
    );

    std::fs::write(&file, "id: a\nname: [broken\n").unwrap();
    until("the fault is reported", SOON, async || {
        let status = get(&format!("{base}/api/status")).await.text();
        status.contains("a.yaml:").then_some(())
    })
    .await;
    assert_eq!(named(&base, "a").await.unwrap()["name"], json!("second, longer"), "the last good version stays");

    std::fs::write(profiles.join("twin.yaml"), yaml("b", "one")).unwrap();
    until("the second file is taken", SOON, async || named(&base, "b").await).await;
    std::fs::write(profiles.join("twin2.yaml"), yaml("b", "two")).unwrap();
    until("the doubled id is reported", SOON, async || {
        let status = get(&format!("{base}/api/status")).await.text();
        status.contains("twin2.yaml").then_some(())
    })
    .await;
    assert_eq!(named(&base, "b").await.unwrap()["name"], json!("one"));

    std::fs::remove_file(profiles.join("twin2.yaml")).unwrap();
    std::fs::remove_file(profiles.join("twin.yaml")).unwrap();
    until("the removed file's profile is gone", SOON, async || named(&base, "b").await.is_none().then_some(())).await;
}

async fn put(base: &str, id: &str, text: &str, if_match: Option<&str>) -> crate::support::Answer {
    let mut headers = vec![("content-type", "application/yaml"), ("x-api-key", KEY)];
    headers.extend(if_match.map(|digest| ("if-match", digest)));
    send("PUT", &format!("{base}/api/profiles/{id}"), &headers, text).await
}

#[actix_web::test]
async fn versions_are_kept_and_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let node = Process::serve(folder.path(), &["--drones", "0"]);
    let base = node.url.clone();
    assert_eq!(put_profile(&base, &yaml("a", "first")).await.status, 201);
    let again = put_profile(&base, &yaml("a", "other")).await;
    assert_eq!((again.status, again.code().as_str()), (409, "profile_exists"));

    let first = get(&format!("{base}/api/profiles/a")).await;
    let etag = first.etag.clone().unwrap();
    let unchanged = send("GET", &format!("{base}/api/profiles/a"), &[("if-none-match", &etag)], "").await;
    assert_eq!(unchanged.status, 304);

    assert_eq!(put(&base, "a", &yaml("a", "second"), Some(&etag)).await.status, 200);
    let late = put(&base, "a", &yaml("a", "third"), Some(&etag)).await;
    assert_eq!((late.status, late.code().as_str()), (412, "version_conflict"));
    let other = put(&base, "b", &yaml("a", "third"), None).await;
    assert_eq!(other.status, 400, "{}", other.text());

    let back = post(&format!("{base}/api/profiles/a:rollback"), &json!({})).await;
    assert_eq!((back.status, &back.json()["name"]), (200, &json!("first")), "{}", back.text());
    let text = send("GET", &format!("{base}/api/profiles/a"), &[("accept", "application/yaml")], "").await;
    assert_eq!(text.text(), yaml("a", "first"), "the text comes back as it was written");
}

#[actix_web::test]
async fn a_version_put_by_the_api_survives_a_restart_beside_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, data) = (folder.path().join("profiles"), folder.path().join("node"));
    std::fs::create_dir_all(&profiles).unwrap();
    std::fs::write(profiles.join("a.yaml"), yaml("a", "from the folder")).unwrap();
    let start = |data: &Path| Process::serve(data, &["--drones", "0", "--profiles-dir", profiles.to_str().unwrap()]);
    let mut node = start(&data);
    assert_eq!(put(&node.url, "a", &yaml("a", "by the API"), None).await.status, 200);
    node.terminate(Duration::from_secs(20));
    let node = start(&data);
    assert_eq!(named(&node.url, "a").await.unwrap()["name"], json!("by the API"));
    std::fs::write(profiles.join("a.yaml"), yaml("a", "changed in the folder")).unwrap();
    until("a changed file wins", SOON, async || {
        named(&node.url, "a").await.filter(|view| view["name"] == "changed in the folder")
    })
    .await;
}

#[actix_web::test]
async fn what_happens_to_files_while_the_node_is_down_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, data) = (folder.path().join("profiles"), folder.path().join("node"));
    std::fs::create_dir_all(&profiles).unwrap();
    for name in ["stays", "goes"] {
        std::fs::write(profiles.join(format!("{name}.yaml")), yaml(name, name)).unwrap();
    }
    let start = || Process::serve(&data, &["--drones", "0", "--profiles-dir", profiles.to_str().unwrap()]);
    let mut node = start();
    assert!(named(&node.url, "goes").await.is_some());
    node.terminate(Duration::from_secs(20));
    std::fs::remove_file(profiles.join("goes.yaml")).unwrap();
    let mut node = start();
    assert!(named(&node.url, "stays").await.is_some());
    assert!(named(&node.url, "goes").await.is_none());
    node.terminate(Duration::from_secs(20));

    // An empty folder is more likely not mounted than emptied.
    std::fs::rename(profiles.join("stays.yaml"), folder.path().join("stays.yaml")).unwrap();
    let node = start();
    assert!(named(&node.url, "stays").await.is_some());
    assert!(get(&format!("{}/api/status", node.url)).await.text().contains("holds no profile"));
}

#[actix_web::test]
async fn a_pipe_and_a_renamed_file_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    std::fs::write(profiles.join("a.yaml"), yaml("a", "first")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(profiles.join("pipe.yaml")).status();
    assert!(made.unwrap().success());
    let dir = profiles.to_str().unwrap();
    let node = Process::serve(&folder.path().join("node"), &["--drones", "0", "--profiles-dir", dir]);
    assert!(named(&node.url, "a").await.is_some(), "the pipe is passed over");
    assert_eq!(post(&format!("{}/api/profiles/a:pause", node.url), &json!({})).await.status, 200);
    std::fs::rename(profiles.join("a.yaml"), profiles.join("b.yaml")).unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(named(&node.url, "a").await.unwrap()["paused"], json!(true), "a renamed file stays paused");
}

#[actix_web::test]
async fn a_second_node_on_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _node = Process::serve(folder.path(), &["--drones", "0"]);
    let data = folder.path().to_str().unwrap();
    let args = ["serve", "--port", "0", "--drones", "0", "--data-dir", data];
    let mut second = Process::start(env!("CARGO_BIN_EXE_chartly"), &args, &[("REGISTRY_API_KEY", KEY)]);
    assert_eq!(second.wait(SOON).code(), Some(74), "{}", second.output());
}
