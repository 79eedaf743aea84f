//! What an engine must be able to tell of itself. Rows come in pages, so that memory does not grow with the store.

use super::{Check, Question};
use crate::store::error::StoreError;

/// A profile, as far as its records are held against it.
#[derive(Debug)]
pub(in crate::store) struct ProfileRow {
    pub(in crate::store) row: i64,
    pub(in crate::store) id: String,
    /// A JSON list of dims; null: its records are not linked.
    pub(in crate::store) keyed_by: Option<String>,
}

#[derive(Debug)]
pub(in crate::store) struct RecordRow {
    pub(in crate::store) row: i64,
    pub(in crate::store) key: Vec<u8>,
    pub(in crate::store) body: String,
    pub(in crate::store) observation: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(in crate::store) struct VersionRow {
    pub(in crate::store) row: i64,
    pub(in crate::store) profile: String,
    pub(in crate::store) digest: Vec<u8>,
    pub(in crate::store) yaml: String,
}

#[derive(Debug)]
pub(in crate::store) struct SetRow {
    pub(in crate::store) row: i64,
    pub(in crate::store) digest: Vec<u8>,
    pub(in crate::store) ids: Vec<u8>,
}

/// A store that is looked over: one connection, in one transaction that sees one moment.
pub(in crate::store) trait Patient {
    /// The file or the database, as the operator knows it.
    fn name(&self) -> String;
    async fn engine(&mut self) -> Result<String, StoreError>;
    /// What the engine itself knows of its pages.
    async fn look_at_file(&mut self, check: &mut Check) -> Result<(), StoreError>;
    /// True: it has the layout of this release, for which the questions are made.
    async fn look_at_layout(&mut self, check: &mut Check) -> Result<bool, StoreError>;
    async fn count(&mut self, question: &Question) -> Result<i64, StoreError>;
    async fn profiles(&mut self) -> Result<Vec<ProfileRow>, StoreError>;
    /// The first and the last row of a profile's records.
    async fn bounds(&mut self, profile: i64) -> Result<Option<(i64, i64)>, StoreError>;
    /// Records of a profile from a row on.
    async fn records(&mut self, profile: i64, from: i64, limit: i64) -> Result<Vec<RecordRow>, StoreError>;
    /// Versions of profiles behind a row.
    async fn versions(&mut self, after: i64, limit: i64) -> Result<Vec<VersionRow>, StoreError>;
    /// Sets of records behind a row.
    async fn sets(&mut self, after: i64, limit: i64) -> Result<Vec<SetRow>, StoreError>;
    async fn close(self);
}
