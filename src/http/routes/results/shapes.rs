//! Shapes for the documentation only, of what is read and written without ever being one of these.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::run::RunReport;
use crate::protocol::aggregator::Receipt;
use crate::protocol::lines::LinesReceipt;

/// A batch of one run. Send it again with the same `run_id` and `seq` as often as needed: it is stored once.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: a batch is read without building a tree")]
pub(super) struct BatchShape {
    pub drone_id: String,
    pub profile_id: String,
    pub run_id: String,
    /// Place in the run, from 0. Left out: the batch's content stands for it.
    pub seq: Option<u32>,
    /// At most 50,000. A bad record is named in the receipt; the others are stored.
    pub data: Vec<RecordShape>,
    pub run: Option<RunReport>,
    /// True: the records are held until the run has ended and its shape was judged.
    pub hold: Option<bool>,
}

/// What was stored: of a batch, or of lines.
#[derive(Debug, ToSchema)]
#[schema(as = Stored)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) enum Stored {
    Batch(Receipt),
    Lines(LinesReceipt),
}

/// A record: dims are nested objects of text, measures nested objects of finite numbers.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(super) struct RecordShape {
    pub dims: BTreeMap<String, Value>,
    pub measures: BTreeMap<String, Value>,
}

/// A stored record.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "only its schema is used: rows are passed on as text")]
pub(super) struct RecordRowShape {
    /// `sha256:` of the canonical JSON of dims and measures.
    pub record_id: String,
    pub profile_id: String,
    /// Unix milliseconds.
    pub first_seen_ms: i64,
    pub dims: BTreeMap<String, Value>,
    pub measures: BTreeMap<String, Value>,
    /// Of a result: the run that saw it.
    pub run_id: Option<String>,
    pub drone_id: Option<String>,
    pub seen_ms: Option<i64>,
    /// Of a version in a history: it stood from this time on, and up to the other, where it stands no more.
    pub from_ms: Option<i64>,
    pub until_ms: Option<i64>,
}
