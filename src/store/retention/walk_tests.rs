use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn set_of(ids: &[i64]) -> IdSet {
    let mut set = IdSet::default();
    ids.iter().for_each(|id| set.insert(*id, *id));
    set
}

fn run(id: i64, ended: Ended, saw: &[i64]) -> WalkedRun {
    WalkedRun { id, received_ms: id, ended, saw: set_of(saw), ..WalkedRun::default() }
}

/// Runs that may go and records that stay, of runs told from the oldest on.
fn walked(cutoffs: Cutoffs, runs: &[WalkedRun]) -> (Vec<i64>, Vec<i64>) {
    let mut walk = Walk::new(cutoffs);
    for run in runs.iter().rev() {
        walk.pass(run, false);
        if walk.is_done(run) {
            break;
        }
    }
    walk.runs.sort_unstable();
    let mut stays = walk.given;
    stays.union(&walk.recent);
    (walk.runs, stays.iter().flat_map(|(first, last)| first..=last).collect())
}

const OLD: Cutoffs = Cutoffs { records_ms: Some(100), runs_ms: Some(100) };

#[test]
fn what_the_source_gives_stays_however_old() {
    let runs = [run(1, Ended::Well, &[1, 2]), run(2, Ended::Well, &[2, 3]), run(3, Ended::Otherwise, &[4])];
    assert_eq!(walked(OLD, &runs).1, [2, 3, 4]);
}

#[test]
fn an_unchanged_run_has_seen_what_the_one_before_it_saw() {
    let runs = [run(1, Ended::Well, &[1]), run(200, Ended::Unchanged, &[]), run(201, Ended::Well, &[2])];
    assert_eq!(walked(OLD, &runs).1, [1, 2]);
    let runs = [run(1, Ended::Well, &[1]), run(2, Ended::Unchanged, &[]), run(201, Ended::Well, &[2])];
    assert_eq!(walked(OLD, &runs).1, [2]);
}

#[test]
fn runs_that_say_nothing_new_go_and_the_last_of_its_kind_stays() {
    let polls = [
        WalkedRun { brought: true, ..run(1, Ended::Well, &[1, 2]) },
        run(2, Ended::Well, &[1, 2]),
        run(3, Ended::Unchanged, &[]),
        run(4, Ended::Unchanged, &[]),
        run(5, Ended::Otherwise, &[]),
        WalkedRun { brought: true, ..run(6, Ended::Well, &[2, 3]) },
        run(200, Ended::Well, &[2, 3]),
    ];
    // 4 is the last that vouches for 1, by way of 2: nothing later saw record 1.
    assert_eq!(walked(OLD, &polls).0, [3, 5]);
    assert_eq!(walked(Cutoffs::default(), &polls).0, Vec::<i64>::new());
}

#[test]
fn a_run_of_which_nothing_is_kept_goes() {
    let mut walk = Walk::new(OLD);
    walk.pass(&run(200, Ended::Well, &[2]), false);
    let old = run(1, Ended::Well, &[1, 2]);
    assert!(walk.asks_about(&old));
    assert_eq!(walk.untold(&old), set_of(&[1]));
    walk.pass(&old, true);
    assert_eq!(walk.runs, [1]);
}

#[test]
fn replays_and_what_they_replayed_stay() {
    let tied = |id| WalkedRun { is_tied: true, ..run(id, Ended::Well, &[1]) };
    let runs = [tied(1), tied(2), run(200, Ended::Well, &[1])];
    assert_eq!(walked(OLD, &runs).0, Vec::<i64>::new());
}

#[test]
fn the_time_of_the_last_sighting_is_told() {
    let runs = [run(1, Ended::Well, &[1, 2]), run(7, Ended::Unchanged, &[]), run(9, Ended::Well, &[2])];
    let mut walk = LastSeen::default();
    assert_eq!(runs.iter().rev().find_map(|run| walk.pass(run, &set_of(&[1]))), Some(7));
}

/// What each run has seen, unchanged ones included.
fn in_effect(runs: &[WalkedRun]) -> Vec<BTreeSet<i64>> {
    let mut last = BTreeSet::new();
    let each = |run: &WalkedRun| {
        let saw: BTreeSet<i64> = run.saw.iter().flat_map(|(first, end)| first..=end).collect();
        if run.ended == Ended::Unchanged && saw.is_empty() {
            return last.clone();
        }
        if !saw.is_empty() || run.ended == Ended::Well {
            last.clone_from(&saw);
        }
        saw
    };
    runs.iter().map(each).collect()
}

fn last_seen(runs: &[WalkedRun]) -> BTreeMap<i64, i64> {
    let effect = in_effect(runs);
    let each = runs.iter().zip(&effect).flat_map(|(run, saw)| saw.iter().map(|id| (*id, run.received_ms)));
    // Later runs overwrite.
    each.collect()
}

fn histories() -> impl Strategy<Value = Vec<WalkedRun>> {
    let ended = prop_oneof![3 => Just(Ended::Well), 2 => Just(Ended::Unchanged), 1 => Just(Ended::Otherwise)];
    let one = (ended, prop::collection::btree_set(0_i64..6, 0..4));
    prop::collection::vec(one, 0..14).prop_map(|all| {
        let (mut known, mut runs) = (BTreeSet::new(), Vec::new());
        for (id, (ended, saw)) in (1..).zip(all) {
            let saw: Vec<i64> = if ended == Ended::Unchanged { Vec::new() } else { saw.into_iter().collect() };
            let brought = saw.iter().filter(|id| known.insert(**id)).count() > 0;
            runs.push(WalkedRun { brought, ..run(id, ended, &saw) });
        }
        runs
    })
}

proptest! {
    #[test]
    fn letting_runs_go_changes_no_last_sighting(runs in histories(), cutoff_ms in 0_i64..16) {
        let (gone, _) = walked(Cutoffs { records_ms: None, runs_ms: Some(cutoff_ms) }, &runs);
        let left: Vec<WalkedRun> = runs.iter().filter(|run| !gone.contains(&run.id)).cloned().collect();
        prop_assert_eq!(last_seen(&left), last_seen(&runs));
        for run in &runs {
            let is_first = run.brought;
            prop_assert!(!gone.contains(&run.id) || (run.received_ms < cutoff_ms && !is_first));
        }
        prop_assert_eq!(left.last(), runs.last(), "the latest stays");
        let (again, _) = walked(Cutoffs { records_ms: None, runs_ms: Some(cutoff_ms) }, &left);
        prop_assert_eq!(again, Vec::<i64>::new(), "a second look finds nothing more");
    }

    #[test]
    fn what_stays_is_what_is_given_or_was_seen_since(runs in histories(), cutoff_ms in 0_i64..16) {
        let (_, stays) = walked(Cutoffs { records_ms: Some(cutoff_ms), runs_ms: None }, &runs);
        let effect = in_effect(&runs);
        let latest = runs.iter().rposition(|run| run.ended == Ended::Well).unwrap_or(0);
        let mut expected: BTreeSet<i64> = effect.iter().skip(latest).flatten().copied().collect();
        expected.extend(last_seen(&runs).into_iter().filter(|(_, seen_ms)| *seen_ms >= cutoff_ms).map(|(id, _)| id));
        prop_assert_eq!(stays, expected.into_iter().collect::<Vec<_>>());
    }
}
