//! Binds the port and puts the server together: state, routes, and the middleware in its order. HTTP/1.1 only;
//! signals are the node's matter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder};

use super::middleware::{access_log, gate, head, headers, panic_net, problems, request_id, time_cap, unread_body};
use super::openapi;
use super::problem::{nothing_at, problem};
use super::state::AppState;
use crate::protocol::fault::{Code, Fault};

/// Longer than any client of ours keeps an idle connection, so that it is never closed under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The most time for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Open connections of one worker.
const MAX_CONNECTIONS: usize = 10_000;
/// Connections that wait to be taken.
const BACKLOG: u32 = 1_024;
/// A worker does no blocking work of its own.
const MAX_BLOCKING_THREADS: usize = 2;

/// Adds a group of routes to a worker's app.
pub type Routes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// How the server is to listen.
#[derive(Debug, Clone)]
pub struct Listen {
    pub host: String,
    /// 0 takes a free one.
    pub port: u16,
    pub workers: usize,
    /// The most time for requests in progress once the server was told to stop.
    pub shutdown_timeout: Duration,
}

/// A server that listens, and runs once it is awaited.
#[expect(missing_debug_implementations, reason = "a running server has nothing to show")]
pub struct Bound {
    pub server: Server,
    pub addresses: Vec<SocketAddr>,
}

/// Binds and prepares the server. The error is the system's, such as a port in use.
pub fn bind(listen: &Listen, state: AppState, routes: Vec<Routes>) -> io::Result<Bound> {
    let state = web::Data::new(state);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .configure(|config| routes.iter().for_each(|group| group(config)))
            .default_service(web::to(nothing_here))
            .wrap(from_fn(head::head))
            .wrap(from_fn(gate::gate))
            .wrap(from_fn(time_cap::time_cap))
            .wrap(from_fn(panic_net::panic_net))
            .wrap(from_fn(problems::problems))
            .wrap(from_fn(unread_body::unread_body))
            .wrap(from_fn(headers::headers))
            .wrap(from_fn(access_log::access_log))
            .wrap(from_fn(request_id::request_id))
    });
    let server = server
        .workers(listen.workers)
        .worker_max_blocking_threads(MAX_BLOCKING_THREADS)
        .max_connections(MAX_CONNECTIONS)
        .backlog(BACKLOG)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(listen.shutdown_timeout.as_secs().max(1))
        .disable_signals()
        .bind((listen.host.as_str(), listen.port))?;
    let addresses = server.addrs();
    Ok(Bound { server: server.run(), addresses })
}

/// No route has this path; or one has, but not for this method.
async fn nothing_here(request: HttpRequest) -> impl Responder {
    let methods = request.match_pattern().map(|pattern| openapi::methods_of(&pattern)).unwrap_or_default();
    let (method, path) = (request.method(), request.path());
    if methods.is_empty() {
        return problem(&nothing_at(method, path));
    }
    let allowed = methods.join(", ");
    let mut answer = problem(&Fault::new(Code::MethodNotAllowed, format!("{path} takes {allowed}, not {method}")));
    insert_allow(&mut answer, &allowed);
    answer
}

fn insert_allow(answer: &mut HttpResponse, allowed: &str) {
    if let Ok(value) = header::HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
}

#[cfg(test)]
mod tests;
