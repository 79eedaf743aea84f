//! What handlers take as arguments: the caller, an id of the path, a JSON body. Each failure is a precise fault.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use serde::de::DeserializeOwned;

use super::auth::{DroneKey, Identity};
use super::body;
use super::keyring::{ENROL_ROUTE, refused};
use super::middleware::time_cap::WaitsForBody;
use super::problem::{HttpError, malformed_json};
use super::state::AppState;
use crate::domain::ids::{DroneId, TenantId};
use crate::protocol::fault::{Code, Fault};

/// Whose data a request is about.
#[derive(Debug)]
pub struct Caller {
    pub tenant: TenantId,
    /// The drone that calls with its own key.
    pub drone: Option<DroneKey>,
}

impl Caller {
    /// Refuses a drone's own key for what no drone does.
    pub fn needs_the_shared_key(&self, what: &str) -> Result<(), Fault> {
        let Some(own) = &self.drone else { return Ok(()) };
        refused("route", None, Some(&own.drone_id));
        let detail = format!("{what} needs the shared key, and this is the key of drone {}", own.drone_id);
        Err(Fault::new(Code::Forbidden, detail))
    }

    /// A drone speaks for itself alone; the shared key speaks for all.
    pub fn speaks_for(&self, drone_id: &DroneId) -> Result<(), Fault> {
        let Some(own) = self.drone.as_ref().filter(|own| own.drone_id != *drone_id) else { return Ok(()) };
        refused("other drone", None, Some(&own.drone_id));
        let detail = format!("the key is that of drone {}, which cannot speak for drone {drone_id}", own.drone_id);
        Err(Fault::new(Code::Forbidden, detail).at("drone_id"))
    }
}

impl FromRequest for Caller {
    type Error = HttpError;
    type Future = Ready<Result<Self, HttpError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        let Some(identity) = extensions.get::<Identity>() else {
            return ready(Ok(Self { tenant: TenantId::default(), drone: None }));
        };
        ready(Ok(Self { tenant: identity.tenant.clone(), drone: identity.drone.clone() }))
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
    let bodies = match request.match_info().as_str() {
        path if path.starts_with("/internal/") => &state.internal_bodies,
        ENROL_ROUTE => &state.small_bodies,
        _ => &state.bodies,
    };
    let bytes = bodies.read(request.headers(), payload).await;
    waits.set(false);
    bytes
}
