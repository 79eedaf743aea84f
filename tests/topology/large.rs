//! A large download through the gateway of five processes: page by page, in memory that does not grow with it.

use serde_json::{Value, json};

use crate::layout::Layout;
use crate::support::{get, post, put_profile};

const RECORDS: usize = 40_000;
const PER_POST: usize = 2_000;
const MAX_GROWTH_KIB: u64 = 96 << 10;

/// All pages as lines, the cursor taken from the `Link` header's like in the JSON.
async fn read_all(gateway: &str) -> usize {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = get(&format!("{gateway}/api/records?profile_id=large&limit=5000{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page: Value = page.json();
        count += page["items"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { return count };
        cursor = format!("&cursor={next}");
    }
}

#[actix_web::test]
async fn the_gateway_holds_no_more_than_a_page_of_a_large_download() {
    let folder = tempfile::tempdir().unwrap();
    let mut five = Layout::five_processes(folder.path());
    let gateway = five.gateway().to_owned();
    five.all_well().await;
    let yaml = "id: large\nname: large\nversion: 1.0.0\n\
                source: { type: http_rest, url: \"http://127.0.0.1:9/\", auth: none }\n\
                schedule: { enabled: false, interval: 1h }\nmapping:\n  a: dims.a\n  v: measures.v\n";
    assert_eq!(put_profile(&gateway, yaml).await.status, 201);
    let text = "x".repeat(400);
    for seq in 0..RECORDS / PER_POST {
        let data: Vec<Value> = (seq * PER_POST..(seq + 1) * PER_POST)
            .map(|number| json!({"dims": {"a": format!("{number}-{text}")}, "measures": {"v": number}}))
            .collect();
        let batch = json!({"drone_id": "d", "profile_id": "large", "run_id": "r", "seq": seq, "data": data});
        let stored = post(&format!("{gateway}/api/results"), &batch).await;
        assert_eq!(stored.status, 200, "{}", stored.text());
    }
    assert_eq!(read_all(&gateway).await, RECORDS);
    let process = &five.of(chartly::settings::Role::Gateway).process;
    let before = process.rss_kib();
    for _ in 0..4 {
        assert_eq!(read_all(&gateway).await, RECORDS);
    }
    let after = process.rss_kib();
    // Five times 20 MB have gone through since.
    assert!(after < before + MAX_GROWTH_KIB / 4 && after < MAX_GROWTH_KIB * 2, "{before} KiB, then {after} KiB");
}
