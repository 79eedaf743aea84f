//! What the tests over real processes share: start the programs, ask them over HTTP, end them, and say what was
//! skipped for lack of a component.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod postgres;
pub mod source;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

pub const KEY: &str = "test-key-0123456789";

/// A program of ours, ended with the test.
pub struct Process {
    child: Child,
    pub url: String,
    pub log: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// `chartly` with these arguments; waits until it listens.
    pub fn chartly(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut process = Self::start(env!("CARGO_BIN_EXE_chartly"), args, env);
        let line = process.wait_for("listens on ", Duration::from_secs(20));
        process.url = line.split("listens on ").nth(1).expect("the URL follows").trim().to_owned();
        process
    }

    /// `chartly serve` on a free port, with its data in `data_dir` and the test's key.
    pub fn serve(data_dir: &Path, args: &[&str]) -> Self {
        let data = data_dir.to_str().expect("a temporary path is text");
        let mut all = vec!["serve", "--port", "0", "--data-dir", data];
        all.extend(args);
        Self::chartly(&all, &[("REGISTRY_API_KEY", KEY)])
    }

    pub fn drone(control_plane: &str, data_dir: &Path, args: &[&str]) -> Self {
        let data = data_dir.to_str().expect("a temporary path is text");
        let mut all = vec!["--control-plane", control_plane, "--data-dir", data];
        all.extend(args);
        Self::start(env!("CARGO_BIN_EXE_chartly-drone"), &all, &[("REGISTRY_API_KEY", KEY)])
    }

    pub fn start(program: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        // The repository's own profiles must not run in every test.
        let none = std::env::temp_dir().join("chartly-no-profiles");
        std::fs::create_dir_all(&none).expect("the temporary folder takes folders");
        command.env("CHARTLY__NODE__PROFILES_DIR", none);
        command.env("CHARTLY_LOG", std::env::var("CHARTLY_LOG").unwrap_or_else(|_| "info".into()));
        command.envs(env.iter().copied());
        Self::run(command)
    }

    /// A command as it stands, with nothing added.
    pub fn run(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (lines, log) = mpsc::channel();
        forward(child.stdout.take().expect("stdout is piped"), lines.clone());
        forward(child.stderr.take().expect("stderr is piped"), lines);
        Self { child, url: String::new(), log, seen: Vec::new() }
    }

    /// Waits for a line of output that holds `text`.
    pub fn wait_for(&mut self, text: &str, most: Duration) -> String {
        let until = Instant::now() + most;
        while let Ok(line) = self.log.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("no line with {text:?} within {most:?}; the output was:\n{}", self.seen.join("\n"));
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("Linux tells it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, then waits for the end.
    pub fn terminate(&mut self, most: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(most)
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill is there").success());
    }

    pub fn wait(&mut self, most: Duration) -> ExitStatus {
        let until = Instant::now() + most;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(Instant::now() < until, "still running after {most:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All output so far.
    pub fn output(&mut self) -> String {
        self.seen.extend(self.log.try_iter());
        self.seen.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- output of process {}:\n{}", self.child.id(), self.output());
        }
    }
}

fn forward(stream: impl std::io::Read + Send + 'static, lines: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
}

/// An answer: status, headers that matter, body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub etag: Option<String>,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The problem's code; fails where the answer is not problem+json.
    pub fn code(&self) -> String {
        assert_eq!(self.content_type, "application/problem+json", "{}: {}", self.status, self.text());
        self.json()["code"].as_str().expect("a problem has a code").to_owned()
    }
}

/// One request.
pub async fn send(method: &str, url: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let http = awc::Client::builder().timeout(Duration::from_secs(60)).disable_redirects().finish();
    let mut request = http.request(method.parse().expect("a method"), url);
    for (name, value) in headers {
        request = request.insert_header((*name, *value));
    }
    let mut response = request.send_body(body.into()).await.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, etag, retry_after) =
        (header("content-type").unwrap_or_default(), header("etag"), header("retry-after"));
    let body = response.body().limit(256 << 20).await.expect("the whole body arrives").to_vec();
    Answer { status: response.status().as_u16(), content_type, etag, retry_after, body }
}

pub async fn get(url: &str) -> Answer {
    send("GET", url, &[], "").await
}

/// A write with the test's key.
pub async fn post(url: &str, json: &Value) -> Answer {
    send("POST", url, &[("content-type", "application/json"), ("x-api-key", KEY)], json.to_string()).await
}

/// A profile's YAML with the test's key.
pub async fn put_profile(base: &str, yaml: &str) -> Answer {
    send("POST", &format!("{base}/api/profiles"), &[("content-type", "application/yaml"), ("x-api-key", KEY)], yaml)
        .await
}

/// Asks again and again until `ready` gives something.
pub async fn until<T>(what: &str, most: Duration, mut ready: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + most;
    loop {
        if let Some(value) = ready().await {
            return value;
        }
        assert!(Instant::now() < end, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All records of a profile, page by page, as `{"dims":…,"measures":…}`.
pub async fn records(base: &str, profile: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = get(&format!("{base}/api/records?profile_id={profile}&limit=500{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        all.extend(page["items"].as_array().expect("a page has items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// The folder with fixtures beside the project, where it is there.
pub fn shared() -> Option<PathBuf> {
    let set = std::env::var_os("CHARTLY_SHARED").map(PathBuf::from);
    let folder = set.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"));
    folder.join("sources/serve.py").exists().then_some(folder)
}

/// Notes that a test could not run; with `REQUIRE_ALL=1` that is a failure.
pub fn skip(test: &str, component: &str) {
    eprintln!("skipped {test}: {component}");
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "REQUIRE_ALL is set and {test} lacks {component}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/skipped.txt");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    if let Ok(mut file) = file {
        let _ = writeln!(file, "  {test}: {component}");
    }
}
