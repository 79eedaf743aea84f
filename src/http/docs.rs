//! The API's documentation, from this server alone: the document, the page that shows it, and the table of errors.

use actix_web::http::header;
use actix_web::{HttpResponse, Responder, get, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::area::area;
use super::openapi;
use crate::protocol::fault::{Code, Retry};

const DOCUMENT: &str = "/api/openapi.json";

area!(show_start, show_document, show_page, show_errors);

/// Serves the files of the page. Comes after the area's own routes, which it would shadow.
pub fn files(config: &mut web::ServiceConfig) {
    config.service(SwaggerUi::new("/api/docs/{file:.*}").config(Config::from(DOCUMENT).validator_url("none")));
}

/// To the documentation, until there is a page of its own.
#[utoipa::path(tag = "node", responses((status = 302, description = "To `/api/docs/`")))]
#[get("/")]
async fn show_start() -> impl Responder {
    redirect()
}

/// To the page that shows this document.
#[utoipa::path(tag = "node", responses((status = 302, description = "To `/api/docs/`")))]
#[get("/api/docs")]
async fn show_page() -> impl Responder {
    redirect()
}

/// This document, OpenAPI 3.1.
#[utoipa::path(tag = "node", responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")))]
#[get("/api/openapi.json")]
async fn show_document() -> impl Responder {
    web::Json(openapi::document())
}

/// The table of error codes, as a page.
#[utoipa::path(tag = "node", responses((status = 200, body = String, content_type = "text/html")))]
#[get("/api/docs/errors")]
async fn show_errors() -> impl Responder {
    let rows: String = Code::ALL.iter().map(|code| error_row(*code)).collect();
    let page = include_str!("docs/errors.html").replace("{rows}", &rows);
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

/// Names and titles come from the table in the source, so there is nothing to escape.
fn error_row(code: Code) -> String {
    let retry = match code.retry() {
        Retry::Never => "no: it would be refused again",
        Retry::Safe => "yes: it was not handled",
        Retry::IfRepeatable => "only what may happen twice: the outcome is unknown",
    };
    let (name, status, title) = (code.name(), code.status(), code.title());
    format!("<tr id=\"{name}\"><td><code>{name}</code></td><td>{status}</td><td>{title}</td><td>{retry}</td></tr>\n")
}

fn redirect() -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, "/api/docs/")).finish()
}
