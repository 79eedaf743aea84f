//! Makes stores, profiles and batches for the tests.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use chartly::domain::digest::Digest;
use chartly::domain::ids::{ProfileId, RunId, TenantId};
use chartly::protocol::aggregator::{Receipt, RecordFilter, RecordRow};
use chartly::protocol::batch::Batch;
use chartly::protocol::paging::{Page, PageRequest};
use chartly::protocol::registry::{Origin, PutMode};
use chartly::store::{NewVersion, Store, StoreSettings, TenantStore};
use serde_json::{Value, json};

use crate::engines::{Bed, Engine};

/// A store of its own, gone with the value.
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) bed: Bed,
}

impl Fixture {
    pub(crate) async fn new(engine: Engine) -> Self {
        let bed = Bed::new(engine).await;
        let store = Store::open(&bed.settings()).await.unwrap();
        Self { store, bed }
    }

    pub(crate) async fn with_profiles(engine: Engine, ids: &[&str]) -> Self {
        let fixture = Self::new(engine).await;
        for id in ids {
            put(&fixture.tenant(), id, 1).await;
        }
        fixture
    }

    pub(crate) fn tenant(&self) -> TenantStore {
        self.store.tenant(&TenantId::default())
    }

    /// Drops the store without closing it and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        let Self { store, bed } = self;
        drop(store);
        let store = Store::open(&bed.settings()).await.unwrap();
        Self { store, bed }
    }

    pub(crate) async fn close(&self) {
        self.store.close(Duration::from_secs(20)).await.unwrap();
    }
}

pub(crate) fn settings(folder: &Path) -> StoreSettings {
    StoreSettings::new(folder.join("results.db"))
}

pub(crate) fn profile_id(id: &str) -> ProfileId {
    ProfileId::parse(id).unwrap()
}

pub(crate) fn run_id(id: &str) -> RunId {
    RunId::parse(id).unwrap()
}

pub(crate) fn version(id: &str, number: u32) -> NewVersion {
    let yaml = format!("id: {id}\nversion: {number}\n");
    NewVersion {
        id: profile_id(id),
        name: format!("Profile {id}"),
        version: number.to_string(),
        digest: Digest::of(yaml.as_bytes()),
        yaml,
        key: Vec::new(),
        needs: chartly::domain::needs::Needs::default(),
        enabled: true,
        origin: Origin::Api,
        path: None,
    }
}

pub(crate) async fn put(tenant: &TenantStore, id: &str, number: u32) {
    tenant.put_profile(version(id, number), PutMode::Replace, None, i64::from(number)).await.unwrap();
}

pub(crate) fn record(state: u64, value: u64) -> Value {
    json!({"dims": {"geo": {"state": format!("{state:02}")}}, "measures": {"value": value}})
}

/// A batch in the public form; `extra` are further members such as `seq` and `run`.
pub(crate) fn batch(profile: &str, run: &str, records: &[Value], extra: Value) -> Batch {
    let mut body = json!({"drone_id": "d1", "profile_id": profile, "run_id": run, "data": records});
    let Value::Object(members) = extra else { panic!("extra is an object") };
    body.as_object_mut().expect("a batch is an object").extend(members);
    Batch::from_json(body.to_string().as_bytes()).unwrap()
}

pub(crate) async fn store(tenant: &TenantStore, profile: &str, run: &str, seq: u32, records: &[Value]) -> Receipt {
    tenant.store_batch(batch(profile, run, records, json!({"seq": seq})), 1_000).await.unwrap()
}

pub(crate) fn page(limit: u32, cursor: Option<String>) -> PageRequest {
    PageRequest { limit: Some(limit), cursor }
}

pub(crate) fn values(page: &Page<RecordRow>) -> Vec<Value> {
    page.items.iter().map(|row| serde_json::from_str(row.0.get()).unwrap()).collect()
}

/// All records, page by page.
pub(crate) async fn all_records(tenant: &TenantStore, filter: &RecordFilter, limit: u32) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let found = tenant.records(filter, &page(limit, cursor)).await.unwrap();
        all.extend(values(&found));
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
}

/// All results, page by page.
pub(crate) async fn all_results(tenant: &TenantStore, filter: &RecordFilter, limit: u32) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let found = tenant.results(filter, &page(limit, cursor)).await.unwrap();
        all.extend(values(&found));
        cursor = found.next;
        if cursor.is_none() {
            return all;
        }
    }
}

pub(crate) async fn scanned(tenant: &TenantStore, profile: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let each = |text: &str| {
        texts.push(text.to_owned());
        ControlFlow::Continue(())
    };
    tenant.scan_records(&profile_id(profile), None, each).await.unwrap();
    texts
}

pub(crate) fn of_profile(id: &str) -> RecordFilter {
    RecordFilter { profile_id: Some(profile_id(id)), ..RecordFilter::default() }
}

pub(crate) fn of_run(id: &str) -> RecordFilter {
    RecordFilter { run_id: Some(run_id(id)), ..RecordFilter::default() }
}

/// Bytes of the database file, its log included.
pub(crate) fn bytes_on_disk(folder: &Path) -> u64 {
    let length = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
    length("results.db") + length("results.db-wal")
}
