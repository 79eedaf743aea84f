//! Whether the node lives, whether it should get traffic, and its metrics: the same on every role.

use actix_web::http::header;
use actix_web::{HttpResponse, Responder, get, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;

use super::area::area;
use super::metrics::{self, Totals};
use super::node::{NodeView, Phase};
use super::problem::HttpError;
use crate::protocol::fault::{Code, Fault};
use crate::protocol::hello::PROTOCOL;
use crate::runtime::{Kind, State};

area!(show_health, show_ready, show_metrics);

#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`, or `degraded` while a part restarts or was given up, or a role elsewhere does not answer.
    status: &'static str,
    phase: Phase,
    version: &'static str,
    /// The form of messages that it speaks; releases that share none cannot work together.
    protocol: u32,
    uptime_s: u64,
    parts: Vec<Part>,
    /// Roles that run elsewhere and do not answer.
    away: Vec<&'static str>,
}

/// One supervised part of the node.
#[derive(Debug, Serialize, ToSchema)]
struct Part {
    name: String,
    #[schema(value_type = String)]
    kind: Kind,
    #[schema(value_type = String)]
    state: State,
    restarts: u32,
}

/// Lives the process? Always 200 while it serves at all.
#[utoipa::path(tag = "node", responses((status = 200, body = Health)))]
#[get("/health")]
async fn show_health(node: web::Data<NodeView>) -> impl Responder {
    let vitals = node.root.vitals();
    let parts = vitals.into_iter().map(|vitals| Part {
        name: vitals.name,
        kind: vitals.kind,
        state: vitals.state,
        restarts: vitals.restarts,
    });
    let away: Vec<_> = node.elsewhere.away().iter().map(|away| away.role.as_str()).collect();
    let is_well = node.problems().is_empty() && away.is_empty();
    no_store(HttpResponse::Ok().json(Health {
        status: if is_well { "ok" } else { "degraded" },
        phase: node.phase(),
        version: node.version,
        protocol: PROTOCOL,
        uptime_s: node.started.elapsed().as_secs(),
        parts: parts.collect(),
        away,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
struct Ready {
    ready: bool,
}

/// Should it get traffic? 503 while it starts, stops, has given up, or its store cannot write.
#[utoipa::path(tag = "node", responses((status = 200, body = Ready)))]
#[get("/ready")]
async fn show_ready(node: web::Data<NodeView>) -> Result<impl Responder, HttpError> {
    if let Some(reason) = node.unready() {
        return Err(Fault::new(Code::Unavailable, reason).into());
    }
    Ok(no_store(HttpResponse::Ok().json(Ready { ready: true })))
}

/// Metrics in the text form of Prometheus: requests and records, the supervised actors, the store, the roles elsewhere.
#[utoipa::path(tag = "node", responses((status = 200, body = String, content_type = "text/plain")))]
#[get("/metrics")]
async fn show_metrics(
    handle: web::Data<PrometheusHandle>,
    node: web::Data<NodeView>,
    totals: web::Data<Totals>,
) -> impl Responder {
    let mut text = handle.render();
    metrics::write_parts(&mut text, &node.root.vitals(), &totals);
    if let Some(store) = node.store_vitals() {
        metrics::write_store(&mut text, &store);
    }
    if let Some(backups) = node.backup_vitals() {
        metrics::write_backups(&mut text, &backups);
    }
    metrics::write_peers(&mut text, &node.elsewhere.roles());
    no_store(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

fn no_store(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    answer
}
