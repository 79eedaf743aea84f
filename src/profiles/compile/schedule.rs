//! When a profile runs.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::notes::Notes;
use crate::profiles::document::schedule::{CatchUp as CatchUpDoc, Schedule};
use crate::profiles::node::{At, Place};
use crate::profiles::plan::{CatchUp, Rhythm, Timing};
use crate::profiles::timetable::Timetable;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_JITTER: Duration = Duration::from_secs(60);

pub fn timing(said: Option<&At<Schedule>>, notes: &mut Notes) -> Timing {
    let none = Schedule::default();
    let doc = said.map_or(&none, |said| &said.value);
    let place = said.map_or(Place::START, |said| said.place);
    let rhythm = match &doc.cron {
        Some(cron) => planned(cron, doc, notes)
            .map_or(Rhythm::Every(DEFAULT_INTERVAL), |timetable| Rhythm::At(Box::new(timetable))),
        None => Rhythm::Every(interval(doc, place, notes)),
    };
    let gap = gap(&rhythm);
    let jitter = doc.jitter.as_ref().map_or(MAX_JITTER.min(gap / 10), |jitter| Duration::from_millis(jitter.value.ms));
    if let Some(long) = doc.jitter.as_ref().filter(|_| jitter > gap) {
        notes.add(long.place, "the jitter is longer than the interval");
    }
    let catch_up = match doc.catch_up.as_ref().map(|catch_up| catch_up.value) {
        Some(CatchUpDoc::Skip) => CatchUp::Skip,
        Some(CatchUpDoc::Once) | None => CatchUp::Once,
    };
    Timing { enabled: doc.enabled.unwrap_or(true), rhythm, jitter, catch_up }
}

fn interval(doc: &Schedule, place: Place, notes: &mut Notes) -> Duration {
    if let (Some(_), Some(every)) = (&doc.interval, &doc.every) {
        notes.add(every.place, "every and interval mean the same; keep one of them");
    }
    if let Some(zone) = &doc.zone {
        notes.add_with_hint(zone.place, "a zone is only for cron", "cron: \"30 8 * * mon-fri\"");
    }
    let said = doc.interval.as_ref().or(doc.every.as_ref());
    let interval = said.map_or(DEFAULT_INTERVAL, |said| Duration::from_millis(said.value.ms));
    if interval < MIN_INTERVAL {
        notes.add(said.map_or(place, |said| said.place), "the interval is at least 1s");
    }
    interval
}

fn planned(cron: &At<String>, doc: &Schedule, notes: &mut Notes) -> Option<Timetable> {
    if let Some(other) = doc.interval.as_ref().or(doc.every.as_ref()) {
        notes.add(other.place, "cron and an interval exclude each other; keep one of them");
    }
    let zone = match &doc.zone {
        Some(zone) => {
            let named = TimeZone::get(&zone.value);
            let unknown = |_| format!("{:?} is not a time zone such as America/New_York", zone.value);
            notes.keep(zone.place, named.map_err(unknown))?
        }
        None => TimeZone::UTC,
    };
    match Timetable::parse(&cron.value, zone) {
        Ok(timetable) => Some(timetable),
        Err(why) => {
            let message = format!("{:?} is not a cron expression: {why}", cron.value);
            notes.add_with_hint(cron.place, message, "minute, hour, day, month, weekday: 30 8 * * mon-fri");
            None
        }
    }
}

fn gap(rhythm: &Rhythm) -> Duration {
    match rhythm {
        Rhythm::Every(interval) => *interval,
        Rhythm::At(timetable) => Duration::from_millis(timetable.usual_gap_ms().unsigned_abs()),
    }
}
