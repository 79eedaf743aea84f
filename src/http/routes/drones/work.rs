//! What a drone should do. Asked with the revision that it knows, the answer waits until there is another one.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Responder, get, web};
use tokio::time::{Instant, sleep};

use crate::actors::Clients;
use crate::domain::ids::DroneId;
use crate::http::extract::{Caller, PathId};
use crate::http::keyring::Keyring;
use crate::http::node::{NodeView, Phase};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::http::state::AppState;
use crate::protocol::coordinator::{GetWork, Work};
use crate::protocol::fault::{Code, Fault};

/// The longest wait.
const MAX_WAIT_MS: u64 = 25_000;
/// How often the coordinator is asked while waiting.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// A drone's work. With `revision` and `wait_ms` it waits for news; when the time is up, or the node stops, it answers
/// with what there is.
#[utoipa::path(tag = "drones", responses((status = 200, body = Work)), params(
    ("id" = String, Path),
    ("revision" = Option<u64>, Query, description = "What the drone knows: wait for another one"),
    ("wait_ms" = Option<u64>, Query, description = "How long to wait, at most 25,000; not at all unless said"),
))]
#[get("/api/drones/{id}/work")]
pub(super) async fn show_work(
    clients: web::Data<Clients>,
    node: web::Data<NodeView>,
    keyring: web::Data<Keyring>,
    state: web::Data<AppState>,
    caller: Caller,
    PathId(drone_id): PathId<DroneId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["revision", "wait_ms"])?;
    keyring.check_speaker(&caller, &drone_id).await?;
    let known = params.parse::<u64>("revision")?;
    let wait = wait(&params, &state)?;
    let _seat = if wait.is_zero() { None } else { Some(take_seat(&state)?) };
    let until = Instant::now() + wait;
    loop {
        let is_last = Instant::now() >= until || node.phase() == Phase::Stopping;
        // Asking for news is cheap; the whole list is made only for the answer.
        let seen = known.filter(|_| !is_last);
        let message = GetWork { tenant: caller.tenant.clone(), drone_id: drone_id.clone(), seen };
        let work = clients.coordinator.ask(message).await?;
        if is_last || known != Some(work.revision) {
            return Ok(HttpResponse::Ok().json(work));
        }
        sleep(ASK_EVERY.min(until - Instant::now())).await;
    }
}

/// Waiting must end before the request's own time does.
fn wait(params: &Params<'_>, state: &AppState) -> Result<Duration, Fault> {
    let wait_ms = params.parse::<u64>("wait_ms")?.unwrap_or(0);
    if wait_ms > MAX_WAIT_MS {
        return Err(Fault::invalid("wait_ms", format!("wait_ms is {wait_ms}; expected 0 to {MAX_WAIT_MS}")));
    }
    Ok(Duration::from_millis(wait_ms).min(state.request_timeout / 5 * 4))
}

fn take_seat(state: &AppState) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
    let full = |_| Fault::new(Code::Overloaded, "too many drones wait for work here; ask again without wait_ms");
    state.waiters.try_acquire().map_err(|error| full(error).retry_after(5))
}
