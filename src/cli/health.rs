//! `chartly health`: is the node ready? It needs no curl, so that an image can do without.

use std::time::Duration;

use awc::http::Method;
use bytes::Bytes;

use super::{config_dir, on_actix, settings};
use crate::clients::Peer;
use crate::node::StartError;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Address of the node; the one that the settings name when absent.
    #[arg(long)]
    url: Option<String>,
    /// How long to wait for the answer.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    timeout_ms: u64,
}

pub(super) fn run(args: Args) -> Result<u8, StartError> {
    let url = match args.url {
        Some(url) => url,
        None => own_url()?,
    };
    let deadline = Duration::from_millis(args.timeout_ms);
    let peer = Peer::new(&url, None, deadline);
    let reply = on_actix(async { peer.send(Method::GET, "/ready", &[], Bytes::new(), deadline).await });
    match reply {
        Ok(reply) if reply.status.is_success() => {
            println!("{url} is ready");
            Ok(0)
        }
        Ok(reply) => {
            eprintln!("{url} is not ready: {}", String::from_utf8_lossy(&reply.body[..reply.body.len().min(500)]));
            Ok(1)
        }
        Err(fault) => {
            eprintln!("{}", fault.detail);
            Ok(1)
        }
    }
}

/// Where the node of this container or machine listens.
fn own_url() -> Result<String, StartError> {
    let settings = settings(&config_dir(), Vec::new())?;
    let host = match settings.http.host.as_str() {
        "0.0.0.0" | "" => "127.0.0.1".to_owned(),
        "::" => "[::1]".to_owned(),
        host if host.contains(':') => format!("[{host}]"),
        host => host.to_owned(),
    };
    Ok(format!("http://{host}:{}", settings.port()))
}
