//! A look at what a profile would give, without storing anything. The gateway fetches itself, behind the same guard as
//! a drone, without any secret: a caller's text names hosts, and no secret may follow it there.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Responder, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::domain::rejects::RejectedRow;
use crate::domain::run::RunState;
use crate::http::extract::Json;
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::pipeline::fetch::{Asked, Recording, SavedAnswer, now_ms};
use crate::pipeline::preview::{Extent, NoSecrets, Preview, StandIns, preview};
use crate::pipeline::{Dropped, FetchSettings, Fetcher, Secrets};
use crate::profiles::{self, Profile};
use crate::protocol::fault::{Code, Fault};

/// Previews at the same time, in one process.
const MAX_RUNNING: usize = 2;
/// Time for a preview, all its requests together.
const MAX_TIME: Duration = Duration::from_secs(20);
const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 1_000;

/// What previews share: seats, and how they fetch.
#[derive(Debug)]
pub struct Previews {
    seats: Semaphore,
    fetch: FetchSettings,
}

impl Previews {
    /// Fetches as `fetch` says, but briefly.
    pub fn new(fetch: FetchSettings) -> Self {
        let fetch = FetchSettings { max_attempts: 1, max_run: MAX_TIME, max_connections: 2, ..fetch };
        Self { seats: Semaphore::new(MAX_RUNNING), fetch }
    }
}

/// A profile to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PreviewRequest {
    /// The whole YAML text.
    yaml: String,
    /// The answer to play instead of asking the source; further pages are not asked for.
    #[serde(default)]
    answer: Option<GivenAnswer>,
    /// Records to give back, 1 to 1,000; 20 unless said.
    #[serde(default)]
    limit: Option<u32>,
}

/// An answer's body: text as it is, or bytes in Base64.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum GivenAnswer {
    Text(String),
    Base64(Bytes),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Bytes {
    base64: String,
}

/// What a run of the profile gives.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewAnswer {
    state: RunState,
    /// Why it failed, or which limit ended it.
    error: Option<String>,
    /// The first records, `{"dims":{…},"measures":{…}}` each.
    #[schema(value_type = Vec<Object>)]
    records: Vec<Box<RawValue>>,
    /// Rows in the answers that counted.
    rows: u64,
    duplicates: u64,
    /// Rows that gave no record, by reason.
    dropped: Vec<Loss>,
    /// Values that could not be read while their row still gave a record, by reason.
    unread: Vec<Loss>,
    /// The first rows that failed, with what they say.
    rejects: Vec<RejectedRow>,
    /// What was asked, with `[secret]` for a secret.
    requests: Vec<Asked>,
}

/// Rows (or values) lost for one reason.
#[derive(Debug, Serialize, ToSchema)]
struct Loss {
    reason: String,
    rows: u64,
    /// The value of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

/// Runs a profile once and gives back the first records; nothing is stored. The gateway asks the source itself: two
/// previews at a time (503 beyond that), at most 20 requests and 20 seconds each, no private addresses but those that
/// `drone.allow_private` names, and no secrets: a source that needs one is looked at with a saved `answer`. 200 also
/// where the run fails: how it went is the answer.
#[utoipa::path(tag = "profiles", request_body = PreviewRequest, responses((status = 200, body = PreviewAnswer)))]
#[post("/api/profiles:preview")]
pub(super) async fn preview_profile(
    previews: web::Data<Previews>,
    Json(asked): Json<PreviewRequest>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Fault::invalid("limit", format!("limit is {limit}; expected 1 to {MAX_LIMIT}")).into());
    }
    let profile = profiles::load(&asked.yaml).map_err(Fault::from)?;
    let played = asked.answer.map(GivenAnswer::bytes).transpose()?;
    let _seat = previews.seats.try_acquire().map_err(|_| {
        let detail = format!("{MAX_RUNNING} previews are running; this one was not begun");
        Fault::new(Code::Overloaded, detail).retry_after(2)
    })?;
    let given = run(&previews.fetch, &profile, played, limit as usize).await?;
    Ok(HttpResponse::Ok().json(answer(given)))
}

async fn run(
    settings: &FetchSettings,
    profile: &Profile,
    played: Option<Vec<u8>>,
    keep: usize,
) -> Result<Preview, Fault> {
    let (fetcher, extent, secrets): (_, _, &dyn Secrets) = match played {
        Some(body) => {
            let recording = Recording::new(vec![SavedAnswer::plain(body)]);
            (Fetcher::recorded(recording), Extent::whole(profile, keep), &StandIns)
        }
        None => (Fetcher::new(settings.clone()), Extent::first(profile, keep), &NoSecrets),
    };
    let fetcher = fetcher.with_journal();
    let run = preview(&fetcher, profile, extent, now_ms(), secrets);
    let late = |_| Fault::new(Code::Deadline, format!("the preview took longer than {MAX_TIME:?}"));
    tokio::time::timeout(MAX_TIME, run).await.map_err(late)
}

impl GivenAnswer {
    fn bytes(self) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Base64(Bytes { base64 }) => STANDARD
                .decode(base64)
                .map_err(|error| Fault::invalid("answer.base64", format!("this is not Base64: {error}"))),
        }
    }
}

fn answer(given: Preview) -> PreviewAnswer {
    let losses = |list: Vec<Dropped>| {
        let loss = |Dropped { reason, rows, example }| Loss { reason, rows, example };
        list.into_iter().map(loss).collect()
    };
    let outcome = given.outcome;
    PreviewAnswer {
        state: outcome.state,
        error: outcome.error,
        records: given.records.into_iter().filter_map(|text| RawValue::from_string(text).ok()).collect(),
        rows: outcome.rows,
        duplicates: outcome.duplicates,
        dropped: losses(outcome.dropped),
        unread: losses(outcome.unread),
        rejects: outcome.rejects.rows,
        requests: given.asked,
    }
}
