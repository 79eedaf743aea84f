//! A table of observations in each shape and format, and the part of the profile that reads it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Case, Gap, Observation};

#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Flat,
    Root,
    Nested,
    NestedZip,
    NestedTable,
    SelectedZip,
    /// Rows name their station by a code.
    Lookup,
    Entries,
    Table,
    NamedTable,
    Zip,
    /// Long, one row for each value.
    Pivot,
    /// Wide: days are columns, their cells objects.
    Wide,
    Selected,
    NestedSelected,
    Cube,
    Ndjson,
    Csv,
    CsvPivot,
    Columns,
    /// Columns of fixed width.
    Fixed,
    Xml,
}

pub fn shape() -> impl Strategy<Value = Shape> {
    use Shape::*;
    prop::sample::select(vec![
        Flat,
        Root,
        Nested,
        NestedZip,
        NestedTable,
        SelectedZip,
        Lookup,
        Entries,
        Table,
        NamedTable,
        Zip,
        Pivot,
        Wide,
        Selected,
        NestedSelected,
        Cube,
        Ndjson,
        Csv,
        CsvPivot,
        Columns,
        Fixed,
        Xml,
    ])
}

/// A path that begins with a name.
fn path(name: &str) -> String {
    if name.contains(['.', '[', ' ']) { format!("[{}]", serde_json::to_string(name).unwrap()) } else { name.to_owned() }
}

/// A path in a named step.
fn within(step: &str, name: &str) -> String {
    let path = path(name);
    if path.starts_with('[') { format!("{step}{path}") } else { format!("{step}.{path}") }
}

impl Shape {
    pub fn is_lines(self) -> bool {
        matches!(self, Self::Csv | Self::CsvPivot | Self::Columns | Self::Fixed)
    }

    /// Whether something may stand beside the rows.
    pub fn has_root(self) -> bool {
        !(self.is_lines() || matches!(self, Self::Root | Self::Ndjson | Self::Xml | Self::Cube))
    }

    /// Whether what one page holds are stations, not rows.
    pub fn is_by_station(self) -> bool {
        matches!(
            self,
            Self::Nested
                | Self::NestedZip
                | Self::NestedTable
                | Self::SelectedZip
                | Self::Entries
                | Self::NestedSelected
                | Self::Cube
                | Self::Wide
        )
    }

    /// Whether a row is made of cells, those without a value left out.
    pub fn makes_cells(self) -> bool {
        matches!(self, Self::Cube)
    }

    pub fn source(self) -> &'static str {
        match self {
            Self::Ndjson => "  format: ndjson\n",
            Self::Csv => "  format: csv\n  csv: {delimiter: ';', comment: '#', after_header: 1}\n",
            Self::CsvPivot => "  format: csv\n",
            Self::Columns => "  format: columns\n  columns: {comment: '#'}\n",
            Self::Fixed => {
                "  format: columns\n  columns: {skip_lines: 1, fixed: {id: [1, 12], day: [13, 36], a: [37, 44], b: [45, 50]}}\n"
            }
            Self::Xml => "  format: xml\n",
            _ => "",
        }
    }

    pub fn rows(self, name: &str) -> String {
        let station = serde_json::to_string(&path(name)).unwrap();
        match self {
            Self::Flat => "rows: {each: $.data}\n".into(),
            Self::Root => "rows: {each: $}\n".into(),
            Self::Nested => "rows: {each: [{as: s, path: '$.data[*]'}, {as: p, path: points}]}\n".into(),
            Self::NestedZip => "rows: {each: [{as: s, path: $.data}, {as: p, zip: h.cols}]}\n".into(),
            Self::NestedTable => "rows: {each: [{as: s, path: $.data}, {as: p, table: s.rows}]}\n".into(),
            Self::SelectedZip => {
                "rows: {each: [{as: s, path: \"$.data[?@.kind == 'obs']\"}, {as: p, zip: h.cols}]}\n".into()
            }
            Self::Lookup => {
                format!(
                    "rows: {{each: $.data}}\nlookups: {{names: {{each: $.meta.names, key: code, value: {station}}}}}\n"
                )
            }
            Self::Entries => "rows: {each: [{as: s, entries: $.data}, {as: p, entries: s.value}]}\n".into(),
            Self::Table => "rows: {table: {under: $.data, header: first}}\n".into(),
            Self::NamedTable => format!(
                "rows: {{table: {{under: $.data, names: [{}, day, a, b]}}}}\n",
                serde_json::to_string(name).unwrap()
            ),
            Self::Zip => "rows: {zip: {under: $.data}}\n".into(),
            Self::Pivot => {
                format!("rows: {{each: $.data, pivot: {{by: [{station}, day], name: what, value: value}}}}\n")
            }
            Self::Wide => "rows: {each: $.data, unpivot: {columns: '/d.*/', key: day, value: cell}}\n".into(),
            Self::Selected => "rows: {each: \"$.data[?@.kind == 'obs']\"}\n".into(),
            Self::NestedSelected => {
                "rows: {each: [{as: s, path: $.data}, {as: p, path: \"points[?match(@.kind, 'o.s')]\"}]}\n".into()
            }
            Self::Cube => {
                "rows: {cube: json-stat, pivot: {by: [id.code, day.code], name: what.code, value: value}}\n".into()
            }
            Self::CsvPivot => format!("rows: {{pivot: {{by: [{station}, day], name: what, value: value}}}}\n"),
            Self::Xml => "rows: {each: $.obs}\n".into(),
            Self::Ndjson | Self::Csv | Self::Columns | Self::Fixed => String::new(),
        }
    }

    /// Paths of station, day and both measures.
    pub fn paths(self, name: &str) -> (String, String, String, String) {
        let of = |station: &str, day: &str, a: &str, b: &str| (station.into(), day.into(), a.into(), b.into());
        match self {
            Self::Nested | Self::NestedSelected => of(&within("s", name), "p.day", "p.a", "p.b"),
            Self::NestedZip | Self::NestedTable | Self::SelectedZip => of(&within("s", name), "p.day", "a", "p.b"),
            Self::Lookup => of("code", "day", "a", "b"),
            Self::Entries => of("s.key", "p.key", "p.value.a", "p.value.b"),
            Self::Wide => of(&path(name), "day", "cell.a", "cell.b"),
            Self::Cube => of("id.code", "day.code", "a", "b"),
            Self::Xml => of("@id", "@day", "a[0].#text", "@b"),
            _ => of(&path(name), "day", "a", "b"),
        }
    }
}

impl Case {
    fn cell(&self, value: Option<i32>) -> Option<Value> {
        let number = |text: String| if self.quoted { json!(text) } else { serde_json::from_str(&text).unwrap() };
        match (value, self.gap) {
            (Some(tenths), _) => Some(number((f64::from(tenths) / 10.0).to_string())),
            (None, Gap::Null) => Some(Value::Null),
            (None, Gap::Absent) => None,
            (None, Gap::Empty) => Some(json!("")),
            (None, Gap::Dash) => Some(json!("-")),
            (None, Gap::Sentinel) => Some(number("-999".into())),
        }
    }

    fn text(&self, value: Option<i32>) -> String {
        match self.cell(value) {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    fn day_value(&self, row: &Observation) -> Value {
        let text = self.day.text(row.day);
        // Epochs stand as numbers mostly.
        if self.quoted { json!(text) } else { text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)) }
    }

    fn values(&self, row: &Observation) -> Map<String, Value> {
        let pairs = [("a", self.cell(row.a)), ("b", self.cell(row.b))];
        pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    fn object(&self, row: &Observation) -> Value {
        let mut object = self.values(row);
        object.insert(self.name.into(), json!(row.station));
        object.insert("day".into(), self.day_value(row));
        Value::Object(object)
    }

    /// The rows of each station, in order.
    pub fn stations(rows: &[Observation]) -> Vec<Vec<Observation>> {
        let mut stations: Vec<Vec<Observation>> = Vec::new();
        for row in rows {
            match stations.iter_mut().find(|rows| rows[0].station == row.station) {
                Some(own) => own.push(row.clone()),
                None => stations.push(vec![row.clone()]),
            }
        }
        stations
    }

    fn long(&self, rows: &[Observation]) -> Vec<(Observation, &'static str, Option<i32>)> {
        rows.iter().flat_map(|row| [(row.clone(), "a", row.a), (row.clone(), "b", row.b)]).collect()
    }

    /// The body of one page; `meta` stands beside the rows where there is place.
    pub fn body(&self, rows: &[Observation], meta: &Value) -> String {
        let mut meta = meta.clone();
        if matches!(self.shape, Shape::Lookup) {
            let name = |(code, own): (usize, &Vec<Observation>)| json!({"code": code, self.name: own[0].station});
            meta["names"] = Self::stations(rows).iter().enumerate().map(name).collect();
        }
        let all = |data: Value| json!({ "meta": meta, "data": data }).to_string();
        let column = |cell: &dyn Fn(&Observation) -> Value| Value::from_iter(rows.iter().map(cell));
        let lined = |row: &Observation| json!([row.station, self.day_value(row), self.cell(row.a), self.cell(row.b)]);
        match self.shape {
            Shape::Flat => all(rows.iter().map(|row| self.object(row)).collect()),
            Shape::Root => Value::from_iter(rows.iter().map(|row| self.object(row))).to_string(),
            Shape::Nested | Shape::NestedSelected => all(self.nested(rows)),
            Shape::NestedZip | Shape::NestedTable | Shape::SelectedZip => all(self.inner_columns(rows)),
            Shape::Lookup => {
                let stations = Self::stations(rows);
                let object = |row: &Observation| {
                    let mut object = self.values(row);
                    let code = stations.iter().position(|own| own[0].station == row.station);
                    object.insert("code".into(), json!(code.map(|code| code.to_string())));
                    object.insert("day".into(), self.day_value(row));
                    Value::Object(object)
                };
                all(rows.iter().map(object).collect())
            }
            Shape::Entries => {
                let days = |own: &Vec<Observation>| {
                    let day = |row: &Observation| (self.day.text(row.day), Value::Object(self.values(row)));
                    (own[0].station.clone(), Value::Object(own.iter().map(day).collect()))
                };
                all(Value::Object(Self::stations(rows).iter().map(days).collect()))
            }
            Shape::Table => {
                let header = json!([self.name, "day", "a", "b"]);
                all(std::iter::once(header).chain(rows.iter().map(lined)).collect())
            }
            Shape::NamedTable => all(rows.iter().map(lined).collect()),
            Shape::Zip => all(json!({
                self.name: column(&|row| json!(row.station)), "day": column(&|row| self.day_value(row)),
                "a": column(&|row| json!(self.cell(row.a))), "b": column(&|row| json!(self.cell(row.b))),
            })),
            Shape::Pivot => {
                let object = |(row, what, value): &(Observation, &str, Option<i32>)| json!({ self.name: row.station, "day": self.day_value(row), "what": what, "value": self.cell(*value) });
                all(self.long(rows).iter().map(object).collect())
            }
            Shape::Wide => all(self.wide(rows)),
            Shape::Selected => {
                let mark = |row: &Observation| {
                    let mut object = self.object(row);
                    object["kind"] = json!("obs");
                    [json!({"kind": "noise", "a": 1}), object]
                };
                all(rows.iter().flat_map(mark).collect())
            }
            Shape::Cube => self.cube(rows),
            Shape::Ndjson => {
                let lines: String = rows.iter().map(|row| format!("{}\n\n", self.object(row))).collect();
                format!("{lines}{{\"end\": true}}\n")
            }
            Shape::Csv | Shape::CsvPivot | Shape::Columns | Shape::Fixed => self.lines(rows),
            Shape::Xml => self.xml(rows),
        }
    }

    fn nested(&self, rows: &[Observation]) -> Value {
        let point = |row: &Observation| {
            let mut point = self.values(row);
            point.insert("day".into(), self.day_value(row));
            point.insert("kind".into(), json!("obs"));
            Value::Object(point)
        };
        let station = |own: &Vec<Observation>| {
            let mut points: Vec<Value> = own.iter().map(point).collect();
            if matches!(self.shape, Shape::NestedSelected) {
                points.push(json!({"kind": "other", "day": "?", "a": 1}));
            }
            // The rows stand before what they need of their parent.
            let mut station = Map::from_iter([("points".to_owned(), Value::from(points))]);
            station.insert(self.name.into(), json!(own[0].station));
            Value::Object(station)
        };
        Self::stations(rows).iter().map(station).collect()
    }

    /// A table, or parallel arrays, in each station.
    fn inner_columns(&self, rows: &[Observation]) -> Value {
        let station = |own: &Vec<Observation>| {
            let column = |cell: &dyn Fn(&Observation) -> Value| Value::from_iter(own.iter().map(cell));
            let line = |row: &Observation| json!([self.cell(row.b), self.day_value(row), 0, self.cell(row.a)]);
            let lines: Value = std::iter::once(json!(["b", "day", "x", "a"])).chain(own.iter().map(line)).collect();
            json!({
                "h": {"cols": {"day": column(&|row| self.day_value(row)), "a": column(&|row| json!(self.cell(row.a))),
                    "b": column(&|row| json!(self.cell(row.b))), "unread": 1}},
                "rows": lines, "kind": "obs", self.name: own[0].station,
            })
        };
        let mut stations: Vec<Value> = Self::stations(rows).iter().map(station).collect();
        if matches!(self.shape, Shape::SelectedZip) {
            stations.insert(0, json!({"kind": "noise"}));
        }
        Value::from(stations)
    }

    /// Days are members whose names hold them.
    fn wide(&self, rows: &[Observation]) -> Value {
        let station = |own: &Vec<Observation>| {
            let day = |row: &Observation| (self.wide_name(row), Value::Object(self.values(row)));
            let mut members: Map<String, Value> = own.iter().map(day).collect();
            members.insert(self.name.into(), json!(own[0].station));
            Value::Object(members)
        };
        Self::stations(rows).iter().map(station).collect()
    }

    fn wide_name(&self, row: &Observation) -> String {
        format!("d{}", self.day.text(row.day))
    }

    fn cube(&self, rows: &[Observation]) -> String {
        let mut stations: Vec<String> = rows.iter().map(|row| row.station.clone()).collect();
        let mut days: Vec<u8> = rows.iter().map(|row| row.day).collect();
        stations.dedup();
        days.sort_unstable();
        days.dedup();
        let mut value = Vec::new();
        for station in &stations {
            for day in &days {
                let found = rows.iter().find(|row| row.station == *station && row.day == *day);
                value.push(json!(found.map_or(Some(Value::Null), |row| self.cell(row.a))));
                value.push(json!(found.map_or(Some(Value::Null), |row| self.cell(row.b))));
            }
        }
        let codes = |codes: Vec<String>| json!({ "category": { "index": codes } });
        json!({
            "version": "2.0", "class": "dataset", "id": ["id", "day", "what"], "size": [stations.len(), days.len(), 2],
            "dimension": {
                "id": codes(stations.clone()), "day": codes(days.iter().map(|day| self.day.text(*day)).collect()),
                "what": codes(vec!["a".into(), "b".into()]),
            },
            "value": value,
        })
        .to_string()
    }

    fn lines(&self, rows: &[Observation]) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let day = |row: &Observation| self.day.text(row.day);
        match self.shape {
            Shape::Csv => {
                let line = |row: &Observation| {
                    format!("{};{};{};{}\r\n", quoted(&row.station), day(row), self.text(row.a), self.text(row.b))
                };
                let body: String = rows.iter().map(line).collect();
                format!("\u{feff}# made\r\n{};day;a;b\r\n-;-;m;m\r\n{body}", quoted(self.name))
            }
            Shape::CsvPivot => {
                let line = |(row, what, value): &(Observation, &str, Option<i32>)| {
                    format!("{},{},{what},{}\n", quoted(&row.station), day(row), self.text(*value))
                };
                format!(
                    "{},day,what,value\n{}",
                    quoted(self.name),
                    self.long(rows).iter().map(line).collect::<String>()
                )
            }
            Shape::Fixed => {
                // The last column is cut where its value ends.
                let line = |row: &Observation| {
                    format!("{:<12}{:>24}{:>8}{}\n", row.station, day(row), self.text(row.a), self.text(row.b))
                };
                format!("made today\n{}", rows.iter().map(line).collect::<String>())
            }
            _ => {
                let line = |row: &Observation| {
                    format!("  {}   {} {}  {}\n", row.station, day(row), self.text(row.a), self.text(row.b))
                };
                format!("# {} day a  b\n# noise\n\n{}", self.name, rows.iter().map(line).collect::<String>())
            }
        }
    }

    fn xml(&self, rows: &[Observation]) -> String {
        let escape =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let row = |row: &Observation| {
            let a = self.cell(row.a).map(|_| format!("<n:a> {} </n:a>", self.text(row.a))).unwrap_or_default();
            let b = self.cell(row.b).map(|_| format!(" b=\"{}\"", self.text(row.b))).unwrap_or_default();
            format!("<n:obs id=\"{}\" day=\"{}\"{b}>{a}</n:obs>\n", escape(&row.station), self.day.text(row.day))
        };
        let body: String = rows.iter().map(row).collect();
        format!("<?xml version=\"1.0\"?>\n<n:r xmlns:n=\"urn:n\"><!-- c -->{body}</n:r>")
    }
}
