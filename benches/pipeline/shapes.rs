//! Answers in the shapes that sources give, and a profile for each.

use std::fmt::Write as _;

/// Pages of one run, and rows of one page.
pub const PAGES: usize = 20;
pub const ROWS: usize = 1_000;

/// A profile and its source's answers.
pub struct Shape {
    pub name: &'static str,
    pub profile: String,
    pub pages: Vec<Vec<u8>>,
}

/// The profile with its source, rows and fields.
fn profile(source: &str, rest: &str) -> String {
    format!("id: bench\nsource:\n  url: https://example.org/data\n{source}limits: {{max_bytes: 100000000}}\n{rest}")
}

/// Nested objects of which more than half is wanted; the rest is passed over.
pub fn objects() -> Shape {
    let rest = "rows: {each: $.data}
dims: {county: geo.county, name: name, period: period, state: geo.state, tract: geo.tract}
measures: {estimate: estimate, moe: moe}
";
    Shape { name: "objects", profile: profile(PAGED, rest), pages: object_pages() }
}

const PAGED: &str = "  paging: {kind: page, param: page, until: empty}\n";

fn object_pages() -> Vec<Vec<u8>> {
    let page = |number: usize| {
        let rows = (0..ROWS).map(|row| object(number * ROWS + row)).collect::<Vec<_>>().join(",");
        format!("{{\"page\":{number},\"data\":[{rows}]}}").into_bytes()
    };
    (0..PAGES).map(page).chain([b"{\"page\":0,\"data\":[]}".to_vec()]).collect()
}

fn object(i: usize) -> String {
    format!(
        "{{\"id\":{i},\"name\":\"Census Tract {}, Los Angeles County, California\",\"geo\":{{\"state\":\"06\",\"county\":\"{:03}\",\
         \"tract\":\"{:06}\"}},\"period\":\"20{:02}-{:02}\",\"estimate\":{}.5,\"moe\":{}.25,\"flags\":[\"a\",\"b\"],\
         \"url\":\"https://example.org/series/{i}\"}}",
        i % 1000,
        i % 300,
        i * 7,
        i % 24,
        1 + i % 12,
        30_000 + i,
        i % 900
    )
}

/// The other shapes.
pub fn others() -> Vec<Shape> {
    vec![worked(), table(), zip(), csv(), columns(), xml()]
}

/// The same objects with what profiles really do: a key, a time, a template, a constant, missing values, a condition.
fn worked() -> Shape {
    let rest = "rows: {each: $.data}
where: [estimate > 0]
missing: [-666666666]
dims: {geo.fips: \"{geo.state}{geo.county}{geo.tract}\", geo.name: name, time.month: period, source: {const: bench}}
measures: {estimate: {from: estimate, unit: USD}, half: {from: moe, multiply: 0.5}}
key: [geo.fips, time.month]
";
    Shape { name: "objects, with key, template, time, factor", profile: profile(PAGED, rest), pages: object_pages() }
}

/// Cells of a row: name, code, period, value and another value as texts.
fn cells(i: usize) -> [String; 5] {
    [
        format!("Census Tract {}", i % 1000),
        format!("06{:03}{:06}", i % 300, i * 7),
        format!("20{:02}-{:02}", i % 24, 1 + i % 12),
        format!("{}.5", 30_000 + i),
        format!("{}", i % 900),
    ]
}

const NAMES: [&str; 5] = ["name", "code", "period", "value", "margin"];
const FIELDS: &str = "dims: {name: name, code: code, time.month: period}\nmeasures: {value: value, margin: margin}\n";

fn all() -> std::ops::Range<usize> {
    0..PAGES * ROWS
}

/// One answer of all rows.
fn single(name: &'static str, source: &str, rest: &str, page: String) -> Shape {
    Shape { name, profile: profile(source, rest), pages: vec![page.into_bytes()] }
}

fn table() -> Shape {
    let rows = all().map(|i| format!(",\n[\"{}\"]", cells(i).join("\",\""))).collect::<String>();
    let page = format!("[[\"{}\"]{rows}]", NAMES.join("\",\""));
    single("table of texts (JSON)", "", &format!("rows: {{table: {{header: first}}}}\n{FIELDS}"), page)
}

fn zip() -> Shape {
    let column = |index: usize| {
        let values = all().map(|i| cells(i)[index].clone());
        let values: Vec<String> = values.map(|text| if index > 2 { text } else { format!("\"{text}\"") }).collect();
        format!("\"{}\":[{}]", NAMES[index], values.join(","))
    };
    let page = format!("{{\"h\":{{{}}}}}", (0..NAMES.len()).map(column).collect::<Vec<_>>().join(","));
    single("parallel arrays (JSON)", "", &format!("rows: {{zip: {{under: $.h}}}}\n{FIELDS}"), page)
}

fn csv() -> Shape {
    let mut page = NAMES.join(",") + "\n";
    for i in all() {
        page += &(cells(i).join(",") + "\n");
    }
    single("CSV", "  format: csv\n", FIELDS, page)
}

fn columns() -> Shape {
    let mut page = NAMES.join(" ") + "\n";
    for i in all() {
        let [name, code, period, value, margin] = cells(i);
        let _ = writeln!(page, "{:<20} {code:<12} {period:<8} {value:>10} {margin:>6}", name.replace(' ', "_"));
    }
    single("columns of text", "  format: columns\n", FIELDS, page)
}

fn xml() -> Shape {
    let mut page = String::from("<?xml version=\"1.0\"?><root>");
    for i in all() {
        let [name, code, period, value, margin] = cells(i);
        let _ = write!(
            page,
            "<row name=\"{name}\" code=\"{code}\"><period>{period}</period><value margin=\"{margin}\">{value}</value></row>"
        );
    }
    page += "</root>";
    let rest = "rows: {each: $.row}
dims: {name: '@name', code: '@code', time.month: 'period[0].#text'}
measures: {value: 'value[0].#text', margin: 'value[0].@margin'}
";
    single("XML", "  format: xml\n", rest, page)
}
