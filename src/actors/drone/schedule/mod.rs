//! Which profile is due when. Pure: time and chance come in as arguments, so every history can be replayed. A profile
//! never runs twice at once, the one that waits longest goes first, one that fails backs off alone, and a slow host
//! holds up only the profiles that ask it.

mod hosts;
mod pace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::ids::ProfileId;
pub(super) use hosts::Reached;
use hosts::{Entry as Way, Hosts};
pub(super) use pace::Pace;

/// Nobody asked for so long: the drone was asleep, or the clock was set forward.
const ASLEEP_MS: i64 = 60_000;
/// A clock that goes back by less than this is being kept right; that moves nothing.
const SET_BACK_MS: i64 = 5_000;

#[derive(Debug)]
struct Entry {
    pace: Pace,
    host: Arc<str>,
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

/// A profile's place in the schedule.
#[derive(Debug)]
pub(super) struct PlanOf<'a> {
    pub(super) host: &'a str,
    pub(super) started_ms: Option<i64>,
    /// Absent while it runs.
    pub(super) next_ms: Option<i64>,
    pub(super) failures: u32,
}

/// All profiles of a drone.
#[derive(Debug)]
pub(super) struct Schedule {
    entries: BTreeMap<ProfileId, Entry>,
    /// Waiting profiles by due time, but for those that their host holds.
    waiting: BTreeSet<(i64, ProfileId)>,
    hosts: Hosts,
    running: usize,
    /// When somebody asked last what is due.
    asked_ms: Option<i64>,
}

impl Schedule {
    /// `most_each_host`: runs that ask one host at the same time, at most.
    pub(super) fn new(most_each_host: usize) -> Self {
        let (entries, waiting) = (BTreeMap::new(), BTreeSet::new());
        Self { entries, waiting, hosts: Hosts::new(most_each_host), running: 0, asked_ms: None }
    }

    /// Adds a profile or changes its pace. `last_ms`: when it last started, as far as is known. `chance` is 0 to 1.
    pub(super) fn put(
        &mut self,
        id: &ProfileId,
        pace: Pace,
        host: &str,
        last_ms: Option<i64>,
        now_ms: i64,
        chance: f64,
    ) {
        if let Some(entry) = self.entries.get_mut(id) {
            if entry.pace == pace {
                return;
            }
            let due_ms = entry.due_ms.min(pace.regular_ms(now_ms, chance));
            entry.pace = pace;
            self.set_due(id, due_ms, now_ms);
            return;
        }
        let due_ms = pace.first_ms(last_ms, now_ms, chance);
        let entry = Entry { pace, host: host.into(), due_ms, started_ms: None, failures: 0, requests: Vec::new() };
        self.entries.insert(id.clone(), entry);
        self.waiting.insert((due_ms, id.clone()));
    }

    pub(super) fn remove(&mut self, id: &ProfileId, now_ms: i64) {
        self.withdraw(id);
        let Some(entry) = self.entries.remove(id) else { return };
        if entry.started_ms.is_some() {
            self.running -= 1;
            self.hosts.end(&entry.host, Reached::Unknown, now_ms);
        }
        self.waiting.extend(self.hosts.release(&entry.host, now_ms));
    }

    /// Puts the next start off until then, where it would be sooner.
    pub(super) fn postpone(&mut self, id: &ProfileId, until_ms: i64, now_ms: i64) {
        if self.entries.get(id).is_some_and(|entry| entry.due_ms < until_ms) {
            self.set_due(id, until_ms, now_ms);
        }
    }

    /// Asks for a run that begins from now on. Asking again for the same request changes nothing.
    pub(super) fn request(&mut self, id: &ProfileId, request_id: i64, now_ms: i64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.requests.contains(&request_id) {
            return;
        }
        entry.requests.push(request_id);
        self.set_due(id, now_ms, now_ms);
    }

    /// Profiles that start now, at most so many that `most` run at once, with the requests that each run answers.
    pub(super) fn take_due(&mut self, now_ms: i64, most: usize, chance: f64) -> Vec<(ProfileId, Vec<i64>)> {
        self.notice_the_clock(now_ms, chance);
        let mut due = Vec::new();
        while self.running < most {
            let Some((due_ms, id)) = self.waiting.first().cloned() else { break };
            if due_ms > now_ms {
                break;
            }
            self.waiting.pop_first();
            due.extend(self.start(id, due_ms, now_ms, chance));
        }
        due
    }

    /// Notes the end of a run and sets the next. A run-now request that came meanwhile starts it at once.
    pub(super) fn ended(&mut self, id: &ProfileId, how: Ended, reached: Reached, now_ms: i64, chance: f64) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Some(started_ms) = entry.started_ms.take() else { return };
        // A source that says when to come again needs no guesses.
        entry.failures = if how == Ended::Badly { entry.failures.saturating_add(1) } else { 0 };
        entry.due_ms = if entry.requests.is_empty() { next_ms(entry, how, started_ms, now_ms, chance) } else { now_ms };
        self.waiting.insert((entry.due_ms, id.clone()));
        self.running -= 1;
        self.hosts.end(&entry.host, reached, now_ms);
        self.waiting.extend(self.hosts.release(&entry.host, now_ms));
    }

    /// Brings the next start forward to now, unless it goes by the clock on the wall.
    pub(super) fn run_soon(&mut self, id: &ProfileId, now_ms: i64) {
        if self.entries.get(id).is_some_and(|entry| !entry.pace.is_by_the_wall_clock()) {
            self.set_due(id, now_ms, now_ms);
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// What is planned for a profile.
    pub(super) fn plan(&self, id: &ProfileId) -> Option<PlanOf<'_>> {
        let entry = self.entries.get(id)?;
        let next_ms = entry.started_ms.is_none().then_some(entry.due_ms);
        Some(PlanOf { host: &entry.host, started_ms: entry.started_ms, next_ms, failures: entry.failures })
    }

    /// Hosts that are taken for down and left alone for a while.
    pub(super) fn hosts_shut(&self, now_ms: i64) -> usize {
        self.hosts.shut(now_ms)
    }

    /// Starts a due profile if its host may be asked.
    fn start(&mut self, id: ProfileId, due_ms: i64, now_ms: i64, chance: f64) -> Option<(ProfileId, Vec<i64>)> {
        let entry = self.entries.get_mut(&id)?;
        match self.hosts.entry(&entry.host, !entry.requests.is_empty(), now_ms) {
            Way::Free => {}
            Way::Full => {
                self.hosts.hold(&entry.host, due_ms, id);
                return None;
            }
            Way::ShutUntil(until_ms) => {
                // Not all of them in the moment in which it may be asked again.
                entry.due_ms = until_ms.saturating_add(pace::part_of(10_000, chance)).max(now_ms + 1);
                self.waiting.insert((entry.due_ms, id));
                return None;
            }
        }
        entry.started_ms = Some(now_ms);
        self.hosts.begin(&entry.host);
        self.running += 1;
        let requests = std::mem::take(&mut entry.requests);
        Some((id, requests))
    }

    /// After a sleep, what leaves missed runs out goes on in its step. A clock that was set back takes every due time
    /// with it, or nothing would run until it is where it was.
    fn notice_the_clock(&mut self, now_ms: i64, chance: f64) {
        let asked_ms = self.asked_ms.replace(now_ms).unwrap_or(now_ms);
        if now_ms < asked_ms.saturating_sub(SET_BACK_MS) {
            self.set_back(asked_ms - now_ms, now_ms, chance);
        }
        if now_ms > asked_ms.saturating_add(ASLEEP_MS) {
            self.skip_what_was_missed(asked_ms, now_ms, chance);
        }
    }

    fn set_back(&mut self, by_ms: i64, now_ms: i64, chance: f64) {
        self.hosts.clock_went_back();
        let due = |entry: &Entry| entry.pace.after_set_back(entry.due_ms, by_ms, now_ms, chance);
        let moved: Vec<_> = self.entries.iter().map(|(id, entry)| (id.clone(), due(entry))).collect();
        for (id, due_ms) in moved {
            self.set_due(&id, due_ms, now_ms);
        }
        for entry in self.entries.values_mut() {
            entry.started_ms = entry.started_ms.map(|started_ms| started_ms.saturating_sub(by_ms));
        }
    }

    fn skip_what_was_missed(&mut self, from_ms: i64, now_ms: i64, chance: f64) {
        // What was due before waits for its turn; only what nobody could start has been missed.
        // One whose time was only just now is not late.
        let due = self.waiting.iter().take_while(|(due_ms, _)| *due_ms <= now_ms - ASLEEP_MS);
        let missed: Vec<_> = due.skip_while(|(due_ms, _)| *due_ms <= from_ms).cloned().collect();
        for (due_ms, id) in missed {
            let Some(entry) = self.entries.get(&id).filter(|entry| entry.requests.is_empty()) else { continue };
            let next_ms = entry.pace.after_pause(due_ms, due_ms, now_ms, chance);
            self.set_due(&id, next_ms, now_ms);
        }
    }

    fn set_due(&mut self, id: &ProfileId, due_ms: i64, now_ms: i64) {
        let was_waiting = self.withdraw(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.due_ms = due_ms;
        if was_waiting {
            self.waiting.insert((due_ms, id.clone()));
            self.waiting.extend(self.hosts.release(&entry.host, now_ms));
        }
    }

    /// Takes a profile out of whatever it waits in; says whether it waited.
    fn withdraw(&mut self, id: &ProfileId) -> bool {
        let Some(entry) = self.entries.get(id) else { return false };
        self.waiting.remove(&(entry.due_ms, id.clone())) || self.hosts.let_go(&entry.host, entry.due_ms, id)
    }
}

fn next_ms(entry: &Entry, how: Ended, started_ms: i64, now_ms: i64, chance: f64) -> i64 {
    let regular_ms = entry.pace.regular_ms(started_ms, chance).max(now_ms);
    match how {
        Ended::Well => regular_ms,
        Ended::NotBefore(until_ms) => regular_ms.max(until_ms),
        Ended::Badly => regular_ms.min(Pace::retry_ms(entry.failures, now_ms, chance)),
    }
}

#[cfg(test)]
mod tests;
