//! Supervision and the store as metrics, in the text form of Prometheus: read out of their vital signs at the moment
//! somebody asks, so that nothing is counted twice on the way. Labels are bounded: parts of one kind share a label,
//! and no profile's or drone's name is one.

mod text;
mod totals;

use std::collections::BTreeMap;

use crate::runtime::{AskCounts, State, VitalsSnapshot};
use crate::store::{BackupVitals, StoreVitals};

use text::{Kind, Text};
pub use totals::Totals;
use totals::{Counts, label_of};

const STATES: [(State, &str); 5] = [
    (State::Starting, "starting"),
    (State::Running, "running"),
    (State::Restarting, "restarting"),
    (State::Stopped, "stopped"),
    (State::GaveUp, "gave_up"),
];

/// Writes the vital signs of all supervised parts. `totals` remembers what parts that are gone had counted.
pub fn write_parts(out: &mut String, parts: &[VitalsSnapshot], totals: &Totals) {
    let mut text = Text::new(out);
    let counted = totals.take(parts);
    let each =
        |of: fn(&Counts) -> u64| counted.iter().map(move |(actor, counts)| (vec![("actor", *actor)], of(counts)));
    text.family("chartly_actor_crashes_total", Kind::Counter, "Panics caught.", each(|counts| counts.crashes));
    text.family("chartly_actor_restarts_total", Kind::Counter, "Times rebuilt.", each(|counts| counts.restarts));
    let asks = counted.iter().flat_map(|(actor, counts)| {
        outcomes(&counts.asks).map(|(outcome, count)| (vec![("actor", *actor), ("outcome", outcome)], count))
    });
    text.family("chartly_actor_asks_total", Kind::Counter, "Messages by how they ended.", asks);

    let now = Gauges::of(parts);
    let gauge = |of: fn(&Gauges) -> u64| now.iter().map(move |(actor, gauges)| (vec![("actor", *actor)], of(gauges)));
    text.family("chartly_actor_queue_depth", Kind::Gauge, "Messages queued or in work.", gauge(|one| one.depth));
    text.family("chartly_actor_queue_capacity", Kind::Gauge, "Messages it may hold.", gauge(|one| one.capacity));
    let states = now.iter().flat_map(|(actor, gauges)| {
        STATES.iter().zip(gauges.states).map(|((_, name), count)| (vec![("actor", *actor), ("state", *name)], count))
    });
    text.family("chartly_actor_state", Kind::Gauge, "Parts that are in this state.", states);
}

fn outcomes(asks: &AskCounts) -> impl Iterator<Item = (&'static str, u64)> + use<> {
    let AskCounts { answered, told, overloaded, restarting, crashed, deadline, down } = *asks;
    let named = [("answered", answered), ("told", told), ("overloaded", overloaded), ("restarting", restarting)];
    named.into_iter().chain([("crashed", crashed), ("deadline", deadline), ("down", down)])
}

/// What the parts of one label are at, now.
#[derive(Default)]
struct Gauges {
    depth: u64,
    capacity: u64,
    states: [u64; STATES.len()],
}

impl Gauges {
    fn of(parts: &[VitalsSnapshot]) -> BTreeMap<&'static str, Self> {
        let mut all = BTreeMap::<_, Self>::new();
        for part in parts {
            let gauges = all.entry(label_of(&part.name)).or_default();
            gauges.depth += u64::from(part.queue_depth);
            gauges.capacity += u64::from(part.queue_capacity);
            if let Some(index) = STATES.iter().position(|(state, _)| *state == part.state) {
                gauges.states[index] += 1;
            }
        }
        all
    }
}

/// Writes the vital signs of this process's store.
pub fn write_store(out: &mut String, store: &StoreVitals) {
    let mut text = Text::new(out);
    let wal_bytes = u64::try_from(store.wal_bytes).unwrap_or(0);
    let retention = &store.retention;
    let last_pass_s = u64::try_from(retention.last_pass_ms.unwrap_or(0) / 1_000).unwrap_or(0);
    for (name, kind, help, value) in [
        ("writable", Kind::Gauge, "1 while writes can succeed.", u64::from(store.writable)),
        ("gave_up", Kind::Gauge, "1 once the writer will not come back.", u64::from(store.gave_up)),
        ("queued_writes", Kind::Gauge, "Writes that wait or are in work.", store.queued as u64),
        ("queued_bytes", Kind::Gauge, "Bytes of records that wait or are in work.", store.queued_bytes as u64),
        ("wal_bytes", Kind::Gauge, "Bytes in the write-ahead log.", wal_bytes),
        ("commits_total", Kind::Counter, "Transactions committed.", store.commits),
        ("writes_total", Kind::Counter, "Writes answered as committed.", store.writes),
        ("batches_total", Kind::Counter, "Batches stored.", store.batches),
        ("records_inserted_total", Kind::Counter, "Records that were new.", store.records_inserted),
        ("records_known_total", Kind::Counter, "Records that were known.", store.records_known),
        ("overloaded_total", Kind::Counter, "Writes refused for want of room.", store.overloaded),
        ("failures_total", Kind::Counter, "Transactions that failed.", store.failures),
        ("crashes_total", Kind::Counter, "Panics of the writer.", store.crashes),
        ("checkpoints_total", Kind::Counter, "Checkpoints of the log.", store.checkpoints),
        (
            "retention_working",
            Kind::Gauge,
            "1 while a profile is looked through.",
            u64::from(retention.working_on.is_some()),
        ),
        ("retention_passes_total", Kind::Counter, "Passes over all profiles.", retention.passes),
        ("retention_records_removed_total", Kind::Counter, "Records let go.", retention.records_removed),
        ("retention_runs_removed_total", Kind::Counter, "Runs let go.", retention.runs_removed),
        ("retention_last_pass_seconds", Kind::Gauge, "When the last pass ended, in Unix seconds.", last_pass_s),
    ] {
        text.family(&format!("chartly_store_{name}"), kind, help, [(vec![], value)]);
    }
}

/// Writes how backups by schedule go. Without one there is no age, so that an alert on it cannot be fooled by a 0.
pub fn write_backups(out: &mut String, backups: &BackupVitals) {
    let mut text = Text::new(out);
    let last_s = backups.last_success_ms.map(|at_ms| (at_ms / 1_000).max(0).unsigned_abs());
    for (name, kind, help, value) in [
        ("made_total", Kind::Counter, "Backups made and verified.", Some(backups.made)),
        ("failures_total", Kind::Counter, "Backups that failed.", Some(backups.failures)),
        ("last_success_timestamp_seconds", Kind::Gauge, "When the last good one was made.", last_s),
        ("age_seconds", Kind::Gauge, "Age of the last good one.", backups.age_s),
        ("last_bytes", Kind::Gauge, "Size of the last one.", backups.last_bytes),
    ] {
        let samples = value.map(|value| (vec![], value));
        text.family(&format!("chartly_backup_{name}"), kind, help, samples);
    }
}

/// Writes whether the roles that run elsewhere answer.
pub fn write_peers(out: &mut String, peers: &[(&'static str, bool)]) {
    let samples = peers.iter().map(|(role, up)| (vec![("role", *role)], u64::from(*up)));
    Text::new(out).family("chartly_peer_up", Kind::Gauge, "1 while the role's process answers.", samples);
}

#[cfg(test)]
mod tests;
