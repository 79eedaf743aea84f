//! A profile's text as it is posted: YAML as it stands in a file, or inside a JSON object.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::extract::RawBody;
use crate::http::problem::{HttpError, malformed_json};
use crate::protocol::fault::{Code, Fault};

/// The YAML of a profile.
#[derive(Debug)]
pub(super) struct ProfileText(pub String);

/// The text of a profile inside JSON.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InJson {
    /// The whole YAML text.
    yaml: String,
}

impl FromRequest for ProfileText {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, HttpError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = RawBody::from_request(request, payload);
        Box::pin(async move { Ok(Self(text_of(body.await?)?)) })
    }
}

/// curl says `x-www-form-urlencoded` unless told otherwise; a file sent with it is YAML all the same.
fn text_of(body: RawBody) -> Result<String, Fault> {
    match body.content_type.as_str() {
        "application/json" => {
            let inner: InJson = serde_json::from_slice(&body.bytes).map_err(|error| malformed_json(&error))?;
            Ok(inner.yaml)
        }
        ""
        | "application/yaml"
        | "application/x-yaml"
        | "text/yaml"
        | "text/x-yaml"
        | "text/plain"
        | "application/x-www-form-urlencoded" => String::from_utf8(body.bytes).map_err(|error| {
            let place = format!("byte {}", error.utf8_error().valid_up_to());
            Fault::new(Code::InvalidRequest, format!("the text is not UTF-8 at {place}")).at(place)
        }),
        other => Err(Fault::new(
            Code::UnsupportedType,
            format!("Content-Type is {other:?}; expected application/yaml, or application/json with {{\"yaml\": …}}"),
        )),
    }
}
