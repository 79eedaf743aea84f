//! Which profile is due when. Pure: time and chance come in as arguments, so every history can be replayed. A profile
//! never runs twice at once, the one that waits longest goes first, and one that fails backs off alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::ProfileId;

/// After a failure the next try comes no later than this, or the interval where that is shorter.
const FIRST_RETRY_MS: i64 = 15_000;
const MAX_RETRY_MS: i64 = 3_600_000;
/// A new profile starts within this, spread by chance.
const FIRST_SPREAD_MS: i64 = 1_000;

/// How often a profile runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    pub(super) interval_ms: i64,
    pub(super) jitter_ms: i64,
}

#[derive(Debug)]
struct Entry {
    rhythm: Rhythm,
    /// When it starts next; while it runs, when it would have.
    due_ms: i64,
    started_ms: Option<i64>,
    failures: u32,
    /// Run-now requests that wait for a run which begins after them.
    requests: Vec<i64>,
}

/// How a run ended, as far as the schedule cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
    /// The source, or its quota, asks for a pause until then.
    NotBefore(i64),
}

/// All profiles of a drone.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    entries: BTreeMap<ProfileId, Entry>,
    /// Waiting profiles by due time.
    waiting: BTreeSet<(i64, ProfileId)>,
    running: usize,
}

impl Schedule {
    /// Adds a profile or changes its rhythm. `last_ms`: when it last started, as far as is known. `chance` is 0 to 1.
    pub(super) fn put(&mut self, id: &ProfileId, rhythm: Rhythm, last_ms: Option<i64>, now_ms: i64, chance: f64) {
        if let Some(entry) = self.entries.get_mut(id) {
            if entry.rhythm == rhythm {
                return;
            }
            entry.rhythm = rhythm;
            let due_ms = entry.due_ms.min(now_ms.saturating_add(rhythm.interval_ms));
            self.set_due(id, due_ms);
            return;
        }
        let soon_ms = now_ms + part_of(FIRST_SPREAD_MS.min(rhythm.jitter_ms), chance);
        let due_ms = match last_ms {
            // A last run in the future means that the clock jumped back; it says nothing then.
            Some(last_ms) if last_ms <= now_ms => soon_ms.max(last_ms.saturating_add(rhythm.interval_ms)),
            _ => soon_ms,
        };
        let entry = Entry { rhythm, due_ms, started_ms: None, failures: 0, requests: Vec::new() };
        self.entries.insert(id.clone(), entry);
        self.waiting.insert((due_ms, id.clone()));
    }

    pub(super) fn remove(&mut self, id: &ProfileId) {
        let Some(entry) = self.entries.remove(id) else { return };
        self.waiting.remove(&(entry.due_ms, id.clone()));
        self.running -= usize::from(entry.started_ms.is_some());
    }

    /// Asks for a run that begins from now on. Asking again for the same request changes nothing.
    pub(super) fn request(&mut self, id: &ProfileId, request_id: i64, now_ms: i64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.requests.contains(&request_id) {
            return;
        }
        entry.requests.push(request_id);
        self.set_due(id, now_ms);
    }

    /// Profiles that start now, at most so many that `most` run at once, with the requests that each run answers.
    pub(super) fn take_due(&mut self, now_ms: i64, most: usize) -> Vec<(ProfileId, Vec<i64>)> {
        let mut due = Vec::new();
        while self.running < most {
            let Some((due_ms, id)) = self.waiting.first().cloned() else { break };
            if due_ms > now_ms {
                break;
            }
            self.waiting.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.started_ms = Some(now_ms);
            self.running += 1;
            due.push((id, std::mem::take(&mut entry.requests)));
        }
        due
    }

    /// Notes the end of a run and sets the next. A run-now request that came meanwhile starts it at once.
    pub(super) fn ended(&mut self, id: &ProfileId, how: Ended, now_ms: i64, chance: f64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Some(started_ms) = entry.started_ms.take() else { return };
        self.running -= 1;
        // A source that says when to come again needs no guesses.
        entry.failures = if how == Ended::Badly { entry.failures.saturating_add(1) } else { 0 };
        entry.due_ms = if entry.requests.is_empty() { next_ms(entry, how, started_ms, now_ms, chance) } else { now_ms };
        self.waiting.insert((entry.due_ms, id.clone()));
    }

    /// Brings the next start forward to now.
    pub(super) fn run_soon(&mut self, id: &ProfileId, now_ms: i64) {
        self.set_due(id, now_ms);
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    fn set_due(&mut self, id: &ProfileId, due_ms: i64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let was_waiting = self.waiting.remove(&(entry.due_ms, id.clone()));
        entry.due_ms = due_ms;
        if was_waiting {
            self.waiting.insert((due_ms, id.clone()));
        }
    }
}

fn next_ms(entry: &Entry, how: Ended, started_ms: i64, now_ms: i64, chance: f64) -> i64 {
    let Rhythm { interval_ms, jitter_ms } = entry.rhythm;
    let regular_ms = started_ms.saturating_add(interval_ms).saturating_add(part_of(jitter_ms, chance)).max(now_ms);
    match how {
        Ended::Well => regular_ms,
        Ended::NotBefore(until_ms) => regular_ms.max(until_ms),
        Ended::Badly => {
            let doublings = entry.failures.saturating_sub(1).min(20);
            let most_ms = FIRST_RETRY_MS.saturating_mul(1 << doublings).min(MAX_RETRY_MS);
            // At least half of it, so that chance never makes a failing source busy.
            let pause_ms = most_ms / 2 + part_of(most_ms / 2, chance);
            regular_ms.min(now_ms.saturating_add(pause_ms))
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a span in ms times 0 to 1")]
fn part_of(span_ms: i64, chance: f64) -> i64 {
    (span_ms.max(0) as f64 * chance.clamp(0.0, 1.0)) as i64
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
