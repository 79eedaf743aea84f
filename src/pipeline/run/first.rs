//! The list that is asked for first: the same kind of run over its own plan, whose records become parameters. It spends
//! from what the whole run may cost.

use serde_json::Value;

use super::{End, Flow, Run};
use crate::domain::batch::Records;
use crate::pipeline::outcome::{Sink, SinkError};
use crate::profiles::plan::{FIRST_GROUP, First, Limits, Scalar};

impl Run<'_> {
    /// The parameter sets that the list gives for one set of `for_each`, put together where a batch says so.
    pub(super) async fn items(&mut self, first: &First, values: &[Scalar]) -> Flow<Vec<Vec<Scalar>>> {
        let limits = Limits { max_records: first.plan.limits.max_records, ..self.limits };
        let mut list = Run::new(self.fetcher, self.input, &first.plan, limits);
        (list.began, list.traffic, list.pages) = (self.began, self.traffic, self.pages);
        let mut items = Items { names: &first.names, values, sets: Vec::new(), incomplete: 0 };
        let read = match list.list(values, None, &mut items).await {
            Ok(()) => list.flush(&mut items).await,
            Err(end) => Err(end),
        };
        (self.traffic, self.pages) = (list.traffic, list.pages);
        self.tally.note_all(std::mem::take(&mut list.tally), "first: ");
        for _ in 0..items.incomplete {
            self.tally.note("first: a row lacks a value", None);
        }
        read.map_err(of_list)?;
        if items.sets.is_empty() {
            self.tally.note("first: the list has no rows to ask for", None);
        }
        Ok(match &self.plan.batch {
            Some(batch) => batch.batched(items.sets),
            None => items.sets,
        })
    }
}

/// Says that the list is meant.
fn of_list(end: End) -> End {
    match end {
        End::Limit(limit) => End::Limit(format!("{limit}, while first was read")),
        End::Failed { message, not_before_ms } => End::Failed { message: format!("first: {message}"), not_before_ms },
        quota @ End::Quota { .. } => quota,
        End::Unchanged => End::Unchanged,
    }
}

/// Takes the rows of the list.
struct Items<'f> {
    names: &'f [String],
    /// What stands before the values of a row.
    values: &'f [Scalar],
    sets: Vec<Vec<Scalar>>,
    incomplete: u64,
}

impl Sink for Items<'_> {
    async fn accept(&mut self, records: Records) -> Result<(), SinkError> {
        for (_, text) in records.iter() {
            let record: Value = serde_json::from_slice(text).map_err(|error| SinkError(error.to_string()))?;
            let own: Option<Vec<Scalar>> = self.names.iter().map(|name| value(&record, name)).collect();
            match own {
                Some(own) => self.sets.push([self.values, &own].concat()),
                None => self.incomplete += 1,
            }
        }
        Ok(())
    }
}

/// A value of a row: a text, or a number.
fn value(record: &Value, name: &str) -> Option<Scalar> {
    let of = |half: &str| record.get(half)?.get(FIRST_GROUP)?.get(name);
    match of("dims").or_else(|| of("measures"))? {
        Value::String(text) => Some(Scalar::Text(text.clone())),
        number => {
            Some(number.as_i64().map_or_else(|| Scalar::Decimal(number.as_f64().unwrap_or(0.0)), Scalar::Integer))
        }
    }
}
