//! The requests of a combination: pages, inside windows or parameter sets, with what leads from one to the next.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Case, Observation, Packing};
use crate::pipeline::fetch::SavedAnswer;
use crate::pipeline::testing;
use crate::pipeline::tests::played::get;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    None,
    Short,
    Empty,
    Total,
    HeaderTotal,
    LastPage,
    Condition,
    OffsetSize,
    OffsetReceived,
    Token,
    Keyset,
    NextUrl,
    NextFragment,
    Link,
}

pub fn paging() -> impl Strategy<Value = Paging> {
    use Paging::*;
    prop::sample::select(vec![
        None,
        Short,
        Empty,
        Total,
        HeaderTotal,
        LastPage,
        Condition,
        OffsetSize,
        OffsetReceived,
        Token,
        Keyset,
        NextUrl,
        NextFragment,
        Link,
    ])
}

/// Of what each list of pages is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    None,
    ForEach,
    First,
    Windows,
    FirstWindows,
}

pub fn fan() -> impl Strategy<Value = Fan> {
    prop::sample::select(vec![Fan::None, Fan::ForEach, Fan::First, Fan::Windows, Fan::FirstWindows])
}

impl Fan {
    fn has_params(self) -> bool {
        matches!(self, Self::ForEach | Self::First | Self::FirstWindows)
    }

    fn has_windows(self) -> bool {
        matches!(self, Self::Windows | Self::FirstWindows)
    }

    pub fn source(self) -> String {
        let mut query = vec!["fixed: 'a+b'"];
        let mut text = String::new();
        if self.has_params() {
            query.push("p: '{p}'");
        }
        if self.has_windows() {
            query.push("from: '{window.start:%Y-%m-%d}'");
            text.push_str("  window: {from: 2024-01-01, to: 2024-01-10, step: P3D}\n");
        }
        match self {
            Self::ForEach => text.push_str("  for_each: {p: [x y, z]}\n"),
            Self::First | Self::FirstWindows => {
                text.push_str(
                    "  first: {url: 'https://h/list', rows: {each: $.l}, where: ['ok == true'], values: {p: n}}\n",
                );
            }
            _ => {}
        }
        format!("{text}  query: {{{}}}\n", query.join(", "))
    }

    /// The lists: their query, and which rows they hold.
    fn lists(self, rows: &[Observation]) -> Vec<List> {
        let fixed = ("fixed".to_owned(), "a+b".to_owned());
        let mut lists = vec![(vec![fixed], rows.to_vec())];
        if self.has_params() {
            let of = |value: &str, rows: &[Observation]| -> Vec<Observation> {
                let own = |row: &&Observation| row.station.len().is_multiple_of(2) == (value == "z");
                rows.iter().filter(own).cloned().collect()
            };
            lists = split(lists, "p", &["x y", "z"], of);
        }
        if self.has_windows() {
            let of = |value: &str, rows: &[Observation]| -> Vec<Observation> {
                let from: u8 = value[8..].parse::<u8>().unwrap() - 1;
                rows.iter().filter(|row| (from..from + 3).contains(&row.day)).cloned().collect()
            };
            lists = split(lists, "from", &["2024-01-01", "2024-01-04", "2024-01-07"], of);
        }
        lists
    }
}

type List = (Vec<(String, String)>, Vec<Observation>);

fn split(
    lists: Vec<List>,
    name: &str,
    values: &[&str],
    of: impl Fn(&str, &[Observation]) -> Vec<Observation>,
) -> Vec<List> {
    let mut made = Vec::new();
    for (query, rows) in lists {
        for value in values {
            let mut query = query.clone();
            query.push((name.to_owned(), (*value).to_owned()));
            made.push((query, of(value, &rows)));
        }
    }
    made
}

impl Paging {
    /// Whether it reads something beside the rows.
    pub fn needs_root(self) -> bool {
        !matches!(
            self,
            Self::None
                | Self::Short
                | Self::Empty
                | Self::HeaderTotal
                | Self::OffsetSize
                | Self::OffsetReceived
                | Self::Link
        )
    }

    pub fn source(self, size: usize) -> String {
        let text = match self {
            Self::None => return String::new(),
            Self::Short => format!("{{kind: page, param: page, size_param: n, size: {size}}}"),
            Self::Empty => "{kind: page, param: page, until: empty}".into(),
            Self::Total => "{kind: page, param: page, total: $.meta.total}".into(),
            Self::HeaderTotal => "{kind: page, param: page, total: header.X-Total}".into(),
            Self::LastPage => "{kind: page, param: page, last_page: $.meta.last}".into(),
            Self::Condition => "{kind: page, param: page, until: $.meta.more == false}".into(),
            Self::OffsetSize => format!("{{kind: offset, param: skip, size_param: n, size: {size}}}"),
            Self::OffsetReceived => "{kind: offset, param: skip, step: received}".into(),
            Self::Token => "{kind: token, param: token, next: $.meta.token}".into(),
            Self::Keyset => "{kind: keyset, next: $.meta.keys}".into(),
            Self::NextUrl => "{kind: next, next: $.meta.url}".into(),
            Self::NextFragment => "{kind: next, next: $.meta.fragment}".into(),
            Self::Link => "{kind: link}".into(),
        };
        format!("  paging: {text}\n")
    }

    /// What the request of a page has beside the query of its list. `before` are the elements of the pages before.
    fn query(self, page: usize, before: usize, size: usize) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let later = |name: &str, value: String| if page == 0 { vec![] } else { vec![(name.to_owned(), value)] };
        match self {
            Self::None => vec![],
            Self::Short => vec![pair("page", (page + 1).to_string()), pair("n", size.to_string())],
            Self::Empty | Self::Total | Self::HeaderTotal | Self::LastPage | Self::Condition => {
                vec![pair("page", (page + 1).to_string())]
            }
            Self::OffsetSize => vec![pair("skip", (page * size).to_string()), pair("n", size.to_string())],
            Self::OffsetReceived => vec![pair("skip", before.to_string())],
            Self::Token => later("token", format!("t&{page}=")),
            Self::Keyset => later("k.1", page.to_string()),
            Self::NextUrl | Self::NextFragment | Self::Link => later("page", (page + 1).to_string()),
        }
    }
}

fn url(query: &[(String, String)]) -> String {
    let mut url = url::Url::parse("https://h/d").unwrap();
    url.query_pairs_mut().extend_pairs(query);
    url.into()
}

/// Pages of a list, each with the number of its outer elements.
fn pages(case: &Case, rows: &[Observation]) -> Vec<(Vec<Observation>, usize)> {
    let long = if matches!(case.shape, super::Shape::Pivot | super::Shape::CsvPivot) { 2 } else { 1 };
    let units: Vec<Vec<Observation>> = match case.shape.is_by_station() {
        true => Case::stations(rows),
        false => rows.iter().map(|row| vec![row.clone()]).collect(),
    };
    // A pivot is made within one answer; two rows of it are one unit.
    let chunk = case.size.div_ceil(long);
    let size = if case.paging == Paging::None { usize::MAX } else { chunk };
    units.chunks(size.min(units.len().max(1))).map(|page| (page.concat(), page.len() * long)).collect()
}

/// Every answer that the run may ask for.
pub fn answers(case: &Case) -> Vec<SavedAnswer> {
    let list = r#"{"l": [{"n": "x y", "ok": true}, {"n": "no", "ok": false}, {"n": "z", "ok": true}, {"n": "z", "ok": true}]}"#;
    let mut answers = vec![get("https://h/list", list)];
    for (query, rows) in case.fan.lists(&case.rows) {
        let mut pages = pages(case, &rows);
        let (count, total) = (pages.len().max(1), pages.iter().map(|(_, units)| units).sum::<usize>());
        // Behind the last page there is an empty one, for those that must see it.
        pages.push((Vec::new(), 0));
        let mut before = 0;
        for (index, (page, units)) in pages.iter().enumerate() {
            let own = case.paging.query(index, before, case.size);
            let next = case.paging.query(index + 1, before + units, case.size);
            let (own, next) = ([query.clone(), own].concat(), [query.clone(), next].concat());
            let meta = meta(index, count, total, &next);
            let mut answer = get(&url(&own), packed(&case.body(page, &meta), case.packing));
            answer.headers.push(("X-Total".into(), total.to_string()));
            if index + 1 < count {
                answer.headers.push(("Link".into(), format!("<{}>; rel=\"next\"", url(&next))));
            }
            answers.push(answer);
            before += units;
        }
    }
    answers
}

fn meta(index: usize, count: usize, total: usize, next: &[(String, String)]) -> Value {
    let more = index + 1 < count;
    let some = |value: Value| if more { value } else { Value::Null };
    json!({
        "total": total, "last": count, "more": more, "token": some(json!(format!("t&{}=", index + 1))),
        "keys": some(json!({"k.1": index + 1})), "url": some(json!(url(next))), "fragment": some(json!(format!("&page={}", index + 2))),
    })
}

fn packed(body: &str, packing: Packing) -> Vec<u8> {
    match packing {
        Packing::None => body.as_bytes().to_vec(),
        Packing::Gzip => testing::gzip(body.as_bytes()),
        Packing::Zip => testing::zip(&[("read.me", true, b"[1]"), ("data-1.txt", true, body.as_bytes())]),
    }
}

/// For messages.
pub fn shown(answers: &[SavedAnswer]) -> String {
    let one = |answer: &SavedAnswer| {
        let url = answer.request.as_ref().map_or("", |request| &request.url);
        format!("{url}\n  {}\n", String::from_utf8_lossy(&answer.body))
    };
    answers.iter().map(one).collect()
}
