//! The proposal as text: a profile with the doubts as comments.

use url::Url;

use super::ask::Asked;
use super::columns::{Fields, Kind, Proposed, Zone};
use super::form::Form;
use super::lines::Lines;
use super::shape::{Shape, path_text};
use super::{Packing, Seen};
use crate::profiles::path::Origin;
use crate::profiles::write_yaml::scalar;

/// Where only an answer is at hand.
const UNKNOWN_URL: &str = "https://example.invalid/";
const MAX_LEFT_OUT: usize = 30;

pub fn profile(seen: &Seen<'_>, form: &Form, shape: &Shape, fields: &Fields, asked: &Asked) -> String {
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
    source(url.as_ref(), asked, &mut out);
    written(form, &seen.packing, &mut out);
    rows(form, shape, fields, &mut out);
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

fn source(url: Option<&Url>, asked: &Asked, out: &mut String) {
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
    let plain: Vec<&(String, String)> =
        pairs.iter().filter(|(name, _)| !asked.is_taken(name) && !is_secret(name)).collect();
    query(&plain, asked, out);
    if let Some(sets) = asked.for_each() {
        out.push_str(&format!("  # The request is made once for each set.\n  for_each: {sets}\n"));
    }
    if let Some(span) = &asked.span {
        out.push_str(&format!(
            "  # One window, as asked. For more: `to: now`, and a step that the source gives at once.\n\
             \x20 window: {}\n",
            span.yaml
        ));
    }
    if let Some((name, _)) = pairs.iter().find(|(name, _)| is_secret(name)) {
        out.push_str(&format!(
            "  # The value stays out of the profile: set CHARTLY_SECRET_SOURCE_KEY where the drone runs.\n\
             \x20 auth: {{secret: SOURCE_KEY, in: query, name: {}}}\n",
            scalar(name)
        ));
    }
    if let Some(guess) = &asked.paging {
        out.push_str(&format!("  # {}.\n  paging: {}\n", guess.comment, guess.yaml));
    }
}

fn quoted_url(url: &str) -> String {
    if url.contains(['{', '}', '#', ' ', '\'', '"', ',']) { quoted(url) } else { url.to_owned() }
}

/// A parameter that is there twice becomes a list.
fn query(pairs: &[&(String, String)], asked: &Asked, out: &mut String) {
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
        let value = match (asked.template(name), values.as_slice()) {
            (Some(template), _) => quoted(&template),
            (None, [one]) => one.clone(),
            (None, _) => format!("[{}]", values.join(", ")),
        };
        out.push_str(&format!("    {}: {value}\n", scalar(name)));
    }
}

/// How the bytes are written.
fn written(form: &Form, packing: &Packing, out: &mut String) {
    match packing {
        Packing::Nothing => {}
        Packing::Gzip => out.push_str("  compression: gzip\n"),
        Packing::Zip(name) => out.push_str(&format!("  archive: {{zip: {}}}\n", quoted(name))),
    }
    match form {
        Form::Json => {}
        Form::Ndjson => out.push_str("  format: ndjson\n"),
        Form::Xml => out.push_str("  format: xml\n"),
        Form::Lines(lines) => cells(lines, out),
    }
}

fn cells(lines: &Lines, out: &mut String) {
    let mut parts = Vec::new();
    let word = if lines.delimiter.is_some() { "csv" } else { "columns" };
    if let Some(mark) = lines.delimiter.filter(|mark| *mark != ',') {
        parts.push(format!("delimiter: {}", quoted(&mark.to_string())));
    }
    if lines.skip > 0 {
        parts.push(format!("skip_lines: {}", lines.skip));
    }
    if let Some(mark) = lines.comment {
        parts.push(format!("comment: {}", quoted(&mark.to_string())));
    }
    if !lines.names.is_empty() {
        out.push_str("  # The columns have no names in the answer: give them some.\n");
        parts.push(format!("header: [{}]", lines.names.join(", ")));
    }
    if lines.after_header > 0 {
        parts.push(format!("after_header: {}", lines.after_header));
    }
    out.push_str(&format!("  format: {word}\n"));
    if !parts.is_empty() {
        out.push_str(&format!("  {word}: {{{}}}\n", parts.join(", ")));
    }
}

/// Parts of `rows`, on one line each.
fn rows(form: &Form, shape: &Shape, fields: &Fields, out: &mut String) {
    let mut parts = match (form, shape) {
        (Form::Lines(_), _) => Vec::new(),
        // Every line is a row.
        (Form::Ndjson, Shape::Each(steps)) if steps.len() == 1 => Vec::new(),
        _ => found(shape, fields, out),
    };
    if let Some(wide) = &fields.wide {
        let key = if wide.key == "key" { String::new() } else { format!(", key: {}", wide.key) };
        parts.push(format!("unpivot: {{columns: {}{key}, value: {}}}", wide.columns, wide.value));
    }
    match parts.as_slice() {
        [] => {}
        [one] if !one.contains('\n') => out.push_str(&format!("rows: {{{one}}}\n")),
        _ => {
            out.push_str("rows:\n");
            parts.iter().for_each(|part| out.push_str(&format!("  {part}\n")));
        }
    }
}

fn found(shape: &Shape, fields: &Fields, out: &mut String) -> Vec<String> {
    let path = |steps: &[super::shape::Step]| quoted(&path_text(steps, Origin::Document));
    let under = |steps: &[super::shape::Step], then: &str| match (steps.is_empty(), then.is_empty()) {
        (true, _) => then.to_owned(),
        (false, true) => format!("under: {}", path(steps)),
        (false, false) => format!("under: {}, {then}", path(steps)),
    };
    vec![match shape {
        Shape::Each(_) if fields.steps.len() == 1 && !fields.steps[0].entries => {
            format!("each: {}", quoted(&fields.steps[0].path))
        }
        Shape::Each(_) => {
            let step = |step: &super::sheet::NamedStep| {
                let kind = if step.entries { "entries" } else { "path" };
                format!("\n    - {{as: {}, {kind}: {}}}", scalar(&step.name), quoted(&step.path))
            };
            format!("each:{}", fields.steps.iter().map(step).collect::<String>())
        }
        Shape::Table(steps) => format!("table: {{{}}}", under(steps, "header: first")),
        Shape::Cells(steps, width) => {
            let names: Vec<String> = (0..*width).map(|index| format!("c{index}")).collect();
            out.push_str("# The columns have no names in the answer: give them some.\n");
            format!("table: {{{}}}", under(steps, &format!("names: [{}]", names.join(", "))))
        }
        Shape::Zip(steps) => format!("zip: {{{}}}", under(steps, "")),
        Shape::Single(steps) => format!("single: {}", path(steps)),
        Shape::Cube(cube) if cube.under.is_empty() => format!("cube: {}", cube.form),
        Shape::Cube(cube) => format!("cube: {{form: {}, {}}}", cube.form, under(&cube.under, "")),
    }]
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
    let source = match field.from.contains(['{', '}']) && !field.is_template {
        true => format!("first_of: [{}]", quoted(&field.from)),
        false => format!("from: {}", quoted(&field.from)),
    };
    let source = match field.extract {
        Some(part) => format!("{source}, extract: {}", quoted(part)),
        None => source,
    };
    let source = if field.has_comma { format!("{source}, decimal: comma") } else { source };
    match &field.kind {
        Kind::Dim | Kind::Measure => format!("{{{source}}}"),
        Kind::Fixed(text) => format!("{{const: {}}}", quoted(text)),
        Kind::Time { form, zone } => {
            let zone = match zone {
                Zone::Unsaid => String::new(),
                Zone::Named(name) => format!(", zone: {}", scalar(name)),
                Zone::Offset(path) => format!(", offset: {}", quoted(path)),
            };
            let grain = if field.name == "time.start" { format!(", grain: {}", form.grain) } else { String::new() };
            // What every time is read as needs no word.
            if form.form == "iso" && zone.is_empty() && grain.is_empty() {
                return format!("{{{source}}}");
            }
            format!("{{{source}, time: {{in: {}{grain}{zone}}}}}", quoted(&form.form))
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
