//! From the plan's request to one that can be sent: holes filled, encoded by RFC 3986, the secret kept apart so that
//! it never stands in a message.

use base64::Engine;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use url::{Origin, Url};

use super::cursor;
use super::outcome::Secrets;
use super::paging::Param;
use crate::domain::digest::Digest;
use crate::profiles::plan::{
    Auth, AuthWay, Body, Cursor, Grain, Hole, JsonTemplate, Method, Part, Plan, Request, SECRET_HOLE, Scalar,
    SecretPlace, SignIn, Template,
};
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
    /// Where the cursor stands.
    pub cursor: Option<(&'r Cursor, i64)>,
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
    /// All secrets that the request, or a link in its answer, may hold: taken out of every message.
    pub hidden: Vec<SecretString>,
    /// It holds secrets all over, so no redirect to another origin is followed.
    pub home_only: bool,
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

/// Builds the request; `paging` are the parameters that the page asks for. Of several keys it takes the first one; a
/// token is put in by who signs in.
pub fn build(
    plan: &Plan,
    filling: Filling<'_>,
    paging: &[Param],
    secrets: &dyn Secrets,
) -> Result<Outgoing, RequestError> {
    let mut outgoing = assemble(&plan.request, filling, paging)?;
    let Some(auth) = &plan.request.auth else { return Ok(outgoing) };
    let known = known_secrets(auth, secrets)?;
    outgoing.hidden = known.iter().map(|(_, value)| value.clone()).collect();
    if let (AuthWay::Keys(_), Some((_, value))) = (&auth.way, known.into_iter().next()) {
        outgoing.secret = Some(PlacedSecret::new(auth, value, &outgoing.url));
    }
    Ok(outgoing)
}

/// Builds the request that fetches a token.
pub fn build_sign_in(sign_in: &SignIn, secrets: &dyn Secrets, now_ms: i64) -> Result<Outgoing, RequestError> {
    let value = |name: &str| {
        let found = found(name, secrets)?;
        found.ok_or_else(|| unknown(&[name]))
    };
    let mut hidden = Vec::new();
    let mut values = Vec::with_capacity(sign_in.holes.len());
    for hole in &sign_in.holes {
        let secret = value(hole.strip_prefix(SECRET_HOLE).unwrap_or(hole))?;
        values.push(Scalar::Text(secret.expose_secret().to_owned()));
        hidden.push(secret);
    }
    let filling = Filling { params: &sign_in.holes, values: &values, window: None, cursor: None, now_ms };
    let mut outgoing = assemble(&sign_in.request, filling, &[])?;
    if let Some((id, secret)) = &sign_in.basic {
        let (id, secret) = (value(id)?, value(secret)?);
        // RFC 6749, 2.3.1: both are encoded as in a form first.
        let form = |text: &SecretString| {
            url::form_urlencoded::byte_serialize(text.expose_secret().as_bytes()).collect::<String>()
        };
        let both = SecretString::from(format!("{}:{}", form(&id), form(&secret)));
        hidden.extend([both.clone(), id, secret]);
        let home = outgoing.url.origin();
        outgoing.secret = Some(PlacedSecret { value: both, place: SecretPlace::Basic, name: String::new(), home });
    }
    outgoing.hidden = hidden;
    outgoing.home_only = true;
    Ok(outgoing)
}

/// The request without its secret.
fn assemble(request: &Request, filling: Filling<'_>, paging: &[Param]) -> Result<Outgoing, RequestError> {
    let in_url = |value: String, raw: bool| if raw { value } else { encode(&value, COMPONENT) };
    let text = fill(&request.url, filling, in_url);
    let mut url = Url::parse(&text).map_err(|error| format!("the URL with its parameters is not one: {error}"))?;
    if let Some(raw) = &request.raw_query {
        let raw = fill(raw, filling, in_url);
        let query = url.query().filter(|query| !query.is_empty()).map_or(raw.clone(), |query| format!("{query}&{raw}"));
        url.set_query(Some(&query));
    }
    let mut query = named(&request.query, filling);
    let cursor = filling.cursor.and_then(|(cursor, value)| {
        cursor.param.as_ref().map(|param| (param.clone(), Scalar::Text(cursor::shown(cursor, value, None))))
    });
    let (pointers, own): (Vec<&Param>, Vec<&Param>) =
        paging.iter().chain(&cursor).partition(|(name, _)| name.starts_with('/'));
    query.retain(|(name, _)| !own.iter().any(|(own, _)| own == name));
    query.extend(own.iter().map(|(name, value)| (name.clone(), value.text())));
    append_query(&mut url, &query);
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), fill(value, filling, |value, _| value)));
    let headers = headers.collect();
    let body = body(&request.body, filling, &pointers);
    Ok(Outgoing { method: request.method, url, headers, body, secret: None, hidden: Vec::new(), home_only: false })
}

/// The secrets of a profile that this drone knows, with their names' places in the list.
pub fn known_secrets(auth: &Auth, secrets: &dyn Secrets) -> Result<Vec<(usize, SecretString)>, RequestError> {
    let names = auth.secrets();
    let mut known = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        known.extend(found(name, secrets)?.map(|value| (index, value)));
    }
    let is_enough = match &auth.way {
        AuthWay::Keys(_) => !known.is_empty(),
        AuthWay::Token(_) => known.len() == names.len(),
    };
    if is_enough {
        return Ok(known);
    }
    if auth.optional {
        return Ok(Vec::new());
    }
    let missing: Vec<&str> = names
        .iter()
        .enumerate()
        .filter(|(at, _)| !known.iter().any(|(index, _)| index == at))
        .map(|(_, name)| *name)
        .collect();
    Err(unknown(&missing))
}

fn unknown(names: &[&str]) -> RequestError {
    match names {
        [name] => format!("the secret {name} is not known to this drone; set it there"),
        names => format!("the secrets {} are not known to this drone; set them there", names.join(", ")),
    }
}

fn found(name: &str, secrets: &dyn Secrets) -> Result<Option<SecretString>, RequestError> {
    let Some(value) = secrets.get(name).filter(|value| !value.expose_secret().is_empty()) else { return Ok(None) };
    if !value.expose_secret().chars().all(|next| next.is_ascii_graphic() || next == ' ') {
        return Err(format!("the secret {name} holds characters that no request can carry"));
    }
    Ok(Some(value))
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

/// Parameters by name. One that is nothing but values which share the request may be repeated.
fn named(pairs: &[(String, Vec<Template>)], filling: Filling<'_>) -> Vec<(String, String)> {
    let mut named = Vec::new();
    for (name, values) in pairs {
        for template in values {
            match template.only_hole().map(|hole| value(hole, filling)) {
                Some(Scalar::Several(list)) if list.repeat => {
                    named.extend(list.values.iter().map(|value| (name.clone(), value.text())));
                }
                _ => named.push((name.clone(), fill(template, filling, |value, _| value))),
            }
        }
    }
    named
}

/// Fills the holes. What stands between the values of a list is never encoded.
fn fill(template: &Template, filling: Filling<'_>, encoded: impl Fn(String, bool) -> String) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Hole(hole) => match value(hole, filling) {
            Scalar::Several(list) => {
                let each = list.values.iter().map(|value| encoded(value.text(), hole.raw));
                each.collect::<Vec<_>>().join(&list.separator)
            }
            single => encoded(single.text(), hole.raw),
        },
    };
    template.parts.iter().map(part).collect()
}

/// The value of a hole. The compiler has seen to it that there is one.
fn value(hole: &Hole, filling: Filling<'_>) -> Scalar {
    let name = hole.name.strip_prefix("param.").unwrap_or(&hole.name);
    if let Some(index) = filling.params.iter().position(|param| param == name) {
        return filling.values.get(index).cloned().unwrap_or(Scalar::Null);
    }
    if let ("cursor", Some((plan, value))) = (hole.name.as_str(), filling.cursor) {
        return Scalar::Text(cursor::shown(plan, value, hole.format.as_deref()));
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

fn body(body: &Body, filling: Filling<'_>, pointers: &[&Param]) -> Option<(&'static str, Vec<u8>)> {
    match body {
        Body::None => None,
        Body::Json(template) => {
            let mut document = json(template, filling);
            for (pointer, value) in pointers {
                put(&mut document, pointer, value.json());
            }
            Some(("application/json", document.to_string().into_bytes()))
        }
        Body::Text(template) => {
            Some(("text/plain; charset=utf-8", fill(template, filling, |value, _| value).into_bytes()))
        }
        Body::Form(fields) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in named(fields, filling) {
                form.append_pair(&name, &value);
            }
            Some(("application/x-www-form-urlencoded", form.finish().into_bytes()))
        }
    }
}

/// Puts a value at a JSON Pointer (RFC 6901); objects on the way are made.
fn put(document: &mut serde_json::Value, pointer: &str, value: serde_json::Value) {
    let mut place = document;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        place = match place {
            serde_json::Value::Array(items) => {
                match name.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                    Some(item) => item,
                    None => return,
                }
            }
            other => {
                if !other.is_object() {
                    *other = serde_json::Value::Object(serde_json::Map::new());
                }
                match other.as_object_mut() {
                    Some(members) => members.entry(name).or_insert(serde_json::Value::Null),
                    None => return,
                }
            }
        };
    }
    *place = value;
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

impl PlacedSecret {
    /// A secret or token at its place, for the host of `url`.
    pub fn new(auth: &Auth, value: SecretString, url: &Url) -> Self {
        Self { value, place: auth.place, name: auth.name.clone(), home: url.origin() }
    }

    /// The header that carries it, with the secret taken out; none where it goes elsewhere.
    pub fn shown_header(&self) -> Option<(String, String)> {
        match self.place {
            SecretPlace::Header => Some((self.name.clone(), "[secret]".into())),
            SecretPlace::Bearer => Some(("Authorization".into(), "Bearer [secret]".into())),
            SecretPlace::Basic => Some(("Authorization".into(), "Basic [secret]".into())),
            SecretPlace::Query | SecretPlace::Body => None,
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

    /// Takes the secrets out of a text that goes to people, however they are encoded.
    pub fn redact(&self, text: &str) -> String {
        let own = self.secret.as_ref().map(|secret| &secret.value);
        redact(own.into_iter().chain(&self.hidden), text)
    }
}

/// Takes secrets out of a text that goes to people, however they are encoded, and what is left of one where a quotation
/// begins or ends inside it.
pub fn redact<'s>(secrets: impl Iterator<Item = &'s SecretString>, text: &str) -> String {
    let mut all: Vec<String> = secrets.flat_map(|secret| spellings(secret.expose_secret())).collect();
    // What is part of another one goes after it.
    all.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    let whole = all.iter().fold(text.to_owned(), |text, spelling| text.replace(spelling, "[secret]"));
    if all.is_empty() { whole } else { without_parts(&all, &whole) }
}

/// Shorter parts of a secret tell nothing.
const MIN_PART_BYTES: usize = 6;

fn without_parts(spellings: &[String], text: &str) -> String {
    let quotation = |part: &str| {
        if part.len() >= MIN_PART_BYTES && spellings.iter().any(|spelling| spelling.contains(part)) {
            return "[secret]".to_owned();
        }
        let head = spellings.iter().filter_map(|spelling| overlap(spelling.as_bytes(), part.as_bytes())).max();
        let tail = spellings.iter().filter_map(|spelling| overlap(part.as_bytes(), spelling.as_bytes())).max();
        let start = head.unwrap_or(0);
        let end = part.len() - tail.unwrap_or(0).min(part.len() - start);
        let mark = |cut: Option<usize>| if cut.is_some() { "[secret]" } else { "" };
        format!("{}{}{}", mark(head), &part[start..end], mark(tail))
    };
    let (mut escaped, mut start, mut shown) = (false, 0, String::with_capacity(text.len()));
    for (at, next) in text.char_indices() {
        if next == '"' && !escaped {
            shown.push_str(&quotation(&text[start..at]));
            shown.push('"');
            start = at + 1;
        }
        escaped = next == '\\' && !escaped;
    }
    shown.push_str(&quotation(&text[start..]));
    shown
}

/// How many bytes at the end of `left` are the ones at the start of `right`. Spellings are ASCII, so that they end
/// between characters.
fn overlap(left: &[u8], right: &[u8]) -> Option<usize> {
    let most = left.len().min(right.len());
    (MIN_PART_BYTES..=most).rev().find(|count| left[left.len() - count..] == right[..*count])
}

/// The ways in which a URL, a JSON text or a header may spell a text.
pub fn spellings(value: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let json = serde_json::Value::from(value).to_string();
    let basic = base64::engine::general_purpose::STANDARD.encode(value);
    let encoded = [encode(value, COMPONENT), encode(value, QUERY), form, json[1..json.len() - 1].to_owned(), basic];
    let lower = encoded.iter().map(|text| lower_escapes(text));
    let mut all: Vec<String> = encoded.iter().cloned().chain(lower).chain([value.to_owned()]).collect();
    // A message quotes an answer with escapes of its own.
    let quoted: Vec<String> = all.iter().map(|text| format!("{text:?}")).collect();
    all.extend(quoted.iter().map(|text| text[1..text.len() - 1].to_owned()));
    all.sort_unstable();
    all.dedup();
    all.retain(|spelling| !spelling.is_empty());
    all
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut digits = 0;
    let lowered = text.chars().map(|next| match (next, digits) {
        ('%', _) => {
            digits = 2;
            next
        }
        (_, 0) => next,
        _ => {
            digits -= 1;
            next.to_ascii_lowercase()
        }
    });
    lowered.collect()
}

/// Scheme, host and path: what may stand in messages and logs.
pub fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

#[cfg(test)]
mod tests;
