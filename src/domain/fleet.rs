//! What a drone says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the coordinator counts on a drone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DroneState {
    /// It beat within the lease time.
    Online,
    /// It is alive and finishes what it has; it gets no new work.
    Draining,
    /// It has not been heard of for a lease time.
    Offline,
}

/// Labels of a drone, such as `region: eu`; bounded where they arrive.
pub type Labels = BTreeMap<String, String>;

/// The most labels a drone may carry, and the most characters of a label's key or value.
pub const MAX_LABELS: usize = 32;
pub const MAX_LABEL_CHARS: usize = 100;
