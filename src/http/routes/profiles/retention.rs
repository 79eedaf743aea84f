//! What the store would let go of a profile.

use actix_web::{HttpRequest, HttpResponse, Responder, get, web};

use crate::actors::Clients;
use crate::domain::ids::ProfileId;
use crate::domain::retention::Retention;
use crate::http::extract::{Caller, PathId};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::profiles::age_ms;
use crate::protocol::aggregator::{GetRetention, RetentionView};
use crate::protocol::fault::Fault;

const AGE: &str = "an age such as P2Y, 90d or 12h";

/// What retention would remove of a profile now, and what it has removed so far; nothing is removed by asking. With any of
/// `records`, `versions`, `max_records`, `runs` it is told of that rule in the place of the one in force, so that a rule can
/// be tried before it is written down.
#[utoipa::path(tag = "profiles", responses((status = 200, body = RetentionView)), params(
    ("id" = String, Path),
    ("records" = Option<String>, Query, description = "Age of records that no run has seen since, such as `P2Y`"),
    ("versions" = Option<u32>, Query, description = "Versions of one observation"),
    ("max_records" = Option<u64>, Query, description = "Records in all"),
    ("runs" = Option<String>, Query, description = "Age of runs, such as `90d`"),
))]
#[get("/api/profiles/{id}/retention")]
pub(super) async fn show_retention(
    clients: web::Data<Clients>,
    caller: Caller,
    PathId(profile_id): PathId<ProfileId>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    let params = Params::of(&request, &["records", "versions", "max_records", "runs"])?;
    let asked = asked(&params)?;
    let rule = (!asked.keeps_all()).then_some(asked);
    let message = GetRetention { tenant: caller.tenant, profile_id, rule };
    Ok(HttpResponse::Ok().json(clients.aggregator.ask(message).await?))
}

fn asked(params: &Params<'_>) -> Result<Retention, Fault> {
    Ok(Retention {
        records_ms: params.choice("records", AGE, age_ms)?,
        versions: params.parse("versions")?,
        max_records: params.parse("max_records")?,
        runs_ms: params.choice("runs", AGE, age_ms)?,
    })
}
