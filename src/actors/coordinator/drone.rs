//! One drone as the coordinator knows it: what it offers, what it said last, and which of the processes that use its
//! id is the one that counts. Pure: time comes in as an argument.

use std::collections::VecDeque;

use crate::domain::fleet::{DroneState, Labels, MAX_LABEL_CHARS, MAX_LABELS};
use crate::domain::needs::{MAX_SECRETS, MAX_WEIGHT, Offer};
use crate::protocol::coordinator::{Beat, DroneHello};
use crate::protocol::fault::Fault;

/// Earlier processes of a drone that are remembered, to tell a twin from a restart.
const MAX_PAST: usize = 4;
const MAX_TEXT_CHARS: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub struct Drone {
    pub(super) version: String,
    pub(super) offer: Offer,
    pub(super) registered_ms: i64,
    pub(super) last_seen_ms: i64,
    pub(super) draining: bool,
    pub(super) clock_skew_ms: Option<i64>,
    pub(super) running: u32,
    pub(super) spooled: u64,
    pub(super) spool_dropped: u64,
    pub(super) kept_runs: u64,
    pub(super) kept_bytes: u64,
    /// Whether the last look found it within its lease.
    pub(super) live: bool,
    /// It came back at this time, and does not take from others yet.
    pub(super) back_ms: Option<i64>,
    /// The time of its last beat that is in the store.
    pub(super) saved_ms: i64,
    /// The process that counts, and those before it.
    instance: Option<String>,
    past: VecDeque<String>,
    /// Number of the last beat of this process.
    last_beat: u64,
    /// Beats that came late or twice and were passed over.
    pub(super) stale_beats: u64,
    /// When another process gave a sign of life under this id.
    pub(super) twin_ms: Option<i64>,
}

/// What a sign of life means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It counts.
    Fresh,
    /// It came late, or twice.
    Stale,
    /// It is from a process that another one has taken the place of.
    Twin,
}

impl Drone {
    /// A drone as the store kept it. Whether it lives, the next look decides.
    pub fn stored(version: String, offer: Offer, registered_ms: i64, seen_ms: i64, draining: bool) -> Self {
        Self {
            version,
            offer,
            registered_ms,
            last_seen_ms: seen_ms,
            draining,
            clock_skew_ms: None,
            running: 0,
            spooled: 0,
            spool_dropped: 0,
            kept_runs: 0,
            kept_bytes: 0,
            live: false,
            back_ms: None,
            saved_ms: seen_ms,
            instance: None,
            past: VecDeque::new(),
            last_beat: 0,
            stale_beats: 0,
            twin_ms: None,
        }
    }

    pub(super) fn state(&self) -> DroneState {
        match (self.live, self.draining) {
            (false, _) => DroneState::Offline,
            (true, true) => DroneState::Draining,
            (true, false) => DroneState::Online,
        }
    }

    /// Whether a process that wants to join was already followed by the one that is here now.
    pub(super) fn is_followed(&self, hello: &DroneHello) -> bool {
        self.live && hello.instance.as_ref().is_some_and(|instance| self.past.contains(instance))
    }

    /// Takes in what a process says that joins. One that was not here before takes the place of the last.
    pub(super) fn join(&mut self, hello: &DroneHello, now_ms: i64) {
        self.version.clone_from(&hello.version);
        self.offer = offer(hello);
        self.last_seen_ms = self.last_seen_ms.max(now_ms);
        self.clock_skew_ms = hello.clock_ms.map(|clock| clock.saturating_sub(now_ms));
        if self.instance == hello.instance {
            return;
        }
        let before = std::mem::replace(&mut self.instance, hello.instance.clone());
        self.past.retain(|past| Some(past) != self.instance.as_ref());
        self.past.extend(before);
        if self.past.len() > MAX_PAST {
            self.past.pop_front();
        }
        self.last_beat = 0;
    }

    pub(super) fn judge(&self, beat: &Beat) -> Sign {
        let Some(instance) = &beat.instance else { return Sign::Fresh };
        match &self.instance {
            Some(own) if own != instance => Sign::Twin,
            Some(_) if beat.number > 0 && beat.number <= self.last_beat => Sign::Stale,
            _ => Sign::Fresh,
        }
    }

    pub(super) fn hear(&mut self, beat: &Beat, now_ms: i64) {
        self.last_seen_ms = self.last_seen_ms.max(now_ms);
        self.last_beat = self.last_beat.max(beat.number);
        self.clock_skew_ms = beat.clock_ms.map(|clock| clock.saturating_sub(now_ms));
        (self.running, self.spooled, self.spool_dropped) = (beat.running, beat.spooled, beat.spool_dropped);
        (self.kept_runs, self.kept_bytes) = (beat.kept_runs, beat.kept_bytes);
    }
}

/// What a drone offers by its own words, which were checked.
pub(super) fn offer(hello: &DroneHello) -> Offer {
    Offer {
        labels: hello.labels.clone(),
        secrets: hello.secrets.clone(),
        capacity: hello.capacity,
        weight: hello.weight.unwrap_or(1),
    }
}

/// Everything that a drone says of itself is bounded.
pub(super) fn check(hello: &DroneHello) -> Result<(), Fault> {
    check_labels(&hello.labels)?;
    for (name, text) in [("version", Some(&hello.version)), ("instance", hello.instance.as_ref())] {
        if text.is_some_and(|text| text.chars().count() > MAX_TEXT_CHARS) {
            return Err(Fault::invalid(name, format!("over {MAX_TEXT_CHARS} characters")));
        }
    }
    let secrets = hello.secrets.iter().flatten();
    if secrets.clone().count() > MAX_SECRETS {
        return Err(Fault::invalid("secrets", format!("more than {MAX_SECRETS} names")));
    }
    if secrets.clone().any(|name| name.is_empty() || name.chars().count() > MAX_TEXT_CHARS) {
        return Err(Fault::invalid("secrets", format!("a name is empty or over {MAX_TEXT_CHARS} characters")));
    }
    if hello.weight.is_some_and(|weight| !(1..=MAX_WEIGHT).contains(&weight)) {
        return Err(Fault::invalid("weight", format!("expected 1 to {MAX_WEIGHT}")));
    }
    Ok(())
}

fn check_labels(labels: &Labels) -> Result<(), Fault> {
    if labels.len() > MAX_LABELS {
        return Err(Fault::invalid("labels", format!("{} labels; at most {MAX_LABELS}", labels.len())));
    }
    let fits = |text: &str| !text.is_empty() && text.chars().count() <= MAX_LABEL_CHARS;
    if labels.iter().all(|(key, value)| fits(key) && fits(value)) {
        return Ok(());
    }
    Err(Fault::invalid("labels", format!("a key or value is empty or over {MAX_LABEL_CHARS} characters")))
}
