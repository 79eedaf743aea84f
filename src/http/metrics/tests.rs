use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::runtime::Kind as PartKind;

fn part(id: u64, name: &str) -> VitalsSnapshot {
    VitalsSnapshot {
        id,
        name: name.into(),
        kind: PartKind::Actor,
        state: State::Running,
        stopping: false,
        crashes: 0,
        restarts: 0,
        queue_depth: 0,
        queue_capacity: 256,
        last_crash: None,
        asks: AskCounts::default(),
    }
}

/// The samples of a text, by what stands before the value. Fails where a series comes twice or a family is not
/// introduced.
fn samples(text: &str) -> BTreeMap<String, u64> {
    let (mut all, mut introduced) = (BTreeMap::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(introduced.insert(family.split(' ').next().unwrap()), "{family} is introduced twice");
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(introduced.contains(series.split('{').next().unwrap()), "{series} is not introduced");
        assert!(all.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{series} comes twice");
    }
    all
}

fn written(parts: &[VitalsSnapshot], totals: &Totals) -> BTreeMap<String, u64> {
    let mut out = String::new();
    write_parts(&mut out, parts, totals);
    samples(&out)
}

#[test]
fn a_part_shows_all_of_its_vital_signs() {
    let asks = AskCounts { answered: 1, told: 2, overloaded: 3, restarting: 4, crashed: 5, deadline: 6, down: 7 };
    let state = State::Restarting;
    let registry = VitalsSnapshot { crashes: 9, restarts: 8, queue_depth: 3, state, asks, ..part(1, "registry") };
    let shown = written(&[registry], &Totals::default());
    for (series, value) in [
        ("chartly_actor_crashes_total{actor=\"registry\"}", 9),
        ("chartly_actor_restarts_total{actor=\"registry\"}", 8),
        ("chartly_actor_queue_depth{actor=\"registry\"}", 3),
        ("chartly_actor_queue_capacity{actor=\"registry\"}", 256),
        ("chartly_actor_state{actor=\"registry\",state=\"restarting\"}", 1),
        ("chartly_actor_state{actor=\"registry\",state=\"running\"}", 0),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"answered\"}", 1),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"told\"}", 2),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"overloaded\"}", 3),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"restarting\"}", 4),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"crashed\"}", 5),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"deadline\"}", 6),
        ("chartly_actor_asks_total{actor=\"registry\",outcome=\"down\"}", 7),
    ] {
        assert_eq!(shown.get(series), Some(&value), "{series} in {shown:#?}");
    }
}

#[test]
fn labels_do_not_grow_with_profiles_and_drones() {
    let mut parts: Vec<_> =
        (0..100).map(|n| VitalsSnapshot { crashes: 1, ..part(n, &format!("fetch/p{n}")) }).collect();
    parts[0].state = State::GaveUp;
    for n in 100..103 {
        parts.push(part(n, &format!("drone/edge-{n}.example/session")));
        parts.push(part(n + 100, &format!("something/{n}/new")));
    }
    let shown = written(&parts, &Totals::default());
    assert_eq!(shown["chartly_actor_crashes_total{actor=\"fetch\"}"], 100);
    assert_eq!(shown["chartly_actor_state{actor=\"fetch\",state=\"gave_up\"}"], 1);
    assert_eq!(shown["chartly_actor_state{actor=\"fetch\",state=\"running\"}"], 99);
    assert_eq!(shown["chartly_actor_queue_capacity{actor=\"drone_session\"}"], 3 * 256);
    let actors = shown.keys().filter(|series| series.starts_with("chartly_actor_crashes_total")).count();
    assert_eq!(actors, 3, "fetch, drone_session and other: {shown:#?}");
}

#[test]
fn a_counter_does_not_fall_when_a_part_is_gone() {
    let totals = Totals::default();
    let fetch = |id, crashes| VitalsSnapshot { crashes, restarts: crashes, ..part(id, &format!("fetch/p{id}")) };
    let crashes = |parts: &[VitalsSnapshot]| written(parts, &totals)["chartly_actor_crashes_total{actor=\"fetch\"}"];
    assert_eq!(crashes(&[fetch(1, 2), fetch(2, 1)]), 3);
    assert_eq!(crashes(&[fetch(2, 1)]), 3);
    assert_eq!(crashes(&[fetch(2, 2), fetch(3, 1)]), 5);
    assert_eq!(crashes(&[]), 5);
    assert_eq!(crashes(&[]), 5);
}

#[test]
fn the_store_and_the_peers_show_theirs() {
    let mut out = String::new();
    let store = StoreVitals { writable: true, queued: 2, commits: 7, wal_bytes: 4_096, ..StoreVitals::default() };
    write_store(&mut out, &store);
    write_peers(&mut out, &[("registry", true), ("reporter", false)]);
    let shown = samples(&out);
    assert_eq!(shown["chartly_store_writable"], 1);
    assert_eq!((shown["chartly_store_commits_total"], shown["chartly_store_queued_writes"]), (7, 2));
    assert_eq!(shown["chartly_store_wal_bytes"], 4_096);
    assert_eq!((shown["chartly_peer_up{role=\"registry\"}"], shown["chartly_peer_up{role=\"reporter\"}"]), (1, 0));
}
