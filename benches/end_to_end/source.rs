//! The source: pages of nested objects, made once, served over kept connections.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

pub struct Pages {
    pub address: SocketAddr,
}

impl Pages {
    /// `number` pages of `rows`, then empty ones.
    pub fn start(number: usize, rows: usize) -> Self {
        let pages: Arc<Vec<Vec<u8>>> = Arc::new((1..=number + 1).map(|page| answer(page, number, rows)).collect());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let pages = Arc::clone(&pages);
                std::thread::spawn(move || serve(&stream, &pages));
            }
        });
        Self { address }
    }
}

fn serve(stream: &TcpStream, pages: &[Vec<u8>]) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut reader, mut out) = (BufReader::new(stream), stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        let page: usize = line.split("page=").nth(1)?.split([' ', '&']).next()?.parse().ok()?;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
        }
        out.write_all(&pages[page.min(pages.len()) - 1]).ok()?;
    }
}

/// Head and body.
fn answer(page: usize, pages: usize, rows: usize) -> Vec<u8> {
    let mut body = format!("{{\"page\":{page},\"pages\":{pages},\"data\":[");
    let rows = if page > pages { 0 } else { rows };
    for row in 0..rows {
        let (n, comma) = ((page - 1) * rows + row, if row > 0 { "," } else { "" });
        let _ = write!(
            body,
            "{comma}{{\"id\":{n},\"name\":\"Census Tract {n}, Los Angeles County, California\",\"geo\":{{\"state\":\"{:02}\",\
             \"county\":\"{:03}\",\"tract\":\"{n:06}\"}},\"period\":\"20{:02}-{:02}\",\"estimate\":{}.5,\"moe\":{}.25,\
             \"url\":\"https://example.org/series/{n}\"}}",
            n % 57,
            n % 300,
            n % 24,
            1 + n % 12,
            30_000 + n % 5_000,
            n % 900
        );
    }
    body.push_str("]}");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body.into_bytes()].concat()
}
