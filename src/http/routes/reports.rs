//! Reports: computed, kept, and given as JSON or CSV.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Responder, get, post, web};

use crate::actors::Clients;
use crate::domain::report::ReportSpec;
use crate::http::accept::{self, CSV, JSON};
use crate::http::area::area;
use crate::http::extract::{Caller, Json, PathId};
use crate::http::page;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::paging::Page;
use crate::protocol::reporter::{GetReport, ListReports, ReportSummary, ReportView, RunReportSpec};
use crate::reports::as_csv;

area!(list_reports, run_report, show_report);

/// Reports that were kept, the newest first, without their rows.
#[utoipa::path(tag = "reports", responses((status = 200, body = Page<ReportSummary>)), params(
    ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 5,000; 100 unless said"),
    ("cursor" = Option<String>, Query, description = "`next` of the page before"),
))]
#[get("/api/reports")]
async fn list_reports(
    clients: web::Data<Clients>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["limit", "cursor"])?;
    let found = clients.reporter.ask(ListReports { tenant: caller.tenant, page: params.page()? }).await?;
    Ok(page::json(&request, &params, &found))
}

/// Computes a report over all stored records and keeps it; `Location` says where.
#[utoipa::path(tag = "reports", request_body = ReportSpec, responses((status = 200,
    content((ReportView = "application/json"), (String = "text/csv")), headers(("Location" = String)))))]
#[post("/api/reports")]
async fn run_report(
    clients: web::Data<Clients>,
    caller: Caller,
    Json(spec): Json<ReportSpec>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let form = accept::choose(&request, &[JSON, CSV])?;
    let view = clients.reporter.ask(RunReportSpec { tenant: caller.tenant, spec }).await?;
    Ok(written(form, &view))
}

/// A report that was kept.
#[utoipa::path(tag = "reports", params(("id" = String, Path)),
    responses((status = 200, content((ReportView = "application/json"), (String = "text/csv")))))]
#[get("/api/reports/{id}")]
async fn show_report(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(report_id): PathId<String>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let form = accept::choose(&request, &[JSON, CSV])?;
    let view = clients.reporter.ask(GetReport { tenant: caller.tenant, report_id }).await?;
    Ok(written(form, &view))
}

fn written(form: &str, view: &ReportView) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::VARY, "accept"));
    answer.insert_header((header::LOCATION, format!("/api/reports/{}", view.report_id)));
    if form == CSV {
        return answer.content_type("text/csv; charset=utf-8").body(as_csv(&view.result));
    }
    answer.json(view)
}
