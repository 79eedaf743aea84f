//! What the store may let go, and the bounds below which that would do harm.

use super::notes::Notes;
use crate::domain::retention::Retention;
use crate::profiles::document::Document;
use crate::profiles::duration::Age;
use crate::profiles::node::At;

const DAY_MS: u64 = 86_400_000;
/// A drone sends for two weeks what it could not; a run that went before would come back.
const MIN_RUNS_MS: u64 = 15 * DAY_MS;
const MIN_RECORDS_MS: u64 = 3_600_000;

pub fn retention(document: &Document, notes: &mut Notes) -> Retention {
    let Some(At { value: doc, place }) = &document.retention else { return Retention::default() };
    let rule = Retention {
        records_ms: age(doc.records.as_ref(), "records", MIN_RECORDS_MS, "1h", notes),
        versions: count(doc.versions.as_ref(), notes).map(|most| u32::try_from(most).unwrap_or(u32::MAX)),
        max_records: count(doc.max_records.as_ref(), notes),
        runs_ms: age(doc.runs.as_ref(), "runs", MIN_RUNS_MS, "15d", notes),
    };
    if rule.keeps_all() {
        notes.add_with_hint(*place, "retention says nothing", "retention: {records: P2Y}, or leave it out to keep all");
    }
    if let Some(versions) = doc.versions.as_ref().filter(|_| document.key.as_ref().is_none_or(Vec::is_empty)) {
        let message = "versions are of observations, and the profile has no key that tells them apart";
        notes.add_with_hint(versions.place, message, "key: [geo.name, time.year]");
    }
    rule
}

fn age(said: Option<&At<Age>>, name: &str, least_ms: u64, least: &str, notes: &mut Notes) -> Option<u64> {
    let At { value: Age { ms }, place } = said?;
    if *ms < least_ms {
        notes.add(*place, format!("{name} is kept for at least {least}"));
    }
    Some(*ms)
}

fn count(said: Option<&At<u64>>, notes: &mut Notes) -> Option<u64> {
    let At { value, place } = said?;
    if *value == 0 {
        notes.add(*place, "at least 1 is kept; a profile whose records nobody wants need not run");
    }
    Some(*value)
}

#[cfg(test)]
mod tests {
    use crate::domain::retention::Retention;
    use crate::profiles::load;

    const BASE: &str = "id: p\nsource: {url: 'https://h/x'}\nrows: {each: $.d}\nmeasures: {v: v}\ndims: {a: a}\n";

    fn problems(said: &str) -> String {
        load(&format!("{BASE}{said}")).unwrap_err().to_string()
    }

    #[test]
    fn ages_and_counts_are_read() {
        let said = "key: [a]\nretention: {records: 2y, versions: 5, max_records: 1000000, runs: P90D}\n";
        let profile = load(&format!("{BASE}{said}")).unwrap();
        let day_ms = 86_400_000;
        let expected = Retention {
            records_ms: Some(730 * day_ms),
            versions: Some(5),
            max_records: Some(1_000_000),
            runs_ms: Some(90 * day_ms),
        };
        assert_eq!(*profile.retention(), expected);
        assert!(load(BASE).unwrap().retention().keeps_all(), "nothing goes unless somebody says so");
    }

    #[test]
    fn what_would_do_harm_is_refused_all_at_once() {
        let told = problems("retention: {records: 5m, versions: 0, max_records: 0, runs: 3d}\n");
        for part in ["records is kept for at least 1h", "no key", "at least 1 is kept", "runs is kept for at least 15d"]
        {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(problems("retention: {}\n").contains("retention says nothing"));
        assert!(problems("retention: {record: 2y}\n").contains("records"), "the nearest word is told");
        assert!(problems("retention: {records: 2 fortnights}\n").contains("P2Y"));
    }
}
