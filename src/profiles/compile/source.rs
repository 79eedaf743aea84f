//! The request: every hole names a parameter or the window, every secret has a place, the address is http(s).

use url::Url;

use super::auth;
use super::notes::Notes;
use super::scope::unknown_param;
use crate::profiles::document::source::request::{Body, ForEach, Json};
use crate::profiles::document::source::{Kind, Source};
use crate::profiles::node::{At, Entries, Place};
use crate::profiles::plan::{self, JsonTemplate, Method, Request, SECRET_HOLE, Scalar, Template};
use crate::profiles::scalar::Scalars;
use crate::profiles::template::{Hole, Part};

/// At most this many parameter sets.
const MAX_SETS: usize = 100_000;
/// Headers that the drone sets itself.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "connection", "transfer-encoding", "accept-encoding", "user-agent", "te"];

/// Names of the parameters, and their values set by set.
pub fn parameters(source: &Source, notes: &mut Notes) -> (Vec<String>, Vec<Vec<Scalar>>) {
    let none = || (Vec::new(), vec![Vec::new()]);
    let Some(for_each) = &source.for_each else { return none() };
    let place = for_each.place;
    let result = match &for_each.value {
        ForEach::Sets(sets) => listed(sets, notes),
        ForEach::Product(lists) => product(lists, place, notes),
    };
    if result.1.is_empty() {
        notes.add(place, "for_each has no values; leave it out or name some");
        return none();
    }
    for name in &result.0 {
        good_param_name(name, place, notes);
    }
    result
}

pub fn good_param_name(name: &str, place: Place, notes: &mut Notes) {
    if name.is_empty() || !name.chars().all(|next| next.is_alphanumeric() || next == '_' || next == '-') {
        notes.add(place, format!("the parameter name {name:?} may hold letters, digits, _ and - only"));
    }
}

fn listed(sets: &[At<Entries<At<Scalar>>>], notes: &mut Notes) -> (Vec<String>, Vec<Vec<Scalar>>) {
    let Some(first) = sets.first() else { return (Vec::new(), Vec::new()) };
    let names: Vec<String> = first.value.0.iter().map(|(name, _)| name.value.clone()).collect();
    let mut rows = Vec::with_capacity(sets.len());
    for set in sets {
        let value = |name: &String| set.value.0.iter().find(|(key, _)| key.value == *name).map(|(_, value)| value);
        let row: Option<Vec<Scalar>> = names.iter().map(|name| value(name).map(|value| value.value.clone())).collect();
        match row {
            Some(row) if set.value.0.len() == names.len() => rows.push(row),
            _ => notes.add(set.place, format!("every set needs the same names: {}", names.join(", "))),
        }
    }
    (names, rows)
}

fn product(lists: &Entries<Vec<At<Scalar>>>, place: Place, notes: &mut Notes) -> (Vec<String>, Vec<Vec<Scalar>>) {
    let names = lists.0.iter().map(|(name, _)| name.value.clone()).collect();
    let count = lists.0.iter().try_fold(1_usize, |count, (_, values)| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > MAX_SETS) {
        notes.add(place, format!("for_each makes more than {MAX_SETS} requests"));
        return (names, vec![vec![Scalar::Null; lists.0.len()]]);
    }
    let mut rows = vec![Vec::new()];
    for (_, values) in &lists.0 {
        let longer = |row: &Vec<Scalar>, value: &At<Scalar>| {
            let mut row = row.clone();
            row.push(value.value.clone());
            row
        };
        rows = rows.iter().flat_map(|row| values.iter().map(move |value| longer(row, value))).collect();
    }
    (names, rows)
}

/// What holes may name.
pub struct Holes<'p> {
    pub params: &'p [String],
    pub has_window: bool,
    pub has_cursor: bool,
    /// Of a sign-in: `{secret.NAME}` stands for a secret.
    pub takes_secrets: bool,
}

impl Holes<'_> {
    fn check(&self, hole: &Hole) -> Result<(), String> {
        let name = hole.name.strip_prefix("param.").unwrap_or(&hole.name);
        if self.params.iter().any(|param| param == name) {
            return match hole.format {
                None => Ok(()),
                Some(_) => Err(format!("{{{}}} is a parameter and takes no format", hole.name)),
            };
        }
        match hole.name.as_str() {
            "window.start" | "window.end" if self.has_window => check_format(hole.format.as_deref()),
            "window.start" | "window.end" => Err("the source has no window".into()),
            "cursor" if self.has_cursor => check_format(hole.format.as_deref()),
            "cursor" => Err("the source has no cursor".into()),
            secret if self.takes_secrets && secret.starts_with(SECRET_HOLE) => match hole.format {
                None => Ok(()),
                Some(_) => Err(format!("{{{secret}}} is a secret and takes no format")),
            },
            secret if secret.starts_with(SECRET_HOLE) => {
                Err("a secret goes where auth says, into no other text".into())
            }
            "now" => check_format(hole.format.as_deref()),
            _ => Err(unknown_param(name, self.params)),
        }
    }

    fn template(&self, text: &At<String>, notes: &mut Notes) -> Option<Template> {
        let template = notes.template(text)?;
        for hole in template.holes() {
            notes.keep(text.place, self.check(hole));
        }
        Some(template)
    }

    fn scalars(&self, values: &Scalars, notes: &mut Notes) -> Vec<Template> {
        let text = |value: &At<Scalar>| At { value: value.value.text(), place: value.place };
        values.0.iter().filter_map(|value| self.template(&text(value), notes)).collect()
    }

    fn named(&self, entries: &Entries<At<Scalars>>, notes: &mut Notes) -> Vec<(String, Vec<Template>)> {
        let mut one =
            |(name, values): &(At<String>, At<Scalars>)| (name.value.clone(), self.scalars(&values.value, notes));
        entries.0.iter().map(&mut one).collect()
    }
}

/// `epoch_s`, `epoch_ms` or a pattern of strftime.
pub fn check_format(format: Option<&str>) -> Result<(), String> {
    match format {
        None | Some("epoch_s" | "epoch_ms") => Ok(()),
        Some(pattern) => {
            let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
            let shown = jiff::fmt::strtime::BrokenDownTime::from(&sample).to_string(pattern);
            shown.map(drop).map_err(|error| format!("{pattern:?} is not a pattern of strftime: {error}"))
        }
    }
}

/// Compiles the request. `None` only where there is no address at all.
pub fn request(source: &At<Source>, holes: &Holes<'_>, notes: &mut Notes) -> Option<Request> {
    let doc = &source.value;
    if doc.kind != Some(Kind::HttpRest) && doc.kind.is_some() {
        return None;
    }
    let Some(url) = &doc.url else {
        notes.add(source.place, "source needs url");
        return None;
    };
    let template = holes.template(url, notes)?;
    check_url(url, &template, notes);
    let raw_query = doc.raw_query.as_ref().and_then(|text| holes.template(text, notes));
    if let (Some(raw), true) = (&doc.raw_query, raw_query.as_ref().is_some_and(|text| text.parts.is_empty())) {
        notes.add(raw.place, "raw_query is empty; leave it out");
    }
    let method = doc.method.unwrap_or(if doc.body.is_some() { Method::Post } else { Method::Get });
    let body = doc.body.as_ref().map_or(plan::Body::None, |body| self::body(body, holes, notes));
    if let (Method::Get, Some(unused)) = (method, &doc.body) {
        notes.add(unused.place, "a GET request has no body; set method: POST");
    }
    Some(Request {
        method,
        url: template,
        query: doc.query.as_ref().map_or_else(Vec::new, |query| holes.named(query, notes)),
        raw_query,
        headers: doc.headers.as_ref().map_or_else(Vec::new, |headers| self::headers(headers, holes, notes)),
        auth: doc.auth.as_ref().and_then(|choice| auth::auth(choice, &body, notes)),
        user_agent: doc.user_agent.as_ref().and_then(|text| header_text(text, notes)),
        body,
    })
}

/// The address with a sample in each hole must be a good one.
pub fn check_url(text: &At<String>, template: &Template, notes: &mut Notes) {
    let part = |part: &Part| match part {
        Part::Text(fixed) => fixed.clone(),
        Part::Hole(_) => "1".to_owned(),
    };
    let sample: String = template.parts.iter().map(part).collect();
    let url = match Url::parse(&sample) {
        Ok(url) => url,
        Err(error) => {
            let hint = "expected an address such as https://api.example.org/v1/data";
            return notes.add_with_hint(text.place, format!("{:?} is not a URL: {error}", text.value), hint);
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        notes.add(text.place, format!("a source is reached by http or https, not by {:?}", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        notes.add(text.place, "the URL names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "use auth: {secret: NAME, in: basic}";
        notes.add_with_hint(text.place, "a profile holds no user name or password", hint);
    }
    let starts_with_hole = matches!(template.parts.first(), Some(Part::Hole(_)));
    let fixed: &str = match template.parts.first() {
        Some(Part::Text(start)) => start,
        _ => "",
    };
    let host_end = fixed.find("://").and_then(|at| fixed[at + 3..].find(['/', '?', '#']));
    if starts_with_hole || (host_end.is_none() && template.parts.len() > 1) {
        notes.add(text.place, "the host of the URL may not be filled in; write it out");
    }
}

fn headers(entries: &Entries<At<String>>, holes: &Holes<'_>, notes: &mut Notes) -> Vec<(String, Template)> {
    let mut headers = Vec::new();
    for (name, value) in &entries.0 {
        let lower = name.value.to_ascii_lowercase();
        let token = |next: char| next.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(next);
        if name.value.is_empty() || !name.value.chars().all(token) {
            notes.add(name.place, format!("{:?} is not a header name", name.value));
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            let hint = if lower == "user-agent" { "use user_agent" } else { "leave it out" };
            notes.add_with_hint(name.place, format!("the header {} is set by the drone", name.value), hint);
        } else if !holes.takes_secrets && ["authorization", "cookie", "proxy-authorization"].contains(&lower.as_str()) {
            let hint = "use auth with the name of a secret";
            notes.add_with_hint(name.place, format!("the header {} would hold a secret", name.value), hint);
        } else if header_text(value, notes).is_some() {
            headers.extend(holes.template(value, notes).map(|template| (name.value.clone(), template)));
        }
    }
    headers
}

fn header_text(text: &At<String>, notes: &mut Notes) -> Option<String> {
    if text.value.chars().all(|next| next == ' ' || next.is_ascii_graphic()) {
        return Some(text.value.clone());
    }
    notes.add(text.place, "a header holds printable ASCII characters only");
    None
}

fn body(body: &At<Body>, holes: &Holes<'_>, notes: &mut Notes) -> plan::Body {
    match (&body.value.json, &body.value.form, &body.value.text) {
        (Some(json), None, None) => {
            let At { value: Json(value), place } = json;
            plan::Body::Json(json_template(value, *place, holes, notes))
        }
        (None, Some(form), None) => plan::Body::Form(holes.named(form, notes)),
        (None, None, Some(text)) => holes.template(text, notes).map_or(plan::Body::None, plan::Body::Text),
        _ => {
            notes.add(body.place, "a body is one of json, form and text");
            plan::Body::None
        }
    }
}

fn json_template(value: &serde_json::Value, place: Place, holes: &Holes<'_>, notes: &mut Notes) -> JsonTemplate {
    match value {
        serde_json::Value::String(text) => {
            let template = holes.template(&At { value: text.clone(), place }, notes).unwrap_or_default();
            match template.only_hole() {
                Some(hole) if hole.format.is_none() => JsonTemplate::Typed(hole.clone()),
                _ => JsonTemplate::Text(template),
            }
        }
        serde_json::Value::Array(items) => {
            JsonTemplate::List(items.iter().map(|item| json_template(item, place, holes, notes)).collect())
        }
        serde_json::Value::Object(members) => {
            let mut member = |(name, inner): (&String, &serde_json::Value)| {
                (name.clone(), json_template(inner, place, holes, notes))
            };
            JsonTemplate::Map(members.iter().map(&mut member).collect())
        }
        fixed => JsonTemplate::Fixed(fixed.clone()),
    }
}
