//! One log line and one set of metrics for each request. Both name the route's pattern, never the URL: a query may
//! hold what nobody should read later, and a label must not grow with what callers think up.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use metrics::{counter, histogram};

use super::status_of;

/// Routes that machines ask all day long.
const QUIET: &[&str] = &["/health", "/ready", "/metrics", "/api/drones/heartbeat", "/internal/coordinator/heartbeat"];

pub async fn access_log<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let method = method_label(request.method());
    // Looked up once: it costs a walk over all routes.
    let route = request.match_pattern();
    let outcome = next.call(request).await;
    record(method, route.as_deref().unwrap_or("unknown"), status_of(&outcome).as_u16(), started);
    outcome
}

fn record(method: &'static str, route: &str, status: u16, started: Instant) {
    let elapsed = started.elapsed();
    let elapsed_ms = elapsed.as_secs_f64() * 1e3;
    let labels = [("method", method.to_owned()), ("route", route.to_owned())];
    counter!("chartly_http_requests_total", "method" => method, "route" => route.to_owned(), "status" => status.to_string())
        .increment(1);
    histogram!("chartly_http_request_seconds", &labels).record(elapsed.as_secs_f64());
    match (status, QUIET.contains(&route)) {
        (500.., _) => tracing::warn!(method, route, status, elapsed_ms, "request failed"),
        (_, false) => tracing::info!(method, route, status, elapsed_ms, "request answered"),
        (_, true) => tracing::debug!(method, route, status, elapsed_ms, "request answered"),
    }
}

/// Callers may invent methods; a label may not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
