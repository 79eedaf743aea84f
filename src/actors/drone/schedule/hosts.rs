//! The hosts that profiles ask: how many runs each has at once, so that a slow one holds up only its own, and whether
//! it is taken for down, so that it is not asked by every profile in turn. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::ProfileId;

/// So many runs in a row that got nothing at all from a host shut it.
const FAILURES_TO_SHUT: u32 = 5;
const FIRST_SHUT_MS: i64 = 30_000;
const MAX_SHUT_MS: i64 = 600_000;

/// What a run may do at its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    /// It has as many runs as it may.
    Full,
    /// It is taken for down until then.
    ShutUntil(i64),
}

/// What a run got from its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::actors::drone) enum Reached {
    /// It answered, whatever it said.
    Yes,
    /// Not one byte came.
    No,
    /// The run never got as far, or its end is not known.
    Unknown,
}

#[derive(Debug, Default)]
struct Host {
    running: usize,
    /// Due, but the host is full.
    held: BTreeSet<(i64, ProfileId)>,
    failures: u32,
    shut_until_ms: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Hosts {
    most_each: usize,
    hosts: BTreeMap<Box<str>, Host>,
}

impl Hosts {
    pub(super) fn new(most_each: usize) -> Self {
        Self { most_each: most_each.max(1), hosts: BTreeMap::new() }
    }

    /// Whether a run may begin. Whoever asked for one by hand gets it although the host is taken for down.
    pub(super) fn entry(&self, host: &str, asked: bool, now_ms: i64) -> Entry {
        let Some(found) = self.hosts.get(host) else { return Entry::Free };
        match found.shut_until_ms {
            Some(until_ms) if until_ms > now_ms && !asked => Entry::ShutUntil(until_ms),
            // One run tries whether it is back.
            Some(_) if found.running > 0 => Entry::Full,
            _ if found.running >= self.most_each => Entry::Full,
            _ => Entry::Free,
        }
    }

    pub(super) fn begin(&mut self, host: &str) {
        self.of(host).running += 1;
    }

    /// Keeps a due profile aside until a run at its host has ended.
    pub(super) fn hold(&mut self, host: &str, due_ms: i64, id: ProfileId) {
        self.of(host).held.insert((due_ms, id));
    }

    /// Whether it was held.
    pub(super) fn let_go(&mut self, host: &str, due_ms: i64, id: &ProfileId) -> bool {
        self.hosts.get_mut(host).is_some_and(|found| found.held.remove(&(due_ms, id.clone())))
    }

    /// Notes the end of a run.
    pub(super) fn end(&mut self, host: &str, reached: Reached, now_ms: i64) {
        let Some(found) = self.hosts.get_mut(host) else { return };
        found.running = found.running.saturating_sub(1);
        found.judge(reached, now_ms);
    }

    /// Those that may try now, the longest held first. To be asked after every change at the host: whoever is held
    /// waits for nothing but this.
    pub(super) fn release(&mut self, host: &str, now_ms: i64) -> Vec<(i64, ProfileId)> {
        let Some(found) = self.hosts.get_mut(host) else { return Vec::new() };
        let room = match found.shut_until_ms {
            Some(until_ms) if until_ms > now_ms => usize::MAX,
            Some(_) => 1_usize.saturating_sub(found.running),
            None => self.most_each.saturating_sub(found.running),
        };
        let released = (0..room).map_while(|_| found.held.pop_first()).collect();
        if found.is_plain() {
            self.hosts.remove(host);
        }
        released
    }

    /// Hosts that are taken for down.
    pub(super) fn shut(&self, now_ms: i64) -> usize {
        self.hosts.values().filter(|host| host.shut_until_ms.is_some_and(|until_ms| until_ms > now_ms)).count()
    }

    /// The clock was set back: what was to last until a time that is now far ahead is over.
    pub(super) fn clock_went_back(&mut self) {
        for host in self.hosts.values_mut().filter(|host| host.shut_until_ms.is_some()) {
            host.shut_until_ms = Some(i64::MIN);
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.hosts.values().map(|host| host.held.len()).sum()
    }

    fn of(&mut self, host: &str) -> &mut Host {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.into(), Host::default());
        }
        self.hosts.get_mut(host).expect("it was just made")
    }
}

impl Host {
    fn judge(&mut self, reached: Reached, now_ms: i64) {
        match reached {
            Reached::Yes => (self.failures, self.shut_until_ms) = (0, None),
            Reached::No => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES_TO_SHUT {
                    let doublings = (self.failures - FAILURES_TO_SHUT).min(20);
                    let shut_ms = FIRST_SHUT_MS.saturating_mul(1 << doublings).min(MAX_SHUT_MS);
                    self.shut_until_ms = Some(now_ms.saturating_add(shut_ms));
                }
            }
            Reached::Unknown => {}
        }
    }

    fn is_plain(&self) -> bool {
        self.running == 0 && self.failures == 0 && self.held.is_empty()
    }
}
