//! The reporter's contract: a report is a join of measures of several profiles, as a table or a correlation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::calls;
use super::paging::{Page, PageRequest};
use crate::domain::ids::TenantId;
use crate::domain::report::{ReportResult, ReportSpec};

/// A report that was computed and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportView {
    pub report_id: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    pub spec: ReportSpec,
    pub result: ReportResult,
}

/// A kept report without its rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSummary {
    pub report_id: String,
    pub created_ms: i64,
    pub spec: ReportSpec,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunReportSpec {
    pub tenant: TenantId,
    pub spec: ReportSpec,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetReport {
    pub tenant: TenantId,
    pub report_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListReports {
    pub tenant: TenantId,
    pub page: PageRequest,
}

calls! {
    RunReportSpec => ReportView,          "/internal/reporter/run-report", repeatable;
    GetReport     => ReportView,          "/internal/reporter/get-report", read;
    ListReports   => Page<ReportSummary>, "/internal/reporter/list-reports", read;
}
