//! The lines of an export, and the digest over them. Pure. No line holds a number that only one database knows, so two
//! stores that hold the same give the same lines.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::domain::digest::Digest;
use crate::domain::ids::{DroneId, ProfileId, RunId};
use crate::domain::needs::Needs;
use crate::domain::run::RunReport;
use crate::protocol::registry::Origin;

/// Never changed without a new number.
pub(in crate::store) const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum Line {
    ChartlyExport { format: u32 },
    Version(VersionLine),
    Batch(Box<BatchLine>),
    Profile(ProfileLine),
    End(Totals),
}

/// A version of a profile, in the order in which they were put.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct VersionLine {
    pub(in crate::store) profile_id: ProfileId,
    pub(in crate::store) name: String,
    pub(in crate::store) version: String,
    pub(in crate::store) yaml: String,
    pub(in crate::store) key: Vec<String>,
    pub(in crate::store) needs: Needs,
    pub(in crate::store) enabled: bool,
    pub(in crate::store) origin: Origin,
    pub(in crate::store) path: Option<String>,
    pub(in crate::store) created_ms: i64,
}

/// A batch as it was stored, with what its run came to.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct BatchLine {
    pub(in crate::store) profile_id: ProfileId,
    pub(in crate::store) run_id: RunId,
    pub(in crate::store) drone_id: DroneId,
    /// Names the batch in its run, and its content; hex.
    pub(in crate::store) key: String,
    pub(in crate::store) digest: String,
    pub(in crate::store) received_ms: i64,
    pub(in crate::store) rejected: u32,
    /// Records that it named; those that its run had seen before are not among `records`.
    pub(in crate::store) named: usize,
    /// Of a run that is over, only the last batch says so.
    pub(in crate::store) run: RunReport,
    pub(in crate::store) records: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct ProfileLine {
    pub(in crate::store) profile_id: ProfileId,
    pub(in crate::store) paused: bool,
    pub(in crate::store) deleted_ms: Option<i64>,
    /// The version that holds, and since when.
    pub(in crate::store) current: Digest,
    pub(in crate::store) updated_ms: i64,
}

/// What lines hold, and the digest over all of them before the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    pub profiles: u64,
    pub versions: u64,
    pub batches: u64,
    /// Records of all batches: one that several runs saw counts for each.
    pub results: u64,
    pub digest: Digest,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profiles, versions, batches, results, digest } = self;
        write!(f, "{profiles} profiles in {versions} versions, {batches} batches, {results} results, {digest}")
    }
}

/// Counts lines as they pass.
#[derive(Debug, Default)]
pub(in crate::store) struct Tally {
    hasher: Sha256,
    profiles: u64,
    versions: u64,
    batches: u64,
    results: u64,
}

impl Tally {
    /// `text` is the line without its end.
    pub(in crate::store) fn count(&mut self, line: &Line, text: &[u8]) {
        self.hasher.update(text);
        self.hasher.update(b"\n");
        match line {
            Line::Version(_) => self.versions += 1,
            Line::Profile(_) => self.profiles += 1,
            Line::Batch(batch) => {
                self.batches += 1;
                self.results += batch.records.len() as u64;
            }
            Line::ChartlyExport { .. } | Line::End(_) => {}
        }
    }

    pub(in crate::store) fn totals(&self) -> Totals {
        Totals {
            profiles: self.profiles,
            versions: self.versions,
            batches: self.batches,
            results: self.results,
            digest: Digest::from_bytes(self.hasher.clone().finalize().into()),
        }
    }
}
