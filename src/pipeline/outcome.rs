//! What a run needs from outside, and what it tells at its end.

use std::collections::BTreeMap;
use std::future::Future;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::cursor::CursorMark;
use super::kept::Keeper;
use crate::domain::batch::Records;
use crate::domain::digest::Digest;
use crate::domain::rejects::Rejects;
use crate::domain::run::RunState;
use crate::domain::shape::RunShape;
use crate::profiles::Profile;

/// One execution of a profile. It holds secrets, so it is never shown.
#[expect(missing_debug_implementations, reason = "it leads to secrets")]
pub struct RunInput<'a> {
    pub profile: &'a Profile,
    /// What the last run of the same profile gave back.
    pub validators: Option<Validators>,
    /// Where the last run that read everything stopped.
    pub cursor: Option<CursorMark>,
    /// Unix milliseconds at the start.
    pub now_ms: i64,
    pub secrets: &'a dyn Secrets,
    /// Keeps the answers as they come, where they are kept.
    pub keeper: Option<&'a Keeper>,
}

/// Where secrets are found by name.
pub trait Secrets {
    fn get(&self, name: &str) -> Option<SecretString>;
}

impl Secrets for BTreeMap<String, SecretString> {
    fn get(&self, name: &str) -> Option<SecretString> {
        Self::get(self, name).cloned()
    }
}

/// Takes the records of a run, in batches of at most [`super::MAX_BATCH`]. What was accepted is not sent again.
pub trait Sink {
    fn accept(&mut self, records: Records) -> impl Future<Output = Result<(), SinkError>>;
}

/// Why a sink takes no more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// What lets the next run ask "has it changed?". Good for one request of one version of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// Digest over the profile's version and the request.
    pub request: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    pub state: RunState,
    /// Why it failed, or which limit made it partial.
    pub error: Option<String>,
    /// Requests made, retries and redirects included.
    pub requests: u64,
    /// Bytes of all answers, after decompression.
    pub bytes: u64,
    /// Rows seen in the answers that counted.
    pub rows: u64,
    /// Rows whose record had been seen in this run already.
    pub duplicates: u64,
    /// Records handed to the sink.
    pub records: u64,
    /// Rows that gave no record, by reason.
    pub dropped: Vec<Dropped>,
    /// Fields that could not be read while their row still gave a record, by reason.
    pub unread: Vec<Dropped>,
    /// What an operator should know and that lost nothing, such as local times that the clocks skip.
    pub notes: Vec<Dropped>,
    /// The rows that failed: all counted, the first kept.
    pub rejects: Rejects,
    /// What the rows looked like.
    pub shape: RunShape,
    /// For the next run.
    pub validators: Option<Validators>,
    /// For the next run, once the records are safe.
    pub cursor: Option<CursorMark>,
    /// Unix milliseconds before which the source does not want to be asked again.
    pub not_before_ms: Option<i64>,
}

/// Rows (or fields) lost for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    pub reason: String,
    pub rows: u64,
    /// The value of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

impl RunOutcome {
    /// Rows that gave no record, for all reasons but being a duplicate.
    pub fn dropped_rows(&self) -> u64 {
        self.dropped.iter().map(|dropped| dropped.rows).sum()
    }
}
