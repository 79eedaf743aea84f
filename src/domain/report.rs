//! What may be asked of a report, and what comes back. Plain data, as it stands in the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::ProfileId;

/// The most rows a report answers with; more are counted, never silently cut.
pub const MAX_ROWS: u32 = 100_000;
pub const DEFAULT_ROWS: u32 = 5_000;

/// A join of measures of several profiles on shared dims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportSpec {
    /// Dims to join on, such as `dims.geo.state`. A record without one of them cannot join; such are counted.
    /// `dims.time.year`, `quarter`, `month`, `week` and `date` are also read out of a finer grain: a record with
    /// `dims.time.date` joins on its year; say by `on_duplicate` what becomes of its many days.
    pub join: Vec<String>,
    pub inputs: Vec<Input>,
    #[serde(default)]
    pub window: Window,
    pub output: Output,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    /// Path of the measure, such as `measures.population.total`.
    pub measure: String,
    /// What to do where several records of this profile share a key: `last` (default, by arrival), `first`,
    /// `mean`, `sum`, `min`, `max`, or `error`.
    #[serde(default)]
    pub on_duplicate: OnDuplicate,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    #[default]
    Last,
    First,
    Mean,
    Sum,
    Min,
    Max,
    Error,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The most rows in the answer; 5,000 unless said, 100,000 at most. Statistics use every matched row.
    #[serde(default)]
    pub limit: Option<u32>,
    /// Unix milliseconds: takes the versions that stood then, instead of those that stand now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Output {
    /// The joined rows. `keep: inner` (default) has the keys that all inputs have, `outer` those of any.
    Table {
        #[serde(default)]
        keep: Keep,
    },
    /// The correlation of each pair of inputs over the keys that both have.
    Correlation {
        #[serde(default)]
        method: Method,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    #[default]
    Inner,
    Outer,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    #[default]
    Pearson,
}

/// What was computed, with the counts that show what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportResult {
    pub inputs: Vec<InputCounts>,
    /// Keys that all inputs have.
    pub matched: u64,
    #[serde(flatten)]
    pub answer: Answer,
}

/// What became of one input's records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InputCounts {
    #[schema(value_type = String)]
    pub profile_id: ProfileId,
    pub measure: String,
    /// Records of the profile that were read: all of them.
    pub records: u64,
    /// Records left out because they lack a join dim.
    pub without_key: u64,
    /// Records left out because they have every join dim, but lack the measure.
    pub without_measure: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Records beyond the first of their key. `records` is the sum of this and the three before.
    pub duplicates: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    Table {
        /// The join dims, then one column for each input, named `profile:measures.x`.
        columns: Vec<String>,
        rows: Vec<Row>,
        /// True when there are more rows than the limit; `total_rows` counts them all.
        truncated: bool,
        total_rows: u64,
    },
    Correlation {
        method: Method,
        pairs: Vec<Pair>,
    },
}

/// One joined row: the key's texts in the order of `join`, the measures in the order of `inputs`. Rows are in the
/// order of their keys, text by text, by Unicode code points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Row {
    pub key: Vec<String>,
    pub values: Vec<Option<f64>>,
}

/// The correlation of two inputs, by their index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Pair {
    pub x: u32,
    pub y: u32,
    /// Keys that both have.
    pub n: u64,
    /// Absent where it is not defined; `note` says why.
    pub r: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
