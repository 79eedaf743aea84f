//! Counters that never fall: the parts of one label counted together, those that are gone included.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use crate::runtime::{AskCounts, VitalsSnapshot};

/// Labels of parts whose names hold an id; all others are fixed names of the program.
const OF_MANY: [(&str, &str, &str); 6] = [
    ("fetch/", "", "fetch"),
    ("drone/", "/session", "drone_session"),
    ("drone/", "/scheduler", "drone_scheduler"),
    ("drone/", "/uplink", "drone_uplink"),
    ("drone/", "/replayer", "drone_replayer"),
    ("events/", "", "events"),
];
const FIXED: [&str; 9] =
    ["registry", "aggregator", "coordinator", "reporter", "http", "metrics", "peers", "backup", "retention"];

/// The label that a part is counted under. There are as many labels as there are kinds of parts.
pub(super) fn label_of(name: &str) -> &'static str {
    let fixed = FIXED.iter().find(|fixed| **fixed == name).copied();
    let many = OF_MANY.iter().find(|(start, end, _)| name.starts_with(start) && name.ends_with(end));
    fixed.or(many.map(|(_, _, label)| *label)).unwrap_or("other")
}

/// What only ever grows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) crashes: u64,
    pub(super) restarts: u64,
    pub(super) asks: AskCounts,
}

impl Counts {
    fn of(part: &VitalsSnapshot) -> Self {
        Self { crashes: part.crashes.into(), restarts: part.restarts.into(), asks: part.asks }
    }

    fn add(&mut self, other: &Self) {
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        let (mine, theirs) = (&mut self.asks, &other.asks);
        mine.answered += theirs.answered;
        mine.told += theirs.told;
        mine.overloaded += theirs.overloaded;
        mine.restarting += theirs.restarting;
        mine.crashed += theirs.crashed;
        mine.deadline += theirs.deadline;
        mine.down += theirs.down;
    }
}

/// Remembers what parts had counted when they were last seen: a part that ended is forgotten by supervision, and a
/// counter that falls would read as a restart of the whole process.
#[derive(Debug, Default)]
pub struct Totals(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// By the part's id; as many as are listed.
    parts: HashMap<u64, (&'static str, Counts)>,
    gone: BTreeMap<&'static str, Counts>,
}

impl Totals {
    /// The counts of each label, as of now.
    pub(super) fn take(&self, parts: &[VitalsSnapshot]) -> BTreeMap<&'static str, Counts> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now: HashMap<_, _> = parts.iter().map(|part| (part.id, (label_of(&part.name), Counts::of(part)))).collect();
        let before = std::mem::replace(&mut seen.parts, now);
        for (id, (label, counts)) in before {
            if !seen.parts.contains_key(&id) {
                seen.gone.entry(label).or_default().add(&counts);
            }
        }
        let mut all = seen.gone.clone();
        for (label, counts) in seen.parts.values() {
            all.entry(label).or_default().add(counts);
        }
        all
    }
}
