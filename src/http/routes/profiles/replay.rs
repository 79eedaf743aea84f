//! Kept answers read again by a mended profile.

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::ids::{ProfileId, RunId};
use crate::domain::moment::{MOMENT, moment_ms};
use crate::http::extract::{Caller, OptionalJson, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::coordinator::{Replay, ReplayOf, ReplaysRequested};
use crate::protocol::fault::Fault;

/// Which kept runs are read again: all, or those that meet every given condition.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Runs that began at this moment or later: RFC 3339, a day, or Unix milliseconds.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    since: Option<Moment>,
    /// Runs that began before this moment.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    until: Option<Moment>,
    /// This run alone.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    run_id: Option<RunId>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Ms(i64),
    Text(String),
}

/// Reads the answers that drones keep of this profile again, by its current version and without asking the source. One
/// request for each drone that is online; what comes out appears as runs with `replay_of`. The body may be left out.
#[utoipa::path(tag = "profiles", params(("id" = String, Path)), request_body = Option<Wanted>,
    responses((status = 202, body = ReplaysRequested)))]
#[post("/api/profiles/{id}:replay")]
pub(super) async fn replay_profile(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(id): PathId<ProfileId>,
    OptionalJson(wanted): OptionalJson<Wanted>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let message = Replay { tenant: caller.tenant, profile_id: id, of: wanted.of()? };
    Ok(HttpResponse::Accepted().json(clients.coordinator.ask(message).await?))
}

impl Wanted {
    fn of(self) -> Result<ReplayOf, Fault> {
        let Self { since, until, run_id } = self;
        let of = ReplayOf { since_ms: read("since", since)?, until_ms: read("until", until)?, run_id };
        if let (Some(since_ms), Some(until_ms)) = (of.since_ms, of.until_ms)
            && since_ms >= until_ms
        {
            return Err(Fault::invalid("until", "until is not after since; no run could be meant"));
        }
        Ok(of)
    }
}

fn read(name: &str, moment: Option<Moment>) -> Result<Option<i64>, Fault> {
    let Some(moment) = moment else { return Ok(None) };
    let text = match moment {
        Moment::Ms(number) => number.to_string(),
        Moment::Text(text) => text,
    };
    let shown: String = text.chars().take(60).collect();
    let wrong = || Fault::invalid(name, format!("{name} is {shown:?}; expected {MOMENT}"));
    moment_ms(&text).map(Some).ok_or_else(wrong)
}
