//! A drone joins with a token, which it shows in the place of a key.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::actors::Clients;
use crate::domain::digest::Digest;
use crate::domain::ids::DroneId;
use crate::domain::secret_form::token_digest;
use crate::http::auth::key_of;
use crate::http::extract::{Caller, Json};
use crate::http::problem::HttpError;
use crate::http::query::Params;
use crate::protocol::enrolment::{Enrol, Enrolled};
use crate::protocol::fault::{Code, Fault};

/// What a drone says when it asks for its key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[schema(value_type = String)]
    drone_id: DroneId,
    /// Digest of the key that the drone has made: `chartly-drone_` and 48 hex digits. The key itself is not sent.
    #[schema(value_type = String)]
    key: Digest,
}

/// The token that was shown. Taken before the body is read.
struct Token(Digest);

impl FromRequest for Token {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let missing = || {
            let detail = "this needs a token (chartly drone invite): send it as X-API-Key, or as Authorization: Bearer";
            HttpError(Fault::new(Code::Unauthenticated, detail))
        };
        ready(key_of(request.headers()).and_then(token_digest).map(Token).ok_or_else(missing))
    }
}

/// Gives a drone a key of its own. Show a token of `POST /api/drones/invites` as the key. Asking again with the same key
/// changes nothing.
#[utoipa::path(tag = "drones", request_body = Asked, responses((status = 200, body = Enrolled)))]
#[post("/api/drones/enrol")]
pub(super) async fn enrol_drone(
    Token(token): Token,
    clients: web::Data<Clients>,
    caller: Caller,
    Json(asked): Json<Asked>,
    request: HttpRequest,
) -> Result<impl Responder, HttpError> {
    Params::of(&request, &[])?;
    let Asked { drone_id, key } = asked;
    let message = Enrol { tenant: caller.tenant, token, drone_id, key };
    Ok(HttpResponse::Ok().json(clients.coordinator.ask(message).await?))
}
