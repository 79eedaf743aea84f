//! The state of the whole, in one answer, with plain sentences about what is wrong.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Responder, get, web};
use serde::Serialize;
use tokio::join;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::http::area::area;
use crate::http::extract::Caller;
use crate::http::node::{NodeView, Phase, RolePlace};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::aggregator::{GetSummary, Summary};
use crate::protocol::coordinator::{DroneStats, GetDroneStats};
use crate::protocol::fault::{Code, Fault};
use crate::protocol::registry::{BrokenFile, ListBrokenFiles};
use crate::runtime::{PlaceSnapshot, VitalsSnapshot};
use crate::settings::Role;
use crate::store::{BackupVitals, StoreVitals};

area!(show_status);

/// A role that takes longer is told as one that does not answer: who looks at the status wants it now.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, ToSchema)]
struct Status {
    version: &'static str,
    uptime_s: u64,
    phase: Phase,
    roles: Vec<RolePlace>,
    /// What is wrong and what to do, in sentences. Empty: all is well.
    problems: Vec<String>,
    /// The supervised actors and tasks of this process.
    #[schema(value_type = Vec<Object>)]
    parts: Vec<VitalsSnapshot>,
    /// Its event loops.
    #[schema(value_type = Vec<Object>)]
    places: Vec<PlaceSnapshot>,
    /// The store of this process; absent where it has none.
    #[schema(value_type = Option<Object>)]
    store: Option<StoreVitals>,
    /// Backups by schedule; absent where this process makes none.
    #[schema(value_type = Option<Object>)]
    backup: Option<BackupVitals>,
    drones: Option<DroneStats>,
    /// Counts over everything; `/api/results/summary` has them for each profile.
    results: Option<Summary>,
    /// Files of the profiles folder that could not be taken.
    broken_files: Vec<BrokenFile>,
}

/// The state of the whole. 200 also where something is wrong: then `problems` says what.
#[utoipa::path(tag = "node", responses((status = 200, body = Status)))]
#[get("/api/status")]
async fn show_status(
    clients: web::Data<Clients>,
    node: web::Data<NodeView>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let tenant = caller.tenant;
    let (drones, broken_files, results) = join!(
        soon(clients.coordinator.ask(GetDroneStats { tenant: tenant.clone() })),
        soon(clients.registry.ask(ListBrokenFiles { tenant: tenant.clone() })),
        soon(clients.aggregator.ask(GetSummary { tenant: tenant.clone() })),
    );
    let mut problems = node.problems();
    // The others are asked here; nothing cheap can be asked of the reporter.
    let reporter = node.elsewhere.away().into_iter().find(|away| away.role == Role::Reporter);
    problems.extend(reporter.map(|away| silent("reporter", &away.reason)));
    let drones = keep(drones, "coordinator", &mut problems);
    let broken_files = keep(broken_files, "registry", &mut problems).unwrap_or_default();
    let mut results = keep(results, "aggregator", &mut problems);
    if let Some(results) = &mut results {
        results.profiles.clear();
    }
    problems.extend(drones.as_ref().map(fleet_problems).unwrap_or_default());
    problems.extend(results.as_ref().and_then(|results| quarantine_problem(results.findings.waiting_runs)));
    problems.extend(broken_files.iter().map(broken_file_problem));
    Ok(HttpResponse::Ok().json(Status {
        version: node.version,
        uptime_s: node.started.elapsed().as_secs(),
        phase: node.phase(),
        roles: node.roles.to_vec(),
        problems,
        parts: node.root.vitals(),
        places: node.root.places(),
        store: node.store_vitals(),
        backup: node.backup_vitals(),
        drones,
        results,
        broken_files,
    }))
}

async fn soon<T>(answer: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| Fault::new(Code::Deadline, format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// A role that does not answer is a line in the status, not the end of it.
fn keep<T>(outcome: Result<T, Fault>, role: &str, problems: &mut Vec<String>) -> Option<T> {
    outcome.map_err(|fault| problems.push(silent(role, &fault.detail))).ok()
}

/// A role elsewhere names itself, with its address.
fn silent(role: &str, reason: &str) -> String {
    let why = reason.strip_prefix(&format!("the {role} at ")).unwrap_or(reason);
    format!("the {role} does not answer: {why}")
}

fn fleet_problems(stats: &DroneStats) -> Vec<String> {
    let mut problems = Vec::new();
    if stats.online == 0 {
        problems
            .push("no drone is online, so nothing is fetched; start one with chartly-drone --control-plane URL".into());
    } else if stats.unassigned_profiles > 0 {
        let count = stats.unassigned_profiles;
        problems.push(format!("{count} enabled profiles have no drone that can run them"));
    }
    if stats.online > 0 {
        let unplaced = stats.unplaced.iter();
        problems.extend(unplaced.map(|profile| format!("profile {}: {}", profile.profile_id, profile.reason)));
    }
    problems.extend(stats.twins.iter().map(|drone| {
        format!("two processes use the drone id {drone}; give each drone an id and a data folder of its own")
    }));
    if stats.skewed_clocks > 0 {
        let count = stats.skewed_clocks;
        problems.push(format!(
            "{count} drones have a clock more than five minutes off; set it, GET /api/drones names them"
        ));
    }
    if stats.offline > 0 {
        let count = stats.offline;
        problems.push(format!("{count} drones have not been heard of for a lease time; GET /api/drones names them"));
    }
    problems
}

fn quarantine_problem(waiting: u64) -> Option<String> {
    let text = format!(
        "{waiting} runs drifted and wait in quarantine; GET /api/runs?quarantine=waiting names them, \
         POST /api/runs/{{id}}:release stores their records, :discard gives them up"
    );
    (waiting > 0).then_some(text)
}

fn broken_file_problem(file: &BrokenFile) -> String {
    let first = file.problems.first().map(|place| format!("{}: {}", place.at, place.reason)).unwrap_or_default();
    format!("profile file {} could not be taken: {first}", file.path)
}
