//! What the tests post and run.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{KEY, put_profile};

pub(crate) const PROFILE: &str = "id: kept\nname: kept\nversion: 1.0.0\n\
    source: { type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }\n\
    schedule: { enabled: true, interval: 30d, jitter: 0s }\nmapping:\n  n: dims.n\n  v: measures.v\n";

pub(crate) const PER_BATCH: usize = 50;

pub(crate) async fn publish(url: &str) {
    let answer = put_profile(url, PROFILE).await;
    assert!(answer.status < 300, "{}", answer.text());
}

/// Posts a batch of its own records; false where it was not acknowledged.
pub(crate) async fn post(url: &str, seq: usize) -> bool {
    let data: Vec<Value> =
        (0..PER_BATCH).map(|n| json!({"dims": {"n": format!("{seq}-{n}")}, "measures": {"v": n}})).collect();
    let body = json!({"drone_id": "d", "profile_id": "kept", "run_id": "r", "seq": seq, "data": data});
    let http = awc::Client::builder().timeout(std::time::Duration::from_secs(10)).finish();
    let request = http.post(format!("{url}/api/results")).insert_header(("x-api-key", KEY));
    request.send_json(&body).await.is_ok_and(|answer| answer.status().is_success())
}

/// Runs a verb to its end, with these variables and no others of ours.
pub(crate) fn chartly(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chartly"));
    command.args(args).envs(env.iter().copied()).output().unwrap()
}

pub(crate) fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The JSON object that a verb told on stdout.
pub(crate) fn object(output: &Output) -> Value {
    assert!(output.status.success(), "{}", told(output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(output)))
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
