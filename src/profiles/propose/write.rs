//! The proposal as text: a profile with the doubts as comments.

use url::Url;

use super::Seen;
use super::columns::{Fields, Kind, Proposed, Zone};
use super::paging::Guess;
use super::shape::{Shape, path_text};
use crate::profiles::path::Origin;
use crate::profiles::write_yaml::scalar;

/// Where only an answer is at hand.
const UNKNOWN_URL: &str = "https://example.invalid/";
const MAX_LEFT_OUT: usize = 30;

pub fn profile(seen: &Seen<'_>, shape: &Shape, fields: &Fields, paging: Option<&Guess>) -> String {
    let mut out = String::from(
        "# Proposed by `chartly profile new` from one answer. Check the names, the key and the times, then try it:\n\
         # chartly profile preview FILE\n",
    );
    let url = Url::parse(seen.url).ok();
    let id = seen.id.map_or_else(|| id_of(url.as_ref()), str::to_owned);
    out.push_str(&format!(
        "id: {}\nversion: 0.1.0\ndescription: What it is, who publishes it, under which terms.\n",
        scalar(&id)
    ));
    source(url.as_ref(), paging, &mut out);
    rows(shape, fields, &mut out);
    if !fields.conditions.is_empty() {
        let conditions: Vec<String> = fields.conditions.iter().map(|text| quoted(text)).collect();
        out.push_str(&format!("where: [{}]\n", conditions.join(", ")));
    }
    if !fields.missing.is_empty() {
        let values: Vec<String> = fields.missing.iter().map(|text| missing(text)).collect();
        out.push_str(&format!("# These stand where there is no value.\nmissing: [{}]\n", values.join(", ")));
    }
    group("dims", &fields.dims, &mut out);
    if fields.measures.is_empty() {
        out.push_str(
            "# No measure was found: a record needs one. This one counts the rows.\nmeasures:\n  rows: {const: 1}\n",
        );
    } else {
        group("measures", &fields.measures, &mut out);
    }
    left_out(fields, &mut out);
    if fields.key.is_empty() {
        out.push_str("# key: no dims tell the rows apart for sure; name those that identify an observation.\n");
    } else {
        let names: Vec<String> = fields.key.iter().map(|name| scalar(name)).collect();
        out.push_str(&format!("# These tell the rows of the answer apart.\nkey: [{}]\n", names.join(", ")));
    }
    out.push_str("schedule: {every: P1D}\n");
    out
}

/// A text that stays one in a flow list.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn missing(text: &str) -> String {
    if text.parse::<i64>().is_ok() { text.to_owned() } else { quoted(text) }
}

/// The host and what is distinct of the path, in small letters.
fn id_of(url: Option<&Url>) -> String {
    let host = url.and_then(Url::host_str).unwrap_or("new-source");
    let host = host.strip_prefix("www.").or(host.strip_prefix("api.")).unwrap_or(host);
    let path = url.and_then(Url::path_segments).and_then(|mut parts| parts.rfind(|part| !part.is_empty()));
    let text = format!("{host}-{}", path.unwrap_or("").split('.').next().unwrap_or(""));
    let kept: String =
        text.to_lowercase().chars().map(|next| if next.is_ascii_alphanumeric() { next } else { '-' }).collect();
    let parts: Vec<&str> = kept.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-").chars().take(80).collect()
}

/// Parameters that carry a key: their value never goes into a profile.
fn is_secret(name: &str) -> bool {
    ["key", "api_key", "apikey", "api-key", "token", "access_token", "appid", "app_id", "auth"]
        .contains(&name.to_lowercase().as_str())
}

fn source(url: Option<&Url>, paging: Option<&Guess>, out: &mut String) {
    let mut bare = url.cloned();
    let pairs: Vec<(String, String)> = url
        .map(|address| address.query_pairs().map(|(name, value)| (name.into(), value.into())).collect())
        .unwrap_or_default();
    if let Some(address) = &mut bare {
        address.set_query(None);
        address.set_fragment(None);
        // A password in the address is none of a profile's matter.
        let _ = address.set_username("");
        let _ = address.set_password(None);
    }
    let bare = bare.map_or(UNKNOWN_URL.to_owned(), |address| address.as_str().replace('{', "{{").replace('}', "}}"));
    out.push_str("source:\n");
    if url.is_none() {
        out.push_str("  # The address that gives this answer.\n");
    }
    out.push_str(&format!("  url: {}\n", quoted_url(&bare)));
    let taken = |name: &str| paging.is_some_and(|guess| guess.taken.iter().any(|own| own == name));
    let plain: Vec<&(String, String)> = pairs.iter().filter(|(name, _)| !taken(name) && !is_secret(name)).collect();
    query(&plain, out);
    if let Some((name, _)) = pairs.iter().find(|(name, _)| is_secret(name)) {
        out.push_str(&format!(
            "  # The value stays out of the profile: set CHARTLY_SECRET_SOURCE_KEY where the drone runs.\n\
             \x20 auth: {{secret: SOURCE_KEY, in: query, name: {}}}\n",
            scalar(name)
        ));
    }
    if let Some(guess) = paging {
        out.push_str(&format!("  # {}.\n  paging: {}\n", guess.comment, guess.yaml));
    }
}

fn quoted_url(url: &str) -> String {
    if url.contains(['{', '}', '#', ' ', '\'', '"', ',']) { quoted(url) } else { url.to_owned() }
}

/// A parameter that is there twice becomes a list.
fn query(pairs: &[&(String, String)], out: &mut String) {
    if pairs.is_empty() {
        return;
    }
    out.push_str("  query:\n");
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in pairs {
        if seen.contains(&name.as_str()) {
            continue;
        }
        seen.push(name);
        let braces = |text: &str| quoted(&text.replace('{', "{{").replace('}', "}}"));
        let values: Vec<String> = pairs.iter().filter(|(own, _)| own == name).map(|(_, value)| braces(value)).collect();
        let value = if let [one] = values.as_slice() { one.clone() } else { format!("[{}]", values.join(", ")) };
        out.push_str(&format!("    {}: {value}\n", scalar(name)));
    }
}

fn rows(shape: &Shape, fields: &Fields, out: &mut String) {
    let under = |steps: &[super::shape::Step]| {
        if steps.is_empty() { String::new() } else { format!("under: {}", quoted(&path_text(steps, Origin::Document))) }
    };
    match shape {
        Shape::Each(_) if fields.steps.len() == 1 && !fields.steps[0].entries => {
            out.push_str(&format!("rows: {{each: {}}}\n", quoted(&fields.steps[0].path)));
        }
        Shape::Each(_) => {
            out.push_str("rows:\n  each:\n");
            for step in &fields.steps {
                let kind = if step.entries { "entries" } else { "path" };
                out.push_str(&format!("    - {{as: {}, {kind}: {}}}\n", scalar(&step.name), quoted(&step.path)));
            }
        }
        Shape::Table(steps) => {
            let under = under(steps);
            let comma = if under.is_empty() { "" } else { ", " };
            out.push_str(&format!("rows: {{table: {{{under}{comma}header: first}}}}\n"));
        }
        Shape::Cells(steps, width) => {
            let under = under(steps);
            let comma = if under.is_empty() { "" } else { ", " };
            let names: Vec<String> = (0..*width).map(|index| format!("c{index}")).collect();
            out.push_str("# The columns have no names in the answer: give them some.\n");
            out.push_str(&format!("rows: {{table: {{{under}{comma}names: [{}]}}}}\n", names.join(", ")));
        }
        Shape::Zip(steps) => out.push_str(&format!("rows: {{zip: {{{}}}}}\n", under(steps))),
        Shape::Single(steps) => {
            out.push_str(&format!("rows: {{single: {}}}\n", quoted(&path_text(steps, Origin::Document))));
        }
    }
}

fn group(half: &str, fields: &[Proposed], out: &mut String) {
    if fields.is_empty() {
        return;
    }
    out.push_str(&format!("{half}:\n"));
    for field in fields {
        let comment = field.comment.as_ref().map(|text| format!("  # {text}")).unwrap_or_default();
        out.push_str(&format!("  {}: {}{comment}\n", scalar(&field.name), value(field)));
    }
}

fn value(field: &Proposed) -> String {
    // A template's braces are its own; in a list of paths braces are letters.
    let is_template = field.from.starts_with('{') && field.from.contains("}{");
    let source = match field.from.contains(['{', '}']) && !is_template {
        true => format!("first_of: [{}]", quoted(&field.from)),
        false => format!("from: {}", quoted(&field.from)),
    };
    match &field.kind {
        Kind::Dim | Kind::Measure => format!("{{{source}}}"),
        Kind::Time { form, zone } => {
            let zone = match zone {
                Zone::Unsaid => String::new(),
                Zone::Named(name) => format!(", zone: {}", scalar(name)),
                Zone::Offset(path) => format!(", offset: {}", quoted(path)),
            };
            let grain = if field.name == "time.start" { format!(", grain: {}", form.grain) } else { String::new() };
            format!("{{{source}, time: {{in: {}{grain}{zone}}}}}", quoted(form.form))
        }
    }
}

fn left_out(fields: &Fields, out: &mut String) {
    if fields.left_out.is_empty() {
        return;
    }
    out.push_str("# Left out:\n");
    for line in fields.left_out.iter().take(MAX_LEFT_OUT) {
        out.push_str(&format!("#   {}\n", line.replace(['\n', '\r'], " ")));
    }
    if fields.left_out.len() > MAX_LEFT_OUT {
        out.push_str(&format!("#   and {} more\n", fields.left_out.len() - MAX_LEFT_OUT));
    }
}
