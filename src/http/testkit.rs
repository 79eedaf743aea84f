//! What the tests here share: a client that says exactly the bytes it is told to, and reads what comes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The header that opens the gate of the servers under test.
pub(super) const KEY: &str = "X-API-Key: secret\r\n";

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// In small letters.
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The problem's code.
    pub(super) fn code(&self) -> String {
        assert!(self.head.contains("content-type: application/problem+json"), "{}", self.head);
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// Sends raw bytes on a connection of its own and reads until the server closes.
pub(super) async fn send(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}Host: test\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection.write_all(body).await.unwrap();
    read(connection).await
}

pub(super) async fn read(mut connection: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(5), connection.read_to_end(&mut bytes));
    reading.await.expect("the server answers and closes").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer in {text:?}"));
    let status = head[9..12].parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

pub(super) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path} HTTP/1.1\r\n"), b"").await
}

pub(super) async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Answer {
    let length = body.len();
    send(address, &format!("POST {path} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n"), body).await
}
