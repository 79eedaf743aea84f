//! How a source pages, guessed from the address and from members that only paging needs.

use serde_json::Value;

use super::Seen;
use super::shape::{Shape, Step, path_text};
use crate::profiles::path::Origin;

/// The lines of `source.paging`, and the query parameters that it takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    pub yaml: String,
    pub taken: Vec<String>,
    pub comment: &'static str,
}

pub fn guess(seen: &Seen<'_>, document: &Value, shape: &Shape) -> Option<Guess> {
    let pairs: Vec<(String, String)> = url::Url::parse(seen.url).ok().as_ref().map(pairs).unwrap_or_default();
    let param = |names: &[&str]| {
        pairs.iter().find(|(name, _)| names.contains(&name.trim_start_matches('$').to_lowercase().as_str()))
    };
    let size = param(&[
        "per_page",
        "limit",
        "page_size",
        "pagesize",
        "size",
        "page[size]",
        "rows",
        "count",
        "top",
        "maxrecords",
    ]);
    let size_part = size.map(|(name, value)| {
        let value = value.parse::<u64>().unwrap_or(100).max(1);
        format!(", size_param: {}, size: {value}", crate::profiles::write_yaml::scalar(name))
    });
    let size_part = size_part.unwrap_or_default();
    let mut taken: Vec<String> = size.iter().map(|(name, _)| name.clone()).collect();
    let end = end_test(document, shape);
    if seen.has_next_link {
        return Some(Guess {
            yaml: format!("{{kind: link{size_part}}}"),
            taken,
            comment: "the Link header names the next page",
        });
    }
    if let Some(path) = next_url(document, shape) {
        let yaml =
            format!("{{kind: next, next: {}{size_part}, until: empty}}", crate::profiles::write_yaml::scalar(&path));
        return Some(Guess { yaml, taken, comment: "the answer names the next page; an empty page ends it too" });
    }
    let (kind, place) =
        match (param(&["page", "pageno", "page_number", "page[number]"]), param(&["offset", "skip", "startindex"])) {
            (Some(place), _) => ("page", place),
            (None, Some(place)) => ("offset", place),
            (None, None) => return said_by_answer(document, shape),
        };
    taken.push(place.0.clone());
    let name = crate::profiles::write_yaml::scalar(&place.0);
    let yaml = format!("{{kind: {kind}, param: {name}{size_part}{end}}}");
    Some(Guess { yaml, taken, comment: "from the parameters of the address; check what ends it" })
}

fn pairs(url: &url::Url) -> Vec<(String, String)> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
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
fn end_test(document: &Value, shape: &Shape) -> String {
    let all = outside(document, shape);
    let find = |names: &[&str]| {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok()).is_some();
        let hit = all.iter().find(|(_, name, value)| names.contains(&name.to_lowercase().as_str()) && number(value));
        hit.map(|(path, _, _)| crate::profiles::write_yaml::scalar(&path_text(path, Origin::Document)))
    };
    if let Some(path) = find(&["pages", "total_pages", "totalpages", "last_page", "page_count", "total-pages"]) {
        return format!(", last_page: {path}");
    }
    match find(&["total", "total_count", "totalcount", "total-count", "numfound", "totalresults", "count"]) {
        Some(path) => format!(", total: {path}"),
        None => String::new(),
    }
}

/// Without a parameter in the address: a body that counts pages is asked by `page` as a rule.
fn said_by_answer(document: &Value, shape: &Shape) -> Option<Guess> {
    let all = outside(document, shape);
    let has = |name: &str| {
        all.iter().any(|(_, own, value)| own.to_lowercase() == name && (value.is_number() || value.is_string()))
    };
    let end = end_test(document, shape);
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
