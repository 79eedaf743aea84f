//! From the plan's request to one that can be sent: holes filled, encoded by RFC 3986, the secret kept apart so that
//! it never stands in a message.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::{Origin, Url};

use super::outcome::Secrets;
use crate::domain::digest::Digest;
use crate::profiles::plan::{Auth, Body, Grain, Hole, JsonTemplate, Method, Part, Plan, Scalar, SecretPlace, Template};
use crate::profiles::time::{Reading, write};

/// Left as they are in a query value: RFC 3986's characters but for those that cut a query.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Encoded in a part of the URL: all that could end that part.
const COMPONENT: &AsciiSet = &QUERY
    .add(b'/')
    .add(b'?')
    .add(b':')
    .add(b'@')
    .add(b'!')
    .add(b'$')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b',')
    .add(b';');

/// What fills the holes.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'r> {
    pub params: &'r [String],
    pub values: &'r [Scalar],
    /// Unix milliseconds of start and end.
    pub window: Option<(i64, i64)>,
    pub now_ms: i64,
}

/// A request that can be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: Method,
    /// Without the secret.
    pub url: Url,
    pub headers: Vec<(String, String)>,
    /// Content type and bytes, without the secret.
    pub body: Option<(&'static str, Vec<u8>)>,
    pub secret: Option<PlacedSecret>,
}

/// A secret with its place. It goes to its own origin only.
#[derive(Debug, Clone)]
pub struct PlacedSecret {
    pub value: SecretString,
    pub place: SecretPlace,
    pub name: String,
    pub home: Origin,
}

/// Why a request cannot be made, in words for the operator.
pub type RequestError = String;

/// Builds the request; `paging` are the query parameters that the page asks for.
pub fn build(
    plan: &Plan,
    filling: Filling<'_>,
    paging: &[(String, String)],
    secrets: &dyn Secrets,
) -> Result<Outgoing, RequestError> {
    let request = &plan.request;
    let text = fill(&request.url, filling, |value, raw| if raw { value } else { encode(&value, COMPONENT) });
    let mut url = Url::parse(&text).map_err(|error| format!("the URL with its parameters is not one: {error}"))?;
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, values) in &request.query {
        query.extend(values.iter().map(|value| (name.clone(), fill(value, filling, |value, _| value))));
    }
    query.retain(|(name, _)| !paging.iter().any(|(own, _)| own == name));
    query.extend_from_slice(paging);
    append_query(&mut url, &query);
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), fill(value, filling, |value, _| value)));
    let headers = headers.collect();
    let body = body(&request.body, filling);
    let secret = match &request.auth {
        Some(auth) => secret(auth, &url, secrets)?,
        None => None,
    };
    Ok(Outgoing { method: request.method, url, headers, body, secret })
}

fn secret(auth: &Auth, url: &Url, secrets: &dyn Secrets) -> Result<Option<PlacedSecret>, RequestError> {
    let Some(value) = secrets.get(&auth.secret).filter(|value| !value.expose_secret().is_empty()) else {
        if auth.optional {
            return Ok(None);
        }
        return Err(format!("the secret {} is not known to this drone; set it there", auth.secret));
    };
    if !value.expose_secret().chars().all(|next| next.is_ascii_graphic() || next == ' ') {
        return Err(format!("the secret {} holds characters that no request can carry", auth.secret));
    }
    Ok(Some(PlacedSecret { value, place: auth.place, name: auth.name.clone(), home: url.origin() }))
}

/// Adds query parameters, encoded.
pub fn append_query(url: &mut Url, pairs: &[(String, String)]) {
    if pairs.is_empty() {
        return;
    }
    let pair = |(name, value): &(String, String)| format!("{}={}", encode(name, QUERY), encode(value, QUERY));
    let added = pairs.iter().map(pair).collect::<Vec<_>>().join("&");
    let query = match url.query().filter(|query| !query.is_empty()) {
        Some(query) => format!("{query}&{added}"),
        None => added,
    };
    url.set_query(Some(&query));
}

fn encode(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

fn fill(template: &Template, filling: Filling<'_>, encoded: impl Fn(String, bool) -> String) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Hole(hole) => encoded(value(hole, filling).text(), hole.raw),
    };
    template.parts.iter().map(part).collect()
}

/// The value of a hole. The compiler has seen to it that there is one.
fn value(hole: &Hole, filling: Filling<'_>) -> Scalar {
    let name = hole.name.strip_prefix("param.").unwrap_or(&hole.name);
    if let Some(index) = filling.params.iter().position(|param| param == name) {
        return filling.values.get(index).cloned().unwrap_or(Scalar::Null);
    }
    let (start, end) = filling.window.unwrap_or((filling.now_ms, filling.now_ms));
    let at_ms = match hole.name.as_str() {
        "window.start" => start,
        "window.end" => end,
        _ => filling.now_ms,
    };
    Scalar::Text(instant(at_ms, hole.format.as_deref()))
}

/// An instant as a text: RFC 3339 unless a form is given.
pub fn instant(at_ms: i64, format: Option<&str>) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    match format {
        Some("epoch_ms") => at_ms.to_string(),
        Some("epoch_s") => at_ms.div_euclid(1000).to_string(),
        Some(pattern) => {
            let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
            jiff::fmt::strtime::BrokenDownTime::from(&zoned).to_string(pattern).unwrap_or_default()
        }
        None => {
            let mut text = String::new();
            // An instant has the grain of an instant.
            let _ = write(&mut text, Reading::Instant(at), Grain::At);
            text
        }
    }
}

fn body(body: &Body, filling: Filling<'_>) -> Option<(&'static str, Vec<u8>)> {
    match body {
        Body::None => None,
        Body::Json(template) => Some(("application/json", json(template, filling).to_string().into_bytes())),
        Body::Text(template) => {
            Some(("text/plain; charset=utf-8", fill(template, filling, |value, _| value).into_bytes()))
        }
        Body::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, values) in fields {
                for value in values {
                    form.append_pair(name, &fill(value, filling, |value, _| value));
                }
            }
            Some(("application/x-www-form-urlencoded", form.finish().into_bytes()))
        }
    }
}

fn json(template: &JsonTemplate, filling: Filling<'_>) -> serde_json::Value {
    match template {
        JsonTemplate::Fixed(value) => value.clone(),
        JsonTemplate::Typed(hole) => value(hole, filling).json(),
        JsonTemplate::Text(text) => fill(text, filling, |value, _| value).into(),
        JsonTemplate::List(items) => items.iter().map(|item| json(item, filling)).collect(),
        JsonTemplate::Map(members) => {
            let member = |(name, value): &(String, JsonTemplate)| (name.clone(), json(value, filling));
            serde_json::Value::Object(members.iter().map(member).collect())
        }
    }
}

impl Outgoing {
    /// Names the request by what it asks, without the secret.
    pub fn digest(&self) -> Digest {
        let mut text = format!("{} {}\n", self.method.word(), self.url);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        let mut bytes = text.into_bytes();
        if let Some((kind, body)) = &self.body {
            bytes.extend_from_slice(kind.as_bytes());
            bytes.extend_from_slice(body);
        }
        Digest::of(&bytes)
    }

    /// Takes the secret's value out of a text that goes to people.
    pub fn redact(&self, text: &str) -> String {
        let Some(secret) = &self.secret else { return text.to_owned() };
        let value = secret.value.expose_secret();
        let encoded = encode(value, COMPONENT);
        text.replace(value, "[secret]").replace(&encoded, "[secret]")
    }
}

/// Scheme, host and path: what may stand in messages and logs.
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
