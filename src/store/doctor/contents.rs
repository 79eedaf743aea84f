//! What is named by its content, held against it: records, versions of profiles, sets of records.

use super::{Check, Patient, ProfileRow, RecordRow};
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::domain::ids::ProfileId;
use crate::domain::observation::ObservationKey;
use crate::domain::record::push_record;
use crate::protocol::batch::MAX_RECORDS;
use crate::store::error::StoreError;
use crate::store::observed;
use crate::store::record_set::unpack_ranges;

/// Rows read at a time.
const PAGE: i64 = 200;
/// Rows of a sample, of all profiles together; and of each at least.
const SAMPLE: i64 = 10_000;
const LEAST: i64 = 100;
/// A sample is read at so many places of a profile, evenly far from each other.
const PLACES: i64 = 20;

pub(super) async fn versions(body: &mut impl Patient) -> Check {
    let mut check = Check::of("versions");
    let outcome = async {
        let mut after = 0;
        loop {
            let page = body.versions(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.row;
            check.looked_at += page.len() as u64;
            for version in page {
                if version.digest != Digest::of(version.yaml.as_bytes()).as_bytes() {
                    check.fault(format!("a version of {} does not have the text that names it", version.profile));
                }
            }
        }
    };
    let outcome = outcome.await;
    check.ended(outcome)
}

/// Sets are few and small; a sample of them is the newest page and the oldest.
pub(super) async fn sets(body: &mut impl Patient, all: bool) -> Check {
    let mut check = Check::of("sets");
    let outcome = async {
        let mut after = 0;
        loop {
            let page = body.sets(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.row;
            check.looked_at += page.len() as u64;
            for set in page {
                let is_whole = unpack_ranges(&set.ids, MAX_RECORDS).is_ok();
                if !is_whole || set.digest != Digest::of(&set.ids).key() {
                    check.fault(format!("set {} of records does not read back as it was written", set.row));
                }
            }
            if !all && check.looked_at >= SAMPLE.unsigned_abs() {
                return Ok(());
            }
        }
    };
    let outcome = outcome.await;
    check.ended(outcome)
}

pub(super) async fn records(body: &mut impl Patient, all: bool) -> Check {
    let mut check = Check::of("records");
    let outcome = async {
        let profiles = body.profiles().await?;
        let share = (SAMPLE / i64::try_from(profiles.len().max(1)).unwrap_or(SAMPLE)).max(LEAST);
        for profile in profiles {
            match all {
                true => every_record(body, &profile, &mut check).await?,
                false => some_records(body, &profile, share, &mut check).await?,
            }
        }
        Ok(())
    };
    let outcome = outcome.await;
    check.ended(outcome)
}

async fn every_record(body: &mut impl Patient, profile: &ProfileRow, check: &mut Check) -> Result<(), StoreError> {
    let mut from = i64::MIN;
    loop {
        let page = body.records(profile.row, from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        from = last.row + 1;
        judge(profile, &page, check);
    }
}

async fn some_records(
    body: &mut impl Patient,
    profile: &ProfileRow,
    share: i64,
    check: &mut Check,
) -> Result<(), StoreError> {
    let Some((first, last)) = body.bounds(profile.row).await? else { return Ok(()) };
    let step = (last - first) / PLACES;
    let mut from = first;
    for place in 0..PLACES {
        // Pages may meet where there are few records; none is read twice.
        from = from.max(first + place * step);
        let page = body.records(profile.row, from, (share / PLACES).max(1)).await?;
        let Some(end) = page.last() else { return Ok(()) };
        from = end.row + 1;
        judge(profile, &page, check);
    }
    Ok(())
}

fn judge(profile: &ProfileRow, page: &[RecordRow], check: &mut Check) {
    check.looked_at += page.len() as u64;
    let key = key_of(profile);
    for record in page {
        if let Some(reason) = fault_of(record, key.as_ref()) {
            check.fault(format!("record {} of {}: {reason}", record.row, profile.id));
        }
    }
}

fn key_of(profile: &ProfileRow) -> Option<ObservationKey> {
    observed::key_of(&ProfileId::parse(&profile.id).ok()?, profile.keyed_by.as_deref())
}

fn fault_of(record: &RecordRow, key: Option<&ObservationKey>) -> Option<&'static str> {
    let body = record.body.as_bytes();
    let digest = Digest::of(body);
    if record.key != digest.key() {
        return Some("its id is not the digest of its content");
    }
    let mut written = Records::default();
    if push_record(&mut written, &record.body) != Ok(digest) {
        return Some("it is no record in canonical form");
    }
    let observation = key?.of_record(body);
    (record.observation.as_deref() != observation.as_ref().map(|id| &id[..]))
        .then_some("it is linked to another observation than its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(body: &str) -> RecordRow {
        RecordRow { row: 1, key: Digest::of(body.as_bytes()).key().to_vec(), body: body.into(), observation: None }
    }

    #[test]
    fn what_is_not_its_own_digest_or_not_canonical_is_a_fault() {
        let good = r#"{"dims":{"a":"b"},"measures":{"v":1}}"#;
        assert_eq!(fault_of(&row(good), None), None);
        let changed = RecordRow { key: row(good).key, ..row(&good.replace("\"v\":1", "\"v\":2")) };
        assert!(fault_of(&changed, None).unwrap().contains("digest"));
        for odd in [r#"{"measures":{"v":1},"dims":{"a":"b"}}"#, r#"{"dims":{},"measures":{}}"#, "no JSON"] {
            assert!(fault_of(&row(odd), None).unwrap().contains("canonical"), "{odd}");
        }
    }

    #[test]
    fn a_record_that_is_linked_to_another_observation_is_a_fault() {
        let key = ObservationKey::new(&ProfileId::parse("p").unwrap(), &["dims.a".into()]).unwrap();
        let body = r#"{"dims":{"a":"b"},"measures":{"v":1}}"#;
        let linked = |observation: Option<Vec<u8>>| RecordRow { observation, ..row(body) };
        let own = key.of_record(body.as_bytes()).unwrap().to_vec();
        assert_eq!(fault_of(&linked(Some(own)), Some(&key)), None);
        assert!(fault_of(&linked(None), Some(&key)).is_some());
        assert!(fault_of(&linked(Some(vec![1; 16])), Some(&key)).is_some());
    }
}
