//! The same records by hand: through a tree of values, and through a struct that knows this one shape. Both write
//! canonical JSON and hash it as the pipeline does, and nothing else.

use std::borrow::Cow;
use std::convert::Infallible;

use chartly::domain::batch::Records;
use chartly::domain::canonical::{write_number, write_text};
use serde::Deserialize;
use serde_json::Value;

type Path = &'static [&'static str];

const DIMS: [(&str, Path); 5] = [
    ("county", &["geo", "county"]),
    ("name", &["name"]),
    ("period", &["period"]),
    ("state", &["geo", "state"]),
    ("tract", &["geo", "tract"]),
];
const MEASURES: [(&str, Path); 2] = [("estimate", &["estimate"]), ("moe", &["moe"])];

pub fn by_value(pages: &[Vec<u8>]) -> Vec<Records> {
    each_page(pages, |page, records| {
        let page: Value = serde_json::from_slice(page).unwrap();
        for row in page["data"].as_array().unwrap() {
            push(records, |out| write_value(row, out));
        }
    })
}

fn write_value(row: &Value, out: &mut Vec<u8>) {
    let at = |path: Path| path.iter().fold(row, |value, name| &value[*name]);
    out.extend_from_slice(b"{\"dims\":{");
    for (index, (name, path)) in DIMS.into_iter().enumerate() {
        member(index, name, out);
        write_text(out, at(path).as_str().unwrap());
    }
    out.extend_from_slice(b"},\"measures\":{");
    for (index, (name, path)) in MEASURES.into_iter().enumerate() {
        member(index, name, out);
        write_number(out, at(path).as_f64().unwrap());
    }
    out.extend_from_slice(b"}}");
}

fn member(index: usize, name: &str, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    write_text(out, name);
    out.push(b':');
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    data: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    geo: Geo<'a>,
    #[serde(borrow)]
    period: Cow<'a, str>,
    estimate: f64,
    moe: f64,
}

#[derive(Deserialize)]
struct Geo<'a> {
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(borrow)]
    county: Cow<'a, str>,
    #[serde(borrow)]
    tract: Cow<'a, str>,
}

pub fn by_struct(pages: &[Vec<u8>]) -> Vec<Records> {
    each_page(pages, |page, records| {
        let page: Page<'_> = serde_json::from_slice(page).unwrap();
        for row in &page.data {
            push(records, |out| write_row(row, out));
        }
    })
}

fn write_row(row: &Row<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"dims\":{\"county\":");
    write_text(out, &row.geo.county);
    out.extend_from_slice(b",\"name\":");
    write_text(out, &row.name);
    out.extend_from_slice(b",\"period\":");
    write_text(out, &row.period);
    out.extend_from_slice(b",\"state\":");
    write_text(out, &row.geo.state);
    out.extend_from_slice(b",\"tract\":");
    write_text(out, &row.geo.tract);
    out.extend_from_slice(b"},\"measures\":{\"estimate\":");
    write_number(out, row.estimate);
    out.extend_from_slice(b",\"moe\":");
    write_number(out, row.moe);
    out.extend_from_slice(b"}}");
}

/// A batch for each page that has rows.
fn each_page(pages: &[Vec<u8>], read: impl Fn(&[u8], &mut Records)) -> Vec<Records> {
    let mut batches: Vec<Records> = Vec::with_capacity(pages.len());
    for page in pages {
        let bytes = batches.last().map_or(0, Records::byte_len);
        let mut records = Records::with_capacity(super::ROWS, bytes);
        read(page, &mut records);
        if !records.is_empty() {
            batches.push(records);
        }
    }
    batches
}

fn push(records: &mut Records, write: impl FnOnce(&mut Vec<u8>)) {
    let pushed = records.push_with(|out| {
        write(out);
        Ok::<(), Infallible>(())
    });
    pushed.unwrap();
}
