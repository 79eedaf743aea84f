//! How a source pages, guessed from the address and from members that only paging needs.

use serde_json::Value;

use super::Seen;
use super::shape::{Shape, Step, path_text};
use crate::profiles::path::Origin;
use crate::profiles::write_yaml::scalar;

/// The lines of `source.paging`, and the query parameters that it takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    pub yaml: String,
    pub taken: Vec<String>,
    pub comment: &'static str,
}

/// Guesses from the parameters of the address, `pairs`, and an answer of so many rows.
pub fn guess(
    seen: &Seen<'_>,
    pairs: &[(String, String)],
    document: &Value,
    shape: &Shape,
    rows: usize,
) -> Option<Guess> {
    let param = |names: &[&str]| {
        let bare = |name: &str| name.trim_start_matches('$').to_lowercase().replace(['_', '-'], "");
        pairs.iter().find(|(name, _)| names.contains(&bare(name).as_str()))
    };
    let size = param(&SIZES);
    let size_part = size.map(|(name, value)| {
        let value = value.parse::<u64>().unwrap_or(100).max(1);
        format!(", size_param: {}, size: {value}", scalar(name))
    });
    let size_part = size_part.unwrap_or_default();
    let mut taken: Vec<String> = size.iter().map(|(name, _)| name.clone()).collect();
    if seen.has_next_link {
        let yaml = format!("{{kind: link{size_part}}}");
        return Some(Guess { yaml, taken, comment: "the Link header names the next page" });
    }
    if let Some(path) = next_url(document, shape) {
        let yaml = format!("{{kind: next, next: {}{size_part}, until: empty}}", scalar(&path));
        return Some(Guess { yaml, taken, comment: "the answer names the next page; an empty page ends it too" });
    }
    if let Some((path, name)) = next_token(document, shape) {
        let own = param(&TOKENS);
        let named = own.map_or_else(|| token_param(&name), |(own, _)| own.clone());
        let start = own.filter(|(_, value)| value == "*").map_or("", |_| ", start: \"*\"");
        taken.extend(own.map(|(known, _)| known.clone()));
        let yaml = format!("{{kind: token, param: {}, next: {}{start}{size_part}}}", scalar(&named), scalar(&path));
        return Some(Guess { yaml, taken, comment: "the answer gives a token; check the name of its parameter" });
    }
    let offset = param(&OFFSETS).or_else(|| param(&["start"]).filter(|(_, value)| size.is_some() && is_number(value)));
    let (kind, place) = match (param(&PAGES).filter(|(_, value)| is_number(value)), offset) {
        (Some(place), _) => ("page", place),
        (None, Some(place)) => ("offset", place),
        (None, None) => return said_by_answer(document, shape, rows),
    };
    taken.push(place.0.clone());
    let first = match (kind, place.1.as_str()) {
        ("page", "0") => ", first: 0",
        ("offset", "1") => ", first: 1",
        _ => "",
    };
    let step = if kind == "offset" && size_part.is_empty() { ", step: received" } else { "" };
    let end = end_test(document, shape, rows);
    let yaml = format!("{{kind: {kind}, param: {}{first}{size_part}{step}{end}}}", scalar(&place.0));
    Some(Guess { yaml, taken, comment: "from the parameters of the address; check what ends it" })
}

/// Names of parameters, in small letters without `$`, `_` and `-`.
const SIZES: [&str; 16] = [
    "perpage",
    "limit",
    "pagesize",
    "size",
    "page[size]",
    "page[limit]",
    "rows",
    "count",
    "top",
    "maxrecords",
    "length",
    "resultrecordcount",
    "maxresults",
    "numrows",
    "pagelimit",
    "itemsperpage",
];
const PAGES: [&str; 5] = ["page", "pageno", "pagenumber", "page[number]", "pageindex"];
const OFFSETS: [&str; 6] = ["offset", "skip", "startindex", "resultoffset", "page[offset]", "firstresult"];
const TOKENS: [&str; 9] = [
    "cursor",
    "pagetoken",
    "nexttoken",
    "after",
    "continuationtoken",
    "token",
    "nextcursor",
    "nextpagetoken",
    "marker",
];

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The token of the next page, with its path and name.
fn next_token(document: &Value, shape: &Shape) -> Option<(String, String)> {
    const NAMES: [&str; 7] =
        ["nextpagetoken", "nextcursor", "nexttoken", "continuationtoken", "nextpagecursor", "scrollid", "nextmarker"];
    let bare = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let is_token = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty()) || value.is_number();
    let all = outside(document, shape);
    let found = all.iter().find(|(_, name, value)| NAMES.contains(&bare(name).as_str()) && is_token(value));
    found.map(|(path, name, _)| (path_text(path, Origin::Document), (*name).to_owned()))
}

/// `nextPageToken` is sent as `pageToken`, as a rule.
fn token_param(name: &str) -> String {
    let rest = name.strip_prefix("next").map_or(name, |rest| rest.trim_start_matches('_'));
    let mut letters = rest.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => name.to_owned(),
    }
}

/// Members outside the rows, with their paths.
fn outside<'d>(document: &'d Value, shape: &Shape) -> Vec<(Vec<Step>, &'d str, &'d Value)> {
    let rows = shape.steps();
    let mut found = Vec::new();
    let mut open: Vec<(Vec<Step>, &Value)> = vec![(Vec::new(), document)];
    while let Some((path, value)) = open.pop() {
        if path.len() > 3 || found.len() > 500 || (!rows.is_empty() && path == rows) {
            continue;
        }
        match value {
            Value::Object(members) => {
                for (name, inner) in members {
                    let path: Vec<Step> = path.iter().cloned().chain([Step::Name(name.clone())]).collect();
                    found.push((path.clone(), name.as_str(), inner));
                    open.push((path, inner));
                }
            }
            Value::Array(items) if path.is_empty() && items.len() == 2 => {
                open.push((vec![Step::Index(0)], &items[0]));
            }
            _ => {}
        }
    }
    found.sort_by(|left, right| left.0.len().cmp(&right.0.len()).then(left.0.cmp(&right.0)));
    found
}

fn next_url(document: &Value, shape: &Shape) -> Option<String> {
    const NAMES: [&str; 7] =
        ["next", "next_url", "nexturl", "nextlink", "next_page_url", "@odata.nextlink", "nextpageurl"];
    let is_address = |value: &Value| {
        value.as_str().is_some_and(|text| text.starts_with(['/', '?', '&']) || text.starts_with("http"))
    };
    let all = outside(document, shape);
    let found = all.iter().find(|(_, name, value)| NAMES.contains(&name.to_lowercase().as_str()) && is_address(value));
    found.map(|(path, _, _)| path_text(path, Origin::Document))
}

/// A total or the number of the last page, where the answer says one.
fn end_test(document: &Value, shape: &Shape, rows: usize) -> String {
    let all = outside(document, shape);
    if let Some((path, ..)) = all.iter().find(|(_, name, value)| is_flag(name) && value.is_boolean()) {
        let condition = format!("{} == false", path_text(path, Origin::Document));
        return format!(", until: {}", Value::from(condition));
    }
    let find = |names: &[&str], least: usize| {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let number = |value: &Value| number(value).is_some_and(|number| number >= least as u64);
        let hit = all.iter().find(|(_, name, value)| names.contains(&name.to_lowercase().as_str()) && number(value));
        hit.map(|(path, _, _)| scalar(&path_text(path, Origin::Document)))
    };
    if let Some(path) = find(&["pages", "total_pages", "totalpages", "last_page", "page_count", "total-pages"], 1) {
        return format!(", last_page: {path}");
    }
    // A count may be one of this page alone: only one of more rows than came is one of all.
    let total = find(&["total", "total_count", "totalcount", "total-count", "numfound", "totalresults"], rows)
        .or_else(|| find(&["count", "found", "totalelements", "recordsfiltered"], rows + 1));
    total.map_or_else(String::new, |path| format!(", total: {path}"))
}

/// The answer says by it whether there is more.
fn is_flag(name: &str) -> bool {
    ["hasmore", "hasnext", "hasnextpage", "more", "moreresults"]
        .contains(&name.to_lowercase().replace('_', "").as_str())
}

/// Without a parameter in the address: a body that counts pages is asked by `page` as a rule.
fn said_by_answer(document: &Value, shape: &Shape, rows: usize) -> Option<Guess> {
    let all = outside(document, shape);
    let has = |name: &str| {
        all.iter().any(|(_, own, value)| own.to_lowercase() == name && (value.is_number() || value.is_string()))
    };
    let end = end_test(document, shape, rows);
    if !has("page") || !end.starts_with(", last_page") {
        return None;
    }
    let size = if has("per_page") { ", size_param: per_page, size: 100" } else { "" };
    let taken = vec!["per_page".to_owned(), "page".to_owned()];
    Some(Guess {
        yaml: format!("{{kind: page, param: page{size}{end}}}"),
        taken,
        comment: "the answer counts its pages",
    })
}
