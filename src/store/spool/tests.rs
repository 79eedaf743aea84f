//! The spool by example: order, bounds, notes, restarts.

use super::*;
use crate::domain::digest::Digest;

fn profile(id: &str) -> ProfileId {
    ProfileId::parse(id).unwrap()
}

fn run() -> RunId {
    RunId::parse("r1").unwrap()
}

/// Does not compress, so that sizes mean something.
fn body(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..bytes).map(|_| next()).collect()
}

async fn waiting(spool: &Spool) -> Vec<Vec<u8>> {
    let batches = spool.peek(0, 1_000).await.unwrap();
    batches.iter().map(|batch| zstd::bulk::decompress(&batch.zstd, 1 << 20).unwrap()).collect()
}

#[tokio::test]
async fn what_was_pushed_comes_back_in_order_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path().join("drone/spool.db"));
    let spool = Spool::open(&settings).await.unwrap();
    for number in 0..3 {
        let note = format!("{{\"etag\":\"{number}\"}}");
        spool.push(&profile("p"), &run(), &[number; 100], Some(&note), 5).await.unwrap();
    }
    drop(spool);
    let spool = reopen(&settings).await;
    assert_eq!(waiting(&spool).await, [vec![0; 100], vec![1; 100], vec![2; 100]]);
    assert_eq!(spool.note(&profile("p")).await.unwrap().as_deref(), Some("{\"etag\":\"2\"}"));
    assert_eq!(spool.note(&profile("q")).await.unwrap(), None);
    let first = spool.peek(0, 1).await.unwrap()[0].seq;
    spool.acknowledged(&[first, 99]).await.unwrap();
    let stats = spool.stats().await.unwrap();
    assert_eq!((stats.batches, stats.dropped, stats.oldest_ms), (2, 0, Some(5)));
}

#[tokio::test]
async fn a_note_holds_for_what_was_stored_and_for_that_store_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings { max_bytes: 5_000, ..SpoolSettings::new(folder.path().join("s.db")) };
    let spool = Spool::open(&settings).await.unwrap();
    let (p, q) = (profile("p"), profile("q"));
    spool.goes_to("one").await.unwrap();
    let first = spool.push(&p, &run(), b"first", Some("n1"), 0).await.unwrap().seq;
    assert_eq!(spool.note(&p).await.unwrap().as_deref(), Some("n1"), "while it waits, it is what was fetched last");
    spool.acknowledged(&[first]).await.unwrap();
    spool.push(&p, &run(), &body(1, 2_000), None, 0).await.unwrap();
    spool.push(&p, &run(), b"second", Some("n2"), 0).await.unwrap();
    assert_eq!(spool.note(&p).await.unwrap().as_deref(), Some("n2"));
    // The first part of the run is lost at the bound: the source must not be taken for known.
    assert_eq!(spool.push(&q, &run(), &body(2, 4_000), None, 0).await.unwrap().dropped, 1);
    assert_eq!(spool.note(&p).await.unwrap().as_deref(), Some("n1"));
    spool.goes_to("one").await.unwrap();
    assert_eq!(spool.note(&p).await.unwrap().as_deref(), Some("n1"));
    spool.goes_to("another").await.unwrap();
    assert_eq!(spool.note(&p).await.unwrap(), None);
    let waiting_seq = spool.peek(0, 1).await.unwrap()[0].seq;
    spool.refused(waiting_seq).await.unwrap();
    assert_eq!(spool.stats().await.unwrap().dropped, 2);
}

/// The connection's thread lets the file go a moment after the drop, and the lock with the spool.
async fn reopen(settings: &SpoolSettings) -> Spool {
    Spool::open(settings).await.unwrap()
}

#[tokio::test]
async fn at_the_bound_the_oldest_go_and_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings { max_bytes: 10_000, ..SpoolSettings::new(folder.path().join("s.db")) };
    let spool = Spool::open(&settings).await.unwrap();
    let mut dropped = 0;
    for number in 0..10 {
        dropped +=
            spool.push(&profile("p"), &run(), &body(number + 7, 2_000), None, number as i64).await.unwrap().dropped;
    }
    let stats = spool.stats().await.unwrap();
    assert_eq!(dropped, stats.dropped);
    assert!(stats.bytes <= 10_000 && stats.batches + dropped == 10 && dropped >= 5, "{stats:?}");
    assert_eq!(waiting(&spool).await.last(), Some(&body(16, 2_000)));
    let refused = spool.push(&profile("p"), &run(), &body(1, 20_000), None, 11).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { max_bytes: 10_000, .. })), "{refused:?}");
    assert_eq!(spool.stats().await.unwrap().batches, stats.batches, "a refused push drops nothing");
}

#[tokio::test]
async fn a_spool_that_refuses_what_is_new_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let of = SpoolSettings::new(folder.path().join("s.db"));
    let settings = SpoolSettings { max_bytes: 5_000, at_the_bound: AtTheBound::RefuseNew, ..of };
    let spool = Spool::open(&settings).await.unwrap();
    let first = spool.push(&profile("p"), &run(), &body(1, 3_000), Some("n1"), 0).await.unwrap();
    let refused = spool.push(&profile("p"), &run(), &body(2, 3_000), Some("n2"), 1).await;
    assert!(matches!(refused, Err(StoreError::SpoolFull { max_bytes: 5_000 })), "{refused:?}");
    assert_eq!(waiting(&spool).await, [body(1, 3_000)]);
    assert_eq!(spool.note(&profile("p")).await.unwrap().as_deref(), Some("n1"));
    assert_eq!(spool.stats().await.unwrap().dropped, 1, "it is counted");
    spool.acknowledged(&[first.seq]).await.unwrap();
    spool.push(&profile("p"), &run(), &body(2, 3_000), Some("n2"), 2).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_makes_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings { max_age_ms: 1_000, ..SpoolSettings::new(folder.path().join("s.db")) };
    let spool = Spool::open(&settings).await.unwrap();
    spool.push(&profile("p"), &run(), b"from 1970", None, 500).await.unwrap();
    spool.clock_was_set(1_700_000_000_000).await.unwrap();
    assert_eq!(spool.push(&profile("p"), &run(), b"new", None, 1_700_000_000_900).await.unwrap().dropped, 0);
    assert_eq!(spool.push(&profile("p"), &run(), b"newer", None, 1_700_000_001_600).await.unwrap().dropped, 1);
}

#[tokio::test]
async fn the_work_is_what_was_told_last_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path().join("s.db"));
    let spool = Spool::open(&settings).await.unwrap();
    let job = |id: &str, text: Option<&str>| Job {
        profile_id: profile(id),
        digest: Digest::of(id.as_bytes()),
        text: text.map(str::to_owned),
    };
    spool.keep_work(&[job("a", Some("text of a")), job("b", Some("text of b"))]).await.unwrap();
    spool.keep_work(&[job("b", None), job("c", Some("text of c"))]).await.unwrap();
    drop(spool);
    assert_eq!(reopen(&settings).await.work().await.unwrap(), ["text of b", "text of c"]);
}

#[tokio::test]
async fn a_spool_of_the_first_layout_opens_with_all_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path().join("s.db"));
    let options = SqliteConnectOptions::new().filename(&settings.path).create_if_missing(true);
    let mut old = options.auto_vacuum(SqliteAutoVacuum::Incremental).connect().await.unwrap();
    create(&mut old, &[SCHEMA, "PRAGMA user_version = 1"]).await.unwrap();
    old.close().await.unwrap();
    let spool = Spool::open(&settings).await.unwrap();
    spool.push(&profile("p"), &run(), b"x", None, 0).await.unwrap();
    assert_eq!(spool.work().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_too_old_goes_with_the_next_push() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings { max_age_ms: 1_000, ..SpoolSettings::new(folder.path().join("s.db")) };
    let spool = Spool::open(&settings).await.unwrap();
    spool.push(&profile("p"), &run(), b"old", None, 0).await.unwrap();
    spool.push(&profile("p"), &run(), b"young", None, 600).await.unwrap();
    let pushed = spool.push(&profile("p"), &run(), b"new", None, 1_500).await.unwrap();
    assert_eq!(pushed.dropped, 1);
    assert_eq!(waiting(&spool).await, [b"young".to_vec(), b"new".to_vec()]);
}

#[tokio::test]
async fn a_second_opener_is_refused_and_a_foreign_file_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path().join("s.db"));
    let spool = Spool::open(&settings).await.unwrap();
    assert!(matches!(Spool::open(&settings).await, Err(StoreError::Locked { .. })));
    spool.close().await;
    let other = SpoolSettings::new(folder.path().join("notes.txt"));
    let text = "not a database, but long enough to hold a header of a hundred bytes if one looked at the size only";
    std::fs::write(&other.path, text.repeat(2)).unwrap();
    assert!(matches!(Spool::open(&other).await, Err(StoreError::Foreign { .. })));
    assert_eq!(std::fs::read_to_string(&other.path).unwrap(), text.repeat(2));
}

#[tokio::test]
async fn the_file_shrinks_when_the_backlog_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let settings = SpoolSettings::new(folder.path().join("s.db"));
    let spool = Spool::open(&settings).await.unwrap();
    for number in 0..100 {
        spool.push(&profile("p"), &run(), &body(number, 50_000), None, 0).await.unwrap();
    }
    loop {
        let batches = spool.peek(0, 10).await.unwrap();
        if batches.is_empty() {
            break;
        }
        let seqs: Vec<i64> = batches.iter().map(|batch| batch.seq).collect();
        spool.acknowledged(&seqs).await.unwrap();
    }
    spool.close().await;
    let length = std::fs::metadata(&settings.path).unwrap().len();
    assert!(length < 2_500_000, "{length} bytes after 5 MB went through");
}
