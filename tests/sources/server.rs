//! The fixture server: real URL paths, real shapes, and faults on demand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Folder with `serve.py` and the fixtures; `None` with a word to the reader where it is not at hand.
pub fn folder() -> Option<PathBuf> {
    let base = match std::env::var_os("CHARTLY_SHARED") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"),
    };
    let folder = base.join("sources");
    if folder.join("serve.py").exists() {
        return Some(folder);
    }
    let missing = format!("the fixtures are not at {} (set CHARTLY_SHARED)", folder.display());
    assert!(std::env::var_os("REQUIRE_ALL").is_none(), "{missing}");
    println!("SKIPPED: {missing}");
    None
}

/// A running server; it ends with its owner.
pub struct Server {
    process: Child,
    port: u16,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        let mut process = Command::new("python3")
            .arg(folder.join("serve.py"))
            .arg(folder.join("fixtures/dev"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("its output is piped"))
            .read_line(&mut line)
            .expect("it says where it is");
        let port =
            line.trim().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port at the end of its line");
        Self { process, port }
    }

    /// Base address of one API.
    pub fn base(&self, api: &str) -> String {
        format!("http://127.0.0.1:{}/{api}", self.port)
    }

    /// Replaces the list of faults.
    pub fn faults(&self, faults: &serde_json::Value) {
        self.post("/__faults", &faults.to_string());
    }

    /// Forgets all requests.
    pub fn reset(&self) {
        self.post("/__reset", "");
    }

    /// The requests seen so far.
    pub fn log(&self) -> Vec<serde_json::Value> {
        let body = self.exchange("GET /__log HTTP/1.0\r\n\r\n");
        serde_json::from_str(&body).expect("the log is JSON")
    }

    fn post(&self, path: &str, body: &str) {
        self.exchange(&format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }

    fn exchange(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a head and a body")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
