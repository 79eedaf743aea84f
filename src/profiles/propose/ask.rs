//! What the address says beyond where to ask: parameters that name what the rows are about, a span of time, a year.

use serde_json::Value;
use url::Url;

use super::Seen;
use super::columns::{Fields, Kind, Proposed, cut};
use super::dims::{clean, dim_name, words};
use super::paging::{self, Guess};
use super::shape::Shape;
use super::span::{self, Span};
use crate::profiles::write_yaml::scalar;

/// A name, not a list and not a query.
const MAX_VALUE_CHARS: usize = 24;

/// A parameter that becomes one of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// As the address has it.
    pub query: String,
    /// As the profile calls it.
    pub name: String,
    pub value: String,
}

/// What is asked, besides the parameters that stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub paging: Option<Guess>,
    pub span: Option<Span>,
    pub params: Vec<Param>,
}

impl Asked {
    /// `fields` gets the dims that only the address knows.
    pub fn of(seen: &Seen<'_>, document: &Value, shape: &Shape, rows: usize, fields: &mut Fields) -> Self {
        let Ok(url) = Url::parse(seen.url) else { return Self::default() };
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let paging = paging::guess(seen, &pairs, document, shape, rows);
        let span = span::find(&pairs);
        let taken = |name: &str| {
            paging.as_ref().is_some_and(|guess| guess.taken.iter().any(|own| own == name))
                || span.as_ref().is_some_and(|span| span.params.iter().any(|(own, _)| own == name))
        };
        let once = |name: &str| pairs.iter().filter(|(own, _)| own == name).count() == 1;
        let mut params: Vec<Param> = Vec::new();
        for (name, value) in
            pairs.iter().filter(|(name, value)| !taken(name) && once(name) && names_a_thing(name, value))
        {
            let own = clean(name);
            let is_known = fields.said_already.iter().any(|text| text == value);
            if !is_known && !params.iter().any(|param| param.name == own) && !RESERVED.contains(&own.as_str()) {
                params.push(Param { query: name.clone(), name: own, value: value.clone() });
            }
        }
        for param in &params {
            let comment = Some(format!("{:?} in the address; for_each takes more", cut(&param.value)));
            let name = dim_name(std::slice::from_ref(&param.name));
            let dim = Proposed { comment, ..Proposed::new(&name, &format!("param.{}", param.name), Kind::Dim) };
            fields.add_dim(dim);
        }
        if let Some(year) = year_in_path(&url).filter(|_| !fields.dims.iter().any(|dim| dim.name.starts_with("time.")))
        {
            let comment = Some("from the address".to_owned());
            let dim = Proposed { comment, ..Proposed::new("time.year", "", Kind::Fixed(year)) };
            fields.add_dim(dim);
        }
        Self { paging, span, params }
    }

    /// What stands for a parameter's value in the query.
    pub fn template(&self, name: &str) -> Option<String> {
        let span = self.span.iter().flat_map(|span| &span.params).find(|(own, _)| own == name);
        let param = self.params.iter().find(|param| param.query == name);
        span.map(|(_, template)| template.clone()).or_else(|| param.map(|param| format!("{{{}}}", param.name)))
    }

    pub fn is_taken(&self, name: &str) -> bool {
        self.paging.as_ref().is_some_and(|guess| guess.taken.iter().any(|own| own == name))
    }

    /// `for_each`, where there are parameters.
    pub fn for_each(&self) -> Option<String> {
        let pair = |param: &Param| format!("{}: {}", scalar(&param.name), Value::from(param.value.as_str()));
        (!self.params.is_empty())
            .then(|| format!("[{{{}}}]", self.params.iter().map(pair).collect::<Vec<_>>().join(", ")))
    }
}

/// Names that mean something else in a template.
const RESERVED: [&str; 8] = ["now", "cursor", "window", "param", "doc", "header", "key", "field"];

/// The parameter names what the rows are about, such as a series, a station or a place.
fn names_a_thing(name: &str, value: &str) -> bool {
    const WORDS: [&str; 26] = [
        "id",
        "code",
        "series",
        "seriesid",
        "symbol",
        "ticker",
        "station",
        "stationid",
        "site",
        "sites",
        "country",
        "city",
        "state",
        "region",
        "geo",
        "lat",
        "latitude",
        "lon",
        "lng",
        "longitude",
        "coin",
        "currency",
        "base",
        "indicator",
        "species",
        "product",
    ];
    const NOT: [&str; 9] = ["resource", "dataset", "app", "client", "user", "request", "lang", "format", "api"];
    let words = words(name);
    let is_named = words.last().is_some_and(|last| WORDS.contains(&last.as_str()));
    let is_simple = value.chars().all(|next| next.is_alphanumeric() || "-_.".contains(next));
    is_named
        && is_simple
        && !value.is_empty()
        && value.chars().count() <= MAX_VALUE_CHARS
        && !words.iter().any(|word| NOT.contains(&word.as_str()))
}

/// A part of the path that is a year.
fn year_in_path(url: &Url) -> Option<String> {
    let is_year = |part: &&str| part.len() == 4 && part.parse::<u16>().is_ok_and(|year| (1900..2100).contains(&year));
    url.path_segments()?.find(is_year).map(str::to_owned)
}
