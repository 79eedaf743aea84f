//! From a filled join to its answer: sorted rows, or the correlation of each pair of inputs.

use super::check::column_name;
use super::collector::{Collector, Source};
use super::column::Column;
use super::key;
use super::pearson::{MIN_POINTS, Undefined, pearson};
use crate::domain::report::{Answer, InputCounts, Keep, Method, Output, Pair, ReportResult, Row};

pub(super) fn result(join: &Collector) -> ReportResult {
    let answer = match join.spec.spec().output {
        Output::Table { keep } => table(join, keep),
        Output::Correlation { method: Method::Pearson } => correlation(join),
    };
    ReportResult { inputs: counts(join), matched: matched(join).count() as u64, answer }
}

fn all_keys(join: &Collector) -> impl Iterator<Item = u32> {
    (0..).take(join.keys.len())
}

/// Keys that all inputs have.
fn matched(join: &Collector) -> impl Iterator<Item = u32> {
    all_keys(join).filter(|key| join.columns.iter().all(|column| column.get(*key).is_some()))
}

fn counts(join: &Collector) -> Vec<InputCounts> {
    let mut counts: Vec<(usize, InputCounts)> =
        join.sources.iter().flat_map(|source| source_counts(join, source)).collect();
    counts.sort_unstable_by_key(|(input, _)| *input);
    counts.into_iter().map(|(_, counts)| counts).collect()
}

fn source_counts<'j>(join: &'j Collector, source: &'j Source) -> impl Iterator<Item = (usize, InputCounts)> {
    source.inputs.iter().zip(&source.without_measure).map(|(input, without_measure)| {
        let counts = InputCounts {
            profile_id: source.profile_id.clone(),
            measure: join.spec.spec().inputs[*input].measure.clone(),
            records: source.records,
            without_key: source.without_key,
            without_measure: *without_measure,
            keys: join.columns[*input].keys(),
            duplicates: join.columns[*input].duplicates(),
        };
        (*input, counts)
    })
}

fn table(join: &Collector, keep: Keep) -> Answer {
    let mut keys: Vec<u32> = match keep {
        Keep::Inner => matched(join).collect(),
        Keep::Outer => all_keys(join).collect(),
    };
    let (total, limit) = (keys.len(), join.spec.limit());
    // Only the rows that are shown need to be in order.
    if total > limit {
        keys.select_nth_unstable_by(limit, |left, right| join.keys.get(*left).cmp(join.keys.get(*right)));
        keys.truncate(limit);
    }
    keys.sort_unstable_by(|left, right| join.keys.get(*left).cmp(join.keys.get(*right)));
    let spec = join.spec.spec();
    Answer::Table {
        columns: spec.join.iter().cloned().chain(spec.inputs.iter().map(column_name)).collect(),
        rows: keys.into_iter().map(|key| row(join, key)).collect(),
        truncated: total > limit,
        total_rows: total as u64,
    }
}

fn row(join: &Collector, key: u32) -> Row {
    Row {
        key: key::read_parts(join.keys.get(key)),
        values: join.columns.iter().map(|column| column.get(key)).collect(),
    }
}

fn correlation(join: &Collector) -> Answer {
    let columns = || (0..).zip(&join.columns);
    let pairs = columns()
        .flat_map(|(x, x_column)| {
            let later = columns().filter(move |(y, _)| *y > x);
            later.map(move |(y, y_column)| pair(join, (x, x_column), (y, y_column)))
        })
        .collect();
    Answer::Correlation { method: Method::Pearson, pairs }
}

fn pair(join: &Collector, (x, x_column): (u32, &Column), (y, y_column): (u32, &Column)) -> Pair {
    let both = |key: u32| Some((x_column.get(key)?, y_column.get(key)?));
    let (x_values, y_values): (Vec<f64>, Vec<f64>) = all_keys(join).filter_map(both).unzip();
    let n = x_values.len();
    let (r, note) = match pearson(&x_values, &y_values) {
        Ok(r) => (Some(r), None),
        Err(reason) => (None, Some(explain(reason, n))),
    };
    Pair { x, y, n: n as u64, r, note }
}

fn explain(reason: Undefined, n: usize) -> String {
    match reason {
        Undefined::TooFew => format!("needs at least {MIN_POINTS} shared keys, got {n}"),
        Undefined::ConstantX => "x is constant: correlation is not defined".into(),
        Undefined::ConstantY => "y is constant: correlation is not defined".into(),
    }
}
