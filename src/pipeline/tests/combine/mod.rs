//! Every shape with every format, paging, fan-out, spelling of missing values and way to write a time: a table of
//! observations is rendered in one combination, the matching profile is written, and the run must give the table back.

mod paging;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::played::play;
use crate::domain::run::RunState;
use paging::{Fan, Paging};
use render::Shape;

/// What is observed at a station on a day.
#[derive(Debug, Clone)]
pub struct Observation {
    pub station: String,
    /// Days since 2024-01-01.
    pub day: u8,
    /// Tenths.
    pub a: Option<i32>,
    pub b: Option<i32>,
}

/// How a value that is missing stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    Null,
    Absent,
    Empty,
    Dash,
    Sentinel,
}

/// How a day is written.
#[derive(Debug, Clone, Copy)]
pub enum Day {
    Iso,
    Compact,
    Dotted,
    EpochSeconds,
    EpochMilliseconds,
    Instant,
}

impl Day {
    pub fn text(self, day: u8) -> String {
        let date = jiff::civil::date(2024, 1, 1).checked_add(jiff::Span::new().days(i64::from(day))).unwrap();
        let seconds = 1_704_067_200 + i64::from(day) * 86_400;
        match self {
            Self::Iso => date.to_string(),
            Self::Compact => date.strftime("%Y%m%d").to_string(),
            Self::Dotted => date.strftime("%d.%m.%Y").to_string(),
            Self::EpochSeconds => seconds.to_string(),
            Self::EpochMilliseconds => format!("{seconds}000"),
            Self::Instant => format!("{date}T00:00:00Z"),
        }
    }

    fn form(self) -> &'static str {
        match self {
            Self::Iso | Self::Instant => "iso",
            Self::Compact => "%Y%m%d",
            Self::Dotted => "%d.%m.%Y",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMilliseconds => "epoch_ms",
        }
    }
}

/// How an answer is packed.
#[derive(Debug, Clone, Copy)]
pub enum Packing {
    None,
    Gzip,
    Zip,
}

impl Packing {
    fn source(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => "  compression: gzip\n",
            Self::Zip => "  archive: {zip: 'data-*.txt'}\n",
        }
    }
}

/// One combination.
#[derive(Debug, Clone)]
pub struct Case {
    pub rows: Vec<Observation>,
    pub shape: Shape,
    pub gap: Gap,
    pub day: Day,
    /// Numbers are written as texts.
    pub quoted: bool,
    pub packing: Packing,
    pub paging: Paging,
    pub fan: Fan,
    /// Stations, or rows, of one page.
    pub size: usize,
    /// Name of the member with the station.
    pub name: &'static str,
}

impl Case {
    /// What does not go together is put right.
    fn possible(mut self) -> Self {
        if self.shape.is_lines() || matches!(self.shape, Shape::Xml) {
            self.gap = match self.gap {
                Gap::Null => Gap::Dash,
                Gap::Absent if self.shape.is_lines() => Gap::Empty,
                gap => gap,
            };
        }
        if matches!(self.shape, Shape::Columns) {
            self.gap = if self.gap == Gap::Sentinel { Gap::Sentinel } else { Gap::Dash };
            self.rows.iter_mut().for_each(|row| row.station = row.station.replace(' ', "_"));
        }
        if self.gap == Gap::Absent
            && matches!(
                self.shape,
                Shape::Table
                    | Shape::NamedTable
                    | Shape::Zip
                    | Shape::NestedZip
                    | Shape::NestedTable
                    | Shape::SelectedZip
            )
        {
            self.gap = Gap::Null;
        }
        if matches!(self.shape, Shape::Xml | Shape::Columns | Shape::Fixed | Shape::Cube) {
            self.name = "id";
        }
        if self.paging.needs_root() && !self.shape.has_root() {
            self.paging = Paging::Short;
        }
        // Their pages cannot be counted: cells without a value are no rows, and a page of lines is never empty.
        if matches!(self.shape, Shape::Cube | Shape::Ndjson) && self.paging != Paging::Link {
            self.paging = Paging::None;
        }
        self
    }

    fn expected(&self) -> BTreeSet<String> {
        let tenths = |value: i32| serde_json::json!(f64::from(value) / 10.0);
        let record = |row: &Observation| {
            let values = [("a", row.a), ("b", row.b)];
            let measures: serde_json::Map<_, _> =
                values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), tenths(value?)))).collect();
            let dims = serde_json::json!({"geo": {"id": row.station}, "time": {"date": Day::Iso.text(row.day)}});
            let record = serde_json::json!({"dims": dims, "measures": measures});
            (!measures_are_empty(&record)).then(|| serde_jcs::to_string(&record).unwrap())
        };
        self.rows.iter().filter_map(record).collect()
    }

    fn profile(&self) -> String {
        let (station, day, a, b) = self.shape.paths(self.name);
        let text = |text: &str| serde_json::to_string(text).unwrap();
        let station = match self.shape {
            Shape::Lookup => format!("{{from: {}, lookup: names}}", text(&station)),
            _ => text(&station),
        };
        // The name of a column tells the day.
        let extract = if matches!(self.shape, Shape::Wide) { ", extract: 'd(.*)'" } else { "" };
        let mut source = format!("  url: https://h/d\n{}{}", self.shape.source(), self.paging.source(self.size));
        source.push_str(&self.fan.source());
        source.push_str(self.packing.source());
        format!(
            "id: t\nsource:\n{source}{}missing: ['-', -999]\ndims:\n  geo.id: {}\n  time.date: {{from: {}, time: {}{extract}}}\nmeasures: {{a: {}, b: {}}}\nkey: [geo.id, time.date]\n",
            self.shape.rows(self.name),
            station,
            text(&day),
            text(self.day.form()),
            text(&a),
            text(&b)
        )
    }
}

fn measures_are_empty(record: &serde_json::Value) -> bool {
    record["measures"].as_object().is_none_or(serde_json::Map::is_empty)
}

fn case() -> impl Strategy<Value = Case> {
    let stations = ["007", "Zürich", "a,b \"q\"", "x;y <&>", "[0]"];
    let value = || prop_oneof![3 => (-500..500_i32).prop_map(Some), 1 => Just(None)];
    let rows = prop::collection::btree_map((0..5_usize, 0..9_u8), (value(), value()), 0..14);
    let rows = rows.prop_map(move |rows: BTreeMap<_, _>| {
        let row =
            |((station, day), (a, b)): ((usize, u8), _)| Observation { station: stations[station].into(), day, a, b };
        rows.into_iter().map(row).collect::<Vec<_>>()
    });
    let gap = prop_oneof![Just(Gap::Null), Just(Gap::Absent), Just(Gap::Empty), Just(Gap::Dash), Just(Gap::Sentinel)];
    let day = prop_oneof![
        Just(Day::Iso),
        Just(Day::Compact),
        Just(Day::Dotted),
        Just(Day::EpochSeconds),
        Just(Day::EpochMilliseconds),
        Just(Day::Instant)
    ];
    let name = prop_oneof![Just("id"), Just("x.y"), Just("my id"), Just("é[]")];
    let packing = prop_oneof![2 => Just(Packing::None), 1 => Just(Packing::Gzip), 1 => Just(Packing::Zip)];
    let ways = (any::<bool>(), packing, 1..5_usize, name);
    (rows, render::shape(), gap, day, paging::paging(), paging::fan(), ways).prop_map(
        |(rows, shape, gap, day, paging, fan, (quoted, packing, size, name))| {
            Case { rows, shape, gap, day, quoted, packing, paging, fan, size, name }.possible()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_combination_gives_the_same_records(case in case()) {
        let text = case.profile();
        let answers = paging::answers(&case);
        let told = format!("{text}\n{}", paging::shown(&answers));
        let played = play(&text, answers);
        prop_assert_eq!(played.outcome.state, RunState::Succeeded, "{:?}\n{}", played.outcome.error, told);
        prop_assert!(played.outcome.unread.is_empty(), "{:?}\n{}", played.outcome.unread, told);
        let given: BTreeSet<String> = played.records.iter().cloned().collect();
        // What was left out was left out for a reason that the table gives.
        let bare = case.rows.iter().filter(|row| row.a.is_none() && row.b.is_none()).count();
        let without = played.outcome.dropped.iter().filter(|dropped| dropped.reason == "no measure has a value");
        let without = without.map(|dropped| dropped.rows).sum::<u64>() as usize;
        prop_assert!(without == bare || case.shape.makes_cells(), "{} of {}\n{}", without, bare, told);
        prop_assert_eq!(given.len(), played.records.len(), "a record came twice\n{}", told);
        prop_assert_eq!(given, case.expected(), "{}\n{:?}", told, played.outcome);
    }
}

#[test]
fn the_combinations_are_many_and_hold_records() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut pairs = BTreeSet::new();
    let mut filled = 0;
    for _ in 0..500 {
        let case = case().new_tree(&mut runner).expect("a case is made").current();
        pairs.insert(format!("{:?} {:?} {:?}", case.shape, case.paging, case.fan));
        filled += usize::from(case.expected().len() > 1);
    }
    assert!(pairs.len() > 300 && filled > 350, "{} combinations, {filled} with records", pairs.len());
}
