//! The readers of single texts: profiles, paths, times, batches.

use chartly::domain::ids::{DroneId, ProfileId, RunId};
use chartly::profiles::plan::Grain;
use chartly::profiles::{Path, explain, load, time as times};
use chartly::protocol::batch::{Batch, write_batch};

/// A text is a profile, or its problems have places. The long form of a profile is a profile.
pub fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match load(text) {
        Ok(_) => {
            let long = explain(text).expect("what loads can be explained");
            load(&long).unwrap_or_else(|problems| panic!("the long form has problems: {problems}\n{long}"));
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems.iter() {
                assert!(problem.line > 0 && problem.column > 0 && !problem.message.is_empty(), "{problem:?}");
            }
            assert!(!problems.to_string().is_empty());
        }
    }
}

/// A path is read or refused, and names the same place after it was shown.
pub fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Path::parse(text) {
        Ok(path) => {
            let shown = path.to_string();
            // A written-out name may be longer than what may be written.
            if shown.chars().count() <= 500 {
                assert_eq!(Path::parse(&shown), Ok(path), "{text:?} is shown as {shown:?}");
            }
        }
        Err(why) => assert!(!why.is_empty()),
    }
    // JSONPath is a library's, reached by the step that filters.
    let quoted = format!("{text:?}");
    let yaml =
        format!("id: t\nsource: {{url: 'https://example.org/'}}\nrows: {{each: {quoted}}}\nmeasures: {{v: v}}\n");
    yaml_only(&yaml);
}

fn yaml_only(text: &str) {
    if let Err(problems) = load(text) {
        assert!(!problems.is_empty());
    }
}

const GRAINS: [Grain; 6] = [Grain::Year, Grain::Quarter, Grain::Month, Grain::Week, Grain::Date, Grain::At];

/// The first line is a pattern, the rest a time. What is written is in its final form: reading it again changes nothing.
pub fn time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or(("%Y-%m-%d", text));
    let _ = times::read_offset(text);
    let readings = [
        times::read_iso(text),
        times::read_epoch(text, 1),
        times::read_epoch(text, 1000),
        times::read_pattern(text, pattern),
    ];
    for reading in readings.into_iter().flatten() {
        let placed = times::place_local(reading, &jiff::tz::TimeZone::UTC);
        let moved = times::place_offset(reading, 3_600);
        for reading in [Ok(reading), placed.map(|(reading, _)| reading), moved].into_iter().flatten() {
            for grain in GRAINS {
                settled(reading, grain);
            }
        }
    }
}

fn settled(reading: times::Reading, grain: Grain) {
    let mut once = String::new();
    if times::write(&mut once, reading, grain).is_err() {
        return;
    }
    let again = times::read_iso(&once).unwrap_or_else(|error| panic!("{reading:?} is written {once:?}: {error}"));
    let mut twice = String::new();
    times::write(&mut twice, again, grain).unwrap_or_else(|error| panic!("{once:?} read back: {error}"));
    assert_eq!(once, twice, "{reading:?}");
}

/// A batch is taken or refused; what was taken is canonical, and is taken again as it is sent on.
pub fn record(data: &[u8]) {
    let Ok(batch) = Batch::from_json(data) else { return };
    let (drone, profile, run): (&DroneId, &ProfileId, &RunId) = (&batch.drone_id, &batch.profile_id, &batch.run_id);
    let sent = write_batch(drone, profile, run, batch.seq, &batch.records, batch.run.as_ref(), batch.hold);
    if batch.records.is_empty() && batch.run.is_none() {
        return;
    }
    let again = Batch::from_json(&sent).expect("what was taken is taken again");
    assert_eq!(again.records, batch.records);
    assert_eq!(again.rejected, 0);
}
