//! What handlers take as arguments: the caller, an id of the path, a JSON body. Each failure is a precise fault.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::auth::Identity;
use super::body;
use super::middleware::time_cap::WaitsForBody;
use super::problem::{HttpError, malformed_json};
use super::state::AppState;
use crate::domain::ids::TenantId;
use crate::protocol::fault::{Code, Fault};

/// Whose data a request is about.
#[derive(Debug)]
pub struct Caller {
    pub tenant: TenantId,
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let tenant = request.extensions().get::<Identity>().map(|identity| identity.tenant.clone());
        ready(Ok(Self { tenant: tenant.unwrap_or_default() }))
    }
}

/// The `{id}` of the path, its escapes resolved, as a `T`.
#[derive(Debug)]
pub struct PathId<T>(pub T);

impl<T: FromStr<Err: Display> + 'static> FromRequest for PathId<T> {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let text = web::Path::<String>::from_request(request, payload).into_inner();
        let text = text.map_err(|error| Fault::invalid("id", format!("the id in the path cannot be read: {error}")));
        let id = text.and_then(|text| T::from_str(&text).map_err(|error| Fault::invalid("id", error.to_string())));
        ready(id.map(Self).map_err(HttpError))
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<T, HttpError>>>>;

/// A body as it is, inflated, with its media type.
#[derive(Debug)]
pub struct RawBody {
    pub bytes: Vec<u8>,
    /// In small letters, without parameters; empty where none was given.
    pub content_type: String,
}

impl FromRequest for RawBody {
    type Error = HttpError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&request, &mut payload).await?;
            Ok(Self { bytes, content_type: body::content_type(request.headers()) })
        })
    }
}

/// A body of JSON.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = HttpError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            body::expect_json(request.headers())?;
            let bytes = read(&request, &mut payload).await?;
            Ok(Self(serde_json::from_slice(&bytes).map_err(|error| malformed_json(&error))?))
        })
    }
}

/// A body of JSON where an empty one stands for `T`'s default.
#[derive(Debug)]
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = HttpError;
    type Future = Reading<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&request, &mut payload).await?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(T::default()));
            }
            body::expect_json(request.headers())?;
            Ok(Self(serde_json::from_slice(&bytes).map_err(|error| malformed_json(&error))?))
        })
    }
}

async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Vec<u8>, Fault> {
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let state = state.ok_or_else(|| Fault::new(Code::Internal, "the server was put together without its state"))?;
    let waits = request.extensions().get::<WaitsForBody>().cloned().unwrap_or_default();
    waits.set(true);
    let between_roles = request.match_info().as_str().starts_with("/internal/");
    let bodies = if between_roles { &state.internal_bodies } else { &state.bodies };
    let bytes = bodies.read(request.headers(), payload).await;
    waits.set(false);
    bytes
}
