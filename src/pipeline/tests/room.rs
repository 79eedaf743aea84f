//! Rows that are made ready before they are read take no more memory than the profile leaves them.

use super::with;
use crate::pipeline::decode::{Room, Tables, prepare};
use crate::pipeline::page::PageError;
use crate::profiles::Profile;
use crate::profiles::plan::MappingPlan;

fn ready(profile: &Profile, text: &str, room: Room) -> Result<(), String> {
    let MappingPlan::Ready(mapping) = &profile.plan().mapping else { panic!("the profile says where its rows are") };
    let rows = prepare(text, mapping, room).and_then(|_| Tables::read(text, &mapping.lookups, room));
    rows.map(drop).map_err(|error| match error {
        PageError::Failed(message) => message,
        other => panic!("{other:?}"),
    })
}

#[test]
fn every_kind_of_prepared_rows_is_bounded_and_the_message_names_the_setting() {
    let list = format!("{{\"d\":[{}{{\"v\":1}}]}}", "{\"v\":1},".repeat(99));
    let pairs = format!("{{\"d\":[{}[0,1]]}}", (1..100).map(|key| format!("[{key},1],")).collect::<String>());
    let codes: Vec<String> = (0..100).map(|code| format!("\"{code}\"")).collect();
    let codes = codes.join(",");
    let stat = format!(
        "{{\"id\":[\"a\"],\"size\":[100],\"dimension\":{{\"a\":{{\"category\":{{\"index\":[{codes}]}}}}}},\"value\":[{}1]}}",
        "1,".repeat(99)
    );
    for (rows, text) in [
        ("rows: {each: '$.d[?@.v > 0]'}\nmeasures: {v: v}", &list),
        (
            "rows: {single: '$[\"d\"]'}\nlookups: {t: {each: '$.d[?@.v > 0]', key: v, value: v}}\nmeasures: {v: '[0].v'}",
            &list,
        ),
        ("rows: {join_pairs: {lists: {v: $.d}}}\nmeasures: {v: v}", &pairs),
        ("rows: {cube: json-stat}\ndims: {x.a: a.code}\nmeasures: {v: value}", &stat),
    ] {
        let profile = with(rows);
        assert_eq!(ready(&profile, text, Room::default()), Ok(()), "{rows}");
        let told = ready(&profile, text, Room::exactly(400)).expect_err(rows);
        assert!(told.contains("raise limits.max_bytes"), "{told}");
    }
}

#[test]
fn the_bound_follows_what_a_run_may_read() {
    for (max_bytes, room) in [(1, 128 << 20), (64 << 20, 128 << 20), (1 << 30, 2_usize << 30), (u64::MAX, usize::MAX)] {
        assert!(Room::of(max_bytes).check(room).is_ok(), "{max_bytes}");
        assert_eq!(Room::of(max_bytes).check(room.saturating_add(1)).is_ok(), room == usize::MAX, "{max_bytes}");
    }
}
