//! How often a source may be asked: numbers that can be kept to.

use super::notes::Notes;
use crate::profiles::document::source::Source;
use crate::profiles::document::source::politeness::RateDoc;
use crate::profiles::node::At;
use crate::profiles::plan::{Politeness, Rate};

/// A rate is kept to by remembering its requests.
const MAX_RATE: u64 = 1_000;
const MAX_QUOTA: u64 = 1_000_000_000;
const HOUR_MS: u64 = 3_600_000;

/// Compiles `rate` and `quota`.
pub fn politeness(source: &Source, notes: &mut Notes) -> Politeness {
    let rate = source.rate.as_ref().and_then(|rate| compiled("rate", rate, MAX_RATE, notes));
    if let (Some(said), Some(_)) = (&source.rate, rate.filter(|rate| rate.per_ms > HOUR_MS.cast_signed())) {
        let hint = "a count over a longer time is a quota";
        notes.add_with_hint(said.place, "a rate is over at most 1h: a run waits for it", hint);
    }
    Politeness { rate, quota: source.quota.as_ref().and_then(|quota| compiled("quota", quota, MAX_QUOTA, notes)) }
}

fn compiled(name: &str, said: &At<RateDoc>, most: u64, notes: &mut Notes) -> Option<Rate> {
    let (Some(requests), Some(per)) = (&said.value.requests, &said.value.per) else {
        notes.add(said.place, format!("{name} needs requests and per, such as {{requests: 10, per: PT1S}}"));
        return None;
    };
    if !(1..=most).contains(&requests.value) {
        notes.add(requests.place, format!("{name} allows 1 to {most} requests"));
    }
    if per.value.ms == 0 {
        notes.add(per.place, "the time is longer than nothing");
        return None;
    }
    Some(Rate { requests: requests.value, per_ms: per.value.ms.cast_signed() })
}
