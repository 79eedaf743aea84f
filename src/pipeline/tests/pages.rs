//! A page counts as a whole or not at all, across the bounds of batches.

use std::collections::HashSet;

use proptest::prelude::*;

use super::with;
use crate::pipeline::MAX_BATCH;
use crate::pipeline::decode::{Document, Room};
use crate::pipeline::outbox::Outbox;
use crate::pipeline::page::{Given, Page, map_rows};
use crate::profiles::plan::{Found, FoundKind};

#[derive(Debug, Clone)]
struct Made {
    numbers: Vec<u16>,
    counts: bool,
    sent: bool,
}

fn pages() -> impl Strategy<Value = Vec<Made>> {
    let numbers = prop_oneof![
        prop::collection::vec(0..50u16, 0..20),
        (any::<u16>(), 0..2_500u16).prop_map(|(from, count)| (0..count).map(|step| from.wrapping_add(step)).collect()),
    ];
    let page =
        (numbers, any::<bool>(), any::<bool>()).prop_map(|(numbers, counts, sent)| Made { numbers, counts, sent });
    prop::collection::vec(page, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_sink_gets_each_record_of_the_pages_that_count_once(pages in pages()) {
        let profile = with("rows: {each: $}\nmeasures: {v: '@'}\n");
        let found = Found { kind: FoundKind::Each, under: Vec::new(), outside: Vec::new() };
        let mapping = profile.mapping_for(&found).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let given = Given::new(&[], None);
        let mut outbox = Outbox::default();
        let (mut sent, mut expected, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for page in &pages {
            let text = serde_json::to_string(&page.numbers).unwrap();
            outbox.begin();
            let document = Document::Json(text.into());
            let input = Page { document: &document, mapping: &mapping, given: &given, headers: &[], cursor: None, room: Room::default() };
            runtime.block_on(map_rows(&input, &mut outbox, u64::MAX)).unwrap();
            if !page.counts {
                outbox.forget();
                continue;
            }
            let before = expected.len();
            expected.extend(page.numbers.iter().copied().filter(|number| seen.insert(*number)));
            let (records, duplicates) = outbox.settle();
            prop_assert_eq!(records, (expected.len() - before) as u64);
            prop_assert_eq!(records + duplicates, page.numbers.len() as u64);
            if page.sent {
                sent.extend(outbox.take_full());
            }
        }
        sent.extend(outbox.take_full());
        prop_assert!(sent.iter().all(|batch| batch.len() == MAX_BATCH));
        sent.extend(outbox.take_open());
        let texts = sent.iter().flat_map(|batch| batch.iter().map(|(_, text)| String::from_utf8(text.to_vec()).unwrap()));
        let expected = expected.iter().map(|number| format!("{{\"dims\":{{}},\"measures\":{{\"v\":{number}}}}}"));
        prop_assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
