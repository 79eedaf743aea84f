//! What a run yielded can always be listed again, in the order in which it was sent and page by page, also when none of
//! it was new.

use serde_json::{Value, json};

use crate::engines::Engine;
use crate::support::*;

const POLLS: u64 = 6;
const RECORDS: u64 = 23;

fn sent() -> Vec<Value> {
    // Not in the order of their arrival, so that the order is seen to be the run's own.
    (0..RECORDS).map(|n| record(n, (n * 7) % RECORDS)).collect()
}

fn values_of(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["measures"]["value"].as_u64().unwrap()).collect()
}

async fn what_a_run_yielded_is_listed_again_also_when_nothing_was_new(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p", "other"]).await;
    let tenant = fixture.tenant();
    for poll in 0..POLLS {
        let run = format!("poll-{poll}");
        for (seq, part) in (0..).zip(sent().chunks(10)) {
            let receipt = store(&tenant, "p", &run, seq, part).await;
            assert_eq!(receipt.inserted == 0, poll > 0, "only the first poll brings something");
            // Another profile's records come in between.
            store(&tenant, "other", &run.replace("poll", "other"), seq, &[record(1, poll * 10 + u64::from(seq))]).await;
        }
    }
    let fixture = fixture.reopened().await;
    let tenant = fixture.tenant();
    let expected = values_of(&sent());
    for poll in 0..POLLS {
        let of_poll = of_run(&format!("poll-{poll}"));
        for limit in [1, 7, 10, 5_000] {
            assert_eq!(values_of(&all_results(&tenant, &of_poll, limit).await), expected, "poll {poll} by {limit}");
        }
    }
    let run = tenant.run(&run_id("poll-5")).await.unwrap();
    assert_eq!((run.inserted, run.known), (0, RECORDS));
}

/// A cursor stays good while more arrives.
async fn a_page_goes_on_where_the_last_one_ended_while_more_arrives(engine: Engine) {
    let fixture = Fixture::with_profiles(engine, &["p"]).await;
    let tenant = fixture.tenant();
    store(&tenant, "p", "first", 0, &sent()).await;
    let (mut found, mut cursor) = (Vec::new(), None);
    for poll in 0.. {
        let rows = tenant.results(&of_run("first"), &page(5, cursor)).await.unwrap();
        found.extend(values_of(&values(&rows)));
        cursor = rows.next;
        if cursor.is_none() {
            break;
        }
        store(&tenant, "p", &format!("poll-{poll}"), 0, &sent()).await;
        let more = json!({"seq": 1});
        tenant.store_batch(batch("p", &format!("poll-{poll}"), &[record(99, 100 + poll)], more), 9).await.unwrap();
    }
    assert_eq!(found, values_of(&sent()));
}

crate::engines::on_both_engines! {
    what_a_run_yielded_is_listed_again_also_when_nothing_was_new,
    a_page_goes_on_where_the_last_one_ended_while_more_arrives,
}
