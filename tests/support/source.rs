//! A real HTTP source on loopback that counts what it is asked and can be told to change, fail or hang.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a source answers with.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
}

impl Reply {
    pub fn json(body: impl Into<String>) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status: 200, headers, body: body.into().into_bytes(), delay: Duration::ZERO }
    }

    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// A request as the source saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

pub struct Source {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    open: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

impl Source {
    /// Answers each request by `answer`, which sees the target and how many came before it.
    pub fn start(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let source = Self { address, asked: Arc::default(), open: Arc::default(), closed: Arc::default() };
        let (asked, open, answer) = (Arc::clone(&source.asked), Arc::clone(&source.open), Arc::new(answer));
        let closed = Arc::clone(&source.closed);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if closed.load(Ordering::SeqCst) {
                    return;
                }
                let (asked, open, answer) = (Arc::clone(&asked), Arc::clone(&open), Arc::clone(&answer));
                std::thread::spawn(move || {
                    open.fetch_add(1, Ordering::SeqCst);
                    serve(&stream, &asked, &*answer);
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        source
    }

    /// Closes the port: from now on nobody answers there.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        while TcpStream::connect(self.address).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no holder panics").clone()
    }

    pub fn count(&self) -> usize {
        self.asked().len()
    }
}

fn serve(stream: &TcpStream, asked: &Mutex<Vec<Asked>>, answer: &(dyn Fn(&Asked, usize) -> Reply + Send + Sync)) {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader) else { return };
    let before = {
        let mut all = asked.lock().expect("no holder panics");
        all.push(request.clone());
        all.len() - 1
    };
    let reply = answer(&request, before);
    std::thread::sleep(reply.delay);
    let mut head =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut out = stream;
    let _ =
        out.write_all(head.as_bytes()).and_then(|()| out.write_all(b"\r\n")).and_then(|()| out.write_all(&reply.body));
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { method, target, headers })
}
