//! Profiles against answers, without a network: from YAML and bytes to records.

mod combine;
mod differential;
mod drift;
mod empty;
mod first;
mod forms;
mod fuzz;
mod hostile;
mod pages;
mod played;
mod recipes;
mod room;
mod selectors;
mod shapes;

use super::decode::{self, Document, Room};
use super::fetch::Answer;
use super::json::sniff;
use super::judge::{self, Verdict};
use super::outbox::Outbox;
use super::outcome::Dropped;
use super::page::{self, Given, PageError};
use crate::domain::rejects::Rejects;
use crate::domain::shape::RunShape;
use crate::profiles::plan::MappingPlan;
use crate::profiles::{Profile, load};

/// What an answer gave.
#[derive(Debug)]
struct Mapped {
    records: Vec<String>,
    rows: u64,
    duplicates: u64,
    dropped: Vec<Dropped>,
    unread: Vec<Dropped>,
    notes: Vec<Dropped>,
    rejects: Rejects,
    shape: RunShape,
}

fn profile(text: &str) -> Profile {
    load(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// Maps one answer, as a run does.
fn map(profile: &Profile, answer: &[u8]) -> Result<Mapped, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(map_page(profile, answer)).map_err(|error| match error {
        PageError::Broken(reason) | PageError::Failed(reason) => reason,
        PageError::TooLarge => "too large".into(),
    })
}

async fn map_page(profile: &Profile, answer: &[u8]) -> Result<Mapped, PageError> {
    let bytes = decode::unpack(answer, &profile.plan().decoding, 1 << 26)?;
    let room = Room::of(profile.limits().max_bytes);
    let document = decode::decode(&bytes, &profile.plan().decoding.format, room)?;
    let mapping = match &profile.plan().mapping {
        MappingPlan::Ready(mapping) => std::sync::Arc::clone(mapping),
        MappingPlan::ByShape(_) => {
            let Document::Json(text) = &document else { panic!("lines of cells have a mapping") };
            let found = sniff::find(text, &profile.open_paths()).map_err(|error| match error {
                sniff::SniffError::Json(error) => page::not_json(text, error),
                sniff::SniffError::Unclear(message) => PageError::Failed(message),
            })?;
            profile.mapping_for(&found).map_err(PageError::Failed)?
        }
    };
    let values = profile.plan().sets.first().cloned().unwrap_or_default();
    let given = Given::new(&values, profile.plan().window.as_ref().map(|_| (0, 86_400_000)));
    let mut outbox = Outbox::new(&profile.plan().duplicates);
    outbox.begin();
    let headers = [("x-total".to_owned(), "7".to_owned())];
    let page = page::Page {
        document: &document,
        mapping: &mapping,
        given: &given,
        headers: &headers,
        cursor: profile.plan().cursor.as_ref(),
        room,
    };
    let head = Answer { body: answer.to_vec(), ..Answer::good("https://example.org/") };
    let judged = |judged: Result<(), Verdict>| {
        judged.map_err(|verdict| match verdict {
            Verdict::Failed { reason, .. } => PageError::Failed(reason),
            other => panic!("{other:?}"),
        })
    };
    let page = match page::map_rows(&page, &mut outbox, u64::MAX).await {
        Ok(page) => page,
        Err(error) => {
            judged(judge::judge_unread(&head, profile.plan(), 0))?;
            return Err(error);
        }
    };
    judged(judge::judge_told(&head, profile.plan(), &page.told, 0))?;
    let (count, duplicates) = outbox.settle();
    let mut tally = page.tally;
    tally.redact(|text| text.replace("s3cret", "[secret]"));
    let shape = tally.shape(&mapping.record.fields, page.rows);
    let (dropped, unread, notes, rejects) = tally.into_parts();
    let batches: Vec<_> = outbox.take_full().into_iter().chain(outbox.take_open()).collect();
    let texts = batches.iter().flat_map(|batch| batch.iter().map(|(_, record)| record));
    let records: Vec<String> =
        texts.map(|record| String::from_utf8(record.to_vec()).expect("a record is UTF-8")).collect();
    assert_eq!(records.len() as u64, count);
    for record in &records {
        assert_canonical(record);
    }
    Ok(Mapped { records, rows: page.rows, duplicates, dropped, unread, notes, rejects, shape })
}

/// What the pipeline writes is what the store would write.
fn assert_canonical(record: &str) {
    let mut again = crate::domain::batch::Records::default();
    crate::domain::record::push_record(&mut again, record).unwrap_or_else(|error| panic!("{error}: {record}"));
    assert_eq!(std::str::from_utf8(again.text(0)), Ok(record));
}

/// A profile with these lines after the head.
fn with(lines: &str) -> Profile {
    profile(&format!("id: test\nsource: {{url: 'https://example.org/'}}\n{lines}"))
}
