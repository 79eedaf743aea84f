//! The reporter: reads the records that a report names, lets `reports` join and compute, keeps the answer. It reads
//! the store itself (docs/adr): a join of a million records should not cross a process for the sake of a picture.

use std::ops::ControlFlow;
use std::sync::Arc;

use actix::{Actor, Context, Supervised};
use tokio::sync::Semaphore;

use super::answers;
use crate::domain::report::ReportResult;
use crate::protocol::fault::{Code, Fault, Place};
use crate::protocol::paging::Page;
use crate::protocol::reporter::{GetReport, ListReports, ReportSummary, ReportView, RunReportSpec};
use crate::reports::{Collector, JoinError, SpecError, check};
use crate::runtime::Clock;
use crate::store::Store;

/// What the reporter is rebuilt from.
#[derive(Debug, Clone)]
pub struct Seed {
    pub store: Store,
    pub clock: Clock,
    /// Memory that one join may take.
    pub max_join_bytes: usize,
    /// Joins at once; one more is answered `overloaded`.
    pub running: Arc<Semaphore>,
}

#[derive(Debug)]
pub struct Reporter {
    seed: Seed,
}

impl Reporter {
    pub fn new(seed: Seed) -> Self {
        Self { seed }
    }

    async fn run(seed: Seed, message: RunReportSpec) -> Result<ReportView, Fault> {
        let _place = seed.running.try_acquire().map_err(|_| {
            Fault::new(Code::Overloaded, "as many reports as allowed are being computed").retry_after(2)
        })?;
        let tenant = seed.store.tenant(&message.tenant);
        let result = compute(&seed, &message).await?;
        let report_id = uuid::Uuid::now_v7().to_string();
        let created_ms = seed.clock.now_ms();
        let (spec_text, result_text) = (text_of(&message.spec)?, text_of(&result)?);
        tenant.save_report(&report_id, created_ms, &spec_text, &result_text).await?;
        Ok(ReportView { report_id, created_ms, spec: message.spec, result })
    }

    async fn get(seed: Seed, message: GetReport) -> Result<ReportView, Fault> {
        Ok(seed.store.tenant(&message.tenant).report(&message.report_id).await?)
    }

    async fn list(seed: Seed, message: ListReports) -> Result<Page<ReportSummary>, Fault> {
        Ok(seed.store.tenant(&message.tenant).reports(&message.page).await?)
    }
}

async fn compute(seed: &Seed, message: &RunReportSpec) -> Result<ReportResult, Fault> {
    let as_of_ms = message.spec.window.as_of_ms;
    let spec = check(message.spec.clone()).map_err(|error| fault_of_spec(&error))?;
    let mut collector = Collector::new(spec, seed.max_join_bytes);
    let profiles: Vec<_> = collector.profiles().cloned().collect();
    let tenant = seed.store.tenant(&message.tenant);
    for (source, profile) in profiles.iter().enumerate() {
        let mut stopped = None;
        tenant
            .scan_records(profile, as_of_ms, |text| match collector.push(source, text) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stopped = Some(error);
                    ControlFlow::Break(())
                }
            })
            .await?;
        if let Some(error) = stopped {
            return Err(fault_of_join(&error));
        }
    }
    Ok(collector.finish())
}

fn fault_of_spec(error: &SpecError) -> Fault {
    let places = error.faults.iter().map(|fault| Place { at: fault.at.clone(), reason: fault.reason.clone() });
    Fault::new(Code::InvalidReport, error.to_string()).with_places(places.collect())
}

fn fault_of_join(error: &JoinError) -> Fault {
    let code = match error {
        JoinError::BadRecord { .. } => Code::StoreFailed,
        _ => Code::InvalidReport,
    };
    Fault::new(code, error.to_string())
}

fn text_of<T: serde::Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::new(Code::Internal, error.to_string()))
}

impl Actor for Reporter {
    type Context = Context<Self>;
}

impl Supervised for Reporter {}

answers!(Reporter {
    RunReportSpec => run,
    GetReport => get,
    ListReports => list,
});
